package vendortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// reference is an adapter for a vendor that takes the selfie as the body and
// answers {"verdict":"yes"} or {"verdict":"no"}. With a defect it does one
// thing wrong.
type reference struct {
	target Target
	defect defect
	// tokenFirst: a free call is made before each paid one.
	tokenFirst bool
	calls      atomic.Int64
}

// defect names the one thing that a reference adapter does wrong.
type defect string

const (
	none               defect = ""
	liesAboutFinding   defect = "says that it can find"
	liesAboutReviewing defect = "says that it can review"
	isNeverDone        defect = "is never done"
	keepsSecret        defect = "keeps the key in its state"
	keepsTooMuch       defect = "keeps too long a state"
	hasNoName          defect = "has no name"
	plainError         defect = "returns errors of another type"
	panics             defect = "panics on an answer that it doesn't know"
	approvesAnything   defect = "approves whatever is 200"
	rejectsSilently    defect = "gives no reason for a rejection"
	scoresTooHigh      defect = "passes scores on as they come"
	refusesWrongKey    defect = "takes a wrong key for a bad request"
	refusesUnexplained defect = "takes what nobody explains for a refusal"
	followsRedirects   defect = "follows redirects"
	saysKnown          defect = "never says that the outcome is unknown"
	saysUnknown        defect = "always says that the outcome is unknown"
	repeatsFailures    defect = "calls again after a 5xx"
	letsTransportRetry defect = "lets net/http repeat a call"
	keepsSelfie        defect = "doesn't close the selfie"
	keepsSelfieUnsent  defect = "doesn't close the selfie when it sends nothing"
	closesSelfieTwice  defect = "closes the selfie twice"
	opensSelfieTwice   defect = "opens the selfie twice"
	holdsSelfie        defect = "closes the selfie when the answer has come"
	ignoresContext     defect = "ignores the context"
	dropsCause         defect = "drops the cause of a cancellation"
	readsForever       defect = "reads an answer of any length"
	ignoresRetryAfter  defect = "ignores Retry-After"
	trustsRetryAfter   defect = "takes any Retry-After"
	wastesConnections  defect = "closes answers before their end"
	failsOften         defect = "fails some calls"
	quotesKey          defect = "quotes the key"
	quotesAnswer       defect = "quotes the answer"
	quotesTransport    defect = "quotes net/http"
	quotesStatusLine   defect = "quotes the status line"
	checksWithPlain    defect = "returns errors of another type from Check"
	checkQuotesAnswer  defect = "quotes the answer in Check"
)

func (a *reference) Name() event.Vendor {
	if a.defect == hasNoName {
		return ""
	}
	return "reference"
}

func (a *reference) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{
		NeedsSelfie: true,
		Subject:     "submission_id",
		Findable:    a.defect == liesAboutFinding,
		Revisable:   a.defect == liesAboutReviewing,
		Liveness:    event.LivenessNone,
	}
}

func (a *reference) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	v, err := a.call(ctx, c.Selfie)
	var e *vendors.Error
	if errors.As(err, &e) && e.Status >= 500 && a.defect == repeatsFailures {
		v, err = a.call(ctx, NewSelfie(selfieSize))
	}
	switch {
	case a.defect == isNeverDone && err == nil:
		v = vendors.Verdict{Pending: &vendors.Pending{State: "again"}}
	case a.defect == keepsSecret && err == nil:
		v.Pending = &vendors.Pending{State: "key " + a.target.Secret}
	case a.defect == keepsTooMuch && err == nil:
		v = vendors.Verdict{Pending: &vendors.Pending{State: strings.Repeat("x", vendors.MaxState+1)}}
	case a.defect == plainError && err != nil:
		err = errors.New(err.Error())
	case a.defect == checkQuotesAnswer && e != nil:
		e.Err = nil
	}
	return v, err
}

func (a *reference) Check(ctx context.Context) error {
	_, err := a.call(ctx, NewSelfie(0))
	if err != nil && a.defect == checksWithPlain {
		return errors.New("check went wrong")
	}
	return err
}

func (a *reference) call(ctx context.Context, selfie vendors.Selfie) (vendors.Verdict, error) {
	if a.defect == failsOften && a.calls.Add(1)%3 == 0 {
		_ = selfie.Body().Close()
		return vendors.Verdict{}, a.fault(vendors.Transient, false, nil)
	}
	if a.defect == ignoresContext {
		ctx = context.WithoutCancel(ctx)
	}
	if ctx.Err() != nil {
		if a.defect != keepsSelfieUnsent {
			_ = selfie.Body().Close()
		}
		return vendors.Verdict{}, a.fault(vendors.Transient, a.defect == saysUnknown, a.scrub(ctx, ctx.Err()))
	}

	r, finish := a.request(ctx, selfie)
	defer finish()
	if a.tokenFirst {
		if err := a.token(ctx); err != nil {
			return vendors.Verdict{}, err
		}
	}
	client := vendors.SingleRequest(a.target.Client)
	if a.defect == followsRedirects {
		client = a.target.Client
	}
	resp, err := client.Do(r)
	if err != nil {
		return vendors.Verdict{}, a.fault(vendors.Transient, a.unknown(r.Body), a.scrub(ctx, err))
	}
	limit := int64(1 << 20)
	if a.defect == wastesConnections {
		limit = 1
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if a.defect == readsForever {
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	_ = resp.Body.Close()
	if err != nil {
		return vendors.Verdict{}, a.fault(vendors.Transient, a.defect != saysKnown, a.scrub(ctx, err))
	}
	return a.decode(resp, answer)
}

// token makes the free call.
func (a *reference) token(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.target.BaseURL+"/token", nil)
	if err != nil {
		panic(err)
	}
	answer, err := vendors.Exchange(vendors.SingleRequest(a.target.Client), r, 1<<10)
	if err == nil {
		err = answer.Err
	}
	if err != nil || answer.Status != http.StatusOK {
		return a.fault(vendors.Transient, a.defect == saysUnknown, err)
	}
	return nil
}

// request returns the request, and what to do once its answer has come.
func (a *reference) request(ctx context.Context, selfie vendors.Selfie) (r *http.Request, finish func()) {
	post := func(body io.Reader) *http.Request {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.target.BaseURL+"/call", body)
		if err != nil {
			panic(err)
		}
		r.Header.Set("X-Api-Key", a.target.Secret)
		return r
	}
	switch a.defect {
	case letsTransportRetry, keepsSelfie, holdsSelfie, closesSelfieTwice:
		return a.copied(post, selfie)
	case opensSelfieTwice:
		_ = selfie.Body()
	}
	body := vendors.NewBody(nil, selfie, nil)
	r = post(body)
	r.ContentLength = body.Size()
	return r, func() { _ = body.Close() }
}

// copied sends a copy of the selfie and is careless with the original.
func (a *reference) copied(post func(io.Reader) *http.Request, selfie vendors.Selfie) (r *http.Request, finish func()) {
	in := selfie.Body()
	image, err := io.ReadAll(in)
	if err != nil {
		panic(err)
	}
	r, finish = post(bytes.NewReader(image)), func() {}
	switch a.defect {
	case letsTransportRetry: // net/http can start over, and is told that it may
		r.Header.Set("Idempotency-Key", "1")
		_ = in.Close()
		return r, finish
	case closesSelfieTwice:
		_ = in.Close()
		_ = in.Close()
	case holdsSelfie:
		finish = func() { _ = in.Close() }
	}
	r.GetBody = nil
	return r, finish
}

func (a *reference) unknown(sent io.ReadCloser) bool {
	switch a.defect {
	case saysKnown:
		return false
	case saysUnknown:
		return true
	}
	body, ok := sent.(*vendors.Body)
	if !ok {
		return true
	}
	_ = body.Close()
	return body.Touched()
}

func (a *reference) decode(resp *http.Response, answer []byte) (vendors.Verdict, error) {
	var said struct {
		Verdict string  `json:"verdict"`
		Score   float64 `json:"score"`
	}
	_ = json.Unmarshal(answer, &said)
	v := vendors.Verdict{Liveness: event.LivenessNone, Scores: map[string]float64{"similarity": min(said.Score, 100)}}
	if a.defect == scoresTooHigh {
		v.Scores["similarity"] = said.Score
	}
	switch {
	case resp.StatusCode == 200 && said.Verdict == "no":
		v.Outcome = event.Rejected
		if a.defect != rejectsSilently {
			v.Reasons = []event.Reason{event.NoMatch}
		}
		return v, nil
	case resp.StatusCode == 200 && (said.Verdict == "yes" || a.defect == approvesAnything):
		v.Outcome = event.Approved
		return v, nil
	}
	if a.defect == panics {
		panic("unknown answer")
	}

	kind := vendors.Transient
	switch status := resp.StatusCode; {
	case status == 401 && a.defect == refusesWrongKey:
		kind = vendors.Refused
	case status == 401, status == 402, status == 403, status == 404, status == 405, status/100 == 3:
		kind = vendors.LaneFault
	case status == 429:
		kind = vendors.Throttled
	case status/100 == 4 && a.defect == refusesUnexplained:
		kind = vendors.Refused
	case status/100 == 4:
		kind = vendors.Unexplained
	}
	var cause error
	switch a.defect {
	case quotesAnswer, checkQuotesAnswer:
		cause = fmt.Errorf("vendor said %s", answer)
	case quotesStatusLine:
		cause = errors.New(resp.Status)
	}
	unknown := kind == vendors.Transient
	switch a.defect {
	case saysKnown:
		unknown = false
	case saysUnknown:
		unknown = true
	}
	e := a.fault(kind, unknown, cause)
	e.Status = resp.StatusCode
	switch a.defect {
	case ignoresRetryAfter:
	case trustsRetryAfter:
		if d, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
			e.RetryAfter = d
		}
	default:
		e.RetryAfter = vendors.RetryAfter(resp.Header, time.Now())
	}
	return vendors.Verdict{}, e
}

func (a *reference) scrub(ctx context.Context, err error) error {
	switch a.defect {
	case quotesTransport:
		return err
	case dropsCause:
		return errors.New("it was cancelled")
	}
	return vendors.Scrub(ctx, err)
}

func (a *reference) fault(kind vendors.Kind, unknown bool, cause error) *vendors.Error {
	if a.defect == quotesKey {
		cause = errors.New("key " + a.target.Secret)
	}
	return &vendors.Error{Vendor: "reference", Kind: kind, Op: "call", Unknown: unknown, Err: cause}
}
