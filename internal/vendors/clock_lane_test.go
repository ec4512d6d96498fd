package vendors

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// settable is a wall clock that can be set, beside the fake one, which stands for the
// monotonic one: fake time has none.
type settable struct{ ahead atomic.Int64 }

func (c *settable) set(by time.Duration) { c.ahead.Add(int64(by)) }

func (c *settable) now() time.Time {
	now := time.Now()
	return onBoth(now.Add(time.Duration(c.ahead.Load())), now.Sub(time.Unix(0, 0)))
}

// onBoth returns what time.Now does when the clocks read so: there is no other way to
// have a wall clock in a test that is set.
func onBoth(wall time.Time, monotonic time.Duration) (t time.Time) {
	const hasMonotonic = 1 << 63
	seconds := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	*(*struct { // the fields of time.Time
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t)) = struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{hasMonotonic | uint64(seconds)<<30 | uint64(wall.Nanosecond()), int64(monotonic), time.UTC}
	return t
}

func TestSettingOfTheClockIsSeenInTwoReadings(t *testing.T) {
	for _, by := range []time.Duration{0, time.Millisecond, -time.Millisecond, time.Hour, -time.Hour} {
		a := onBoth(noon, time.Minute)
		b := onBoth(noon.Add(time.Second+by), time.Minute+time.Second)
		if d := b.Sub(a); d != time.Second || !b.Round(0).Equal(noon.Add(time.Second+by)) {
			t.Fatalf("time.Time is not what it was: %v after %v is %v", b, a, d)
		}
		if got := setBy(a, b); got != by {
			t.Errorf("set by %v, want %v", got, by)
		}
	}
	if by := setBy(noon, noon.Add(time.Hour)); by != 0 {
		t.Errorf("set by %v, by readings without a monotonic clock", by)
	}
	if by := setBy(time.Now(), time.Now()); by.Abs() > time.Second {
		t.Errorf("set by %v, by time.Now", by)
	}
}

// A thread that is held up within time.Now does not see a clock that is set.
func TestOneOddReadingIsNoSettingOfTheClock(t *testing.T) {
	n := 0
	odd := 0
	c := newClock(func() time.Time {
		n++
		if n == odd {
			return onBoth(noon, time.Minute+100*time.Millisecond)
		}
		return onBoth(noon, time.Minute)
	})
	odd = n + 1
	if now, by := c.look(5 * time.Millisecond); by != 0 || now.Sub(c.seen) != 0 || c.setting != (setting{}) {
		t.Errorf("set by %v", by)
	}
}

// With a backlog, and the clock set in the middle: no second holds more calls than the
// limit, and a slot or two is all that is lost.
func TestLaneGoesOnWhenTheClockIsSet(t *testing.T) {
	for _, limit := range []int{10, 50} {
		for _, by := range []time.Duration{
			30 * time.Millisecond, 990 * time.Millisecond, time.Second, time.Hour, 100 * 24 * time.Hour,
			-30 * time.Millisecond, -990 * time.Millisecond, -time.Second, -time.Hour, -100 * 24 * time.Hour,
		} {
			for name, callers := range map[string]int{"backlog": 40, "one by one": 2} {
				t.Run(fmt.Sprintf("%d a second, set by %v, %s", limit, by, name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var c settable
						a := &fakeAdapter{delay: 20 * time.Millisecond}
						cfg := config()
						cfg.Windows = perSecond(limit)
						l := NewLane(a, cfg)
						l.clock = newClock(c.now)
						l.SetShards([]int{0}, 1)
						l.Keep(c.now().Add(time.Hour))
						time.AfterFunc(5013*time.Millisecond, func() { c.set(by) })
						drive(l, callers, 10*time.Second)
						calls, after := a.made(), 0
						for i := range calls {
							if calls[i].Sub(calls[0]) > 5*time.Second {
								after++
							}
							if i >= limit && calls[i].Sub(calls[i-limit]) <= time.Second {
								t.Fatalf("%d calls within %v", limit+1, calls[i].Sub(calls[i-limit]))
							}
						}
						if want := int(4.7*.98*float64(limit)) - 2; after < want {
							t.Errorf("%d calls after the clock was set, want %d", after, want)
						}
						if n := testutil.ToFloat64(l.metrics.clockSet); n != 1 {
							t.Errorf("the clock was set %v times", n)
						}
					})
				})
			}
		}
	}
}

// What the vendor asks for is a span of time, whatever the wall clock says meanwhile.
func TestBackOffTakesAsLongAsItWasAskedFor(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c settable
				l := NewLane(&fakeAdapter{}, config())
				l.clock = newClock(c.now)
				l.SetShards([]int{0}, 1)
				time.Sleep(5 * time.Second)
				begin := time.Now()
				l.throttled(10 * time.Second)
				time.AfterFunc(time.Second, func() { c.set(by) })
				if _, err := l.ReserveFor(t.Context(), 0, 0); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < 10*time.Second-early || took > 11*time.Second {
					t.Errorf("the lane was throttled for %v, want 10 s", took)
				}
				drive(l, 40, 20*time.Second)
				if rate := l.ceiling.rate(); rate != 49 {
					t.Errorf("20 s after that %v calls a second are allowed", rate)
				}
			})
		})
	}
}

// laneOn returns a lane of one shard on a clock that can be set.
func laneOn(c *settable, cfg LaneConfig) *Lane {
	l := NewLane(&fakeAdapter{}, cfg)
	l.clock = newClock(c.now)
	l.SetShards([]int{0}, 1)
	return l
}

// Whoever waits for a time that the lane has told does so no longer when the clock is
// set back, and no shorter when it is set forward.
func TestTimesToldAreAsFarAheadWhenTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c settable
		cfg := config()
		cfg.Windows = []Window{{10, time.Second}, {20, 20 * time.Second}}
		l := laneOn(&c, cfg)
		l.EndRestore(0)
		time.Sleep(time.Second)
		p, err := l.ReserveFor(t.Context(), 0, 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		drive(l, 40, 5*time.Second)
		_, again := l.Room(0)
		_, full := l.ReserveFor(t.Context(), 0, 0)
		until := full.(*NoRoomError).Until
		times := map[string]time.Time{"permit": p.At, "room": again, "no room": until}
		for _, by := range []time.Duration{time.Hour, -2 * time.Hour} {
			before := c.now()
			c.set(by)
			for name, at := range times {
				if was, is := at.Sub(before), at.Sub(c.now()); is != was {
					t.Errorf("%s: %v ahead, and %v after the clock was set by %v", name, was, is, by)
				}
			}
			if _, now := l.Room(0); now.Sub(again).Abs() > 2*20*time.Second/countBuckets {
				t.Errorf("room %v later after the clock was set by %v", now.Sub(again), by)
			}
		}
	})
}

// A permit from before the clock was set is for a slot that is somewhere else now.
func TestPermitIsMissedWhenTheClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var c settable
			l := laneOn(&c, config())
			time.Sleep(time.Second)
			const lead = 200 * time.Millisecond
			p, err := l.ReserveFor(t.Context(), 0, lead)
			if err != nil {
				t.Fatal(err)
			}
			c.set(by)
			begin := time.Now()
			if err := p.wait(t.Context()); err != ErrMissed || time.Since(begin) > lead+early {
				t.Errorf("set by %v: error %v after %v", by, err, time.Since(begin))
			}
			p.Release()
			p, err = l.ReserveFor(t.Context(), 0, lead)
			if took := time.Since(begin); err != nil || took > 2*lead {
				t.Errorf("set by %v: a permit after %v, error %v", by, took, err)
			}
			if wait, err := l.hold(t.Context(), p); wait != 0 || err != nil {
				t.Errorf("a permit is held for %v, error %v", wait, err)
			}
			c.set(-by)
			if wait, err := l.hold(t.Context(), p); wait == 0 || wait > time.Second || err != nil {
				t.Errorf("a permit of before is held for %v, error %v", wait, err)
			}
		})
	}
}

// So is a slot that was found before and would be taken after.
func TestSlotIsNotTakenWhenTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c settable
		l := laneOn(&c, config())
		time.Sleep(time.Second)
		found, _, _, err := l.candidate(0, 0)
		if err != nil || found.at.IsZero() {
			t.Fatal("no slot")
		}
		c.set(-time.Hour)
		if _, ok := l.take(found); ok {
			t.Errorf("a slot was taken %v ahead", found.slot.begin.Sub(c.now().Round(0)))
		}
	})
}

// A call that has left in its slot is not late for it because the clock was set.
func TestCallOnTimeIsNotLateWhenTheClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		for late, want := range map[time.Duration]float64{0: 0, time.Second: 1} {
			synctest.Test(t, func(t *testing.T) {
				var c settable
				l := laneOn(&c, config())
				time.Sleep(time.Second)
				p, err := l.ReserveFor(t.Context(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(p.At.Sub(c.now()) + late)
				c.set(by)
				p.left()
				if n := testutil.ToFloat64(l.metrics.late); n != want {
					t.Errorf("set by %v: %v calls were late, want %v", by, n, want)
				}
			})
		}
	}
}

// Times of the day are those of the wall clock: who waits for one looks again.
func TestWaitForTheEndOfAPeriodFollowsTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c settable
		cfg := config()
		cfg.Schedule = Schedule{{From: 0, To: 8 * time.Hour, Location: time.UTC}}
		l := laneOn(&c, cfg)
		begin := time.Now() // midnight
		time.AfterFunc(time.Hour, func() {
			c.set(7*time.Hour - time.Second)
			l.candidate(anyShard, 0) // as anybody who looks
		})
		if _, err := l.ReserveFor(t.Context(), 0, 0); err != nil || time.Since(begin) > time.Hour+time.Minute {
			t.Errorf("a permit after %v, error %v", time.Since(begin), err)
		}
	})
}

// The shards are ours for as long as the clock says so that says the shorter time: the
// monotonic one may have stood still.
func TestShardsAreKeptNoLongerWhenTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c settable
		l := laneOn(&c, config())
		kept := func() time.Duration {
			_, _ = l.Room(0)
			l.candidate(0, 0)
			return l.quota.sooner.kept.Sub(c.now().Round(0))
		}
		until := c.now().Add(time.Hour)
		l.Keep(until)
		c.set(20 * time.Minute)
		if left := kept(); left != 40*time.Minute {
			t.Errorf("20 minutes of an hour have passed, and the shards are kept for %v", left)
		}
		c.set(-40 * time.Minute)
		if left := kept(); left != 40*time.Minute {
			t.Errorf("set back, the shards are kept for %v", left)
		}
		if l.Keep(until); kept() != time.Hour {
			t.Errorf("told again of an hour, the shards are kept for %v", kept())
		}
		c.set(40 * time.Minute)
		if l.Keep(until); kept() != 40*time.Minute {
			t.Errorf("told once more, with 40 minutes left on the wall clock, the shards are kept for %v", kept())
		}
	})
}

// Slots are lent on, and none twice, when the clock is set back.
func TestSlotsAreLentOnWhenTheClockIsSetBack(t *testing.T) {
	for _, by := range []time.Duration{-400 * time.Millisecond, -time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var c settable
			cfg := config()
			cfg.Lends = true
			l := laneOn(&c, cfg)
			time.Sleep(5 * time.Second)
			lent := map[int64]bool{}
			lend := func() (n int) {
				for _, s := range l.Trade(c.now(), true).Lent {
					if lent[s] {
						t.Fatalf("set by %v: slot %d is lent twice", by, s)
					}
					lent[s] = true
					n++
				}
				return n
			}
			if n := lend(); n < 40 {
				t.Fatalf("%d slots lent", n)
			}
			before := c.now()
			c.set(by)
			n := len(l.Trade(before, true).Lent)
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				n += lend()
			}
			if n < 100 {
				t.Errorf("%d slots lent in three seconds after the clock was set by %v", n, by)
			}
		})
	}
}

// What is lent to us too far ahead to have been meant for us would be taken for slots
// that we can use soon.
func TestSlotsFarAheadAreNotBorrowed(t *testing.T) {
	q := newQuota(newLimits(perSecond(50), .02), nil)
	q.setShards(nil, 1, noon)
	of := Timetable{MicroRate: 49e6, Shards: 1}
	r := run{microRate: of.MicroRate}
	if n := q.borrow(noon, of, []int64{r.at(noon.Add(time.Second)).number, r.at(noon.Add(time.Hour)).number}); n != 1 {
		t.Errorf("%d slots are of use, want the one of a second ahead", n)
	}
}

// Others wait for the slots that calls went ahead of, also if the clock was set since.
func TestOthersWaitForSlotsThatWereUsedBeforeTheClockWasSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var c settable
			cfg := config()
			cfg.Windows = perSecond(10)
			l := laneOn(&c, cfg)
			time.Sleep(5 * time.Second)
			l.Keep(c.now().Add(time.Hour))
			for range fewAhead {
				p, err := l.ReserveFor(t.Context(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				p.end(nil, 0)
			}
			takes := l.Keep(time.Time{})
			if c.set(by); takes < 200*time.Millisecond || l.Keep(time.Time{}) != takes {
				t.Errorf("others are to wait for %v, and for %v after the clock was set by %v", takes, l.Keep(time.Time{}), by)
			}
		})
	}
}
