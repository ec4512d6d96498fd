package config

import "time"

// Retry is what happens after an error that may pass.
type Retry struct {
	MaxAttempts int
	Initial     time.Duration
	Max         time.Duration
	Budget      Ratio
}

func (r *Retry) describe(g group) {
	one(g, &r.MaxAttempts, counts, "max_attempts", "8",
		`Attempts at one request, the first included; then it is given up and dead-lettered. Waiting for a vendor that is
		paused is not an attempt.`, between(1, 1000))
	one(g, &r.Initial, durations, "initial", "1s",
		`Wait before the second attempt, at most: it doubles with each attempt, and a random part of it is waited.`,
		between(time.Millisecond, time.Hour))
	one(g, &r.Max, durations, "max", "10m",
		`Longest wait between two attempts. At least initial.`, between(time.Millisecond, day))
	one(g, &r.Budget, ratios, "budget", "0.2",
		`Share of the calls that may be second and later attempts, so that retries do not eat the quota of new requests.`,
		between(Ratio(0), 1))
}

// Breaker is when a vendor is left alone for a while.
type Breaker struct {
	Ratio    Ratio
	MinCalls int
	Window   time.Duration
	SlowCall time.Duration
	Open     time.Duration
	Probes   int
}

func (b *Breaker) describe(g group) {
	one(g, &b.Ratio, ratios, "ratio", "0.5",
		`Share of the calls in the window that must have failed or been slow for the breaker to open.`, above(Ratio(0), 1))
	one(g, &b.MinCalls, counts, "min_calls", "20",
		`Calls in the window below which the breaker stays closed, whatever became of them.`, between(1, 1_000_000))
	one(g, &b.Window, durations, "window", "30s", `How far back calls count.`, between(100*time.Millisecond, time.Hour))
	one(g, &b.SlowCall, durations, "slow_call", "20s",
		`A call that takes longer counts as a failed one. Pointless above a vendor's timeout.`,
		between(time.Millisecond, 10*time.Minute))
	one(g, &b.Open, durations, "open", "15s",
		`How long no call is made before the vendor is tried again, by one replica for the whole group. Each second one replica
		asks the vendor's free check; when that is answered, calls are tried at once.`, between(10*time.Millisecond, time.Hour))
	one(g, &b.Probes, counts, "probes", "1",
		`Calls made to try a vendor again; all must succeed for the breaker to close.`, between(1, 1000))
}

// Ledger is the record of what was claimed and answered.
type Ledger struct {
	Window time.Duration
	Margin time.Duration
	// OnUnknown is OnUnknownRepeat or OnUnknownHold.
	OnUnknown string
}

// What becomes of a request whose call may or may not have been made, at a
// vendor that cannot be asked.
const (
	// OnUnknownRepeat makes the call again.
	OnUnknownRepeat = "repeat"
	// OnUnknownHold dead-letters the request.
	OnUnknownHold = "hold"
)

func (l *Ledger) describe(g group) {
	one(g, &l.Window, durations, "window", "24h",
		`How long a request id is remembered: within this time the same id never leads to a second call. A replica that
		takes a partition over reads this much of the ledger first.`, between(time.Minute, 31*day))
	one(g, &l.Margin, durations, "margin", "20s",
		`How much longer a claim lasts than the vendor's timeout: the time in which an answer and its result must reach
		the brokers. After a crash, requests that were at the vendor wait so long. Longer than a Kafka write takes at
		worst. The clocks of the replicas may differ by a quarter of it.`, between(time.Second, 10*time.Minute))
	one(g, &l.OnUnknown, texts, "on_unknown", OnUnknownRepeat,
		`What to do when it is unknown whether a call was made and the vendor cannot be asked: repeat it, at the risk of
		paying twice, or hold the request back in the dead letters.`, oneOf(OnUnknownRepeat, OnUnknownHold))
}

// Pipeline is how much work is taken on at a time.
type Pipeline struct {
	MaxInShard int
}

func (p *Pipeline) describe(g group) {
	one(g, &p.MaxInShard, counts, "max_in_shard", "1000",
		`Records of one partition from the oldest that is not done to the newest that was fetched. Fetching pauses at this
		bound, so that one request that takes long holds up no more than so many commits.`, between(1, 1_000_000))
}
