package main

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/ledger"
)

// history is what the topics say about one request.
type history struct {
	requestID string
	topics    config.Topics
	rules     event.Rules
	personal  bool // show personal fields
	moments   []moment
}

// moment is one record of a history.
type moment struct {
	At    time.Time    `json:"time"`
	Kind  kind         `json:"kind"`
	Where event.Source `json:"where"`
	// What is what happened, in words.
	What string `json:"what"`
	// Details depend on Kind; nil for what cannot be read.
	Details any `json:"details,omitempty"`
}

// momentTime is the form of a moment's time for people; Kafka keeps
// milliseconds.
const momentTime = "2006-01-02T15:04:05.000Z07:00"

// kind says what a record is about.
type kind string

// The kinds, in the order of what happens within one millisecond.
const (
	kindRequested  kind = "requested"
	kindRedriven   kind = "redriven"
	kindClaimed    kind = "claimed"
	kindAnswered   kind = "answered"
	kindParked     kind = "parked"
	kindPending    kind = "pending"
	kindDeadLetter kind = "dead_letter"
	kindResult     kind = "result"
	kindRevised    kind = "revised"
	kindFollowed   kind = "followed"
	kindUnreadable kind = "unreadable"
)

var kinds = []kind{
	kindRequested, kindRedriven, kindClaimed, kindAnswered, kindParked, kindPending, kindDeadLetter, kindResult,
	kindRevised, kindFollowed, kindUnreadable,
}

// see takes a record of any of the topics.
func (h *history) see(rec event.Record) {
	var m moment
	ours := false
	switch rec.Topic {
	case h.topics.Ledger:
		m, ours = h.ledgerMoment(rec)
	case h.topics.Results:
		m, ours = h.resultMoment(rec)
	case h.topics.Dead:
		m, ours = h.deadMoment(rec)
	default:
		m, ours = h.requestMoment(rec)
	}
	if !ours {
		return
	}
	m.Where = positionOf(rec)
	if m.At.IsZero() {
		m.At = rec.Time
	}
	m.At = m.At.UTC().Truncate(time.Millisecond)
	h.moments = append(h.moments, m)
}

// sort brings the moments into the order of time.
func (h *history) sort() {
	slices.SortStableFunc(h.moments, func(a, b moment) int {
		return cmp.Or(
			a.At.Compare(b.At),
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
			cmp.Compare(a.Where.Topic, b.Where.Topic),
			cmp.Compare(a.Where.Partition, b.Where.Partition),
			cmp.Compare(a.Where.Offset, b.Where.Offset),
		)
	})
}

// keyed tells whether the request id is the record's key, as in topics of ours.
func (h *history) keyed(rec event.Record) bool { return string(rec.Key) == h.requestID }

func (h *history) requestMoment(rec event.Record) (moment, bool) {
	r, err := event.Decode(rec, h.rules)
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		m := moment{Kind: kindUnreadable, What: "no valid request: " + invalid.Error()}
		return m, invalid.RequestID == h.requestID || invalid.RequestID == "" && h.keyed(rec)
	}
	if r.RequestID != h.requestID {
		return moment{}, false
	}
	d := requestDetails{Request: r, Redrives: event.Redrives(rec)}
	if !h.personal {
		d.UserID, d.CF1, d.CF2, d.CF3, d.SelfieKey, d.RedirectURL = "", "", "", "", "", ""
	} else if !h.keyed(rec) {
		d.Key = string(rec.Key)
	}
	m := moment{Kind: kindRequested, Details: d}
	if origin, ok := event.Redriven(rec); ok {
		m.Kind, d.Origin = kindRedriven, &origin
		m.Details = d
	} else if d.Redrives > 0 {
		m.Kind = kindRedriven
	}
	m.What = d.words()
	return m, true
}

func (h *history) ledgerMoment(rec event.Record) (moment, bool) {
	if !h.keyed(rec) {
		return moment{}, false
	}
	r, err := ledger.Decode(rec.Value)
	if err != nil {
		return moment{Kind: kindUnreadable, What: err.Error()}, true
	}
	r.Original = nil // it has the personal fields
	m := moment{What: ledgerWords(r), Details: r}
	switch r.Step {
	case ledger.Claimed:
		m.Kind = kindClaimed
	case ledger.Parked:
		m.Kind = kindParked
	case ledger.Answered:
		// Results have this time too, and follow from the answer.
		m.Kind, m.At = kindAnswered, r.Answer.CompletedAt
	case ledger.Revised:
		m.Kind = kindRevised
	case ledger.Followed:
		m.Kind = kindFollowed
	default:
		m.Kind, m.What = kindUnreadable, "ledger record of step "+string(r.Step)+", which is about no request"
	}
	return m, true
}

func (h *history) resultMoment(rec event.Record) (moment, bool) {
	if !h.keyed(rec) {
		return moment{}, false
	}
	switch kind := event.TypeOf(rec); kind {
	case event.TypeResult:
		r, err := event.DecodeResult(rec)
		if err != nil {
			return moment{Kind: kindUnreadable, What: "unreadable result: " + err.Error()}, true
		}
		if !h.personal {
			r.UserID = ""
		}
		return moment{Kind: kindResult, What: resultWords(r), Details: r}, true
	case event.TypePending:
		p, err := event.DecodePending(rec)
		if err != nil {
			return moment{Kind: kindUnreadable, What: "unreadable event: " + err.Error()}, true
		}
		return moment{Kind: kindPending, What: pendingWords(p), Details: pendingDetails{p.Attempt, p.ExpiresAt, p.VendorReference}}, true
	}
	return moment{Kind: kindUnreadable, What: "event of an unknown type"}, true
}

func (h *history) deadMoment(rec event.Record) (moment, bool) {
	d, err := campaign.ReadDeadLetter(rec)
	if err != nil {
		return moment{Kind: kindUnreadable, What: "unreadable dead letter: " + err.Error()}, h.keyed(rec)
	}
	if d.RequestID != h.requestID && (d.RequestID != "" || !h.keyed(rec)) {
		return moment{}, false
	}
	return moment{Kind: kindDeadLetter, At: d.FailedAt, What: deadWords(d), Details: newDeadLine(d, false)}, true
}
