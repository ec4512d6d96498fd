package vendortest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Suite says what the kit needs to know of a vendor.
type Suite struct {
	// New returns the adapter under test, a fresh one at each call.
	New func(Target) (vendors.Adapter, error)
	// Answers are what the vendor says to the paid call when all is well;
	// the first one is used where any will do.
	Answers []Answer
	// Paid tells the paid call from the others; nil: every request is it.
	Paid func(*http.Request) bool
	// Free answers the calls that are not the paid one, such as for a
	// token; nil if there are none. Required with Paid.
	Free http.HandlerFunc
	// Call is what to ask for. The kit fills in RequestID, UserID, CF1 to
	// CF3 and the selfie.
	Call vendors.Call
	// MaxSelfie is the size of the largest selfie that the adapter sends, 0 if
	// it sends any.
	MaxSelfie int
	// Statuses override what an answer with this status and no readable
	// body must mean; see defaultStatuses.
	Statuses map[int]Want
	// Secrets must not be found in an error either, such as a token that
	// Free gives out.
	Secrets []string
	// ReadOnly: the paid call only asks, with GET, so that net/http may send
	// it again when it finds a connection gone stale.
	ReadOnly bool
	// Reference is an authentication's, as Erase and Review take it; empty
	// means reference-1.
	Reference string
}

// Target is what the adapter under test is to use.
type Target struct {
	// BaseURL is the address of the vendor, without a path.
	BaseURL string
	// Client follows redirects and keeps connections; the adapter must do
	// the one but not the other.
	Client *http.Client
	// Secret is the credential: API key, client secret, token.
	Secret string
}

// Answer is one thing that the vendor can say to the paid call.
type Answer struct {
	Name string
	// Handler finds the request's body already read, and may read it again.
	Handler http.HandlerFunc
	// Outcome that must come of it; empty: any, without an error.
	Outcome event.Outcome
	// Pending: no verdict must come of it, but another step.
	Pending bool
}

// Want is what an answer must mean: a verdict if Outcome is set, else an error.
type Want struct {
	Outcome event.Outcome
	Kind    vendors.Kind
	Unknown bool
}

// defaultStatuses: a refusal of who calls or of where, of how often, or nothing
// that is known.
var defaultStatuses = map[int]Want{
	http.StatusBadRequest:          {Kind: vendors.Unexplained},
	http.StatusUnauthorized:        {Kind: vendors.LaneFault},
	http.StatusPaymentRequired:     {Kind: vendors.LaneFault},
	http.StatusForbidden:           {Kind: vendors.LaneFault},
	http.StatusNotFound:            {Kind: vendors.LaneFault},
	http.StatusMethodNotAllowed:    {Kind: vendors.LaneFault},
	http.StatusGone:                {Kind: vendors.Unexplained},
	http.StatusUnprocessableEntity: {Kind: vendors.Unexplained},
	http.StatusMisdirectedRequest:  {Kind: vendors.Unexplained},
	http.StatusTooEarly:            {Kind: vendors.Unexplained},
	http.StatusUpgradeRequired:     {Kind: vendors.Unexplained},
	http.StatusTooManyRequests:     {Kind: vendors.Throttled},

	http.StatusUnavailableForLegalReasons: {Kind: vendors.Unexplained},

	http.StatusInternalServerError: {Kind: vendors.Transient, Unknown: true},
	http.StatusBadGateway:          {Kind: vendors.Transient, Unknown: true},
	http.StatusServiceUnavailable:  {Kind: vendors.Transient, Unknown: true},
	http.StatusGatewayTimeout:      {Kind: vendors.Transient, Unknown: true},
}

func (s Suite) statuses() map[int]Want {
	all := maps.Clone(defaultStatuses)
	maps.Copy(all, s.Statuses)
	return all
}

func (s Suite) reference() string { return cmp.Or(s.Reference, "reference-1") }

func (s Suite) paid(r *http.Request) bool { return s.Paid == nil || s.Paid(r) }

// check is one thing that every adapter must do.
type check struct {
	name string
	run  func(*bench)
}

// checks are all of them, in the order of a call's life.
var checks = []check{
	{"capabilities match the interfaces", checkCapabilities},
	{"answers become verdicts, for one paid call each", checkAnswers},
	{"unreadable answers are never an approval", checkUnreadable},
	{"statuses are classified", checkStatuses},
	{"redirects are not followed", checkRedirects},
	{"failures say whether the outcome is unknown", checkStages},
	{"a paid call is never repeated", checkRepeats},
	{"the selfie is closed exactly once", checkSelfie},
	{"the selfie is not held while the vendor thinks", checkSelfieHeld},
	{"the context ends a call", checkContext},
	{"answers are bounded", checkBounds},
	{"Retry-After is read", checkRetryAfter},
	{"connections are used again", checkReuse},
	{"calls may run at once", checkConcurrency},
	{"errors hold nothing secret", checkSecrecy},
	{"the other operations fail alike", checkOperations},
}

// patience is how long Run waits for what must happen soon. Only a broken
// adapter makes it wait that long.
const patience = 30 * time.Second

// Run runs every check as a subtest.
func Run(t *testing.T, s Suite) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			for _, finding := range inspect(s, c, patience) {
				t.Error(finding)
			}
		})
	}
}

// inspect returns what c finds wrong.
func inspect(s Suite, c check, patience time.Duration) (findings []string) {
	b := &bench{suite: s, patience: patience}
	defer func() {
		if r := recover(); r != nil {
			b.find("panic: %v", r)
		}
		b.close()
		findings = b.findings
	}()
	c.run(b)
	return nil
}

// bench is where one check works: it holds what was found and closes what was
// started. It is used by one goroutine.
type bench struct {
	suite    Suite
	patience time.Duration
	findings []string
	cleanups []func()
}

func (b *bench) find(format string, args ...any) {
	b.findings = append(b.findings, fmt.Sprintf(format, args...))
}

func (b *bench) cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

func (b *bench) close() {
	for i := len(b.cleanups) - 1; i >= 0; i-- {
		b.cleanups[i]()
	}
}
