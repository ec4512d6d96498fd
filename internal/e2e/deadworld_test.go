package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
	"reauth/internal/sandbox"
)

// Scripts of submissions that fail: two attempts are made at each request, so
// that the first kind is approved when it is sent back. The second is refused
// for good.
const (
	failsTwice  = "error-image_processing_error-twice"
	isRefused   = "error-invalid_data_format-always"
	maxAttempts = 2
)

// deadWorld has a consumer that gives up early.
func deadWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, setting{sandbox: vendor(20*time.Millisecond, 0), environ: []string{
		fmt.Sprint("REAUTH_RETRY__MAX_ATTEMPTS=", maxAttempts), "REAUTH_RETRY__INITIAL=50ms", "REAUTH_RETRY__MAX=100ms", "REAUTH_RETRY__BUDGET=1",
		"REAUTH_VENDORS__ARGOS__LIMITS=100/s", "REAUTH_BREAKER__MIN_CALLS=1000",
	}})
}

// inCampaign makes n requests of a campaign, the first with the number given.
func inCampaign(campaign string, first, n int, script string) (requests []event.Request) {
	for i := range n {
		r := request(first+i, script, "8KB.jpg")
		r.CampaignID = campaign
		requests = append(requests, r)
	}
	return requests
}

// askFailing publishes requests that will be given up.
func (w *world) askFailing(reason event.Reason, requests ...event.Request) {
	w.t.Helper()
	w.ask(requests...)
	for _, r := range requests {
		a := w.campaign.asked[r.RequestID]
		a.expect = sandbox.Expectation{Outcome: event.Failed, Reasons: []event.Reason{reason}}
		w.campaign.asked[r.RequestID] = a
	}
}

// notEnabled are requests for a vendor that the consumer has not enabled: they
// are refused, and it can be told whose they are.
func notEnabled(campaign string, first, n int) []event.Request {
	requests := inCampaign(campaign, first, n, "approve")
	for i := range requests {
		requests[i].Vendor = event.Faceki
	}
	return requests
}

// askInvalid publishes requests that will be refused.
func (w *world) askInvalid(requests ...event.Request) {
	w.t.Helper()
	for _, r := range requests {
		value, err := json.Marshal(r)
		if err != nil {
			w.t.Fatal(err)
		}
		w.publishInvalid(r.RequestID, r.RequestID, string(value))
	}
}

// publishInvalid publishes a record that is no request.
func (w *world) publishInvalid(what, key, value string) {
	w.t.Helper()
	r := &kgo.Record{Topic: w.topics.Requests, Key: []byte(key), Value: []byte(value)}
	if err := w.publish(w.ctx, r); err != nil {
		w.t.Fatal(err)
	}
	w.campaign.dead[positionOf(r)] = what
}

// sourceOf returns where the first record with a key stands.
func (w *world) sourceOf(key string) event.Source {
	w.t.Helper()
	if err := w.catchUp(w.ctx, w.topics.Requests); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range w.of(w.topics.Requests) {
		if string(r.Key) == key {
			return event.Source{Topic: r.Topic, Partition: int(r.Partition), Offset: r.Offset}
		}
	}
	w.t.Fatalf("there is no record with the key %q", key)
	return event.Source{}
}

// awaitDead waits until n dead letters are there, and their records done.
func (w *world) awaitDead(n int) {
	w.t.Helper()
	w.eventually(time.Minute, fmt.Sprintf("%d dead letters", n), func() bool { return len(w.of(w.topics.Dead)) >= n })
	w.awaitCommitted(30 * time.Second)
	if err := w.catchUp(w.ctx, w.topics.Requests, w.topics.Results, w.topics.Dead); err != nil {
		w.t.Fatal(err)
	}
	if got := len(w.of(w.topics.Dead)); got != n {
		w.t.Fatalf("%d dead letters, want %d", got, n)
	}
}
