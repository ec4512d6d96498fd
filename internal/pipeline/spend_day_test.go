package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestCallIsChargedToTheDayOnWhichItIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(0)
		w := join(t, newFakeTopics(), v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(3000*cents, 0)(c, l)
			l.Windows = perSecond(10)
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		time.Sleep(24*time.Hour - 3*time.Second)
		for i := range 60 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i))
		}
		settle(time.Minute)
		byDay, _ := v.charged()
		for day, want := range byDay {
			var got event.Amount
			for _, s := range w.shards {
				s.mu.Lock()
				charged, _ := s.ledger.SpentOn(day)
				s.mu.Unlock()
				got += charged
			}
			if got != want {
				t.Errorf("%s of %s are charged to day %d", got, want, day)
			}
		}
		if len(byDay) != 2 {
			t.Errorf("calls on %d days", len(byDay))
		}
		w.shut()
	})
}

func TestCallIsNotMadeOnAnotherDayThanItIsReservedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), cappedAt(300*cents, 0))
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		it := &item{shard: w.shards[0], entry: &ledger.Entry{}, claim: 1, until: time.Now().Add(time.Hour)}
		it.reserved = ledger.Spend{Day: ledger.DayOf(time.Now()), Reserved: 1}
		if err := w.mayCall(it, 30*time.Second); err != nil {
			t.Errorf("a call on the day of its reservation is refused: %v", err)
		}
		it.calls = 0 // a claim covers one
		it.reserved.Day--
		if err := w.mayCall(it, 30*time.Second); !errors.Is(err, errLateClaim) {
			t.Errorf("a call after midnight: %v", err)
		}
		it.state = "session" // which is charged to the day on which it began
		if err := w.mayCall(it, 30*time.Second); err != nil {
			t.Errorf("a further call of a session is refused: %v", err)
		}
		w.shut()
	})
}

func TestClaimNamesTheDayOfTheCallThoughMidnightPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), cappedAt(300*cents, 0))
		w.assign([]int{0, 1, 2}, nil, nil)
		settle(24*time.Hour - 2*time.Second)
		slow := true
		w.topics.write = func([]event.Record) error {
			if slow {
				slow = false
				time.Sleep(2500 * time.Millisecond) // fake time
			}
			return nil
		}
		w.send(0, "r-1", "sub-0")
		settle(time.Minute)
		var days []ledger.Day
		for _, rec := range w.topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Claimed {
				days = append(days, r.Spend.Day)
			}
		}
		today := ledger.DayOf(time.Now())
		if diff := cmp.Diff([]ledger.Day{today - 1, today}, days); diff != "" {
			t.Errorf("claims for the days %v, today is %d", days, today)
		}
		w.shut()
	})
}
