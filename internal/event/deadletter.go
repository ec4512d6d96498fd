package event

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// DeadLetter says why a record was given up. It travels in headers beside the
// untouched original, so none of its fields may hold a selfie key or personal
// data.
type DeadLetter struct {
	// Class is the class of the error.
	Class string
	// Stage is the step at which it happened.
	Stage  Stage
	Reason Reason
	// Message is for people; 1 KiB of it are kept.
	Message string
	// Group is the consumer group that gave the record up.
	Group string
	// DeliveryCount counts the tries of this group, 0 if it was never tried.
	DeliveryCount int
	// FirstSeen is when the group first read the record, FailedAt when it
	// gave it up. Zero leaves the header out, and so does a year outside
	// 1970 to 2999.
	FirstSeen time.Time
	FailedAt  time.Time
	// RequestID, Vendor and CampaignID are empty if they could not be read.
	// Malformed ids, and vendors that are not known, are left out of the
	// headers.
	RequestID  string
	Vendor     Vendor
	CampaignID string
}

// HeaderCampaign names the campaign of a record: in a dead letter, and in a record
// that may be no request, so that it can be counted all the same. What a
// request itself says goes before it.
const HeaderCampaign = "reauth-campaign-id"

// The headers of a dead letter: the names that Kafka's own dead-letter queue
// of share groups uses (KIP-1191), and ours.
const (
	dlqTopic         = "__dlq.errors.topic"
	dlqPartition     = "__dlq.errors.partition"
	dlqOffset        = "__dlq.errors.offset"
	dlqGroup         = "__dlq.errors.group"
	dlqDeliveryCount = "__dlq.errors.delivery.count"
	dlqMessage       = "__dlq.errors.message"

	// deadClass is the first header of ours, in every dead letter: the last
	// one of this name is where the original's headers end.
	deadClass        = "reauth-error-class"
	deadStage        = "reauth-error-stage"
	deadReason       = "reauth-error-reason"
	deadFirstSeen    = "reauth-first-seen"
	deadFailedAt     = "reauth-failed-at"
	deadOriginalTime = "reauth-original-time"
	deadRequestID    = "reauth-request-id"
	deadVendor       = "reauth-vendor"
	deadCampaignID   = HeaderCampaign

	// deadHeaders is how many those are.
	deadHeaders = 15
)

// maxDeadMessage bounds the message in bytes.
const maxDeadMessage = 1 << 10

// Record returns the dead letter of original for topic: on the same shard,
// with the original's key, value and headers, and headers of ours after them.
// If original carries the origin of an earlier dead letter, which it does when
// it was sent back, that stays the only one: the first origin wins. Group,
// message and the rest are always those of d.
func (d DeadLetter) Record(topic string, original Record) Record {
	headers := make([]Header, 0, len(original.Headers)+deadHeaders)
	headers = append(headers, original.Headers...)
	add := func(key, value string) {
		headers = append(headers, Header{Key: key, Value: []byte(headerText(value))})
	}
	addSome := func(key, value string) {
		if value != "" {
			add(key, value)
		}
	}
	add(deadClass, d.Class)
	if _, ok := originOf(original.Headers); !ok {
		add(dlqTopic, original.Topic)
		add(dlqPartition, strconv.Itoa(original.Partition))
		add(dlqOffset, strconv.FormatInt(original.Offset, 10))
	}
	add(dlqGroup, d.Group)
	add(dlqDeliveryCount, strconv.Itoa(d.DeliveryCount))
	add(dlqMessage, d.Message)
	add(deadStage, string(d.Stage))
	addSome(deadReason, string(d.Reason))
	addSome(deadFirstSeen, instantText(d.FirstSeen))
	addSome(deadFailedAt, instantText(d.FailedAt))
	addSome(deadOriginalTime, instantText(original.Time))
	addSome(deadRequestID, idOrNone(d.RequestID))
	addSome(deadVendor, string(vendorOrNone(d.Vendor)))
	addSome(deadCampaignID, idOrNone(d.CampaignID))
	return Record{
		Topic:     topic,
		Partition: original.Partition,
		Key:       original.Key,
		Value:     original.Value,
		Headers:   headers,
		Time:      d.FailedAt,
	}
}

// ErrNotDeadLetter is in the chain when a record is not a dead letter of ours.
var ErrNotDeadLetter = errors.New("not a dead letter of ours")

// ParseDeadLetter takes a dead letter apart: why it is one, the position at
// which its record was first read, and that record as it was. original has the
// key, value and headers byte for byte, the time, and origin as its position.
// If there is no dead letter of ours in rec the error wraps ErrNotDeadLetter.
func ParseDeadLetter(rec Record) (d DeadLetter, origin Source, original Record, err error) {
	end := len(rec.Headers) - 1
	for end >= 0 && rec.Headers[end].Key != deadClass {
		end--
	}
	if end < 0 {
		return DeadLetter{}, Source{}, Record{}, fmt.Errorf("parsing dead letter: %w: it has no header %s", ErrNotDeadLetter, deadClass)
	}
	theirs, ours := rec.Headers[:end:end], rec.Headers[end:]
	origin, ok := originOf(theirs)
	if !ok {
		origin, ok = originOf(ours)
	}
	if !ok {
		return DeadLetter{}, Source{}, Record{}, fmt.Errorf("parsing dead letter: %w: it has no origin", ErrNotDeadLetter)
	}
	d, at, err := parseDeadHeaders(Record{Headers: ours})
	if err != nil {
		return DeadLetter{}, Source{}, Record{}, fmt.Errorf("parsing dead letter: %w", err)
	}
	return d, origin, Record{
		Topic:     origin.Topic,
		Partition: origin.Partition,
		Offset:    origin.Offset,
		Key:       rec.Key,
		Value:     rec.Value,
		Headers:   theirs,
		Time:      at,
	}, nil
}

// parseDeadHeaders reads the headers that Record added. at is the time of the
// original record.
func parseDeadHeaders(ours Record) (d DeadLetter, at time.Time, err error) {
	text := func(key string) string {
		value, _ := ours.Header(key)
		return headerText(value)
	}
	instant := func(key string) time.Time {
		value := text(key)
		t, ok := parseInstant(value)
		if !ok && value != "" && err == nil {
			err = fmt.Errorf("header %s is not a time", key)
		}
		return t
	}
	d = DeadLetter{
		Class:      text(deadClass),
		Stage:      Stage(text(deadStage)),
		Reason:     Reason(text(deadReason)),
		Message:    text(dlqMessage),
		Group:      text(dlqGroup),
		FirstSeen:  instant(deadFirstSeen),
		FailedAt:   instant(deadFailedAt),
		RequestID:  idOrNone(text(deadRequestID)),
		Vendor:     vendorOrNone(Vendor(text(deadVendor))),
		CampaignID: idOrNone(text(deadCampaignID)),
	}
	at = instant(deadOriginalTime)
	count, countErr := strconv.Atoi(text(dlqDeliveryCount))
	if countErr != nil && err == nil {
		err = fmt.Errorf("header %s is not a number", dlqDeliveryCount)
	}
	d.DeliveryCount = count
	return d, at, err
}

// originOf returns the first origin among headers: the first topic, partition
// and offset, if they are all there and make a position.
func originOf(headers []Header) (Source, bool) {
	topic, ok := firstHeader(headers, dlqTopic)
	partition, _ := firstHeader(headers, dlqPartition)
	offset, _ := firstHeader(headers, dlqOffset)
	p, partitionErr := strconv.ParseInt(partition, 10, 32)
	o, offsetErr := strconv.ParseInt(offset, 10, 64)
	if !ok || headerText(topic) != topic || partitionErr != nil || offsetErr != nil || p < 0 || o < 0 {
		return Source{}, false
	}
	return Source{Topic: topic, Partition: int(p), Offset: o}, true
}

func firstHeader(headers []Header, key string) (value string, ok bool) {
	i := slices.IndexFunc(headers, func(h Header) bool { return h.Key == key })
	if i < 0 {
		return "", false
	}
	return string(headers[i].Value), true
}

// headerText returns s as valid UTF-8 of at most 1 KiB, cut between
// characters.
func headerText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxDeadMessage {
		return s
	}
	end := maxDeadMessage
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// instantText returns t for a header, empty if parseInstant would refuse it.
func instantText(t time.Time) string {
	if t = t.UTC(); !isEra(t) {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func idOrNone(s string) string {
	if !isID(s) {
		return ""
	}
	return s
}

func vendorOrNone(v Vendor) Vendor {
	if needsOf(v) == nil {
		return ""
	}
	return v
}
