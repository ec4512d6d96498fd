package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// namespace is the UUID namespace of our event ids. A change of it would make
// every repeated event look like a new one.
var namespace = uuid.MustParse("6f1d3a52-4c0e-5b7f-9a86-0d2b7c41e935")

// Encode returns r as the one JSON text that stands for it: fields in the
// order of Request, absent ones left out, times in UTC. It checks no rule but
// those that would change the request on its way: all text is UTF-8 and the
// value is no larger than Decode accepts.
func (r Request) Encode() ([]byte, error) {
	for i, s := range r.texts() {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("encoding request: %s is not UTF-8", fieldNames[i])
		}
	}
	if !r.NotAfter.IsZero() {
		r.NotAfter = r.NotAfter.UTC()
	}
	if !r.RequestedAt.IsZero() {
		r.RequestedAt = r.RequestedAt.UTC()
	}
	text, err := marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding request: %w", err)
	}
	if len(text) > MaxRequestBytes {
		return nil, fmt.Errorf("encoding request: %d bytes, and at most %d are accepted", len(text), MaxRequestBytes)
	}
	return text, nil
}

// texts returns r's fields that are text, by index.
func (r Request) texts() [notAfter]string {
	return [...]string{
		requestID:        r.RequestID,
		vendor:           string(r.Vendor),
		submissionID:     r.SubmissionID,
		applicantID:      r.ApplicantID,
		selfieKey:        r.SelfieKey,
		selfieBucket:     r.SelfieBucket,
		selfieVersion:    r.SelfieVersion,
		referenceKey:     r.ReferenceKey,
		referenceBucket:  r.ReferenceBucket,
		referenceVersion: r.ReferenceVersion,
		userID:           r.UserID,
		cf1:              r.CF1,
		cf2:              r.CF2,
		cf3:              r.CF3,
		redirectURL:      r.RedirectURL,
		campaignID:       r.CampaignID,
	}
}

// producerSource is the ce_source of requests that our own producer makes.
const producerSource = "/reauth/producer"

// Record returns r as a CloudEvents event in binary mode for topic, keyed by
// the request id. The event's id is derived from the request id, so a repeat
// is recognisable. Partition is 0 and means nothing: it is for the writer to
// choose one by the key.
func (r Request) Record(topic string) (Record, error) {
	if !isID(r.RequestID) {
		return Record{}, errors.New("making a request record: request_id is not 1 to 128 of [A-Za-z0-9._:-]")
	}
	value, err := r.Encode()
	if err != nil {
		return Record{}, err
	}
	return envelope{
		id:      uuid.NewSHA1(namespace, []byte("request/"+r.RequestID)).String(),
		kind:    TypeRequest,
		source:  producerSource,
		subject: r.RequestID,
		at:      r.RequestedAt,
	}.record(topic, 0, value)
}

// envelope is what goes around an event's data.
type envelope struct {
	id, kind, source, subject string
	// at becomes ce_time and the record's time; zero leaves both out.
	at time.Time
}

// record returns the event in binary mode, keyed by its subject.
func (e envelope) record(topic string, partition int, data []byte) (Record, error) {
	if e.source == "" {
		return Record{}, fmt.Errorf("making a record of type %s: the source is empty", e.kind)
	}
	subject := []byte(e.subject)
	headers := make([]Header, 0, 7)
	headers = append(headers,
		Header{Key: ceSpecVersion, Value: []byte(specVersion)},
		Header{Key: ceID, Value: []byte(e.id)},
		Header{Key: ceSource, Value: []byte(e.source)},
		Header{Key: ceType, Value: []byte(e.kind)},
		Header{Key: ceSubject, Value: subject})
	if !e.at.IsZero() {
		e.at = e.at.UTC()
		headers = append(headers, Header{Key: ceTime, Value: e.at.AppendFormat(nil, time.RFC3339Nano)})
	}
	return Record{
		Topic:     topic,
		Partition: partition,
		Key:       subject,
		Value:     data,
		Headers:   append(headers, Header{Key: contentType, Value: []byte(jsonType)}),
		Time:      e.at,
	}, nil
}

// marshal returns v as JSON, with <, > and & as they are: nothing of ours is
// embedded in HTML, and URLs stay readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
