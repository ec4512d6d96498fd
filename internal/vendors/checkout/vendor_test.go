package checkout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"reauth/internal/vendors"
)

// hosted is the vendor, in memory: it follows the pages about the flow, has a
// clock that the test moves, and a person who does what the test says. It is
// for one goroutine.
type hosted struct {
	now      time.Time
	linkLife time.Duration
	auths    []*hostedAuth

	calls []string // method and path of each request that arrived
	// ended are the links that a newer attempt ended while the person could
	// have followed them.
	ended []string
	// stale has the next question about a face authentication answered with
	// the status before the last.
	stale bool
	// answer, if set, is given in place of the next answer; lost loses the next
	// request, lostAnswer the next answer.
	answer           http.HandlerFunc
	lost, lostAnswer bool
}

type hostedAuth struct {
	ID, ApplicantID   string
	status, before    string
	codes             []int
	attempts          []*hostedAttempt
	modified          time.Time
	anonymized        bool
	withoutTotalCount bool
}

type hostedAttempt struct {
	ID      string
	status  string
	created time.Time
	codes   []int
}

var (
	errLost  = errors.New("the request was lost")
	theStart = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
)

func newHosted() *hosted {
	return &hosted{now: theStart, linkLife: DefaultLinkLife}
}

// adapter returns an adapter in front of h, with its clock.
func (h *hosted) adapter(tb testing.TB, change func(*Config)) *Adapter {
	tb.Helper()
	c := Config{
		SecretKey: secretKey, UserJourneyID: journey, LinkLife: h.linkLife,
		Client: &http.Client{Transport: h},
	}
	if change != nil {
		change(&c)
	}
	a, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	a.now = func() time.Time { return h.now }
	return a
}

const (
	journey   = "usj_abcdefghijklmnopqrstuvwxyz"
	applicant = "aplt_canary_person"
	keyText   = "sk_canary-secret"
)

func secretKey() (string, error) { return keyText + "\n", nil }

func theCall() vendors.Call {
	return vendors.Call{RequestID: "r-1", ApplicantID: applicant, RedirectURL: "https://app.example/canary-done?a=1&b=2"}
}

// RoundTrip implements http.RoundTripper.
func (h *hosted) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.lost {
		h.lost = false
		return nil, errLost
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	h.calls = append(h.calls, r.Method+" "+r.URL.Path)
	w := httptest.NewRecorder()
	w.Header().Set("Date", h.now.Format(http.TimeFormat))
	if answer := h.answer; answer != nil {
		h.answer = nil
		answer(w, r)
	} else {
		h.serve(w, r, body)
	}
	if h.lostAnswer {
		h.lostAnswer = false
		return nil, errLost
	}
	return w.Result(), nil
}

func (h *hosted) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Cko-Request-Id", "request-1")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 1 {
		h.create(w, body)
		return
	}
	i := slices.IndexFunc(h.auths, func(a *hostedAuth) bool { return a.ID == parts[1] })
	if i < 0 {
		say(w, 404, "")
		return
	}
	auth := h.auths[i]
	switch what := r.Method + strings.Join(parts[2:], "/"); {
	case what == "GET":
		status := auth.status
		if h.stale {
			h.stale, status = false, auth.before
		}
		say(w, 200, auth.form(status))
	case what == "POSTanonymize":
		auth.anonymized = true
		say(w, 200, auth.form(auth.status))
	case what == "POSTattempts":
		h.invite(w, auth)
	case what == "GETattempts":
		var forms []string
		for _, t := range slices.Backward(auth.attempts) {
			forms = append(forms, t.form())
		}
		total := fmt.Sprintf(`"total_count":%d,`, len(forms))
		if auth.withoutTotalCount {
			total = ""
		}
		say(w, 200, fmt.Sprintf(`{%s"skip":0,"limit":20,"data":[%s]}`, total, strings.Join(forms, ",")))
	default:
		i := slices.IndexFunc(auth.attempts, func(t *hostedAttempt) bool { return t.ID == parts[3] })
		if i < 0 {
			say(w, 404, "")
			return
		}
		say(w, 200, auth.attempts[i].form())
	}
}

func (h *hosted) create(w http.ResponseWriter, body []byte) {
	var asked struct {
		ApplicantID string `json:"applicant_id"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		say(w, 400, `{"error_codes":["body__invalid_format"]}`)
		return
	}
	auth := &hostedAuth{ID: fmt.Sprintf("fav_%d", len(h.auths)+1), ApplicantID: asked.ApplicantID, status: created, before: created, modified: h.now}
	h.auths = append(h.auths, auth)
	say(w, 201, auth.form(auth.status))
}

func (h *hosted) invite(w http.ResponseWriter, auth *hostedAuth) {
	switch auth.status {
	case created, pending, captureInProgress, retryRequired:
	default:
		say(w, 409, "")
		return
	}
	if last := auth.last(); last != nil && h.lives(last) {
		h.ended = append(h.ended, last.ID)
		last.status = terminated
	}
	auth.attempts = append(auth.attempts, &hostedAttempt{ID: fmt.Sprintf("fatp_%d", len(auth.attempts)+1), status: pendingRedirection, created: h.now})
	h.move(auth, pending)
	say(w, 201, auth.last().form())
}

// lives tells whether the person can still do their part at an attempt.
func (h *hosted) lives(t *hostedAttempt) bool {
	return t.status == captureInProgress || t.status == checksInProgress ||
		t.status == pendingRedirection && h.now.Before(t.created.Add(h.linkLife))
}

func (h *hosted) move(auth *hostedAuth, status string, codes ...int) {
	auth.before, auth.status, auth.codes, auth.modified = auth.status, status, codes, h.now
}

// open has the person follow the last link.
func (h *hosted) open(auth *hostedAuth) bool {
	t := auth.last()
	if t == nil || t.status != pendingRedirection || !h.lives(t) {
		return false
	}
	t.status = captureInProgress
	h.move(auth, captureInProgress)
	return true
}

// capture has the person, who followed the link, record the video.
func (h *hosted) capture(auth *hostedAuth) bool {
	t := auth.last()
	if t == nil || t.status != captureInProgress {
		return false
	}
	t.status = checksInProgress
	h.move(auth, checksInProgress)
	return true
}

// end gives the last attempt, and the whole, a status.
func (h *hosted) end(auth *hostedAuth, attempt, status string, codes ...int) {
	auth.last().status, auth.last().codes = attempt, codes
	h.move(auth, status, codes...)
}

// sweep has the vendor see that a link has ended.
func (h *hosted) sweep(auth *hostedAuth) {
	if t := auth.last(); t != nil && t.status == pendingRedirection && !h.lives(t) {
		h.end(auth, expired, retryRequired, neverStarted)
	}
}

func (a *hostedAuth) last() *hostedAttempt {
	if len(a.attempts) == 0 {
		return nil
	}
	return a.attempts[len(a.attempts)-1]
}

func (a *hostedAuth) form(status string) string {
	face := `"face":{"image_signed_url":"https://pictures.example/canary-face?signature=canary"},`
	if a.anonymized {
		face = ""
	}
	return fmt.Sprintf(`{"id":%q,"applicant_id":%q,"user_journey_id":%q,"created_on":"2025-01-02T03:04:05Z","modified_on":%q,"status":%q,"response_codes":%s,%s"risk_labels":["multiple_faces_detected"],"_links":{"self":{"href":"https://vendor.example"}}}`,
		a.ID, a.ApplicantID, journey, a.modified.Format(time.RFC3339), status, codesForm(a.codes), face)
}

func (t *hostedAttempt) link() string { return "https://capture.example/canary-link/" + t.ID + "/" }

func (t *hostedAttempt) form() string {
	return fmt.Sprintf(`{"id":%q,"created_on":%q,"modified_on":%q,"status":%q,"response_codes":%s,"redirect_url":"https://app.example","applicant_session_information":{"ip_address":"203.0.113.77"},"_links":{"self":{"href":"https://vendor.example"},"verification_url":{"href":%q}}}`,
		t.ID, t.created.Format(time.RFC3339), t.created.Format(time.RFC3339), t.status, codesForm(t.codes), t.link())
}

func codesForm(codes []int) string {
	var forms []string
	for _, code := range codes {
		forms = append(forms, fmt.Sprintf(`{"code":%d,"summary":"canary-summary"}`, code))
	}
	return "[" + strings.Join(forms, ",") + "]"
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// saying is a handler that says this.
func saying(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { say(w, status, body) }
}
