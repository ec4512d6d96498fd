package vendors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// At half the load most calls go as soon as their claims are written, though slots
// are 10 ms or 100 ms apart, and no sliding second holds more than the limit.
func TestCallsOfAnIdleLaneNeedNotWaitForTheirSlots(t *testing.T) {
	for _, c := range []struct {
		perSecond int
		kept      time.Duration // how long the shard is surely ours
		// share of the calls that do not wait, and what 99 of 100 wait at most
		share float64
		most  time.Duration
	}{
		{100, 0, .85, 15 * time.Millisecond},
		{100, time.Hour, .85, 10 * time.Millisecond},
		// Of independent calls, five a second, one in thirty meets ten others.
		{10, time.Hour, .9, 400 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d a second, kept for %v", c.perSecond, c.kept), func(t *testing.T) {
			waits := waitsAtHalfLoad(t, c.perSecond, c.kept)
			const claim = 2 * time.Millisecond
			if at := waits[int(c.share*1000)]; at != claim {
				t.Errorf("%.0f %% of the calls waited up to %v, want %v, as long as a claim takes", 100*c.share, at, claim)
			}
			if at := waits[990]; at > c.most {
				t.Errorf("99 %% of the calls waited up to %v, want %v at most", at, c.most)
			}
		})
	}
}

// idleLane returns a lane of one shard that has been idle for five seconds.
func idleLane(limit int) *Lane {
	cfg := config()
	cfg.Windows = perSecond(limit)
	l := NewLane(&fakeAdapter{}, cfg)
	l.SetShards([]int{0}, 1)
	time.Sleep(5 * time.Second)
	return l
}

// waitsAtHalfLoad makes 1000 calls that come at random times, half as many as the
// limit allows, and returns how long each waited, shortest first. Claims take 2 ms.
func waitsAtHalfLoad(t *testing.T, limit int, kept time.Duration) (waits []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		l := idleLane(limit)
		l.Keep(time.Now().Add(kept))
		const lead, claim = 5 * time.Millisecond, 2 * time.Millisecond
		random := rand.New(rand.NewPCG(1, 2))
		var made []time.Time
		between := 2 * time.Second / time.Duration(limit)
		for ready := time.Now(); len(made) < 1000; ready = ready.Add(time.Duration(random.ExpFloat64() * float64(between))) {
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
		for i := limit; i < len(made); i++ {
			if within := made[i].Sub(made[i-limit]); within <= time.Second {
				t.Fatalf("%d calls within %v", limit+1, within)
			}
		}
	})
	return waits
}

// Slots that calls have gone far ahead of are known when the shards may leave, and
// from then on no call does.
func TestOthersWaitForSlotsThatWereUsedFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := idleLane(10)
		if takes := l.Keep(time.Now().Add(time.Hour)); takes != 0 {
			t.Errorf("no call went ahead of its slot, and the last takes %v", takes)
		}
		var last *Permit
		for range fewAhead {
			p, err := l.ReserveFor(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.end(nil, 0)
			last = p
		}
		ahead := time.Until(last.At)
		if ahead < 3*90*time.Millisecond {
			t.Fatalf("four calls at once went %v ahead of their slots", ahead)
		}
		if takes := l.Keep(time.Time{}); takes != ahead {
			t.Errorf("others are to wait for %v, want %v", takes, ahead)
		}
		time.Sleep(ahead)
		begin := time.Now()
		if _, err := l.ReserveFor(t.Context(), 0, 0); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begin); waited < 50*time.Millisecond {
			t.Errorf("a call waited for %v to be no further ahead of its slot than %v", waited, soonest)
		}
	})
}

// Whoever hands its shards over while a call picks its slot has been told of the slot,
// or the call does not get it.
func TestNoSlotIsTakenFarAheadOnceShardsMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := idleLane(10)
		l.Keep(time.Now().Add(time.Hour))
		c, _, _, err := l.candidate(0, soonest)
		if err != nil || !c.slot.sooner || time.Until(c.at) <= soonest {
			t.Fatalf("no call may go far ahead of its slot: %v, error %v", c, err)
		}
		takes := l.Keep(time.Time{})
		if _, ok := l.take(c); ok {
			t.Errorf("a slot %v ahead was taken, and others are to wait for %v", time.Until(c.at), takes)
		}
	})
}

// Whoever gains the shards once those slots have begun exceeds no window, and would if
// it had them at once.
func TestHeirsDoNotUseTheSlotsOfCallsThatWentAhead(t *testing.T) {
	for _, waits := range []bool{true, false} {
		limits := newLimits([]Window{{10, time.Second}}, .02)
		former, heir := newQuota(limits, nil), newQuota(limits, nil)
		former.setShards([]int{0}, 1, noon)
		now := noon.Add(2 * time.Second)
		former.keep(now.Add(time.Hour), now)
		calls := 0
		for s, _, _ := former.next(now, 0); s.sooner && s.begin.Sub(now) <= former.reach(s); s, _, _ = former.next(now, 0) {
			former.take(s, anyShard, now)
			calls++
		}
		gained := now
		if takes := former.keep(time.Time{}, now); waits {
			gained = now.Add(takes)
		}
		heir.setShards([]int{0}, 1, gained)
		for s, _, _ := heir.next(gained, 0); s.begin.Before(now.Add(time.Second)); s, _, _ = heir.next(gained, 0) {
			heir.take(s, anyShard, gained)
			calls++
		}
		if exceeded := calls > 10; exceeded == waits {
			t.Errorf("%d calls in a second, where whoever gains the shard waits: %v", calls, waits)
		}
	}
}

// Slots that were lent are not spare, however long ago that was.
func TestLentSlotsSpareNoWait(t *testing.T) {
	q := newQuota(newLimits([]Window{{60, time.Minute}}, .02), nil)
	q.setShards([]int{0}, 1, noon)
	for since := 2 * time.Second; since <= 90*time.Second; since += 100 * time.Millisecond {
		now := noon.Add(since)
		q.lend(now, 0, MaxTrade)
		if since%(30*time.Second) != 0 || since == time.Minute {
			continue
		}
		if s, _, _ := q.next(now, 0); s.sooner != (since < time.Minute) {
			t.Errorf("%v after all slots were lent but the first: a call need not wait: %v", since, s.sooner)
		}
	}
}

// A call goes no further ahead than to where the shards are surely ours.
func TestNoCallGoesFarAheadOfASlotThatMayBeAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := idleLane(10)
		l.Keep(time.Now().Add(250 * time.Millisecond))
		for range 6 {
			p, err := l.ReserveFor(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if ahead := time.Until(p.At); ahead > soonest && !p.At.Before(l.quota.sooner.kept) {
				t.Errorf("a call went %v ahead of its slot, %v after the shard may have left", ahead, p.At.Sub(l.quota.sooner.kept))
			}
			p.end(nil, 0)
		}
	})
}

// Whatever was saved up, a burst is at most as far ahead as soonest.
func TestBurstAfterAPauseIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := idleLane(400)
		l.Keep(time.Now().Add(time.Hour))
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
				if chance.IntN(100) == 0 {
					q.keep(noon.Add(time.Duration(chance.Int64N(int64(20*time.Second)))), now)
				}
				s, _, ok := q.next(now, lead)
				if !ok || s.begin.After(now.Add(q.reach(s))) || !s.sooner && s.begin.After(now.Add(soonest)) {
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
					delayed = append(delayed, happening{at, func() { q.sent(s.begin, nil, at) }})
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

// SoonerLead keeps no call of an idle lane waiting for its slot, and a longer lead does.
func TestLeadWithWhichCallsMayGoSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for lead, sooner := range map[time.Duration]bool{SoonerLead: true, SoonerLead + 1: false} {
			p, err := idleLane(50).ReserveFor(t.Context(), 0, lead)
			if err != nil || p.slot.sooner != sooner {
				t.Errorf("with a lead of %v a call may go before its slot: %v (%v)", lead, p.slot.sooner, err)
			}
		}
	})
}

// Calls go sooner only where the headroom of all windows that are counted pays for
// them, and where slots are not close together anyway.
func TestWhereCallsMayGoSooner(t *testing.T) {
	for _, c := range []struct {
		windows         []Window
		exchange, reach time.Duration
	}{
		{[]Window{{50, time.Second}}, time.Second, time.Second},
		{[]Window{{10, 100 * time.Millisecond}}, 100 * time.Millisecond, time.Second},
		{[]Window{{300, time.Minute}}, time.Minute, time.Second},
		{[]Window{{6000, time.Minute}}, 10 * time.Second, time.Second},
		{[]Window{{50, time.Second}, {200_000, 24 * time.Hour}}, time.Second, time.Second},
		{[]Window{{10, time.Second}, {300, time.Minute}}, time.Second, 580 * time.Millisecond},
		{[]Window{{50, time.Second}, {100, time.Minute}}, 0, 20 * time.Millisecond},
		{[]Window{{2000, time.Second}}, 0, time.Second},
	} {
		l := newLimits(c.windows, .02)
		if got := l.exchange(); got != c.exchange {
			t.Errorf("%v: slots are exchanged up to %v apart, want %v", c.windows, got, c.exchange)
		}
		if got := l.reach().Round(time.Millisecond); got != c.reach {
			t.Errorf("%v: calls go up to %v ahead of their slots, want %v", c.windows, got, c.reach)
		}
	}
}
