package ledger

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

// TestEncodeIsThatOfEncodingJSON holds Encode and the fields of Record together.
func TestEncodeIsThatOfEncodingJSON(t *testing.T) {
	if record, answer := reflect.TypeFor[Record]().NumField(), reflect.TypeFor[Answer]().NumField(); record != 28 || answer != 17 {
		t.Errorf("%d fields and %d of an answer: write the new ones, and have anyRecord set them", record, answer)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord(t)
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(r.Encode())+"\n"); diff != "" {
			t.Fatalf("(-encoding/json +Encode):\n%s", diff)
		}
	})
}

// anyRecord returns a record in which any field may be set.
func anyRecord(t *rapid.T) Record {
	text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"argos", "<a&b>", "\"\\\n\x00\xff\u2028"}), rapid.String())
	number := rapid.OneOf(rapid.Just(0), rapid.Int())
	yes := rapid.Bool()
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).
			In(time.FixedZone("", rapid.SampledFrom([]int{0, 3600, -5400}).Draw(t, "zone")))
	})
	maybe := rapid.Ptr(moment, true)
	r := Record{
		Step: Step(text.Draw(t, "step")), Claim: number.Draw(t, "claim"), Source: Source{text.Draw(t, "topic"), int64(number.Draw(t, "offset"))},
		Owner: text.Draw(t, "owner"), Until: maybe.Draw(t, "until"), Called: maybe.Draw(t, "called"), Vendor: event.Vendor(text.Draw(t, "vendor")),
		Supersede: yes.Draw(t, "supersede"), Attempts: number.Draw(t, "attempts"), Calls: number.Draw(t, "calls"),
		Due: maybe.Draw(t, "due"), Why: text.Draw(t, "why"), Unknown: yes.Draw(t, "unknown"), State: text.Draw(t, "state"), Reference: text.Draw(t, "reference"),
		Revision: number.Draw(t, "revision"), Published: maybe.Draw(t, "published"), Barrier: number.Draw(t, "barrier"),
	}
	if yes.Draw(t, "names its selfie") {
		r.Selfie = Selfie{Bytes: int64(number.Draw(t, "selfie bytes")), Version: text.Draw(t, "selfie version")}
		copy(r.Selfie.SHA256[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "digest"))
	}
	if yes.Draw(t, "spends") {
		r.Spend = &Spend{Campaign: text.Draw(t, "campaign"), Day: 1, Cost: event.Amount(number.Draw(t, "cost"))}
	}
	if yes.Draw(t, "original") {
		r.Original = &Original{Key: []byte("k"), Value: text.Draw(t, "value"), Headers: []event.Header{{Key: "h", Value: []byte("v")}}, Time: moment.Draw(t, "time")}
	}
	if yes.Draw(t, "closes") {
		r.Closed, r.Failed = []ID{{1}}, []ID{{2}, {3}}
		r.Marks = map[string]Mark{text.Draw(t, "marked"): {Next: 5, Last: moment.Draw(t, "last")}}
	}
	if yes.Draw(t, "orders") {
		r.Order = &Order{ID: text.Draw(t, "id"), Kind: Withdraw, Requests: []ID{{4}}, IssuedAt: moment.Draw(t, "issued")}
	}
	if yes.Draw(t, "sums") {
		r.Spent = &Spent{Through: moment.Draw(t, "through"), Days: map[Day]event.Amount{7: 8}}
	}
	if yes.Draw(t, "follows") {
		r.FollowUp = &FollowUp{Vendor: event.Vendor(text.Draw(t, "vendor")), Answered: moment.Draw(t, "answered"), Audits: []time.Time{moment.Draw(t, "audit")}}
	}
	if yes.Draw(t, "answers") {
		r.Answer = &Answer{
			Outcome: event.Outcome(text.Draw(t, "outcome")), Scores: rapid.MapOf(text, rapid.Float64()).Draw(t, "scores"),
			Reference: text.Draw(t, "reference"), Liveness: event.Liveness(text.Draw(t, "liveness")), SHA256: text.Draw(t, "sha256"),
			Bytes: int64(number.Draw(t, "bytes")), SelfieVersion: text.Draw(t, "version"),
			TimingsMS:   event.Timings{Queued: 1, Selfie: 2, Permit: 3, Vendor: 4, Total: int64(number.Draw(t, "total"))},
			CompletedAt: moment.Draw(t, "completed"), Attempts: number.Draw(t, "attempts"), Calls: number.Draw(t, "calls"),
			Cost: event.Amount(number.Draw(t, "cost")), Currency: text.Draw(t, "currency"), Revisable: yes.Draw(t, "revisable"),
		}
		if yes.Draw(t, "failed") {
			r.Answer.Reasons, r.Answer.Codes = []event.Reason{event.NoMatch}, []string{text.Draw(t, "code")}
			r.Answer.Dead = &Dead{Class: text.Draw(t, "class"), Message: text.Draw(t, "message")}
		}
	}
	return r
}
