package campaign

import (
	"errors"
	"slices"
	"time"

	"reauth/internal/event"
)

// DeadLetter is a dead letter of ours as it stands in its topic.
type DeadLetter struct {
	event.DeadLetter
	// Position is where it stands.
	Position event.Source
	// Origin is where its original was first read, as its headers say.
	Origin event.Source
	// Redrives is how often the original had been sent back before.
	Redrives int
	// Original is the record as it was.
	Original event.Record
}

// ReadDeadLetter reads a record of the dead-letter topic. FailedAt is the
// record's time if the headers give none, and CampaignID comes from the
// original's headers if it could not be read from the request. Vendor is also
// that of a request that was refused because the vendor was not enabled, which
// the headers leave out: it is what such dead letters are chosen by once it is.
// The error wraps event.ErrNotDeadLetter, or says which header is broken.
func ReadDeadLetter(rec event.Record) (DeadLetter, error) {
	d, origin, original, err := event.ParseDeadLetter(rec)
	if err != nil {
		return DeadLetter{}, err
	}
	if d.FailedAt.IsZero() {
		d.FailedAt = rec.Time.UTC()
	}
	d.CampaignID = campaignOf(d.CampaignID, original)
	if CheckID(d.CampaignID) != nil {
		d.CampaignID = ""
	}
	if d.Vendor == "" && d.Stage == event.StageValidate {
		d.Vendor = vendorOf(original)
	}
	return DeadLetter{
		DeadLetter: d,
		Position:   event.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset},
		Origin:     origin,
		Redrives:   event.Redrives(original),
		Original:   original,
	}, nil
}

// vendorOf returns the vendor that a record names, whether enabled or not; empty
// if it cannot be read or is not known.
func vendorOf(rec event.Record) event.Vendor {
	r, err := event.Decode(rec, event.Rules{Vendors: event.Vendors()})
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Vendor
	}
	return r.Vendor
}

// DeadLetterFilter chooses dead letters. An empty field chooses all; of several
// values one must hold. The zero filter chooses every dead letter.
type DeadLetterFilter struct {
	Reasons   []event.Reason
	Classes   []string
	Stages    []event.Stage
	Vendors   []event.Vendor
	Campaigns []string
	Requests  []string
	// Since and Until bound FailedAt; the second is excluded.
	Since, Until time.Time
}

// IsZero tells whether the filter chooses every dead letter.
func (f DeadLetterFilter) IsZero() bool {
	return len(f.Reasons)+len(f.Classes)+len(f.Stages)+len(f.Vendors)+len(f.Campaigns)+len(f.Requests) == 0 &&
		f.Since.IsZero() && f.Until.IsZero()
}

// Matches tells whether the filter chooses d.
func (f DeadLetterFilter) Matches(d DeadLetter) bool {
	return oneOf(f.Reasons, d.Reason) &&
		oneOf(f.Classes, d.Class) &&
		oneOf(f.Stages, d.Stage) &&
		oneOf(f.Vendors, d.Vendor) &&
		oneOf(f.Campaigns, d.CampaignID) &&
		oneOf(f.Requests, d.RequestID) &&
		!d.FailedAt.Before(f.Since) &&
		(f.Until.IsZero() || d.FailedAt.Before(f.Until))
}

// oneOf tells whether v is in list; everything is in an empty one.
func oneOf[T comparable](list []T, v T) bool {
	return len(list) == 0 || slices.Contains(list, v)
}
