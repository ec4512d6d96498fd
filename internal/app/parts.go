package app

import (
	"context"
	"fmt"
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
	"reauth/internal/vendors/argos"
	"reauth/internal/vendors/faceki"
)

// Vendors are the vendors that this build has an adapter for.
var Vendors = []event.Vendor{event.Argos, event.Faceki}

// OpenStore returns the selfie store. It makes no request.
func OpenStore(ctx context.Context, c config.Config, registerer prometheus.Registerer) (*storage.Store, error) {
	s := c.Selfies
	inFlight := 0
	for _, lane := range laneSettings(c) {
		inFlight += lane.MaxInFlight
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
		Concurrency:    inFlight,
		Registerer:     registerer,
	})
}

// laneSettings returns the settings of the enabled vendors.
func laneSettings(c config.Config) map[event.Vendor]config.Vendor {
	all := map[event.Vendor]config.Vendor{
		event.Argos: c.Vendors.Argos.Vendor, event.Faceki: c.Vendors.Faceki.Vendor, event.Checkout: c.Vendors.Checkout.Vendor,
	}
	enabled := map[event.Vendor]config.Vendor{}
	for _, name := range c.Vendors.Enabled() {
		enabled[name] = all[name]
	}
	return enabled
}

// Adapters returns the adapters of the enabled vendors. A nil registerer leaves
// their own metrics, which are counted either way, out of any registry.
func Adapters(c config.Config, registerer prometheus.Registerer) (map[event.Vendor]vendors.Adapter, error) {
	adapters := map[event.Vendor]vendors.Adapter{}
	for name, settings := range laneSettings(c) {
		client := vendors.NewHTTPClient(vendors.HTTPOptions{MaxInFlight: settings.MaxInFlight})
		switch name {
		case event.Argos:
			a, err := argos.New(argos.Config{
				BaseURL: settings.BaseURL, APIKey: c.Vendors.Argos.APIKey.Current, Client: client,
			})
			if err != nil {
				return nil, fmt.Errorf("vendors.argos: %w", err)
			}
			adapters[name] = a
		case event.Faceki:
			f := c.Vendors.Faceki
			a, err := faceki.New(faceki.Config{
				BaseURL: settings.BaseURL, APIVersion: faceki.APIVersion(f.APIVersion),
				ClientID: f.ClientID, ClientSecret: f.ClientSecret.Current,
				OnAmbiguous: faceki.OnAmbiguous(f.OnAmbiguous), Client: client, Registerer: registerer,
			})
			if err != nil {
				return nil, fmt.Errorf("vendors.faceki: %w", err)
			}
			adapters[name] = a
		default:
			return nil, fmt.Errorf("vendors.%s: this build has no adapter for it", name)
		}
	}
	return adapters, nil
}

// openLanes returns a lane for each adapter.
func openLanes(c config.Config, adapters map[event.Vendor]vendors.Adapter, log *slog.Logger, registerer prometheus.Registerer) map[event.Vendor]*vendors.Lane {
	lanes := map[event.Vendor]*vendors.Lane{}
	for name, settings := range laneSettings(c) {
		lanes[name] = vendors.NewLane(adapters[name], vendors.LaneConfig{
			PerSecond:   perSecond(settings.Limits),
			Headroom:    float64(settings.Headroom),
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

// perSecond returns the even rate at which none of the limits is ever exceeded,
// 0 if there is none.
func perSecond(limits config.Limits) (rate float64) {
	for _, r := range limits.Rates {
		if each := float64(r.Count) / r.Per.Seconds(); rate == 0 || each < rate {
			rate = each
		}
	}
	return rate
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
		Owner:       owner(c.Kafka.ClientID),
		Window:      c.Ledger.Window,
		ClaimMargin: c.Ledger.Margin,
		LongestCall: longest,
		HoldUnknown: c.Ledger.OnUnknown == config.OnUnknownHold,
		MaxOpen:     c.Pipeline.MaxInShard,
		MaxBacklog:  maxBacklog,
		Grace:       c.Shutdown.Grace,
		StuckRetry:  stuckRetry,
	}
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
