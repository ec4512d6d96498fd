package event

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Pending announces that a request now waits for the person, who is to open
// VerificationURL. A result follows in any case: when the person has done so,
// or when the request has expired. A later Pending of the same request
// replaces the earlier one.
type Pending struct {
	RequestID   string `json:"request_id"`
	CampaignID  string `json:"campaign_id,omitempty"`
	Vendor      Vendor `json:"vendor"`
	ApplicantID string `json:"applicant_id"`
	UserID      string `json:"user_id,omitempty"`
	// VendorReference is the vendor's id of this authentication.
	VendorReference string `json:"vendor_reference,omitempty"`
	// VerificationURL is the vendor's page for this person: who has it can
	// act as them, so it belongs into no log.
	VerificationURL string `json:"verification_url"`
	// ExpiresAt is when VerificationURL stops working.
	ExpiresAt time.Time `json:"expires_at"`
	// Attempt is 1 for the first URL of a request, and one more for each
	// URL after it.
	Attempt int    `json:"attempt"`
	Source  Source `json:"source"`
	// AnnouncedAt becomes ce_time and the record's timestamp.
	AnnouncedAt time.Time `json:"announced_at"`
}

// PendingID returns the ce_id of a Pending: a UUID (version 5) over request id
// and attempt.
func PendingID(requestID string, attempt int) string {
	return uuid.NewSHA1(namespace, []byte("pending/"+requestID+"/"+strconv.Itoa(attempt))).String()
}

// Record returns p as a CloudEvents event in binary mode for topic, on the
// shard of its request and keyed by the request id. source is the ce_source, a
// URI reference that names the consumer.
func (p Pending) Record(topic, source string) (Record, error) {
	switch {
	case !isID(p.RequestID):
		return Record{}, errors.New("making a pending record: request_id is not 1 to 128 of [A-Za-z0-9._:-]")
	case p.Attempt < 1:
		return Record{}, fmt.Errorf("making the pending record of %s: attempt %d, and the first is 1", p.RequestID, p.Attempt)
	case p.AnnouncedAt.IsZero() || p.ExpiresAt.IsZero():
		return Record{}, fmt.Errorf("making the pending record of %s: announced_at or expires_at is not set", p.RequestID)
	}
	p.AnnouncedAt, p.ExpiresAt = p.AnnouncedAt.UTC(), p.ExpiresAt.UTC()
	value, err := marshal(p)
	if err != nil {
		return Record{}, fmt.Errorf("making the pending record of %s: %w", p.RequestID, err)
	}
	return envelope{
		id:      PendingID(p.RequestID, p.Attempt),
		kind:    TypePending,
		source:  source,
		subject: p.RequestID,
		at:      p.AnnouncedAt,
	}.record(topic, p.Source.Partition, value)
}

// DecodePending reads the Pending in rec, an event of type TypePending in
// binary mode. Unknown fields are ignored.
func DecodePending(rec Record) (Pending, error) {
	var p Pending
	if err := decodeEvent(rec, TypePending, pendingNames, &p); err != nil {
		return Pending{}, fmt.Errorf("decoding pending event: %w", err)
	}
	switch {
	case !isID(p.RequestID):
		return Pending{}, errors.New("decoding pending event: request_id is not 1 to 128 of [A-Za-z0-9._:-]")
	case p.VerificationURL == "":
		return Pending{}, errors.New("decoding pending event: verification_url is missing")
	case p.ExpiresAt.IsZero():
		return Pending{}, errors.New("decoding pending event: expires_at is missing")
	}
	return p, nil
}
