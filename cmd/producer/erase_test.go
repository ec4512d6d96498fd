package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/ops"
	"reauth/internal/sandbox/argossim"
)

func TestWhatTheVendorKeepsOfARequestIsErased(t *testing.T) {
	b := newEraseBench(t)
	mine, other := b.authenticate("sub-approve-1"), b.authenticate("sub-approve-1")
	b.request("r1", "sub-approve-1", nil)
	b.result("r1", "sub-approve-1", mine, nil)
	b.request("r2", "sub-approve-1", nil)
	b.result("r2", "sub-approve-1", other, nil)
	r, proofs := b.erase("--request", "r1")
	r.want(t, 0, "found 1 request with 1 authentication at vendors",
		"faceauth.requests", "168h0m0s", "2026-11-27T08:00:00Z", "faceauth.results", "2026-11-27T08:01:00Z")
	wantProofs(t, proofs, "r1 authentication erased")
	if p := proofs[0]; p.Vendor != event.Argos || p.Reference != mine || p.Subject != "sub-approve-1" || p.Error != "" {
		t.Errorf("proof is %+v", p)
	}
	if !b.isErased(mine) || b.isErased(other) {
		t.Errorf("erased: %t, another's: %t", b.isErased(mine), b.isErased(other))
	}
	r, proofs = b.erase("--request", "r1")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 authentication erased")
}

func TestAllRequestsOfAPersonAreFound(t *testing.T) {
	b := newEraseBench(t)
	const zoe = "sub-approve-1"
	references := map[string]string{}
	for _, id := range []string{"r1", "r2", "r3", "r4", "r5", "other"} {
		references[id] = b.authenticate(zoe)
	}
	// By its request, its result alone, and the original in a dead letter.
	b.request("r1", zoe, nil)
	b.result("r1", zoe, references["r1"], func(r *event.Result) { r.SubmissionID = "unheard" })
	b.result("r2", zoe, references["r2"], nil)
	dead := originalOf(t, "r3", 0, 7)
	dead.Value = bytes.ReplaceAll(dead.Value, []byte("s-r3"), []byte(zoe))
	letter := exhausted("r3", time.Minute)
	b.write(letter.Record(event.TopicDead, dead))
	b.step("r3", ledger.Record{Step: ledger.Answered, Answer: &ledger.Answer{Outcome: event.Failed, Reference: references["r3"], CompletedAt: failedAt}})
	// By the original of a parking, whose claim before it named the reference.
	b.step("r4", ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{Outcome: event.Failed, Reference: references["r4"], CompletedAt: failedAt}})
	parked := originalOf(t, "r4", 0, 9)
	due := failedAt
	b.step("r4", ledger.Record{Step: ledger.Parked, Claim: 2, Source: ledger.Source{Topic: event.TopicRequests}, Due: &due, Why: "retry",
		Original: &ledger.Original{Key: parked.Key, Value: strings.ReplaceAll(string(parked.Value), "s-r4", zoe), Time: parked.Time}})
	// Later verdicts have references of their own.
	b.result("r5", zoe, references["r5"], nil)
	second := b.authenticate(zoe)
	b.result("r5", zoe, second, func(r *event.Result) { r.Revision = 2 })
	// Not hers, or at another vendor.
	b.result("other", "sub-approve-2", references["other"], nil)
	b.result("elsewhere", zoe, "f-1", func(r *event.Result) { r.Vendor = event.Faceki })

	r, proofs := b.erase("--subject", zoe, "--vendor", "argos")
	r.want(t, 0, "found 5 requests with 6 authentications at vendors")
	wantProofs(t, proofs, "r1 authentication erased", "r2 authentication erased", "r3 authentication erased",
		"r4 authentication erased", "r5 authentication erased", "r5 authentication erased")
	for id, reference := range references {
		if b.isErased(reference) != (id != "other") {
			t.Errorf("%s is erased: %t", id, b.isErased(reference))
		}
	}
	if !b.isErased(second) {
		t.Error("the later verdict is not erased")
	}
}

func TestVendorsThatOfferNoErasureMakeItIncomplete(t *testing.T) {
	b := newEraseBench(t)
	ours := func(r *event.Result) { r.Vendor = event.Faceki }
	b.result("r1", "ref-1", "f-1", ours)
	b.result("r2", "ref-1", "", ours)
	b.result("r3", "ref-1", "", func(r *event.Result) { ours(r); r.Calls = 0; r.Outcome = event.Unusable })
	b.result("r4", "ref-1", "x-1", func(r *event.Result) { r.Vendor = event.Rekognition })
	r, proofs := b.erase("--subject", "ref-1")
	r.want(t, exitIncomplete, "not everything was erased: 3 things of 4")
	wantProofs(t, proofs, "r1 authentication not_offered", "r2 authentication not_offered", "r3 request gone", "r4 authentication not_enabled")
}

func TestSelfiesAreErasedButForThoseOnHold(t *testing.T) {
	b := newEraseBench(t)
	hold := types.Tag{Key: aws.String("legal-hold"), Value: aws.String("case 17")}
	for id, key := range map[string]string{"r1": zoeKey, "r2": "selfies/zoe-held.jpg", "r3": "selfies/zoe-missing.jpg"} {
		b.request(id, "s1", func(r *event.Request) { r.SelfieKey = key })
		b.result(id, "s1", "", nil)
	}
	b.object("selfies", zoeKey)
	b.object("selfies", "selfies/zoe-held.jpg", hold)
	first, second := b.object("versioned", zoeKey), b.object("versioned", zoeKey)
	b.request("r4", "s1", func(r *event.Request) { r.SelfieBucket = "versioned" })
	b.result("r4", "s1", "", nil)
	b.result("r5", "s1", "", nil) // whose request is gone
	b.result("r6", "s1", "", func(r *event.Result) { r.Outcome, r.SelfieSHA256, r.SelfieBytes = event.Expired, "", 0 })
	until := failedAt.Add(time.Minute)
	b.step("r6", ledger.Record{Step: ledger.Claimed, Claim: 1, Owner: "a", Until: &until, Selfie: ledger.Selfie{SHA256: ledger.Digest{1}}})

	r, proofs := b.erase("--subject", "s1")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 request gone", "r2 request gone", "r3 request gone", "r4 request gone", "r5 request gone", "r6 request gone")
	if !b.hasObject("selfies", zoeKey, nil) {
		t.Error("a selfie was erased without --selfies")
	}

	r, proofs = b.erase("--subject", "s1", "--selfies")
	r.want(t, exitIncomplete, "and 4 selfies")
	wantProofs(t, proofs, "r1 selfie erased", "r2 selfie held", "r3 selfie gone", "r4 selfie erased", "r5 selfie unknown_key", "r6 selfie unknown_key")
	// echo -n selfies/selfies/zoe.jpg | sha256sum
	if p := proofs[0]; p.Bucket != "selfies" || p.Versions != 1 || p.ObjectSHA256 != "88cd0c7a375a3351e90ec503e8d8f53ad3fbc491c8140278da1dc9caec8d9abf" {
		t.Errorf("proof is %+v", p)
	}
	if p := proofs[3]; p.Bucket != "versioned" || p.Versions != 2 {
		t.Errorf("proof is %+v", p)
	}
	if b.hasObject("selfies", zoeKey, nil) || !b.hasObject("selfies", "selfies/zoe-held.jpg", nil) || b.hasObject("versioned", zoeKey, first) || b.hasObject("versioned", zoeKey, second) {
		t.Error("other objects were erased than the proofs say")
	}
	if r, proofs = b.erase("--request", "r1,r4", "--selfies"); r.code != 0 {
		t.Errorf("again: exit code %d", r.code)
	}
	wantProofs(t, proofs, "r1 selfie gone", "r4 selfie gone")
}

func TestAVersionThatTheRequestNamesIsErasedAlone(t *testing.T) {
	b := newEraseBench(t)
	first, second := b.object("versioned", zoeKey), b.object("versioned", zoeKey)
	b.request("r1", "s1", func(r *event.Request) { r.SelfieBucket, r.SelfieVersion = "versioned", *first })
	b.result("r1", "s1", "", nil)
	r, proofs := b.erase("--request", "r1", "--selfies")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 selfie erased")
	if b.hasObject("versioned", zoeKey, first) || !b.hasObject("versioned", zoeKey, second) {
		t.Error("the wrong version was erased")
	}
}

func TestRequestsWithoutAResultAreLeftAlone(t *testing.T) {
	b := newEraseBench(t)
	reference := b.authenticate("sub-approve-1")
	b.object("selfies", zoeKey)
	b.request("r1", "s1", nil)
	due := failedAt
	b.step("r1", ledger.Record{Step: ledger.Parked, Due: &due, Why: "waiting", Reference: reference, Calls: 1,
		Original: &ledger.Original{Value: "{}", Time: failedAt}})
	// Failed, and sent back since.
	b.request("r2", "s1", nil)
	b.result("r2", "s1", "", func(r *event.Result) { r.Outcome = event.Failed })
	letter := exhausted("r2", time.Minute)
	back, err := event.Redrive(letter.Record(event.TopicDead, originalOf(t, "r2", 0, 1)), event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	back.Time = failedAt.Add(time.Hour)
	b.write(back)

	r, proofs := b.erase("--request", "r1,r2", "--selfies")
	r.want(t, exitIncomplete, "2 requests without a result")
	wantProofs(t, proofs, "r1 request open", "r2 request open")
	if b.isErased(reference) || !b.hasObject("selfies", zoeKey, nil) {
		t.Error("something was erased")
	}

	b.result("r2", "s1", "", func(r *event.Result) { r.CompletedAt, r.Revision = failedAt.Add(2*time.Hour), 2 })
	r, proofs = b.erase("--request", "r1,r2", "--include-open")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 authentication erased", "r2 request gone")
}

// The vendor may have made the authentication whose answer never came.
func TestACallWhoseOutcomeIsUnknownMakesItIncomplete(t *testing.T) {
	b := newEraseBench(t)
	b.request("r1", "s1", nil)
	due, called := failedAt, failedAt
	b.step("r1", ledger.Record{Step: ledger.Parked, Due: &due, Why: "retry", Unknown: true, Called: &called, Calls: 1,
		Original: &ledger.Original{Value: "{}", Time: failedAt}})
	b.result("r1", "s1", "", func(r *event.Result) { r.Outcome, r.Reasons = event.Failed, []event.Reason{event.AttemptsExhausted} })
	r, proofs := b.erase("--request", "r1")
	r.want(t, exitIncomplete)
	wantProofs(t, proofs, "r1 authentication unknown_call")

	// Its outcome was found out later.
	b.result("r1", "s1", "", func(r *event.Result) { r.CompletedAt, r.Revision = failedAt.Add(time.Hour), 2 })
	r, proofs = b.erase("--request", "r1")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 request gone")
}

func TestWhatIsNotFoundMakesItIncomplete(t *testing.T) {
	b := newEraseBench(t)
	b.result("r1", "s1", "", nil)
	r, proofs := b.erase("--request", "r1,r2", "--subject", "s2")
	r.want(t, exitIncomplete, "2 things of 3")
	wantProofs(t, proofs, "r2 request not_found", " request not_found", "r1 request gone")
	if proofs[1].Subject != "s2" {
		t.Errorf("proof is %+v", proofs[1])
	}
}

func TestADryRunErasesNothing(t *testing.T) {
	b := newEraseBench(t)
	reference := b.authenticate("sub-approve-1")
	b.object("selfies", zoeKey)
	b.request("r1", "sub-approve-1", nil)
	b.result("r1", "sub-approve-1", reference, nil)
	r, proofs := b.eraseIn("r1\n\n r1 \n", "--dry-run", "--selfies", "--request", "-")
	r.want(t, 0, "found 1 request with 1 authentication at vendors and 1 selfie")
	wantProofs(t, proofs, "r1 authentication would_erase", "r1 selfie would_erase")
	if b.isErased(reference) || !b.hasObject("selfies", zoeKey, nil) {
		t.Error("it was erased")
	}
}

func TestIdsComeFromStandardInput(t *testing.T) {
	b := newEraseBench(t)
	for _, id := range []string{"r1", "r2", "r3"} {
		b.result(id, "s "+id+", zoé", "", nil)
	}
	r, proofs := b.eraseIn("r1\nr2\n", "--yes", "--request", "-")
	r.want(t, 0)
	wantProofs(t, proofs, "r1 request gone", "r2 request gone")
	r, proofs = b.eraseIn("s r2, zoé\r\n", "--yes", "--subject", "-", "--request", "r3")
	r.want(t, 0)
	wantProofs(t, proofs, "r2 request gone", "r3 request gone")
}

func TestAVendorThatRefusesEveryCallIsAskedOnce(t *testing.T) {
	b := newEraseBench(t)
	if err := b.argos.Adjust(func(k *argossim.Knobs) error { k.APIKeys = []string{"key-2"}; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"r1", "r2", "r3"} {
		b.result(id, "s1", "a-"+id, nil)
	}
	r, proofs := b.erase("--subject", "s1")
	r.want(t, exitIncomplete, "3 things of 3")
	wantProofs(t, proofs, "r1 authentication failed", "r2 authentication failed", "r3 authentication failed")
	if n := b.argos.Stats().Forbidden; n != 1 || !strings.Contains(proofs[2].Error, "HTTP 403") {
		t.Errorf("asked %d times; %s", n, proofs[2].Error)
	}
}

func TestASignalLeavesTheProofsOfWhatWasDone(t *testing.T) {
	b := newEraseBench(t)
	references := []string{b.authenticate("sub-approve-1"), b.authenticate("sub-approve-1")}
	b.result("r1", "sub-approve-1", references[0], nil)
	b.result("r2", "sub-approve-1", references[1], nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	out := &cancelAfterLine{cancel: cancel}
	errs := newConsole()
	code := executed(ctx, []string{"erase", "--subject", "sub-approve-1", "--yes", "--rate", "1/min"},
		world{in: strings.NewReader(""), out: out, err: errs, environ: b.environ()})
	if code != exitStopped {
		t.Errorf("exit code %d", code)
	}
	if !b.isErased(references[0]) || b.isErased(references[1]) || strings.Count(out.text.String(), "\n") != 1 {
		t.Errorf("erased %t and %t with the proofs\n%s", b.isErased(references[0]), b.isErased(references[1]), out.text.String())
	}
	if !strings.Contains(errs.String(), "faceauth.results") {
		t.Errorf("it does not say what remains:\n%s", errs)
	}
}

// cancelAfterLine stops the command once it has written something.
type cancelAfterLine struct {
	text   bytes.Buffer
	cancel context.CancelCauseFunc
}

func (c *cancelAfterLine) Write(p []byte) (int, error) {
	c.cancel(ops.ErrStop)
	return c.text.Write(p)
}

func TestFaultyFlagsOfEraseAreRefused(t *testing.T) {
	b := newEraseBench(t)
	for want, args := range map[string][]string{
		"nothing is chosen":                        {"--yes"},
		"no terminal to ask on":                    {"--request", "r1"},
		"standard input holds ids":                 {"--request", "-"},
		"give - once":                              {"--request", "-", "--subject", "-", "--yes"},
		"no ids on standard input":                 {"--request", "-", "--yes"},
		`request "a/b"`:                            {"--request", "a/b", "--yes"},
		`subject ""`:                               {"--subject", "", "--yes"},
		"--vendor goes with --subject":             {"--request", "r1", "--vendor", "argos", "--yes"},
		`--vendor "acme"`:                          {"--subject", "s1", "--vendor", "acme", "--yes"},
		`--rate ""`:                                {"--request", "r1", "--rate", "", "--yes"},
		"more than the 50/s that vendors.argos.li": {"--request", "r1", "--rate", "3001/min", "--yes"},
	} {
		r, proofs := b.eraseIn("", args...)
		r.want(t, exitFailed, want)
		if len(proofs) > 0 || strings.Contains(r.err, "found") {
			t.Errorf("%v: it went on:\n%s", args, r.err)
		}
	}
}
