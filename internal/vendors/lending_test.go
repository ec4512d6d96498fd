package vendors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// lendingLane returns a lane of two of four shards that lends, well past the
// handover.
func lendingLane(t *testing.T) *Lane {
	t.Helper()
	cfg := config()
	cfg.Lends = true
	l := NewLane(&fakeAdapter{}, cfg)
	l.SetShards([]int{0, 1}, 4)
	time.Sleep(5 * time.Second) // fake time
	return l
}

func TestIdleLaneLendsItsSlotsOfTheNextSecondOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingLane(t)
		now := time.Now()
		trade := l.Trade(now, true)
		if want := (Timetable{MicroRate: 49e6, Shards: 4}); trade.Timetable != want {
			t.Errorf("slots of %v, want %v", trade.Timetable, want)
		}
		if n := len(trade.Lent); n < 21 || n > 23 { // half of 49 a second, for 900 ms
			t.Errorf("%d slots lent", n)
		}
		r := run{microRate: trade.Timetable.MicroRate}
		for _, n := range trade.Lent {
			if s := r.slot(n); n%4 > 1 || s.begin.Before(now.Add(lendNotice)) || s.begin.After(now.Add(lendReach)) {
				t.Errorf("slot %d lent, %v ahead", n, s.begin.Sub(now))
			}
		}
		if again := l.Trade(now, true).Lent; len(again) > 0 {
			t.Errorf("%v lent again", again)
		}
		if early := l.Trade(now.Add(time.Second), false).Lent; len(early) > 0 {
			t.Errorf("%v lent unasked", early)
		}
	})
}

func TestLentSlotsAreLeftAloneAndBorrowedOnesUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingLane(t)
		trade := l.Trade(time.Now(), true)
		time.Sleep(lendNotice)
		got := make(chan time.Time)
		go func() {
			p, err := l.ReserveFor(context.Background(), 0, 0)
			if err != nil {
				t.Error(err)
			} else if _, err = l.Call(context.Background(), p, Call{}, may); err != nil {
				t.Error(err)
			}
			got <- p.At
		}()
		synctest.Wait() // it waits for a slot of its own, past those lent
		if want := l.Trade(time.Now(), false); want.Want != 1 {
			t.Errorf("%d slots wanted for one that waits", want.Want)
		}
		r := run{microRate: trade.Timetable.MicroRate}
		back := trade.Lent[2]
		if n := l.Borrow(trade.Timetable, []int64{back, back}); n != 1 {
			t.Errorf("%d slots of use, want 1", n)
		}
		if at := <-got; !at.Equal(r.slot(back).begin) {
			t.Errorf("called in the slot of %v, want the borrowed one of %v", at, r.slot(back).begin)
		}
		p, err := l.ReserveFor(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if last := r.slot(trade.Lent[len(trade.Lent)-1]).begin; !p.At.After(last) {
			t.Errorf("a slot of %v, when all up to %v are lent", p.At, last)
		}
		p.Release()
	})
}

func TestSlotsOfAnotherTimetableOrThePastAreOfNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingLane(t)
		of := Timetable{MicroRate: 49e6, Shards: 4}
		next := run{microRate: of.MicroRate}.at(time.Now().Add(200 * time.Millisecond)).number
		for _, other := range []Timetable{{}, {MicroRate: 48e6, Shards: 4}, {MicroRate: 49e6, Shards: 5}} {
			if n := l.Borrow(other, []int64{next}); n != 0 {
				t.Errorf("%d slots of %v of use", n, other)
			}
		}
		if n := l.Borrow(of, []int64{next - 49, next}); n != 1 {
			t.Errorf("%d slots of use, want the one that is to come", n)
		}
	})
}

func TestLaneThatIsHeldBackNeitherLendsNorWants(t *testing.T) {
	for name, hold := range map[string]func(*Lane){
		"throttled": func(l *Lane) { l.BackOff(time.Now().Add(time.Second)) },
		"slowed":    func(l *Lane) { l.BackOff(time.Now().Add(time.Second)); time.Sleep(2 * time.Second) },
		"broken": func(l *Lane) {
			for range 20 {
				done, _, _ := l.breaker.try()
				done(errors.New("broken"))
			}
		},
		"paused": func(l *Lane) { Pass{valve: &l.valve}.Fail(fault(LaneFault)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lendingLane(t)
				hold(l)
				ctx, cancel := context.WithCancel(t.Context())
				for range 5 {
					go func() { _, _ = l.ReserveFor(ctx, 0, 0) }()
				}
				synctest.Wait()
				if trade := l.Trade(time.Now(), true); len(trade.Lent) > 0 || trade.Want > 0 {
					t.Errorf("%d lent, %d wanted", len(trade.Lent), trade.Want)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func TestPaceByOrderEndsWhatWasBorrowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lendingLane(t)
		of := Timetable{MicroRate: 49e6, Shards: 4}
		foreign := run{microRate: of.MicroRate}.at(time.Now().Add(200 * time.Millisecond)).number
		l.Borrow(of, []int64{foreign, foreign + 1, foreign + 2, foreign + 3})
		l.SetRate(20)
		changed := time.Now()
		if p, err := l.ReserveFor(t.Context(), 0, 0); err != nil || p.At.Before(changed.Add(paceChange)) {
			t.Errorf("a slot %v after the order (%v)", p.At.Sub(changed), err)
		} else {
			p.Release()
		}
		l.SetRate(30)
		trade := l.Trade(time.Now(), true)
		for _, n := range trade.Lent {
			if s := (run{microRate: trade.Timetable.MicroRate}).slot(n); s.begin.Before(time.Now().Add(paceChange)) {
				t.Errorf("a slot lent %v after the order", time.Until(s.begin))
			}
		}
	})
}

func TestGainedShardWaitsForWhatItsFormerOwnerLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Lends = true
		l := NewLane(&fakeAdapter{}, cfg)
		gained := time.Now()
		l.SetShards([]int{0}, 1)
		p, err := l.ReserveFor(t.Context(), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if wait := p.At.Sub(gained); wait < handover+lendReach || wait > handover+lendReach+50*time.Millisecond {
			t.Errorf("the first slot came after %v", wait)
		}
		p.Release()
	})
}
