package pipeline

import (
	"errors"
	"log/slog"
	"testing"
	"time"
	"unsafe"
)

// wallMoved returns a reading of time.Now whose wall clock shows so many seconds more,
// as if it had been set: there is no other way to have one in a test.
func wallMoved(t time.Time, seconds int64) time.Time {
	const nanosecondBits = 30 // the seconds of a time with a monotonic reading are above
	*(*uint64)(unsafe.Pointer(&t)) += uint64(seconds << nanosecondBits)
	return t
}

// ends are limits of which one clock or the other says that they are over, or neither.
func ends(t *testing.T) map[string]struct {
	at   time.Time
	over bool
} {
	t.Helper()
	const day = 24 * 60 * 60
	now := time.Now()
	if m := wallMoved(now, -day); m.Sub(now) != 0 || m.Round(0).Sub(now.Round(0)) != -day*time.Second {
		t.Fatalf("time.Time is not what it was: a day before %v is %v", now, m)
	}
	return map[string]struct {
		at   time.Time
		over bool
	}{
		"neither":                     {now.Add(time.Hour), false},
		"both":                        {now.Add(-time.Hour), true},
		"the wall clock alone":        {wallMoved(now.Add(time.Hour), -day), true},
		"the monotonic clock alone":   {wallMoved(now.Add(-time.Hour), day), true},
		"neither, of a record":        {now.Add(time.Hour).Round(0), false},
		"the wall clock, of a record": {now.Add(-time.Hour).Round(0), true},
	}
}

// A lease is over when either clock says so: the wall clock may have been set, and the
// monotonic one may not have gone on while the machine stood still.
func TestLeaseEndsByEitherClock(t *testing.T) {
	for name, end := range ends(t) {
		var sustained, suspended lease
		sustained.sustain(end.at)
		suspended.suspend(end.at)
		if sustained.held() == end.over || suspended.held() == end.over {
			t.Errorf("over by %s: held when sustained: %v, when suspended: %v", name, sustained.held(), suspended.held())
		}
	}
}

// So is a claim.
func TestClaimEndsByEitherClock(t *testing.T) {
	var p Pipeline
	p.cfg.ClaimMargin = time.Minute
	p.lease.suspend(time.Now().Add(-time.Hour))
	for name, end := range ends(t) {
		it := &item{shard: &shard{}, claim: 1, until: end.at}
		if p.claimed(it, time.Now(), time.Second) == end.over || p.mayRecord(it) == end.over {
			t.Errorf("over by %s: it covers a call: %v, its answer may be recorded: %v",
				name, p.claimed(it, time.Now(), time.Second), p.mayRecord(it))
		}
	}
}

// How long a bucket has been paused is a span of time, whatever the wall clock says.
func TestPauseOfABucketLastsAsLongWhenTheClockIsSet(t *testing.T) {
	for _, seconds := range []int64{-24 * 60 * 60, 24 * 60 * 60} {
		b := newStoreValve([]string{"selfies"}, 8, slog.New(slog.DiscardHandler)).of("selfies")
		pass, _ := b.valve.TryEnter()
		pass.Fail(errors.New("no such bucket"))
		since := wallMoved(*b.paused.Load(), seconds)
		b.paused.Store(&since)
		if d := b.pausedFor(); d < 0 || d > time.Hour {
			t.Errorf("paused for %v", d)
		}
	}
}
