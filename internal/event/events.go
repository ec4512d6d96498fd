package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"reauth/internal/event/jsonobject"
)

// ResultID returns the ce_id of a result: a UUID (version 5) over request id
// and revision, so that a result that is published again has the same one.
func ResultID(requestID string, revision int) string {
	return uuid.NewSHA1(namespace, []byte("result/"+requestID+"/"+strconv.Itoa(revision))).String()
}

// Record returns r as a CloudEvents event in binary mode for topic, on the
// shard of its request and keyed by the request id. source is the ce_source, a
// URI reference that names the consumer. The same result from the same source
// makes the same record, byte for byte.
func (r Result) Record(topic, source string) (Record, error) {
	switch {
	case !isID(r.RequestID):
		return Record{}, errors.New("making a result record: request_id is not 1 to 128 of [A-Za-z0-9._:-]")
	case r.Revision < 1:
		return Record{}, fmt.Errorf("making the result record of %s: revision %d, and the first is 1", r.RequestID, r.Revision)
	case r.CompletedAt.IsZero():
		return Record{}, fmt.Errorf("making the result record of %s: completed_at is not set", r.RequestID)
	}
	r.CompletedAt = r.CompletedAt.UTC()
	if r.Liveness == "" {
		r.Liveness = LivenessNone
	}
	value, err := r.encode()
	if err != nil {
		return Record{}, fmt.Errorf("making the result record of %s: %w", r.RequestID, err)
	}
	return envelope{
		id:      ResultID(r.RequestID, r.Revision),
		kind:    TypeResult,
		source:  source,
		subject: r.RequestID,
		at:      r.CompletedAt,
	}.record(topic, r.Source.Partition, value)
}

// encode returns r as JSON: its fields in the order of Result, as encoding/json
// would write them.
func (r *Result) encode() ([]byte, error) {
	w := jsonobject.New(768)
	w.Text("request_id", r.RequestID)
	w.TextIf("campaign_id", r.CampaignID)
	w.TextIf("vendor", string(r.Vendor))
	w.TextIf("submission_id", r.SubmissionID)
	w.TextIf("applicant_id", r.ApplicantID)
	w.TextIf("user_id", r.UserID)
	w.Text("outcome", string(r.Outcome))
	if len(r.Reasons) > 0 {
		w.Value("reasons", r.Reasons)
	}
	if len(r.VendorCodes) > 0 {
		w.Value("vendor_codes", r.VendorCodes)
	}
	if len(r.Scores) > 0 {
		w.Numbers("scores", r.Scores)
	}
	w.TextIf("vendor_reference", r.VendorReference)
	w.Text("liveness", string(r.Liveness))
	w.Int("calls", int64(r.Calls))
	w.Int("attempts", int64(r.Attempts))
	w.TextIf("cost", r.Cost)
	w.TextIf("currency", r.Currency)
	w.TextIf("selfie_sha256", r.SelfieSHA256)
	w.IntIf("selfie_bytes", r.SelfieBytes)
	r.TimingsMS.Write("timings_ms", w)
	w.Int("revision", int64(r.Revision))
	w.Bool("final", r.Final)
	w.Open("source")
	w.Text("topic", r.Source.Topic)
	w.Int("partition", int64(r.Source.Partition))
	w.Int("offset", r.Source.Offset)
	w.Close()
	w.Time("completed_at", r.CompletedAt)
	return w.End()
}

// Write adds the timings to an object.
func (t Timings) Write(name string, w *jsonobject.Writer) {
	w.Open(name)
	w.Int("queued", t.Queued)
	w.Int("selfie", t.Selfie)
	w.Int("permit", t.Permit)
	w.Int("vendor", t.Vendor)
	w.Int("total", t.Total)
	w.Close()
}

// DecodeResult reads the result in rec, an event of type TypeResult in binary
// mode. Unknown fields are ignored, and outcomes, reasons and vendors that are
// new to this program are kept as they are. Of the rules it checks only what a
// reader needs to attribute the result: request id, outcome and revision.
func DecodeResult(rec Record) (Result, error) {
	var r Result
	if err := decodeEvent(rec, TypeResult, resultNames, &r); err != nil {
		return Result{}, fmt.Errorf("decoding result: %w", err)
	}
	switch {
	case !isID(r.RequestID):
		return Result{}, errors.New("decoding result: request_id is not 1 to 128 of [A-Za-z0-9._:-]")
	case r.Outcome == "":
		return Result{}, errors.New("decoding result: outcome is missing")
	case r.Revision < 1:
		return Result{}, errors.New("decoding result: revision is missing or less than 1")
	}
	return r, nil
}

// ErrOtherType is in the chain when a record is not an event of the type that
// was asked for.
var ErrOtherType = errors.New("another type of event")

// decodeEvent reads the data of the event in rec into v. A name that is there
// twice, or that differs from one in known only by case, is refused, as in
// requests.
func decodeEvent(rec Record, kind string, known []string, v any) error {
	if TypeOf(rec) != kind {
		return fmt.Errorf("%w than %s", ErrOtherType, kind)
	}
	var f faults
	if c, ok := open(rec.Value, &f); ok {
		c.object("", known, func(int) { c.skip() })
	}
	if len(f) > 0 {
		return errors.New(f[0].String())
	}
	err := json.Unmarshal(rec.Value, v)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped):
		// Its own text holds the value.
		return fmt.Errorf("%s is not of the right type", mistyped.Field)
	case err != nil:
		// Of the types used here only time.Time has errors of its own, and
		// those hold the value.
		return errors.New("a time is not in RFC 3339")
	}
	return nil
}
