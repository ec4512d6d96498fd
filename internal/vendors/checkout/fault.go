package checkout

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// The operations, as they stand in errors.
const (
	opToken    = "get token"
	opStart    = "create face authentication"
	opLook     = "get face authentication"
	opErase    = "anonymize face authentication"
	opInvite   = "create attempt"
	opAttempts = "list attempts"
	opAttempt  = "get attempt"
	opAssets   = "list assets"
	opCheck    = "check"
)

// Codes of ours, as they stand in vendors.Error: the vendor's own are not
// published for these calls, and what an answer holds in their place could be
// anything.
const (
	// codeTokenRefused: 401, the key or token is wrong, expired or revoked.
	codeTokenRefused = "token_refused"
	// codeCredentials: OAuth client id and secret are refused.
	codeCredentials = "credentials_refused"
	codeCredit      = "payment_required"
	// codeForbidden: 403, the feature or the scope is missing.
	codeForbidden = "forbidden"
	// codeConfiguration: the codes name the user journey or the organization.
	codeConfiguration = "configuration_refused"
	// codeWrongAddress: what answers is not this API.
	codeWrongAddress = "wrong_address"
	codeRedirected   = "redirected"
	codeProxy        = "proxy_authentication_required"
	// codeNotFound: the vendor has nothing under the id.
	codeNotFound = "not_found"
	// codeUnreadable: the answer is not the JSON that is documented, or is
	// about something else than was asked for.
	codeUnreadable = "unreadable_answer"
	// codeOtherApplicant: the answer is about another person.
	codeOtherApplicant = "other_applicant"

	// Found before anything is sent.
	codeSecretUnusable  = "secret_unusable"
	codeApplicantID     = "applicant_id_invalid"
	codeRedirectMissing = "redirect_url_missing"
	codeReference       = "reference_invalid"
	codeState           = "state_unreadable"
)

// meaning is what follows from an answer that is not the one asked for.
type meaning struct {
	code string
	kind vendors.Kind
	// unknown: the vendor may have done what was asked for.
	unknown bool
}

var (
	refusal = meaning{kind: vendors.Refused}
	// unexplained answers need not be the vendor's; whoever gives a 4xx has by
	// HTTP's meaning not done what was asked.
	unexplained = meaning{"", vendors.Unexplained, false}
	// unreadable answers say nothing of what was done.
	unreadable = meaning{codeUnreadable, vendors.Transient, true}
	// elsewhere is a 404 of which it is not certain that it is the vendor's,
	// about an id that the vendor gave out. It is the request's trouble when
	// it comes alone, which ends its tries, and the address's when it comes to
	// many in a row, which pauses the lane.
	elsewhere = meaning{codeWrongAddress, vendors.Unexplained, false}
)

// statuses are those with a meaning of their own; 404, 409 and 422 have more of
// it where they are expected. 400, 401, 409, 422, 500 and 503 are in the API
// reference, 429 on the page about rate limits; the rest is what HTTP means.
var statuses = map[int]meaning{
	http.StatusUnauthorized:      {codeTokenRefused, vendors.LaneFault, false},
	http.StatusPaymentRequired:   {codeCredit, vendors.LaneFault, false},
	http.StatusForbidden:         {codeForbidden, vendors.LaneFault, false},
	http.StatusNotFound:          {codeWrongAddress, vendors.LaneFault, false},
	http.StatusMethodNotAllowed:  {codeWrongAddress, vendors.LaneFault, false},
	http.StatusProxyAuthRequired: {codeProxy, vendors.LaneFault, false},
	http.StatusRequestTimeout:    {"", vendors.Transient, true},
	http.StatusTooManyRequests:   {"", vendors.Throttled, false},
}

func meaningOf(status int) meaning {
	if m, known := statuses[status]; known {
		return m
	}
	switch status / 100 {
	case 2:
		return unreadable
	case 3:
		return meaning{codeRedirected, vendors.LaneFault, false}
	case 4:
		return unexplained
	}
	return meaning{"", vendors.Transient, true}
}

// complaint is the body of a 4xx.
type complaint struct {
	RequestID string `json:"request_id"`
	ErrorType string `json:"error_type"`
	Codes     names  `json:"error_codes"`
}

// The headers that every answer of the vendor's has.
const (
	headerRequestID = "Cko-Request-Id"
	headerVersion   = "Cko-Version"
)

// isTheirs tells whether an answer is certainly the vendor's: a 404 is easily
// somebody else's.
func isTheirs(answer vendors.Answer) bool {
	if answer.Header.Get(headerRequestID) != "" || answer.Header.Get(headerVersion) != "" {
		return true
	}
	var c complaint
	return read(answer, &c) && (c.RequestID != "" || c.ErrorType != "" || len(c.Codes) > 0)
}

// judge reads an answer to op, about the authentication fav if there is one yet,
// that is not the one asked for: a verdict if it is about the person, else an
// error.
func (a *Adapter) judge(op, fav string, answer vendors.Answer) (vendors.Verdict, error) {
	m := meaningOf(answer.Status)
	if m.kind == vendors.Unexplained && answer.Err != nil {
		m = unreadable // what it says may be in the part that is missing
		return vendors.Verdict{}, faultOf(op, answer, m, a.now())
	}
	switch answer.Status {
	case http.StatusNotFound:
		if fav == "" {
			break
		}
		if isTheirs(answer) {
			return ineligible(fav, event.SubjectUnknown, nil), nil
		}
		m = elsewhere
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if isTheirs(answer) {
			m = refusal // by codes that are not published
		}
		var c complaint
		read(answer, &c)
		v, ofApplicant := c.ofApplicant(fav)
		switch {
		case c.ofConfiguration(answer.Status):
			m = meaning{codeConfiguration, vendors.LaneFault, false}
		case ofApplicant && answer.Status == http.StatusUnprocessableEntity:
			return v, nil
		}
	}
	return vendors.Verdict{}, faultOf(op, answer, m, a.now())
}

// codeForm is field__problem; anything else may be free text.
var codeForm = regexp.MustCompile(`^([a-z]+(?:_[a-z]+)*)__([a-z]+(?:_[a-z]+)*)$`)

// field returns what a code is about, "" if it is not in the form of one.
func field(code string) string {
	if m := codeForm.FindStringSubmatch(code); m != nil {
		return m[1]
	}
	return ""
}

// ofConfiguration tells whether codes name what is the same in every call, which
// is to be mended before a request is judged that has a fault of its own
// beside. A 400 is about form: there the user journey must be all that is named.
func (c complaint) ofConfiguration(status int) bool {
	ofUserJourney := func(code string) bool { return strings.HasPrefix(field(code), "user_journey") }
	if status == http.StatusBadRequest {
		return len(c.Codes) > 0 && !slices.ContainsFunc(c.Codes, func(code string) bool { return !ofUserJourney(code) })
	}
	return slices.ContainsFunc(c.Codes, func(code string) bool {
		return ofUserJourney(code) || strings.HasPrefix(field(code), "organization")
	})
}

// unknownProblems are the words by which a problem says that there is no such
// applicant; any other is that the applicant is not ready to be authenticated:
// never verified, or the video of that time is gone.
var unknownProblems = regexp.MustCompile(`not_found|unknown|not_exist|invalid`)

// ofApplicant returns the verdict if codes name the applicant.
func (c complaint) ofApplicant(fav string) (v vendors.Verdict, about bool) {
	var codes []string
	reason := event.SubjectNotApproved
	for _, code := range c.Codes {
		if strings.HasPrefix(field(code), "applicant") {
			codes = append(codes, code)
			if unknownProblems.MatchString(code) {
				reason = event.SubjectUnknown
			}
		}
	}
	return ineligible(fav, reason, codes), len(codes) > 0
}

// faultOf makes the error of an answer.
func faultOf(op string, answer vendors.Answer, m meaning, now time.Time) error {
	e := &vendors.Error{
		Vendor:  event.Checkout,
		Kind:    m.kind,
		Op:      op,
		Status:  answer.Status,
		Code:    m.code,
		Unknown: m.unknown,
		Err:     answer.Err,
	}
	if e.Kind == vendors.Throttled || answer.Status == http.StatusRequestTimeout || answer.Status >= 500 {
		e.RetryAfter = vendors.RetryAfter(answer.Header, now)
	}
	return e
}

// unsent is the error of an operation of which no answer came back.
func unsent(op string, reached bool, err error) error {
	return vendors.Unsent(event.Checkout, op, reached, err)
}

// refused is the error of an operation that cannot be asked for.
func refused(op, code string) error {
	return &vendors.Error{Vendor: event.Checkout, Kind: vendors.Refused, Op: op, Code: code}
}

// laneFault is the error of a call that is not made, as none could be.
func laneFault(op, code string) error {
	return &vendors.Error{Vendor: event.Checkout, Kind: vendors.LaneFault, Op: op, Code: code}
}
