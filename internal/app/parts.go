package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/pipeline"
	"reauth/internal/storage"
	"reauth/internal/stream"
	"reauth/internal/vendors"
)

// OpenStore returns the selfie store. It makes no request.
func OpenStore(ctx context.Context, c config.Config, registerer prometheus.Registerer) (*storage.Store, error) {
	s := c.Selfies
	atOnce := 0 // selfies that are fetched, and those that are tagged or deleted after their calls
	for _, lane := range laneSettings(c) {
		atOnce += pipeline.MaxPreparing + lane.MaxInFlight
	}
	return storage.Open(ctx, storage.Config{
		Endpoint:       s.Endpoint,
		Region:         s.Region,
		PathStyle:      s.PathStyle,
		Bucket:         s.Bucket,
		AllowedBuckets: s.AllowedBuckets,
		MaxBytes:       int64(s.MaxBytes),
		MaxMemory:      int64(s.MaxMemory),
		MaxPixels:      s.MaxPixels,
		Timeout:        s.Timeout,
		Hedge:          s.Hedge,
		StoredDigest:   s.Digest == config.DigestStored,
		Concurrency:    atOnce,
		AfterVerdict:   afterVerdict(s.AfterVerdict),
		Registerer:     registerer,
	})
}

func afterVerdict(a config.AfterVerdict) storage.AfterVerdict {
	actions := make(map[event.Outcome]storage.Action)
	for outcome, action := range a.ByOutcome() {
		actions[outcome] = storage.Action(action)
	}
	return storage.AfterVerdict{Actions: actions, TagKey: a.TagKey, HoldTag: a.HoldTag}
}

// laneSettings returns the settings of the enabled vendors.
func laneSettings(c config.Config) map[event.Vendor]config.Vendor {
	enabled := map[event.Vendor]config.Vendor{}
	for _, name := range c.Vendors.Enabled() {
		enabled[name] = c.Vendors.Of(name)
	}
	return enabled
}

// openLanes returns a lane for each adapter.
func openLanes(c config.Config, adapters map[event.Vendor]vendors.Adapter, log *slog.Logger, registerer prometheus.Registerer) map[event.Vendor]*vendors.Lane {
	lanes := map[event.Vendor]*vendors.Lane{}
	for name, settings := range laneSettings(c) {
		lanes[name] = vendors.NewLane(adapters[name], vendors.LaneConfig{
			Windows:     windows(settings.Limits),
			Schedule:    schedule(settings),
			Headroom:    float64(settings.Headroom),
			Lends:       c.Limiter.Redis.Used(),
			MaxInFlight: settings.MaxInFlight,
			Timeout:     settings.Timeout,
			Breaker: vendors.BreakerConfig{
				Ratio: float64(c.Breaker.Ratio), MinCalls: c.Breaker.MinCalls, Window: c.Breaker.Window,
				SlowCall: c.Breaker.SlowCall, Open: c.Breaker.Open, Probes: c.Breaker.Probes,
			},
			Registerer: registerer,
			Logger:     log,
		})
	}
	return lanes
}

func windows(limits config.Limits) (windows []vendors.Window) {
	for _, r := range limits.Rates {
		windows = append(windows, vendors.Window{Count: r.Count, Per: r.Per})
	}
	return windows
}

// schedule returns a vendor's schedule, shares being those of the pace that its
// limits give.
func schedule(settings config.Vendor) (periods vendors.Schedule) {
	for _, h := range settings.Schedule {
		periods = append(periods, vendors.Period{
			Days: h.Days, From: h.From, To: h.To, Location: h.Zone,
			PerSecond: h.Pace.Of(vendors.Pace(windows(settings.Limits))),
		})
	}
	return periods
}

// maxBacklog bounds the memory of requests that are fetched and not done.
const maxBacklog = 32 << 20

// stuckRetry is the wait before something is tried again that a person must mend.
const stuckRetry = 30 * time.Second

func pipelineConfig(c config.Config) pipeline.Config {
	t := c.Kafka.Topics
	longest := time.Duration(0)
	for _, lane := range laneSettings(c) {
		longest = max(longest, lane.Timeout)
	}
	return pipeline.Config{
		Topics: pipeline.Topics{Requests: t.Requests, Priority: t.Priority, Results: t.Results, Ledger: t.Ledger, Dead: t.Dead, Signals: t.Signals},
		Group:  c.Kafka.Group,
		Source: "/reauth/" + c.Kafka.Group,
		Rules: event.Rules{
			DefaultVendor: c.DefaultVendor, Vendors: c.Vendors.Enabled(), Buckets: c.Selfies.Buckets(),
		},
		Retry: pipeline.RetryConfig{
			MaxAttempts: c.Retry.MaxAttempts, Initial: c.Retry.Initial, Max: c.Retry.Max, Budget: float64(c.Retry.Budget),
		},
		Owner:        owner(c.Kafka.ClientID),
		Window:       c.Ledger.Window,
		RequestsKept: c.Kafka.Retention.Requests,
		ClaimMargin:  c.Ledger.Margin,
		LongestCall:  longest,
		Spend:        spendConfig(c),
		FollowUps:    followUps(c),
		MaxFollowUps: c.Vendors.Checkout.FollowUps.MaxFollowUps,
		HoldUnknown:  c.Ledger.OnUnknown == config.OnUnknownHold,
		MaxOpen:      c.Pipeline.MaxInShard,
		MaxBacklog:   maxBacklog,
		Grace:        c.Shutdown.Grace,
		StuckRetry:   stuckRetry,
	}
}

func spendConfig(c config.Config) pipeline.SpendConfig {
	spend := pipeline.SpendConfig{
		Currency: c.Spend.Currency, PerDay: c.Spend.PerDay, PerCampaign: c.Spend.PerCampaign,
		Prices: map[event.Vendor]map[event.Outcome]event.Amount{},
	}
	for name, settings := range laneSettings(c) {
		if prices := settings.PriceOf(); prices != nil {
			spend.Prices[name] = prices
		}
	}
	return spend
}

// owner names this process in claims: the host, for people, and an id of this
// start, since a restarted process knows nothing of its former claims.
func owner(clientID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = clientID
	}
	return host + "/" + uuid.NewString()
}

func groupConfig(k config.Kafka) stream.GroupConfig {
	return stream.GroupConfig{
		Group:       k.Group,
		Topics:      connect.RequestTopics(k.Topics),
		Session:     k.SessionTimeout,
		Heartbeat:   k.Heartbeat,
		Rebalance:   k.RebalanceTimeout,
		CommitEvery: k.CommitInterval,
	}
}
