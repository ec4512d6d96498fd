package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"reauth/internal/event"
)

// Step says how far a request got.
type Step string

// The steps of a request, and the checkpoint of a shard.
const (
	// Claimed: a call is about to be made.
	Claimed Step = "claimed"
	// Answered: the verdict is there; its result is to be published.
	Answered Step = "answered"
	// Parked: the request waits for a time or an event.
	Parked Step = "parked"
	// Checkpoint is about the shard, not a request: the results of everything
	// that was answered up to a time, and before this record, are published.
	Checkpoint Step = "checkpoint"
	// Revised: the vendor has changed its verdict, and the result that says so
	// is published.
	Revised Step = "revised"
	// Ordered is about the consumers, not a request: an order of an operator.
	Ordered Step = "order"
	// Summed is about the shard, not a request: what its requests cost.
	Summed Step = "spent"
	// Followed: what is still to be done about a request that has its verdict.
	Followed Step = "followed"
)

// Record is one record of the ledger. Which fields are set depends on Step.
type Record struct {
	// Step comes first on the wire: a restore tells records apart by it
	// without reading the rest.
	Step Step `json:"step"`
	// Claimed, answered, parked: what the request costs or may cost, if its
	// vendor has prices. It stands this early for the same reason.
	Spend *Spend `json:"spend,omitempty"`
	// Claim numbers a request's claims from 1. An answer or a parking names
	// the claim that it ends, so that one that comes late is known as such.
	Claim int `json:"claim,omitempty"`
	// Source is the position of the request's record.
	Source Source `json:"source,omitzero"`

	// Claimed, and barriers: Owner is the process that writes. Until covers the
	// call, the answer and the publication: once it has lost the shard, the owner
	// begins none of them past it.
	Owner string     `json:"owner,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Called is when the call is made at the earliest, by our clock: since when
	// to look for it should its outcome be unknown.
	Called *time.Time `json:"called,omitempty"`
	// Vendor is the vendor that is called. Claims of before it was written have
	// none.
	Vendor event.Vendor `json:"vendor,omitempty"`
	// Supersede: the claim reopens a request that was answered. Readers of before
	// claims had revisions go by it.
	Supersede bool `json:"supersede,omitempty"`

	// Attempts and Calls are how many were made before this record.
	Attempts int `json:"attempts,omitempty"`
	Calls    int `json:"calls,omitempty"`

	// Claimed, and parked with Unknown: the selfie that the call is made with.
	Selfie Selfie `json:"selfie,omitzero"`

	// Answered.
	Answer *Answer `json:"answer,omitempty"`

	// Parked: Due is when to go on, Why the reason, a constant word.
	Due *time.Time `json:"due,omitempty"`
	Why string     `json:"why,omitempty"`
	// Unknown is set when the last call's outcome is unknown: Called then
	// says since when to look for it.
	Unknown bool `json:"unknown,omitempty"`
	// State and Reference are the vendor's, of a verdict that is still to come
	// (vendors.Pending).
	State     string `json:"state,omitempty"`
	Reference string `json:"reference,omitempty"`
	// Original is the request's record: once parked, its source is done and
	// may be gone.
	Original *Original `json:"original,omitempty"`

	// Revision is that of the result. Revised: Answer says what changed. Claimed and
	// answered: it is there if the request's record was sent back, from 2 on, and in
	// an answer that is revisable; it is 1 if it is not there. Of a parked request
	// the headers of its original say how often it was sent back.
	Revision int `json:"revision,omitempty"`

	// Checkpoint: Published is the time up to which. Closed and Failed are the IDs
	// of requests that are done, although their records will be read again: their
	// offsets lag behind, perhaps for longer than the window.
	Published *time.Time `json:"published,omitempty"`
	Closed    []ID       `json:"closed,omitempty"`
	Failed    []ID       `json:"failed,omitempty"`
	// Marks say how far the topics are done, by topic.
	Marks map[string]Mark `json:"marks,omitempty"`
	// Barrier is the number of a barrier (Barrier), 0 in any other checkpoint.
	Barrier int `json:"barrier,omitempty"`

	// Ordered.
	Order *Order `json:"order,omitempty"`

	// Summed.
	Spent *Spent `json:"spent,omitempty"`

	// Answered, if something is to be done after that, and Followed.
	FollowUp *FollowUp `json:"follow_up,omitempty"`
}

// Source is the position of a request's record. Its partition is the shard's.
type Source struct {
	Topic  string `json:"topic"`
	Offset int64  `json:"offset"`
}

// Answer is what is needed besides the request to make its result anew, the
// same in every field.
type Answer struct {
	Outcome   event.Outcome      `json:"outcome"`
	Reasons   []event.Reason     `json:"reasons,omitempty"`
	Codes     []string           `json:"codes,omitempty"`
	Scores    map[string]float64 `json:"scores,omitempty"`
	Reference string             `json:"reference,omitempty"`
	Liveness  event.Liveness     `json:"liveness,omitempty"`
	SHA256    string             `json:"sha256,omitempty"`
	Bytes     int64              `json:"bytes,omitempty"`
	// SelfieVersion is the S3 version id of the selfie, if it has one.
	SelfieVersion string        `json:"selfie_version,omitempty"`
	TimingsMS     event.Timings `json:"timings_ms"`
	CompletedAt   time.Time     `json:"completed_at"`
	Attempts      int           `json:"attempts,omitempty"`
	Calls         int           `json:"calls,omitempty"`
	// Cost is what the request cost, and Currency the code of its currency, empty
	// if the vendor had no prices.
	Cost     event.Amount `json:"cost,omitempty"`
	Currency string       `json:"currency,omitempty"`
	// Revisable: the vendor may change its verdict.
	Revisable bool `json:"revisable,omitempty"`
	// Dead is set for a failed request: why its original is also in the
	// dead-letter topic.
	Dead *Dead `json:"dead,omitempty"`
}

// Dead is what a dead letter says beside the original.
type Dead struct {
	Class   string       `json:"class"`
	Stage   event.Stage  `json:"stage"`
	Reason  event.Reason `json:"reason"`
	Message string       `json:"message"`
}

// Original is a record as it came. Its value is a request that was accepted, so
// it is UTF-8 and survives as a JSON string.
type Original struct {
	Key     []byte         `json:"key,omitempty"`
	Value   string         `json:"value"`
	Headers []event.Header `json:"headers,omitempty"`
	Time    time.Time      `json:"time"`
}

// ErrUnreadable is what every error of Decode wraps.
var ErrUnreadable = errors.New("unreadable ledger record")

// Decode reads a record's value. Its error wraps ErrUnreadable and quotes
// nothing of the value. There is no bound: what the topic took must be read.
func Decode(value []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(value, &r); err != nil {
		return Record{}, fmt.Errorf("%w: not a JSON object of the right fields", ErrUnreadable)
	}
	if err := r.check(); err != nil {
		return r, err
	}
	return r, r.sane()
}

// check says what a record of its step lacks.
func (r *Record) check() error {
	var fits bool
	var needs string
	switch r.Step {
	case Claimed:
		fits, needs = r.Claim >= 1 && r.Owner != "" && r.Until != nil, "claim, owner and until"
	case Answered:
		fits, needs = r.Claim >= 0 && r.Answer != nil && r.Answer.Outcome != "", "an answer"
	case Parked:
		fits, needs = r.Due != nil && r.Original != nil, "due and original"
	case Revised:
		fits, needs = r.Answer != nil && r.Answer.Reference != "" && r.Revision >= 2, "an answer with a reference, and a revision"
	case Checkpoint:
		fits, needs = r.Published != nil, "published"
	case Ordered:
		fits, needs = r.Order != nil && r.Order.Check() == nil, "an order that we know to follow"
	case Summed:
		fits, needs = r.Spent != nil && !r.Spent.Through.IsZero(), "what was spent through when"
	case Followed:
		fits, needs = r.FollowUp != nil, "a follow-up"
	default:
		return fmt.Errorf("%w: unknown step", ErrUnreadable)
	}
	if !fits {
		return fmt.Errorf("%w: a record of this step needs %s", ErrUnreadable, needs)
	}
	return nil
}

// sane says what the parts of a record that several steps have lack.
func (r *Record) sane() error {
	switch {
	case !r.Spend.sane():
		return fmt.Errorf("%w: amounts are not to be negative", ErrUnreadable)
	case r.FollowUp != nil && !r.FollowUp.sane():
		return fmt.Errorf("%w: a follow-up that we do not know to do", ErrUnreadable)
	}
	return nil
}

// stepOf tells a record's step from its first bytes, "" if it is not written
// the way Encode does.
func stepOf(value []byte) Step {
	const head = `{"step":"`
	if len(value) < len(head) || string(value[:len(head)]) != head {
		return ""
	}
	for _, s := range []Step{Answered, Claimed, Parked, Checkpoint, Revised, Ordered, Summed, Followed} {
		rest := value[len(head):]
		if len(rest) > len(s) && string(rest[:len(s)]) == string(s) && rest[len(s)] == '"' {
			return s
		}
	}
	return ""
}
