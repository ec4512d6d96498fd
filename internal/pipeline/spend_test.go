package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// cents are hundredths.
const cents event.Amount = 10_000

// cappedAt sets prices of 10 cents for an approval and 7 for a rejection, and caps.
func cappedAt(perDay, perCampaign event.Amount) func(*Config, *vendors.LaneConfig) {
	return func(c *Config, _ *vendors.LaneConfig) {
		c.Spend = SpendConfig{
			Currency: "EUR", PerDay: perDay, PerCampaign: perCampaign,
			Prices: map[event.Vendor]map[event.Outcome]event.Amount{event.Argos: {event.Approved: 10 * cents, event.Rejected: 7 * cents}},
		}
	}
}

// charge is what the vendor charged.
type charge struct {
	at       time.Time
	campaign string
	amount   event.Amount
}

// till is a vendor that charges for each call the moment it comes in, whatever
// becomes of the caller. The campaign is in the call's user id. Of ten subjects
// one is rejected, one has an unusable selfie, which is free, and of one the
// first answer is lost on its way.
type till struct {
	mu      sync.Mutex
	delay   time.Duration
	charges []charge
	calls   map[string]int
	kept    map[string][]vendors.Verdict
}

// findingTill can be asked what it charged for.
type findingTill struct{ *till }

func newTill(delay time.Duration) *till {
	return &till{delay: delay, calls: map[string]int{}, kept: map[string][]vendors.Verdict{}}
}

func (v *till) Name() event.Vendor                 { return event.Argos }
func (v *till) Check(context.Context) error        { return nil }
func (v *till) Capabilities() vendors.Capabilities { return vendors.Capabilities{NeedsSelfie: true} }

func (v *till) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	verdict := vendors.Verdict{Outcome: event.Approved, Reference: "auth-" + c.SubmissionID, At: time.Now()}
	amount := 10 * cents
	switch c.SubmissionID[len(c.SubmissionID)-1] {
	case '1':
		verdict.Outcome, amount = event.Rejected, 7*cents
	case '2':
		verdict.Outcome, amount = event.Unusable, 0
	}
	v.mu.Lock()
	v.calls[c.SubmissionID]++
	nth := v.calls[c.SubmissionID]
	v.charges = append(v.charges, charge{time.Now(), c.UserID, amount})
	v.kept[c.SubmissionID] = append(v.kept[c.SubmissionID], verdict)
	v.mu.Unlock()
	select {
	case <-time.After(v.delay):
	case <-ctx.Done():
		return vendors.Verdict{}, lost()
	}
	if c.SubmissionID[len(c.SubmissionID)-1] == '3' && nth == 1 {
		return vendors.Verdict{}, lost()
	}
	return verdict, nil
}

func (v findingTill) Find(ctx context.Context, calls []vendors.Call, _ time.Time, turn vendors.Turn) (found [][]vendors.Verdict, _ error) {
	err := turn(ctx, func(context.Context) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, c := range calls {
			found = append(found, v.kept[c.SubmissionID])
		}
		return nil
	})
	return found, err
}

// charged sums the charges by day and by campaign.
func (v *till) charged() (byDay map[ledger.Day]event.Amount, byCampaign map[string]event.Amount) {
	v.mu.Lock()
	defer v.mu.Unlock()
	byDay, byCampaign = map[ledger.Day]event.Amount{}, map[string]event.Amount{}
	for _, c := range v.charges {
		byDay[ledger.DayOf(c.at)] += c.amount
		byCampaign[c.campaign] += c.amount
	}
	return byDay, byCampaign
}

// made returns how many calls were made.
func (v *till) made() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.charges)
}

// spentFor returns what shard 0 counts for a campaign.
func spentFor(w *world, campaign string) (charged, reserved event.Amount) {
	s := w.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.SpentFor(campaign)
}

// most returns the largest sum of a day or of a campaign.
func most[K comparable](sums map[K]event.Amount) (largest event.Amount) {
	for _, sum := range sums {
		largest = max(largest, sum)
	}
	return largest
}

// of puts a request into a campaign.
func of(campaign string) func(*event.Request) {
	return func(r *event.Request) { r.CampaignID, r.UserID = campaign, campaign }
}

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

func TestResultCarriesItsCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(time.Second), cappedAt(0, 0))
		w.selfie = func(ref storage.Ref) error {
			if strings.Contains(ref.Key, "missing") {
				return &storage.Error{Kind: storage.Unusable, Reason: event.SelfieNotFound}
			}
			return nil
		}
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "approved", "sub-0")
		w.send(0, "rejected", "sub-1")
		w.send(0, "free", "sub-2")
		w.send(0, "missing", "sub-4")
		w.send(0, "expired", "sub-5", func(r *event.Request) { r.NotAfter = time.Now().Add(-time.Second) })
		settle(time.Minute)
		got := map[string]string{}
		for _, r := range w.results() {
			got[r.RequestID] = r.Cost + " " + r.Currency
		}
		want := map[string]string{
			"approved": "0.10 EUR", "rejected": "0.07 EUR", "free": "0.00 EUR", "missing": "0.00 EUR", "expired": "0.00 EUR",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := testutil.ToFloat64(w.metrics.spend.WithLabelValues("argos")); n < 0.1699 || n > 0.1701 {
			t.Errorf("%v were counted as spent", n)
		}
		w.shut()
	})
}

func TestWithoutPricesNothingIsWrittenOfCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.send(0, "r-1", "sub-1", of("c"))
		settle(time.Hour)
		for name, log := range w.topics.logs {
			for _, rec := range log {
				if bytes.Contains(rec.Value, []byte(`"spen`)) || bytes.Contains(rec.Value, []byte(`"cost"`)) || bytes.Contains(rec.Value, []byte(`"currency"`)) {
					t.Errorf("%s holds %s", name, rec.Value)
				}
			}
		}
		if r := w.results(); len(r) != 1 || r[0].Cost != "" || r[0].Currency != "" {
			t.Errorf("results %+v", r)
		}
		w.shut()
	})
}

func TestResultPublishedByTheNextOwnerHasTheCostOfTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		a := join(t, topics, v, cappedAt(0, 0))
		b := join(t, topics, v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 0)(c, l)
			c.Spend.Currency = "USD"
			c.Spend.Prices[event.Argos][event.Approved] = 1
		})
		a.assign([]int{0, 1, 2}, nil, nil)
		topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-0")
		<-a.ended
		topics.mu.Lock()
		topics.write = nil
		topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		if r := b.results(); len(r) != 1 || r[0].Cost != "0.10" || r[0].Currency != "EUR" {
			t.Errorf("results %+v", r)
		}
		b.shut()
	})
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

func TestCallIsChargedToTheDayOnWhichItIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(0)
		w := join(t, newFakeTopics(), v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(3000*cents, 0)(c, l)
			l.PerSecond = 10
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

func TestUnusedReservationIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(20 * time.Second)
		w := join(t, newFakeTopics(), v, cappedAt(30*cents, 0)) // one call for each shard
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "free", "sub-2")
		settle(time.Second)
		w.send(0, "paid", "sub-0")
		settle(10 * time.Second)
		if n := v.made(); n != 1 {
			t.Errorf("%d calls under way, and there is room for one", n)
		}
		settle(3 * time.Minute)
		wantOncePerRequest(t, w, 2)
		w.shut()
	})
}

func TestFailureThatCostsNothingGivesItsReservationBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(c vendors.Call, _ int) (vendors.Verdict, error) {
			if c.SubmissionID == "sub-1" {
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, func(c *Config, l *vendors.LaneConfig) {
			cappedAt(30*cents, 0)(c, l)
			c.Retry.Initial, c.Retry.Max = 1e6*time.Hour, 1e6*time.Hour
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "failing", "sub-1")
		settle(time.Second)
		w.send(0, "paid", "sub-2")
		settle(time.Minute)
		wantOncePerRequest(t, w, 1)
		w.shut()
	})
}

func TestCallsThatAreBeingClaimedCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTill(0)
		w := join(t, newFakeTopics(), v, cappedAt(30*cents, 0))
		w.topics.write = func([]event.Record) error {
			time.Sleep(500 * time.Millisecond) // fake time
			return nil
		}
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 10 {
			w.send(0, fmt.Sprint("r-", i), fmt.Sprint("sub-", 10*i))
		}
		settle(time.Minute)
		if n := v.made(); n != 1 {
			t.Errorf("%d calls, and there is room for one", n)
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
		slow := true
		w.topics.write = func([]event.Record) error {
			if slow {
				slow = false
				time.Sleep(2500 * time.Millisecond) // fake time
			}
			return nil
		}
		w.assign([]int{0, 1, 2}, nil, nil)
		time.Sleep(24*time.Hour - 2*time.Second)
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

func TestReservationOutlivesThePricesAndDoesNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(20*time.Second)
		a, b := join(t, topics, findingTill{v}, cappedAt(0, 90*cents)), join(t, topics, findingTill{v}, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		time.Sleep(24*time.Hour - 10*time.Second)
		a.send(0, "r-1", "sub-0", of("c-1"))
		settle(5 * time.Second)
		a.kill()
		v.mu.Lock()
		clear(v.kept) // the call never reached the vendor
		v.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(5 * time.Minute)
		if r := b.results(); len(r) != 1 || r[0].Outcome != event.Approved || r[0].Cost != "" {
			t.Errorf("results %+v", r)
		}
		if charged, reserved := spentFor(b, "c-1"); charged != 0 || reserved != 0 {
			t.Errorf("%s charged and %s reserved", charged, reserved)
		}
		b.shut()
	})
}

// A former owner's answer may still reach the log, with a time that a summary of
// ours would claim to cover.
func TestNoSummaryWhileTheFormerOwnerMayWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newTill(0)
		a, b := join(t, topics, v, cappedAt(300*cents, 0)), join(t, topics, v, cappedAt(300*cents, 0))
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-0")
		settle(time.Second)
		a.kill()
		takeover := time.Now()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		first := time.Time{}
		for _, rec := range topics.logs["ledger/0"] {
			if r, err := ledger.Decode(rec.Value); err == nil && r.Step == ledger.Summed && first.IsZero() {
				first = rec.Time
			}
		}
		if after := first.Sub(takeover); after < b.cfg.LongestCall+2*b.cfg.ClaimMargin || after > 2*time.Minute {
			t.Errorf("the first summary was written %v after the takeover", after)
		}
		b.shut()
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
		// parked, too.
		if n := w.next(0); n < 11 || n > 13 {
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

func TestRepeatOfALostCallCountsTwice(t *testing.T) {
	for name, finds := range map[string]bool{"vendor cannot be asked": false, "found at the vendor": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newTill(0)
				var adapter vendors.Adapter = v
				if finds {
					adapter = findingTill{v}
				}
				w := join(t, newFakeTopics(), adapter, cappedAt(0, 90*cents))
				w.assign([]int{0, 1, 2}, nil, nil)
				w.send(0, "lost", "sub-3", of("c-1"))
				settle(10 * time.Minute)
				wantOncePerRequest(t, w, 1)
				if r := w.results()[0]; r.Cost != "0.10" {
					t.Errorf("the result costs %s", r.Cost)
				}
				twice := map[bool]float64{false: 0.1}[finds]
				if n := testutil.ToFloat64(w.metrics.duplicateSpend.WithLabelValues("argos")); n != twice {
					t.Errorf("%v were counted as spent in addition, want %v", n, twice)
				}
				_, by := v.charged()
				if charged, reserved := spentFor(w, "c-1"); charged != by["c-1"] || reserved != 0 {
					t.Errorf("%s charged and %s reserved, and the vendor charged %s", charged, reserved, by["c-1"])
				}
				w.shut()
			})
		})
	}
}

func TestLostCallThatNobodyRepeatsIsCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := join(t, newFakeTopics(), newTill(0), func(c *Config, l *vendors.LaneConfig) {
			cappedAt(0, 90*cents)(c, l)
			c.HoldUnknown = true
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		w.send(0, "lost", "sub-3", of("c-1"))
		settle(10 * time.Minute)
		charged, reserved := spentFor(w, "c-1")
		if r := w.results(); len(r) != 1 || r[0].Cost != "0.00" || charged != 10*cents || reserved != 0 {
			t.Errorf("%s charged, %s reserved, results %+v", charged, reserved, r)
		}
		if n := testutil.ToFloat64(w.metrics.duplicateSpend.WithLabelValues("argos")); n != 0 {
			t.Errorf("%v were counted as spent for a repeat that was not made", n)
		}
		w.shut()
	})
}

// A person's session is paid for when it ends, on whichever day: what is reserved
// for it stays so meanwhile, and is charged once.
func TestSessionKeepsItsReservationUntilItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), newHostedVendor()
		a := join(t, topics, v, cappedAt(30*cents, 30*cents))
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-1", of("c-1"))
		settle(30 * time.Hour)
		a.send(0, "r-2", "sub-2", of("c-1"))
		settle(time.Hour)
		a.commit()
		a.kill()
		b := join(t, topics, v, cappedAt(30*cents, 30*cents))
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(30 * time.Hour)
		if len(v.sessions) != 1 {
			t.Errorf("%d sessions, and there is room for one", len(v.sessions))
		}
		v.decide("fav_sub-1_1", event.Approved)
		settle(3 * time.Hour)
		if types, _ := happened(b); !cmp.Equal(types, []string{event.TypePending, event.TypeResult}) {
			t.Errorf("events %v", types)
		}
		if charged, reserved := spentFor(b, "c-1"); charged != 10*cents || reserved != 0 {
			t.Errorf("%s charged and %s reserved", charged, reserved)
		}
		b.shut()
	})
}

// group is replicas that join, die and hand shards over.
type group struct {
	t        *testing.T
	topics   *fakeTopics
	vendor   vendors.Adapter
	change   func(*Config, *vendors.LaneConfig)
	replicas []*world
	owners   [3]*world
}

// grow lets a replica join.
func (g *group) grow() {
	g.replicas = append(g.replicas, join(g.t, g.topics, g.vendor, g.change))
}

// rebalance gives each shard the owner that is named; nil keeps the former one.
func (g *group) rebalance(owners [3]*world) {
	gained, kept, lost := map[*world][]int{}, map[*world][]int{}, map[*world][]int{}
	for id, to := range owners {
		switch from := g.owners[id]; {
		case from == to:
			kept[to] = append(kept[to], id)
		default:
			gained[to] = append(gained[to], id)
			if from != nil {
				from.commit()
				lost[from] = append(lost[from], id)
			}
		}
	}
	for _, w := range g.replicas { // as in a group, all leave before any gains
		if len(lost[w]) > 0 {
			w.assign(nil, kept[w], lost[w])
			kept[w] = slices.Clone(kept[w])
		}
	}
	for _, w := range g.replicas {
		if len(gained[w]) > 0 {
			w.assign(gained[w], kept[w], nil)
		}
	}
	g.owners = owners
}

// commit commits what is done. Offsets are never so old as the ledger's window.
func (g *group) commit() {
	for _, w := range g.replicas {
		w.commit()
	}
}

// die kills a replica, and the others take its shards over.
func (g *group) die(r *rand.Rand) {
	victim := r.IntN(len(g.replicas))
	dead := g.replicas[victim]
	if r.IntN(2) == 0 {
		dead.commit()
	}
	dead.kill()
	g.replicas = slices.Delete(g.replicas, victim, victim+1)
	if len(g.replicas) < 2 {
		g.grow()
	}
	owners := g.owners
	for id := range owners {
		if owners[id] == dead {
			owners[id] = g.replicas[r.IntN(len(g.replicas))]
			g.owners[id] = nil
		}
	}
	g.rebalance(owners)
}

// move gives shards other owners.
func (g *group) move(r *rand.Rand) {
	owners := g.owners
	for id := range owners {
		owners[id] = g.replicas[r.IntN(len(g.replicas))]
	}
	g.rebalance(owners)
}

// The vendor's own count of what it charged never passes a cap, whatever befalls
// the replicas; and nothing is lost by it.
func TestCapsAreNeverExceeded(t *testing.T) {
	const perDay, perCampaign, requests = 330 * cents, 250 * cents, 150
	for seed := range uint64(4) {
		finds := seed%2 == 0
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 7))
				v := newTill(3 * time.Second)
				g := &group{t: t, topics: newFakeTopics(), vendor: v, change: cappedAt(perDay, perCampaign)}
				if finds {
					g.vendor = findingTill{v}
				}
				g.grow()
				g.grow()
				g.move(r)
				time.Sleep(24*time.Hour - 5*time.Minute) // near midnight
				for i := range requests {
					g.replicas[0].send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), of(fmt.Sprint("c-", i%2)))
					if r.IntN(6) > 0 {
						continue
					}
					time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
					switch r.IntN(4) {
					case 0:
						g.die(r)
					case 1:
						g.move(r)
					}
				}
				for range 3 {
					time.Sleep(time.Duration(r.Int64N(int64(9 * time.Hour))))
					g.commit()
					g.die(r)
				}
				settle(time.Hour)
				g.commit()
				byDay, byCampaign := v.charged()
				if most(byDay) > perDay || most(byCampaign) > perCampaign {
					t.Errorf("%v were spent on a day of 3.30, %v on a campaign of 2.50", byDay, byCampaign)
				}
				if sum := most(byCampaign); sum < perCampaign-3*30*cents {
					t.Errorf("only %s of 2.50 were spent", sum)
				}
				for _, w := range g.replicas {
					w.kill()
				}
				last := join(t, g.topics, g.vendor, cappedAt(0, 0))
				last.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Hour)
				wantOncePerRequest(t, last, requests)
				last.shut()
			})
		})
	}
}
