package vendors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// At half the load four of five calls go as soon as their claims are written, though slots are
// 10 ms apart, and no sliding second holds more than the limit.
func TestCallsOfAnIdleLaneNeedNotWaitForTheirSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Windows = perSecond(100)
		l := NewLane(&fakeAdapter{}, cfg)
		l.SetShards([]int{0}, 1)
		time.Sleep(2 * time.Second)
		const lead, claim = 5 * time.Millisecond, 2 * time.Millisecond
		random := rand.New(rand.NewPCG(1, 2))
		var made []time.Time
		var waits []time.Duration
		for ready := time.Now(); len(made) < 1000; ready = ready.Add(time.Duration(random.ExpFloat64() * float64(20*time.Millisecond))) {
			time.Sleep(time.Until(ready))
			p, err := l.ReserveFor(t.Context(), 0, lead)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(claim)
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			waits, made = append(waits, time.Since(ready)), append(made, time.Now())
			p.end(nil, 0)
		}
		slices.Sort(waits)
		if most, last := waits[800], waits[999]; most != claim || last < 10*time.Millisecond {
			t.Errorf("four of five waited for %v, want %v; the last for %v, want a slot's length or more", most, claim, last)
		}
		for i := 100; i < len(made); i++ {
			if within := made[i].Sub(made[i-100]); within <= time.Second {
				t.Fatalf("101 calls within %v", within)
			}
		}
	})
}

// Whatever was saved up, a burst is at most as far ahead as soonest.
func TestBurstAfterAPauseIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Windows = perSecond(400)
		l := NewLane(&fakeAdapter{}, cfg)
		l.SetShards([]int{0}, 1)
		time.Sleep(5 * time.Second)
		begin, at := time.Now(), 0
		for range 392 {
			p, err := l.ReserveFor(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if time.Now().Equal(begin) {
				at++
			}
			p.end(nil, 0)
		}
		if want := int(392 * soonest.Seconds()); at < want || at > want+1 {
			t.Errorf("%d calls at once, want %d", at, want)
		}
		if took := time.Since(begin); took < time.Second-soonest-10*time.Millisecond {
			t.Errorf("a second's calls took %v", took)
		}
	})
}

// Without any headroom, whatever pauses there are between calls, however late some
// leave, and whatever the pace is ordered to be: no span holds more calls than slots.
func TestCallsThatGoSoonerExceedNoWindow(t *testing.T) {
	sooner := 0
	rapid.Check(t, func(t *rapid.T) {
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		w := Window{rapid.IntRange(2, 300).Draw(t, "count"), rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 2 * time.Second}).Draw(t, "per")}
		late := rapid.SampledFrom([]time.Duration{0, 0, w.Per / 4}).Draw(t, "late")
		lead := rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond}).Draw(t, "lead")
		orders := late == 0 && rapid.Bool().Draw(t, "orders")
		q := newQuota(newLimits([]Window{w}, 0), nil)
		// A share of the slots is no even share where the pace changes.
		owned, most := []int{0, 2}, (2*w.Count+2)/3
		if orders {
			owned, most = []int{0, 1, 2}, w.Count
		}
		q.setShards(owned, 3, noon)
		var made []time.Time
		var delayed []happening
		now, waiting := noon.Add(time.Second), 0
		for range 2000 {
			now = now.Add(time.Duration(chance.Int64N(int64(10 * time.Millisecond))))
			delayed = slices.DeleteFunc(delayed, func(h happening) bool {
				if h.at.After(now) {
					return false
				}
				h.do()
				return true
			})
			if chance.IntN(30) == 0 {
				waiting = int(w.perSecond()*chance.ExpFloat64()) / 2
			}
			if orders && chance.IntN(400) == 0 {
				q.order(w.perSecond()*(.9+.2*chance.Float64()), now)
			}
			for ; waiting > 0; waiting-- {
				s, _, ok := q.next(now, lead)
				if !ok || s.begin.After(now.Add(soonest)) {
					break
				}
				q.take(s, anyShard, now)
				at := s.begin
				if s.sooner {
					sooner++
					at = now
				}
				if late > 0 && chance.IntN(20) == 0 {
					at = at.Add(time.Duration(chance.Int64N(int64(late))))
					delayed = append(delayed, happening{at, func() { q.sent(s, nil, at) }})
				}
				made = append(made, at)
			}
		}
		slices.SortFunc(made, time.Time.Compare)
		bearable := time.Duration(0)
		if late > 0 {
			bearable = Lateness
		}
		for i := most; i < len(made); i++ {
			if within := made[i].Sub(made[i-most]); within < w.Per-bearable {
				t.Fatalf("%d calls within %v", most+1, within)
			}
		}
	})
	if sooner < 1000 {
		t.Errorf("%d calls went sooner in all", sooner)
	}
}

// Calls go sooner only where the headroom of all windows that are counted pays for
// them, and where slots are not close together anyway.
func TestWhereCallsMayGoSooner(t *testing.T) {
	for _, c := range []struct {
		windows []Window
		want    time.Duration
	}{
		{[]Window{{50, time.Second}}, time.Second},
		{[]Window{{10, 100 * time.Millisecond}}, 100 * time.Millisecond},
		{[]Window{{300, time.Minute}}, time.Second},
		{[]Window{{50, time.Second}, {200_000, 24 * time.Hour}}, time.Second},
		{[]Window{{50, time.Second}, {100, time.Minute}}, 0},
		{[]Window{{2000, time.Second}}, 0},
	} {
		if got := newLimits(c.windows, .02).exchange(); got != c.want {
			t.Errorf("%v: slots are exchanged up to %v apart, want %v", c.windows, got, c.want)
		}
	}
}
