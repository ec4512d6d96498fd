package vendortest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatience is for adapters of which the kit waits for what will not come.
const impatience = 300 * time.Millisecond

func suiteWith(d defect) Suite {
	return Suite{
		New: func(target Target) (vendors.Adapter, error) { return &reference{target: target, defect: d}, nil },
		Answers: []Answer{
			{Name: "yes", Handler: Reply(http.StatusOK, `{"verdict":"yes","score":120}`), Outcome: event.Approved},
			{Name: "no", Handler: Reply(http.StatusOK, `{"verdict":"no","score":1}`), Outcome: event.Rejected},
		},
		Call: vendors.Call{SubmissionID: "sub-1"},
	}
}

func TestAdapterWithoutDefectPasses(t *testing.T) { Run(t, suiteWith(none)) }

// TestEveryDefectIsFound: each defect is found by the check that is there for
// it, and says so in words that name it.
func TestEveryDefectIsFound(t *testing.T) {
	for _, c := range []struct {
		defect  defect
		check   string
		finding string
	}{
		{liesAboutFinding, "capabilities match the interfaces", "Findable is true"},
		{liesAboutReviewing, "capabilities match the interfaces", "Revisable is true"},
		{isNeverDone, "answers become verdicts, for one paid call each", "pending is true, want false"},
		{keepsSecret, "answers become verdicts, for one paid call each", "the state holds"},
		{keepsSecret, "answers become verdicts, for one paid call each", "pending with outcome"},
		{keepsTooMuch, "answers become verdicts, for one paid call each", "state of 513 bytes"},
		{hasNoName, "capabilities match the interfaces", "no name"},
		{rejectsSilently, "answers become verdicts, for one paid call each", "reasons []"},
		{scoresTooHigh, "answers become verdicts, for one paid call each", "score similarity is 120"},
		{approvesAnything, "unreadable answers are never an approval", "no error"},
		{panics, "unreadable answers are never an approval", "panicked"},
		{plainError, "statuses are classified", "want a *vendors.Error"},
		{refusesWrongKey, "statuses are classified", "HTTP 401: kind refused, want lane_fault"},
		{refusesUnexplained, "statuses are classified", "HTTP 451: kind refused, want unexplained"},
		{repeatsFailures, "statuses are classified", "HTTP 500: 2 paid calls"},
		{followsRedirects, "redirects are not followed", "redirects were followed"},
		{saysKnown, "failures say whether the outcome is unknown", "answer cut off: Unknown is false"},
		{saysUnknown, "failures say whether the outcome is unknown", "nobody listens: Unknown is true"},
		{letsTransportRetry, "a paid call is never repeated", "one call arrived 2 times"},
		{keepsSelfie, "the selfie is closed exactly once", "healthy: selfie was closed 0 times"},
		{keepsSelfieUnsent, "the selfie is closed exactly once", "context done before: selfie was opened 0 times"},
		{closesSelfieTwice, "the selfie is closed exactly once", "closed 2 times"},
		{opensSelfieTwice, "the selfie is closed exactly once", "opened 2 times"},
		{holdsSelfie, "the selfie is not held while the vendor thinks", "still held"},
		{ignoresContext, "the context ends a call", "did not return"},
		{dropsCause, "the context ends a call", "nor its cause"},
		{readsForever, "answers are bounded", "read to its end"},
		{ignoresRetryAfter, "Retry-After is read", "Retry-After with seconds"},
		{trustsRetryAfter, "Retry-After is read", "Retry-After with less than zero"},
		{wastesConnections, "connections are used again", "one after the other, took"},
		{failsOften, "calls may run at once", "error"},
		{quotesKey, "errors hold nothing secret", secret},
		{quotesAnswer, "errors hold nothing secret", "Authenticate: an error's text holds"},
		{quotesTransport, "errors hold nothing secret", "Authenticate: an error's text holds"},
		{quotesStatusLine, "errors hold nothing secret", "Authenticate: an error's text holds"},
		{checksWithPlain, "the other operations fail alike", "Check: error is a"},
		{checkQuotesAnswer, "the other operations fail alike", "Check: an error's text holds"},
	} {
		t.Run(string(c.defect), func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(checks, func(known check) bool { return known.name == c.check })
			// Only these make the kit wait in vain.
			wait := patience
			switch c.defect {
			case ignoresContext, keepsSelfie, keepsSelfieUnsent, holdsSelfie:
				wait = impatience
			}
			findings := inspect(suiteWith(c.defect), checks[i], wait)
			if !slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, c.finding) }) {
				t.Errorf("an adapter that %s: findings %q, want one with %q", c.defect, findings, c.finding)
			}
		})
	}
}

// withToken is a suite whose adapter makes a free call before the paid one.
func withToken(d defect) Suite {
	s := suiteWith(d)
	s.New = func(target Target) (vendors.Adapter, error) {
		return &reference{target: target, defect: d, tokenFirst: true}, nil
	}
	s.Paid = func(r *http.Request) bool { return r.URL.Path == "/call" }
	s.Free = Reply(http.StatusOK, "{}")
	return s
}

func TestFreeCallsAreNotCountedAsPaid(t *testing.T) {
	for _, c := range checks {
		// Check goes the way of Authenticate here, so a failing token
		// hides what it answers.
		if c.name == "the other operations fail alike" {
			continue
		}
		for _, finding := range inspect(withToken(none), c, patience) {
			t.Errorf("%s: %s", c.name, finding)
		}
	}
}

func TestFailedFreeCallMustNotLookPaid(t *testing.T) {
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == "failures say whether the outcome is unknown" })
	findings := inspect(withToken(saysUnknown), checks[i], patience)
	const want = "free call failing: Unknown is true, but the paid call was never made"
	if !slices.Contains(findings, want) {
		t.Errorf("findings %q, want %q", findings, want)
	}
}
