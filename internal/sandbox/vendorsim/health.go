package vendorsim

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"reauth/internal/sandbox/fault"
)

// Health are the knobs of every vendor: how well it is.
type Health struct {
	// Outage, when set, hits every call before anything else.
	Outage fault.Outage `json:"outage"`

	// Latency is how long a call takes, once its body is read, that does what
	// the vendor is there for. It goes on when the caller leaves, and what was
	// asked is done, and charged, all the same.
	Latency fault.Delay `json:"latency"`

	// RetryAfterSeconds is sent with a 429; 0 sends no header.
	RetryAfterSeconds int `json:"retry_after_seconds"`

	// ErrorRate, ThrottleRate, ResetRate and HangRate are shares, 0 to 1, of
	// those calls, where no script says otherwise, that meet a mishap: a 500,
	// 502 or 503; a 429; a reset, early or once all is done; a hang after it.
	ErrorRate    float64 `json:"error_rate"`
	ThrottleRate float64 `json:"throttle_rate"`
	ResetRate    float64 `json:"reset_rate"`
	HangRate     float64 `json:"hang_rate"`
}

// Validate reports every value that makes no sense, joined.
func (h Health) Validate() error {
	c := Checks{h.Outage.Validate()}
	c.That(h.RetryAfterSeconds >= 0, "retry_after_seconds must not be negative")
	c.Share("error_rate", h.ErrorRate)
	c.Share("throttle_rate", h.ThrottleRate)
	c.Share("reset_rate", h.ResetRate)
	c.Share("hang_rate", h.HangRate)
	c.That(h.ErrorRate+h.ThrottleRate+h.ResetRate+h.HangRate <= 1, "the rates must not add up to more than 1")
	return c.Err()
}

// mishap draws one by the rates.
func (h Health) mishap(r *rand.Rand) MishapKind {
	at := r.Float64()
	for _, slice := range []struct {
		rate  float64
		kinds []MishapKind
	}{
		{h.ErrorRate, []MishapKind{Status500, Status502, Status503}},
		{h.ThrottleRate, []MishapKind{Throttled}},
		{h.ResetRate, []MishapKind{ResetEarly, Reset}},
		{h.HangRate, []MishapKind{Hang}},
	} {
		if at < slice.rate {
			return slice.kinds[r.IntN(len(slice.kinds))]
		}
		at -= slice.rate
	}
	return NoMishap
}

// Checks gathers what is wrong with knobs.
type Checks []error

// That adds a complaint unless ok.
func (c *Checks) That(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Errorf(format, args...))
	}
}

// Share adds a complaint unless value is 0 to 1.
func (c *Checks) Share(name string, value float64) {
	c.That(value >= 0 && value <= 1, "%s must be 0 to 1, is %v", name, value)
}

// Err is all that was added, nil for nothing.
func (c *Checks) Err() error { return errors.Join(*c...) }
