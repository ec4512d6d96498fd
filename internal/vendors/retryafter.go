package vendors

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds what a vendor can ask for: a wrong value must not stop a
// lane for a day, and asking again after an hour costs one call.
const MaxRetryAfter = time.Hour

// RetryAfter returns the wait that an answer with header h, received at now,
// asks for: 0 when it asks for none or unreadably, never more than
// MaxRetryAfter. Retry-After is a number of seconds or a date (RFC 9110,
// 10.2.3); a date is read by the vendor's own clock where the answer has a
// Date, so that a difference between clocks does not matter.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(v, 64); err == nil {
		// Bounded before it becomes a Duration, which would overflow. NaN
		// fails both comparisons and ends as 0.
		if seconds >= MaxRetryAfter.Seconds() {
			return MaxRetryAfter
		}
		if seconds > 0 {
			return time.Duration(seconds * float64(time.Second))
		}
		return 0
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
