package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of calls in a window of time.
type Rate struct {
	// Count is 1 to 1e9.
	Count int
	// Per is the window's length, 1 ms to 31 days.
	Per time.Duration
}

const (
	maxCount = 1_000_000_000
	minPer   = time.Millisecond
	maxPer   = 31 * 24 * time.Hour
)

// windows are the windows that have a name.
var windows = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour,
}

// ParseRate reads a count and a window: 10/s, 300/min, 200000/day, 5/10s. The
// window is a name or any duration that time.ParseDuration reads.
func ParseRate(s string) (Rate, error) {
	left, right, ok := strings.Cut(s, "/")
	if !ok {
		return Rate{}, errors.New("has no window")
	}
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	count, err := strconv.Atoi(left)
	if err != nil || count < 1 || count > maxCount {
		return Rate{}, errors.New("does not begin with a count of 1 to 1000000000")
	}
	per, ok := windows[right]
	if !ok {
		if per, err = time.ParseDuration(right); err != nil {
			return Rate{}, errors.New("does not end in a window of time")
		}
	}
	if per < minPer || per > maxPer {
		return Rate{}, errors.New("has a window outside 1ms to 31 days")
	}
	return Rate{Count: count, Per: per}, nil
}

// String returns the rate in the shortest form that ParseRate reads back as
// the same rate.
func (r Rate) String() string {
	per := showDuration(r.Per)
	switch r.Per {
	case time.Second:
		per = "s"
	case time.Minute:
		per = "min"
	case time.Hour:
		per = "h"
	case 24 * time.Hour:
		per = "day"
	}
	return strconv.Itoa(r.Count) + "/" + per
}

// allows returns the number of calls that r alone allows in a window of length
// d, which need not be whole.
func (r Rate) allows(d time.Duration) float64 {
	return float64(r.Count) * float64(d) / float64(r.Per)
}

// Limits are the calls that a vendor allows. The zero value states nothing,
// which an enabled vendor may not.
type Limits struct {
	// None says in so many words that there is no limit.
	None bool
	// Rates hold all at once; empty when None.
	Rates []Rate
}

// stated tells whether the limits say anything, if only that there is none.
func (l Limits) stated() bool { return l.None || len(l.Rates) > 0 }

// longest returns the rate with the longest window, zero if there is none.
func (l Limits) longest() (longest Rate) {
	for _, r := range l.Rates {
		if r.Per > longest.Per {
			longest = r
		}
	}
	return longest
}

// String returns the limits as they are written in an environment variable.
func (l Limits) String() string {
	if l.None {
		return "none"
	}
	texts := make([]string, len(l.Rates))
	for i, r := range l.Rates {
		texts[i] = r.String()
	}
	return strings.Join(texts, ",")
}
