package e2e

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
	"reauth/internal/sandbox"
)

// asked is a request that was published, and what is to become of it.
type asked struct {
	event.Request
	expect sandbox.Expectation
}

// campaign is all that a scenario has published.
type campaign struct {
	// asked are the requests by id; one that was published again stands here
	// once.
	asked map[string]asked
	// positions are the ids by topic, partition and offset; dead holds the
	// positions of records that belong to the dead letters.
	positions map[position]string
	dead      map[position]string
	// foreign are keys in the results topic that are none of ours.
	foreign map[string]bool
}

type position struct {
	topic     string
	partition int
	offset    int64
}

func positionOf(r *kgo.Record) position { return position{r.Topic, int(r.Partition), r.Offset} }

// request makes the nth request of a campaign, for a submission script and with
// a selfie of the name given.
func request(n int, script, selfie string) event.Request {
	return event.Request{
		RequestID:    fmt.Sprintf("r-%05d", n),
		SubmissionID: fmt.Sprintf("sub-%s-%05d", script, n),
		SelfieKey:    fmt.Sprintf("selfies/%05d-%s", n, selfie),
		UserID:       fmt.Sprintf("user-canary-%05d", n),
		CampaignID:   "e2e",
	}
}

// mixed makes n requests, most of which are approved.
func mixed(n int) []event.Request {
	requests := make([]event.Request, n)
	for i := range requests {
		script, selfie := "approve", "8KB.jpg"
		switch {
		case i%17 == 3:
			script = "reject-similarity"
		case i%41 == 5:
			script = "unapproved"
		case i%37 == 7:
			selfie = "missing.jpg"
		case i%59 == 11:
			selfie = "truncated-8KB.jpg"
		}
		requests[i] = request(i, script, selfie)
	}
	return requests
}

// approved makes n requests that each cost a call and are approved.
func approved(n int) []event.Request {
	requests := make([]event.Request, n)
	for i := range requests {
		requests[i] = request(i, "approve", "8KB.jpg")
	}
	return requests
}

// ask publishes requests.
func (w *world) ask(requests ...event.Request) {
	w.t.Helper()
	records := make([]*kgo.Record, len(requests))
	for i, r := range requests {
		value, err := json.Marshal(r)
		if err != nil {
			w.t.Fatal(err)
		}
		records[i] = &kgo.Record{Topic: w.topics.Requests, Key: []byte(r.RequestID), Value: value, Timestamp: time.Now()}
	}
	if err := w.publish(w.ctx, records...); err != nil {
		w.t.Fatalf("publishing requests: %v", err)
	}
	for i, r := range requests {
		w.campaign.add(r, positionOf(records[i]))
	}
}

// add notes a request that was published.
func (c *campaign) add(r event.Request, at position) {
	expect := sandbox.ExpectRequest(r)
	if !r.NotAfter.IsZero() && r.NotAfter.Before(time.Now()) {
		expect = sandbox.Expectation{Outcome: event.Expired, Reasons: []event.Reason{event.NotAfterPassed}}
	}
	c.asked[r.RequestID] = asked{r, expect}
	c.positions[at] = r.RequestID
}

// results returns how many result events there are.
func (w *world) results() int { return len(w.of(w.topics.Results)) }

// awaitResults waits for a result of everything that was asked.
func (w *world) awaitResults(within time.Duration) {
	w.t.Helper()
	w.eventuallyCounts(within, len(w.campaign.asked))
}

// eventuallyCounts waits for n distinct requests with a result.
func (w *world) eventuallyCounts(within time.Duration, n int) {
	w.t.Helper()
	w.eventually(within, fmt.Sprintf("results of %d requests", n), func() bool {
		if w.results() < n {
			return false
		}
		return len(w.resultsByID()) >= n
	})
}

// resultsByID returns the first results by request id: those of a changed verdict,
// and invitations, are left out.
func (w *world) resultsByID() map[string][]*kgo.Record {
	found := map[string][]*kgo.Record{}
	for _, r := range w.of(w.topics.Results) {
		if isRevised(r) || header(r, "ce_type") == event.TypePending {
			continue
		}
		found[string(r.Key)] = append(found[string(r.Key)], r)
	}
	return found
}

// isRevised tells whether a record is a result of a changed verdict.
func isRevised(r *kgo.Record) bool { return header(r, "ce_id") == event.ResultID(string(r.Key), 2) }

// revised returns of how many requests there is a result of a changed verdict.
func (w *world) revised() int {
	ids := map[string]bool{}
	for _, r := range w.of(w.topics.Results) {
		if isRevised(r) {
			ids[string(r.Key)] = true
		}
	}
	return len(ids)
}
