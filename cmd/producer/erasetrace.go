package main

import (
	"slices"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
)

// trace is what the topics say about a request that matters for its erasure.
type trace struct {
	requestID string
	// vendor and subject are empty if no record tells.
	vendor  event.Vendor
	subject string
	// references are the vendor's ids of its authentications.
	references []string
	selfies    []storage.Ref
	// called: a call was made. read: a selfie was read.
	called, read bool
	// unsure: nobody knows what came of a call.
	unsure bool
	// followUps are what is left to be done after the verdict, by reference.
	followUps map[string]ledger.FollowUp

	// outcome is that of the last end of the request, empty before there is one.
	outcome event.Outcome
	endedAt time.Time
	// backAt is when it was sent back from the dead letters the last time.
	backAt time.Time
}

// isOpen tells whether a call may be under way or yet to come.
func (t *trace) isOpen() bool {
	return t.outcome == "" || t.outcome == event.Failed && t.backAt.After(t.endedAt)
}

// isOrphaned tells whether the vendor may hold what no record names.
func (t *trace) isOrphaned() bool { return t.unsure && t.outcome == event.Failed }

func (t *trace) refer(reference string) {
	if reference != "" && !slices.Contains(t.references, reference) {
		t.references = append(t.references, reference)
	}
}

// end takes the news that the request ended.
func (t *trace) end(outcome event.Outcome, at time.Time) {
	if t.outcome == "" || !at.Before(t.endedAt) {
		t.outcome, t.endedAt = outcome, at
	}
}

func (t *trace) seeRequest(r event.Request) {
	t.vendor, t.subject = r.Vendor, r.SubmissionID+r.ApplicantID
	ref := storage.Ref{Bucket: r.SelfieBucket, Key: r.SelfieKey, Version: r.SelfieVersion}
	if ref.Key != "" && !slices.Contains(t.selfies, ref) {
		t.selfies = append(t.selfies, ref)
	}
}

func (t *trace) seeResult(r event.Result) {
	if r.Vendor != "" {
		t.vendor = r.Vendor
	}
	if subject := r.SubmissionID + r.ApplicantID; subject != "" {
		t.subject = subject
	}
	t.refer(r.VendorReference)
	t.called = t.called || r.Calls > 0
	t.read = t.read || r.SelfieSHA256 != ""
	t.unsure = t.unsure || slices.Contains(r.Reasons, event.UnknownOutcome)
	t.end(r.Outcome, r.CompletedAt)
}

func (t *trace) seePending(p event.Pending) {
	t.vendor, t.called = p.Vendor, true
	if p.ApplicantID != "" {
		t.subject = p.ApplicantID
	}
	t.refer(p.VendorReference)
}

func (t *trace) seeLedger(r ledger.Record) {
	t.refer(r.Reference)
	t.called = t.called || r.Calls > 0
	t.unsure = t.unsure || r.Unknown
	t.read = t.read || r.Selfie != (ledger.Selfie{})
	if f := r.FollowUp; f != nil {
		t.seeFollowUp(*f)
	}
	if a := r.Answer; a != nil {
		t.refer(a.Reference)
		t.called = t.called || a.Calls > 0
		t.read = t.read || a.SHA256 != ""
		t.end(a.Outcome, a.CompletedAt)
	}
}

// seeFollowUp takes in what is left to be done. It is written again and again, and
// may be the only record that is left of an authentication.
func (t *trace) seeFollowUp(f ledger.FollowUp) {
	if t.vendor == "" {
		t.vendor = f.Vendor
	}
	t.refer(f.Reference)
	t.called = true
	t.end(f.Outcome, f.Answered)
	if known, ok := t.followUps[f.Reference]; ok && f.Number < known.Number {
		return // of a former owner, or read again
	}
	if t.followUps == nil {
		t.followUps = make(map[string]ledger.FollowUp)
	}
	t.followUps[f.Reference] = f
}

// toArchive returns when the consumer is to archive pictures that it has not
// archived yet, zero if there are none.
func (t *trace) toArchive() (due time.Time) {
	for _, f := range t.followUps {
		if f.Archive.After(due) {
			due = f.Archive
		}
	}
	return due
}
