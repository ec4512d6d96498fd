package campaign

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"reauth/internal/event"
)

// Progress is the account of one campaign. It is fed with what the topics hold
// and with what is awaited, in any order; a repeat changes nothing but the
// count of repeats. It keeps some 40 bytes for each request. It is for one
// goroutine.
type Progress struct {
	campaign string
	entries  map[key]entry
	labels   []label // what entry.label counts in; 0 is no result
	labelOf  map[label]uint16

	expected   int // by Expect
	strict     bool
	asked      int // entries that are
	ended      int
	askedEnded int

	answered    int // entries with a result
	repeats     int // result events that were there before
	deadLetters int
	unreadable  int
}

// entry is what is known of one request.
type entry struct {
	revisions uint32 // seen, by bit; the last bit is for all from 31 on
	totalMS   uint32
	calls     uint16
	revision  uint16 // the highest, whose result label, calls and totalMS are
	label     uint16 // index of labels; 0: no result
	flags     flags
}

type flags uint8

const (
	asked flags = 1 << iota
	refused
	repeated
	pending
	notFinal
)

// ended tells whether nothing more is to come for the request.
func (e entry) ended() bool { return e.label != 0 || e.flags&refused != 0 }

// label is an outcome with its reasons, at a vendor.
type label struct {
	vendor  event.Vendor
	outcome event.Outcome
	reasons string
}

// NewProgress returns the account of a campaign of which nothing is known.
func NewProgress(campaignID string) *Progress {
	return &Progress{
		campaign: campaignID,
		entries:  make(map[key]entry),
		labels:   []label{{}},
		labelOf:  make(map[label]uint16),
	}
}

// Expect says that the campaign has n requests, whichever they are.
func (p *Progress) Expect(n int) { p.expected = n }

// Await says that the request belongs to the campaign. Once it has been called,
// requests that are not awaited count as unexpected.
func (p *Progress) Await(requestID string) {
	p.strict = true
	p.change(keyOf(requestID), func(e *entry) { e.flags |= asked })
}

// SeeRequest takes a record of a topic of requests and counts it as one that is
// awaited, if it belongs to the campaign.
func (p *Progress) SeeRequest(rec event.Record) {
	requestID, ok := RequestOf(rec, p.campaign)
	if !ok {
		return
	}
	k := keyOf(requestID)
	if requestID == "" {
		if _, redriven := rec.Header(event.HeaderRedrive); redriven {
			// It was counted at the position that it had first.
			return
		}
		k = keyAt(event.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset})
	}
	p.change(k, func(e *entry) { e.flags |= asked })
}

// lenient lets pass what only the consumer's settings can refuse.
var lenient = event.Rules{DefaultVendor: event.Argos, Vendors: event.Vendors()}

// campaignOf returns the campaign that a request says it belongs to, or, where it
// cannot be read, the one in its record's header.
func campaignOf(read string, rec event.Record) string {
	if read == "" {
		read, _ = rec.Header(event.HeaderCampaign)
	}
	return read
}

// RequestOf tells whether a record of a topic of requests belongs to the
// campaign, and the request's id, empty if that cannot be read. A record that
// does not tell its campaign, not even in a header, belongs to none.
func RequestOf(rec event.Record, campaignID string) (requestID string, ok bool) {
	r, err := event.Decode(rec, lenient)
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		return invalid.RequestID, campaignOf(invalid.CampaignID, rec) == campaignID
	}
	return r.RequestID, r.CampaignID == campaignID
}

// SeeResult takes a record of the topic of results.
func (p *Progress) SeeResult(rec event.Record) {
	switch event.TypeOf(rec) {
	case event.TypeResult:
		r, err := event.DecodeResult(rec)
		if err != nil {
			p.unreadable++
			return
		}
		if r.CampaignID == p.campaign {
			p.answer(r)
		}
	case event.TypePending:
		r, err := event.DecodePending(rec)
		if err != nil {
			p.unreadable++
			return
		}
		if r.CampaignID == p.campaign {
			p.change(keyOf(r.RequestID), func(e *entry) { e.flags |= pending })
		}
	}
}

// SeeDead takes a record of the dead-letter topic. A record that was refused
// before it became a request has no result, so it ends with its dead letter;
// for all others a result follows.
func (p *Progress) SeeDead(rec event.Record) {
	d, origin, original, err := event.ParseDeadLetter(rec)
	if err != nil || campaignOf(d.CampaignID, original) != p.campaign {
		return
	}
	p.deadLetters++
	if !isRefusal(d.Stage) {
		return
	}
	k := keyOf(d.RequestID)
	if d.RequestID == "" {
		k = keyAt(origin)
	}
	p.change(k, func(e *entry) { e.flags |= refused })
}

// answer books a result: the one of the highest revision counts, the first of
// them if it was repeated.
func (p *Progress) answer(r event.Result) {
	p.change(keyOf(r.RequestID), func(e *entry) {
		revision := uint16(min(r.Revision, math.MaxUint16))
		bit := uint32(1) << min(revision, 31)
		if revision < 31 && e.revisions&bit != 0 || revision >= 31 && revision == e.revision {
			e.flags |= repeated
			p.repeats++
		}
		e.revisions |= bit
		if revision <= e.revision {
			return
		}
		e.revision = revision
		e.label = p.number(label{event.Vendor(word(string(r.Vendor))), event.Outcome(word(string(r.Outcome))), joinReasons(r.Reasons)})
		e.calls = uint16(min(max(r.Calls, 0), math.MaxUint16))
		e.totalMS = uint32(min(max(r.TimingsMS.Total, 0), math.MaxUint32))
		e.flags &^= notFinal
		if !r.Final {
			e.flags |= notFinal
		}
	})
}

// change changes an entry and keeps the counters in step.
func (p *Progress) change(k key, f func(*entry)) {
	e := p.entries[k]
	p.book(e, -1)
	f(&e)
	p.book(e, +1)
	p.entries[k] = e
}

// book adds an entry to the counters, or takes it out.
func (p *Progress) book(e entry, by int) {
	isAsked := e.flags&asked != 0
	if isAsked {
		p.asked += by
	}
	if e.label != 0 {
		p.answered += by
	}
	if e.ended() {
		p.ended += by
		if isAsked {
			p.askedEnded += by
		}
	}
}

// number returns the index of l among the labels.
func (p *Progress) number(l label) uint16 {
	n, ok := p.labelOf[l]
	if !ok {
		if len(p.labels) >= math.MaxUint16 && l.reasons != manyReasons {
			return p.number(label{l.vendor, l.outcome, manyReasons})
		}
		n = uint16(len(p.labels))
		p.labels = append(p.labels, l)
		p.labelOf[l] = n
	}
	return n
}

// Awaited returns how many requests the campaign has, as far as is known, and
// Ended how many of them have come to their end.
func (p *Progress) Awaited() int {
	switch {
	case p.expected > 0:
		return p.expected
	case p.strict:
		return p.asked
	}
	return p.asked + p.ended - p.askedEnded
}

// Ended returns how many of the awaited requests have come to their end.
func (p *Progress) Ended() int {
	if p.expected == 0 && p.strict {
		return p.askedEnded
	}
	return p.ended
}

// Complete tells whether there are requests, and all have come to their end.
func (p *Progress) Complete() bool { return p.Awaited() > 0 && p.Ended() >= p.Awaited() }

// HasEnded tells whether the request has come to its end.
func (p *Progress) HasEnded(requestID string) bool { return p.entries[keyOf(requestID)].ended() }

// keyAt stands for a record whose request id cannot be read.
func keyAt(s event.Source) key {
	return newKey(fmt.Sprintf("at/%s/%d/%d", s.Topic, s.Partition, s.Offset))
}

const (
	// manyReasons stands for the reasons of a result with more than maxReasons
	// of them, and of the results after the 65534th combination.
	manyReasons = "many"
	maxReasons  = 8
)

// joinReasons returns the reasons as one text for a table.
func joinReasons(reasons []event.Reason) string {
	if len(reasons) > maxReasons {
		return manyReasons
	}
	names := make([]string, len(reasons))
	for i, r := range reasons {
		names[i] = word(string(r))
	}
	return strings.Join(names, "+")
}

// maxWord bounds an outcome or a reason that is new to this program, in bytes.
const maxWord = 64

// word returns s if it can be shown in a terminal. Outcomes and reasons that
// are new to this program pass, other text does not.
func word(s string) string {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "unreadable"
		}
	}
	if s == "" || len(s) > maxWord {
		return "unreadable"
	}
	return s
}
