package main

import (
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

func TestWhatFollowsAnAnswerIsTold(t *testing.T) {
	due := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	answer := &ledger.Answer{Outcome: event.Rejected, Reference: "fav_1"}
	for want, r := range map[string]ledger.Record{
		"revision 2 noted, rejected": {Step: ledger.Revised, Revision: 2, Answer: answer},
		"to be followed up by archive at 2026-11-23T12:00:00Z": {
			Step: ledger.Followed, FollowUp: &ledger.FollowUp{Vendor: event.Checkout, Reference: "fav_1", Number: 1, Answered: due, Revision: 1, Outcome: event.Approved, Archive: due}},
		"followed up, nothing is left": {Step: ledger.Followed, FollowUp: &ledger.FollowUp{Vendor: event.Checkout, Reference: "fav_1", Number: 2, Answered: due, Revision: 1, Outcome: event.Approved}},
	} {
		h := &history{requestID: "r1"}
		h.topics.Ledger = event.TopicLedger
		h.see(event.Record{Topic: event.TopicLedger, Key: []byte("r1"), Value: r.Encode(), Time: due})
		if len(h.moments) != 1 || h.moments[0].What != want || h.moments[0].Kind == kindUnreadable {
			t.Errorf("%+v, want %q", h.moments, want)
		}
	}
}
