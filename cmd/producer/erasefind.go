package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// wanted is whose traces are looked for.
type wanted struct {
	requests map[string]bool
	subjects map[string]bool
	// vendor is the one at which the subjects are, empty for any.
	vendor event.Vendor
}

// person tells whether the subject of a request or a result is wanted.
func (w wanted) person(vendor event.Vendor, submission, applicant string) bool {
	return (w.vendor == "" || w.vendor == vendor) &&
		(submission != "" && w.subjects[submission] || applicant != "" && w.subjects[applicant])
}

// traceFinder looks in all partitions of the topics: a request may have been
// published under any key, and under several.
type traceFinder struct {
	scanner
	topics config.Topics
	rules  event.Rules
	wanted wanted

	found map[string]*trace // by request
	// newest are the times of the last records about any of them, by topic.
	newest map[string]time.Time
}

func newTraceFinder(s scanner, c config.Config, w wanted) *traceFinder {
	return &traceFinder{
		scanner: s, topics: c.Kafka.Topics, rules: rulesOf(c), wanted: w,
		found: make(map[string]*trace), newest: make(map[string]time.Time),
	}
}

// search reads all topics from their first record to their last of now. A person
// takes a second reading at least: not every record about a request names them.
func (f *traceFinder) search(ctx context.Context) error {
	for known := -1; known != len(f.found); {
		known = len(f.found)
		spans, err := f.spans(ctx, f.places(connect.ShardedTopics(f.topics)...), time.Time{})
		if err != nil {
			return err
		}
		err = f.scanMetered(ctx, spans, func(rec event.Record) error {
			f.see(rec)
			return nil
		})
		if err != nil || len(f.wanted.subjects) == 0 {
			return err
		}
	}
	return nil
}

// mine tells whether a record is about a request, or a person, that is wanted.
func (f *traceFinder) mine(requestID string, vendor event.Vendor, submission, applicant string) bool {
	return f.wanted.requests[requestID] || f.found[requestID] != nil || f.wanted.person(vendor, submission, applicant)
}

// trace returns that of a request, a new one if there is none.
func (f *traceFinder) trace(requestID string, rec event.Record) *trace {
	if rec.Time.After(f.newest[rec.Topic]) {
		f.newest[rec.Topic] = rec.Time
	}
	t := f.found[requestID]
	if t == nil {
		t = &trace{requestID: requestID}
		f.found[requestID] = t
	}
	return t
}

// see takes a record of any of the topics. It may take it again.
func (f *traceFinder) see(rec event.Record) {
	switch rec.Topic {
	case f.topics.Ledger:
		f.seeLedger(rec)
	case f.topics.Results:
		f.seeEvent(rec)
	case f.topics.Dead:
		f.seeDead(rec)
	default:
		f.seeRequest(rec)
	}
}

func (f *traceFinder) seeRequest(rec event.Record) {
	r, err := event.Decode(rec, f.rules)
	var invalid *event.InvalidError
	switch {
	case errors.As(err, &invalid):
		if f.mine(invalid.RequestID, "", "", "") {
			// Its dead letter says what became of it.
			f.trace(invalid.RequestID, rec)
		}
		return
	case err != nil || !f.mine(r.RequestID, r.Vendor, r.SubmissionID, r.ApplicantID):
		return
	}
	t := f.trace(r.RequestID, rec)
	t.seeRequest(r)
	if event.Redrives(rec) > 0 && rec.Time.After(t.backAt) {
		t.backAt = rec.Time
	}
}

func (f *traceFinder) seeEvent(rec event.Record) {
	switch event.TypeOf(rec) {
	case event.TypeResult:
		r, err := event.DecodeResult(rec)
		if err == nil && f.mine(r.RequestID, r.Vendor, r.SubmissionID, r.ApplicantID) {
			f.trace(r.RequestID, rec).seeResult(r)
		}
	case event.TypePending:
		p, err := event.DecodePending(rec)
		if err == nil && f.mine(p.RequestID, p.Vendor, "", p.ApplicantID) {
			f.trace(p.RequestID, rec).seePending(p)
		}
	}
}

func (f *traceFinder) seeDead(rec event.Record) {
	d, err := campaign.ReadDeadLetter(rec)
	if err != nil {
		return
	}
	r, err := event.Decode(d.Original, f.rules)
	if err == nil {
		d.RequestID = r.RequestID
	}
	if !f.mine(d.RequestID, r.Vendor, r.SubmissionID, r.ApplicantID) {
		return
	}
	t := f.trace(d.RequestID, rec)
	if err == nil {
		t.seeRequest(r)
	}
	t.unsure = t.unsure || d.Reason == event.UnknownOutcome
	t.end(event.Failed, d.FailedAt)
}

func (f *traceFinder) seeLedger(rec event.Record) {
	id := string(rec.Key)
	if !f.mine(id, "", "", "") && len(f.wanted.subjects) == 0 {
		return
	}
	r, err := ledger.Decode(rec.Value)
	if err != nil || r.Step == ledger.Checkpoint {
		return
	}
	var request event.Request // that is parked
	if o := r.Original; o != nil {
		original := event.Record{Topic: r.Source.Topic, Key: o.Key, Value: []byte(o.Value), Headers: o.Headers, Time: o.Time}
		request, err = event.Decode(original, f.rules)
		if err != nil {
			request = event.Request{} // its other records say enough
		}
	}
	if !f.mine(id, request.Vendor, request.SubmissionID, request.ApplicantID) {
		return
	}
	t := f.trace(id, rec)
	if request.RequestID != "" {
		t.seeRequest(request)
	}
	t.seeLedger(r)
}

// traces returns what was found, by request id.
func (f *traceFinder) traces() []*trace {
	return slices.SortedFunc(maps.Values(f.found), func(a, b *trace) int { return strings.Compare(a.requestID, b.requestID) })
}

// missing returns the requests and subjects of which nothing was found.
func (f *traceFinder) missing() (proofs []proof) {
	subjects := map[string]bool{}
	for _, t := range f.found {
		subjects[t.subject] = true
	}
	for _, id := range slices.Sorted(maps.Keys(f.wanted.requests)) {
		if f.found[id] == nil {
			proofs = append(proofs, proof{RequestID: id, What: whatRequest, Outcome: outcomeNotFound})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.wanted.subjects)) {
		if !subjects[id] {
			proofs = append(proofs, proof{Subject: id, What: whatRequest, Vendor: f.wanted.vendor, Outcome: outcomeNotFound})
		}
	}
	return proofs
}

// words says what was found.
func (f *traceFinder) words(selfies bool) string {
	authentications, open, keys := 0, 0, 0
	for _, t := range f.found {
		authentications += len(t.references)
		keys += len(t.selfies)
		if t.isOpen() {
			open++
		}
	}
	words := fmt.Sprintf("%s with %s at vendors", count(len(f.found), "request"), count(authentications, "authentication"))
	if selfies {
		words += " and " + count(keys, "selfie")
	}
	if open > 0 {
		words += fmt.Sprintf("; %s without a result", count(open, "request"))
	}
	return words
}

// kept returns rows that say until when topics hold records of what was found.
func (f *traceFinder) kept(ctx context.Context, client *stream.Client) ([]string, error) {
	rows := []string{"topic\tretention\tlast record\tkept until about"}
	topics := slices.Sorted(maps.Keys(f.newest))
	if len(topics) == 0 {
		return rows, nil
	}
	infos, err := client.DescribeTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("asking how long records are kept: %w", err)
	}
	for _, topic := range topics {
		last := f.newest[topic]
		retention, until := "unlimited", "somebody deletes them"
		if ms, err := strconv.ParseInt(infos[topic].Config["retention.ms"], 10, 64); err == nil && ms >= 0 {
			keep := time.Duration(ms) * time.Millisecond
			retention, until = keep.String(), seconds(last.Add(keep))
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", topic, retention, seconds(last), until))
	}
	return rows, nil
}
