package pipeline

import (
	"context"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
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
	if !takes(ctx, v.delay) {
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
