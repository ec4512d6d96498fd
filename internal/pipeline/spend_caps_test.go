package pipeline

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

func TestSharesMakeTheCapExactly(t *testing.T) {
	for _, limit := range []event.Amount{0, 1, 11, 12, 13, 1e6, 1e15 + 7} {
		for _, total := range []int{1, 2, 3, 12, 100} {
			sum := event.Amount(0)
			for i := range total {
				sum += share(limit, i, total)
			}
			if sum != limit {
				t.Errorf("%d shares of %d make %d", total, limit, sum)
			}
		}
	}
}

func TestDayCapHoldsRequestsUntilMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		v := newTill(100 * time.Millisecond)
		w := join(t, newFakeTopics(), v, cappedAt(300*cents, 0))
		w.log = slog.New(slog.NewJSONHandler(&logged, nil))
		w.assign([]int{0, 1, 2}, nil, nil)
		time.Sleep(23 * time.Hour)
		for i := range 75 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i))
		}
		settle(58 * time.Minute)
		byDay, _ := v.charged()
		if got := byDay[ledger.DayOf(time.Now())]; got != 300*cents {
			t.Errorf("%s were spent of 3.00", got)
		}
		for shard := range 3 {
			if n := w.next(shard); n != 25 {
				t.Errorf("next of shard %d is %d: what is held holds no offset", shard, n)
			}
		}
		if err := testutil.CollectAndCompare(spendCollector{w.Pipeline}, strings.NewReader(`
# HELP reauth_spend_held_requests Requests that a cap on what is spent holds back, by cap.
# TYPE reauth_spend_held_requests gauge
reauth_spend_held_requests{cap="day"} 45
# HELP reauth_spend_share_used_ratio How much of an owned shard's share of a cap is spent or reserved, 1 being all: of the day's, and of the campaign's that has spent most.
# TYPE reauth_spend_share_used_ratio gauge
reauth_spend_share_used_ratio{cap="day",partition="0"} 1
reauth_spend_share_used_ratio{cap="day",partition="1"} 1
reauth_spend_share_used_ratio{cap="day",partition="2"} 1
`)); err != nil {
			t.Error(err)
		}
		settle(2*time.Minute + midnightSpread + 5*time.Second)
		byDay, _ = v.charged()
		if got := byDay[ledger.DayOf(time.Now())]; got != 300*cents {
			t.Errorf("%s were spent in the first seconds of the day, of 3.00", got)
		}
		settle(24 * time.Hour)
		wantOncePerRequest(t, w, 75)
		for _, r := range w.results() {
			if r.Attempts != 1 || r.Calls != 1 {
				t.Errorf("%d attempts and %d calls for %s: holding burns none", r.Attempts, r.Calls, r.RequestID)
			}
		}
		w.shut()
		if n := strings.Count(logged.String(), "spend cap reached"); n != 6 {
			t.Errorf("%d lines of a cap that three shards have met on two days:\n%s", n, &logged)
		}
	})
}

func TestHeldRequestExpiresInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), cappedAt(1, 0))
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "r-1", "sub-0", func(r *event.Request) { r.NotAfter = time.Now().Add(time.Hour) })
		settle(59 * time.Minute)
		if n := len(w.results()); n != 0 {
			t.Fatalf("%d results", n)
		}
		settle(2 * time.Minute)
		if r := w.results(); len(r) != 1 || r[0].Outcome != event.Expired || r[0].Attempts != 1 {
			t.Errorf("results %+v", r)
		}
		w.shut()
	})
}

func TestOthersGoOnWhileACampaignIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 30*cents)(c, l)
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 50 {
			w.send(0, fmt.Sprint("held-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
		}
		w.send(0, "other", "sub-7", of("c-2"))
		w.send(0, "none", "sub-8")
		settle(time.Minute)
		got := outcomes(w)
		if len(got) != 3 || got["other"] != 1 || got["none"] != 1 {
			t.Errorf("results %v", got)
		}
		if all := w.parking.cappedBy()[campaignCap]; all != 49 {
			t.Errorf("%d requests are held", all)
		}
		w.shut()
	})
}

// TestHeldRequestsAreParkedUpToABound: beyond it they hold their offsets.
func TestHeldRequestsAreParkedUpToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 30*cents)(c, l)
			c.MaxHeld = 10
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 60 {
			w.send(0, fmt.Sprint("held-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
			settle(20 * time.Millisecond)
		}
		settle(time.Minute)
		if all := w.parking.cappedBy()[campaignCap]; all != 59 {
			t.Errorf("%d requests are held", all)
		}
		// One was charged, and those that are being parked when ten are held are
		// parked, too; some of the ten may have been in memory, waiting for the outcome
		// of another call, when the bound was reached.
		if n := w.next(0); n < 3 || n > 13 {
			t.Errorf("next is %d: further requests hold their offsets", n)
		}
		w.shut()
	})
}

func TestHeldRequestsGoOnOnceTheCapIsRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		a := join(t, topics, v, cappedAt(0, 90*cents))
		a.assign([]int{0, 1, 2}, nil, nil)
		for i := range 30 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
		}
		settle(5 * time.Hour)
		if _, by := v.charged(); by["c-1"] != 90*cents {
			t.Errorf("%s were spent of 0.90", by["c-1"])
		}
		a.commit()
		a.shut()
		b := join(t, topics, v, cappedAt(0, 180*cents))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		if _, by := v.charged(); by["c-1"] != 180*cents {
			t.Errorf("%s were spent of the raised cap, 1.80", by["c-1"])
		}
		b.commit()
		b.shut()
		c := join(t, topics, v, cappedAt(0, 0))
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Second)
		wantOncePerRequest(t, c, 30)
		if n := v.made(); n != 30 {
			t.Errorf("%d calls for 30 requests", n)
		}
		c.shut()
	})
}

func TestCampaignCapHoldsOverManyWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		change := func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 150*cents)(c, l)
			c.Window = 2 * time.Hour
		}
		w := join(t, topics, v, change)
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 24 {
			w.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
			settle(time.Minute)
			if i%4 != 3 {
				continue
			}
			settle(150 * time.Minute) // more than a window
			w.commit()
			w.kill()
			w = join(t, topics, v, change)
			w.assign([]int{0, 1, 2}, nil, nil)
		}
		if _, by := v.charged(); by["c-1"] != 150*cents {
			t.Errorf("%s were spent of 1.50", by["c-1"])
		}
		summaries := 0
		synctest.Wait()
		for _, rec := range topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Summed {
				summaries++
			}
		}
		if hours := int(time.Since(topics.logs["requests/0"][0].Time).Hours()); summaries == 0 || summaries > 2*hours {
			t.Errorf("%d summaries in %d hours", summaries, hours)
		}
		w.shut()
	})
}

func TestClaimsOfADeadOwnerCountUntilTheyAreSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(20*time.Second)
		a, b := join(t, topics, findingTill{v}, cappedAt(0, 90*cents)), join(t, topics, findingTill{v}, cappedAt(0, 90*cents))
		a.assign([]int{0, 1, 2}, nil, nil)
		for i := range 3 {
			a.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i), of("c-1"))
		}
		settle(5 * time.Second)
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		for i := range 3 {
			b.send(0, fmt.Sprint("q-", i), fmt.Sprint("sub-", 100+10*i), of("c-1"))
		}
		settle(time.Second)
		charged, reserved := spentFor(b, "c-1")
		if charged != 0 || reserved != 30*cents {
			t.Errorf("%s charged and %s reserved after the takeover", charged, reserved)
		}
		settle(10 * time.Minute)
		if n := v.made(); n != 3 {
			t.Errorf("%d calls, and the share is for 3", n)
		}
		for _, r := range b.results() {
			if r.RequestID[0] != 'r' || r.Cost != "0.10" {
				t.Errorf("%s has a result that costs %q", r.RequestID, r.Cost)
			}
		}
		wantOncePerRequest(t, b, 3)
		b.shut()
	})
}

// Prices and a cap that are set while a link is in doubt.
func TestCapThatHoldsACallInDoubtBackKeepsTheDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		a, b := pair(t, v, nil)
		b.kill()
		v.after = func(_ string, nth int) error {
			if nth == 2 {
				a.topics.mute(a.work) // it dies with the link made
			}
			return nil
		}
		a.send(0, "r-1", "sub-1", of("c-1"))
		settle(2 * time.Second)
		a.commit()
		a.kill()
		b = join(t, a.topics, v, cappedAt(0, 3*cents))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		if n := len(v.calls); n != 2 {
			t.Errorf("%d calls, of which the cap allows none", n-2)
		}
		b.commit()
		b.kill()
		c := join(t, a.topics, v, nil)
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		if v.doubled != 0 {
			t.Error("a second link was made while one was live")
		}
		c.shut()
	})
}
