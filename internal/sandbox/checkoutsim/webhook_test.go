package checkoutsim

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// receiver is a webhook: it notes what comes and answers as told.
type receiver struct {
	t *testing.T
	// answer returns the status for the n-th message, 0 for none; nil is 200.
	answer func(n int, e envelope) int

	mu  sync.Mutex
	got []received
}

type received struct {
	at    time.Time
	event envelope
	raw   []byte
	// signature is "good", "bad" or "none".
	signature     string
	authorization string
}

// RoundTrip takes the message in the goroutine that sends it, so that fake time
// does not stand still for a socket.
func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	m := received{at: time.Now(), raw: raw, signature: "none", authorization: q.Header.Get("Authorization")}
	if err := json.Unmarshal(raw, &m.event); err != nil {
		r.t.Errorf("event %s: %v", raw, err)
	}
	if given := q.Header.Get("Cko-Signature"); given != "" {
		mac := hmac.New(sha256.New, []byte("key"))
		mac.Write(raw)
		m.signature = map[bool]string{true: "good", false: "bad"}[given == hex.EncodeToString(mac.Sum(nil))]
	}
	if q.Method != http.MethodPost || q.URL.String() != "http://consumer.test/webhooks/checkout" || q.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s %s of %s", q.Method, q.URL, q.Header.Get("Content-Type"))
	}
	r.mu.Lock()
	r.got = append(r.got, m)
	n := len(r.got)
	r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(n, m.event)
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(nil)), Request: q}, nil
}

// messages are what came.
func (r *receiver) messages() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// told is what came, by type and status.
func (r *receiver) told() []string {
	var all []string
	for _, m := range r.messages() {
		all = append(all, strings.TrimPrefix(m.event.Type, "face_authentication_")+" "+string(m.event.Data.Status))
	}
	return all
}

// hooked returns a simulator with a webhook.
func hooked(t *testing.T, change func(*Webhook)) (*Simulator, *receiver) {
	t.Helper()
	r := &receiver{t: t}
	s := setup(t, func(c *Config) {
		c.Webhooks = r
		c.Knobs.Webhook.URL, c.Knobs.Webhook.SignatureKey = "http://consumer.test/webhooks/checkout", "key"
		if change != nil {
			change(&c.Knobs.Webhook)
		}
	})
	return s, r
}

func TestEveryTransitionIsTold(t *testing.T) {
	const begin, visit = "created created, ", "opened pending, started capture_in_progress, "
	const checked = "capture_completed checks_in_progress, "
	for applicant, want := range map[string]string{
		"aplt_approve":     begin + visit + checked + "checks_completed approved",
		"aplt_decline":     begin + visit + checked + "checks_completed declined",
		"aplt_refuse":      begin + visit + "capture_refused refused",
		"aplt_close":       begin + visit + checked + "closed inconclusive",
		"aplt_abort":       begin + visit + "capture_aborted retry_required, retry_requested pending, " + visit + checked + "checks_completed approved",
		"aplt_unclear":     begin + visit + checked + "checks_inconclusive retry_required, retry_requested pending, " + visit + checked + "checks_completed approved",
		"aplt_noshow_once": begin + "link_expired retry_required, retry_requested pending, " + visit + checked + "checks_completed approved",
		"aplt_odd":         begin + visit + "capture_completed under_review, checks_completed approved",
		"aplt_audit":       begin + visit + checked + "checks_completed approved, audit_completed declined, anonymized declined",
	} {
		synctest.Test(t, func(t *testing.T) {
			s, r := hooked(t, func(w *Webhook) { w.Authorization = "fixed" })
			path := made(t, s, applicant)
			play(t, s, path, 2)
			time.Sleep(time.Minute)
			if applicant == "aplt_audit" {
				post(s, path+"/anonymize", "")
				synctest.Wait()
			}
			if diff := cmp.Diff(want, strings.Join(r.told(), ", ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", applicant, diff)
			}
			ids := map[string]bool{}
			for _, m := range r.messages() {
				e := m.event
				ids[e.ID] = true
				if !strings.HasPrefix(e.ID, "evt_") || e.Version != "1.2.0" || e.CreatedOn.IsZero() || e.Links.Self.Href == "" || m.signature != "good" || m.authorization != "fixed" ||
					"/face-authentications/"+e.Data.AuthenticationID != path || e.Data.ApplicantID != applicant || e.Data.UserJourneyID != journey {
					t.Errorf("%s, signature %s", m.raw, m.signature)
				}
			}
			if st := s.Stats().Webhook; len(ids) != len(r.messages()) || st.Events != len(r.messages()) || st.Taken != st.Events || st.Tries != st.Events {
				t.Errorf("%d ids, %+v", len(ids), st)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, nil)
		path := made(t, s, "aplt_approve")
		attempted(t, s, path)
		time.Sleep(2500 * time.Millisecond)
		attempted(t, s, path) // during the capture
		synctest.Wait()
		if diff := cmp.Diff(begin+visit+"reset pending", strings.Join(r.told(), ", ")); diff != "" {
			t.Errorf("a new attempt during the capture (-want +got):\n%s", diff)
		}
	})
}

func TestResponseCodesAreNumbersUnlessAskedForAsStrings(t *testing.T) {
	for asked, want := range map[bool]string{false: `[{"code":62321,"summary":"face_face_mismatch"}]`, true: `[{"code":"62321","summary":"face_face_mismatch"}]`} {
		synctest.Test(t, func(t *testing.T) {
			s, r := hooked(t, func(w *Webhook) { w.StringCodes = asked })
			play(t, s, made(t, s, "aplt_decline"), 1)
			synctest.Wait()
			if last := r.messages()[len(r.messages())-1]; !bytes.Contains(last.raw, []byte(`"response_codes":`+want)) {
				t.Errorf("%s, want %s", last.raw, want)
			}
		})
	}
}

func TestEventsAreSentAgainUntilTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, nil)
		r.answer = func(n int, _ envelope) int { return []int{500, 0, 302, 204}[n-1] }
		begun := time.Now()
		made(t, s, "aplt_manual")
		time.Sleep(time.Hour)
		var at []time.Duration
		for _, m := range r.messages() {
			at = append(at, m.at.Sub(begun))
			if m.event.ID != r.messages()[0].event.ID || m.signature != "good" {
				t.Errorf("another event: %s", m.raw)
			}
		}
		if diff := cmp.Diff([]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}, at); diff != "" {
			t.Errorf("sent at (-want +got):\n%s", diff)
		}
		if st := s.Stats().Webhook; st.Tries != 4 || st.Rejected != 2 || st.Unanswered != 1 || st.Taken != 1 || st.GivenUp != 0 {
			t.Errorf("%+v", st)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, func(w *Webhook) { w.Tries = 3 })
		r.answer = func(int, envelope) int { return 503 }
		made(t, s, "aplt_manual")
		time.Sleep(time.Hour)
		if st := s.Stats().Webhook; st.Tries != 3 || st.GivenUp != 1 {
			t.Errorf("%+v, want 3 tries", st)
		}
	})
}

func TestARejectedEventDoesNotHoldUpTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, nil)
		r.answer = func(_ int, e envelope) int {
			if e.Data.Status == Created {
				return 500
			}
			return 200
		}
		play(t, s, made(t, s, "aplt_refuse"), 1)
		time.Sleep(time.Hour)
		if got := r.told(); got[len(got)-1] != "created created" || len(got) != 8 {
			t.Errorf("told %q", got)
		}
	})
}

func TestDeliveriesGoWrongAsTheKnobsSay(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Webhook)
		told   string
		want   func(Deliveries) bool
	}{
		"lost":  {func(w *Webhook) { w.LostRate = 1 }, "", func(d Deliveries) bool { return d.Lost == 4 && d.Tries == 0 }},
		"twice": {func(w *Webhook) { w.TwiceRate = 1 }, "created created, created created, opened pending, opened pending, started capture_in_progress, started capture_in_progress, capture_refused refused, capture_refused refused", func(d Deliveries) bool { return d.Twice == 4 && d.Tries == 8 && d.Taken == 8 }},
		"late":  {func(w *Webhook) { w.LateRate, w.Late = 1, delay("1h") }, "capture_refused refused, created created, opened pending, started capture_in_progress", func(d Deliveries) bool { return d.Late == 4 }},
		"swapped": {func(w *Webhook) { w.SwapRate, w.Late = 1, delay("1h") }, "opened pending, created created, capture_refused refused, started capture_in_progress",
			func(d Deliveries) bool { return d.Swapped == 2 }},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, r := hooked(t, c.change)
			begun := time.Now()
			play(t, s, made(t, s, "aplt_refuse"), 1)
			time.Sleep(2 * time.Hour)
			told := r.told()
			if name == "late" {
				slices.Sort(told) // each goes by itself, and two happened at once
			}
			if diff := cmp.Diff(c.told, strings.Join(told, ", ")); diff != "" || !c.want(s.Stats().Webhook) {
				t.Errorf("%s (-want +got):\n%s%+v", name, diff, s.Stats().Webhook)
			}
			if name == "late" && r.messages()[0].at.Sub(begun) != time.Hour {
				t.Errorf("the first came after %s", r.messages()[0].at.Sub(begun))
			}
		})
	}
}

func TestTheLastEventIsNotHeldForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, func(w *Webhook) { w.SwapRate = 1 })
		begun := time.Now()
		made(t, s, "aplt_manual")
		time.Sleep(time.Minute)
		if len(r.messages()) != 1 || r.messages()[0].at.Sub(begun) != 5*time.Second {
			t.Errorf("told %q", r.told())
		}
	})
}

func TestFakesClaimApprovalAndAreNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, func(w *Webhook) { w.ForgedRate, w.UnsignedRate, w.OversizeRate, w.OversizeBytes = 1, 1, 1, 100_000 })
		r.answer = func(n int, _ envelope) int { return []int{401, 200, 413, 200}[n-1] }
		made(t, s, "aplt_decline_manual")
		time.Sleep(time.Minute)
		var got []string
		for _, m := range r.messages() {
			got = append(got, fmt.Sprintf("%s %s %t", m.event.Data.Status, m.signature, len(m.raw) > 100_000))
		}
		if diff := cmp.Diff([]string{"approved bad false", "approved none false", "approved good true", "created good false"}, got); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		d := s.Stats().Webhook
		if d.Forged != 1 || d.Unsigned != 1 || d.Oversized != 1 || d.FakesTaken != 1 || d.OversizedTaken != 0 || d.Tries != 1 || d.Taken != 1 {
			t.Errorf("%+v", d)
		}
	})
}

func TestCloseEndsADeliveryThatIsUnderWay(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	consumer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	defer consumer.Close()
	s := setup(t, func(c *Config) { c.Knobs.Webhook.URL = consumer.URL })
	made(t, s, "aplt_manual")
	<-arrived
	s.Close()
	if d := s.Stats().Webhook; d.Tries != 1 || d.Unanswered != 1 {
		t.Errorf("after Close: %+v", d)
	}
	<-left
	made(t, s, "aplt_manual") // tells nobody
	s.Close()
}

func TestCloseEndsPersonsAndRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := hooked(t, nil)
		r.answer = func(int, envelope) int { return 500 }
		path := made(t, s, "aplt_approve")
		attempted(t, s, path)
		synctest.Wait()
		s.Close()
		time.Sleep(time.Hour)
		wantState(t, s, path, "pending")
		if got := r.told(); len(got) != 1 {
			t.Errorf("told %q", got)
		}
	})
}

func TestEventsReachAServer(t *testing.T) {
	got := make(chan string, 1)
	consumer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("sandbox-checkout-signature-key"))
		mac.Write(raw)
		if r.Header.Get("Cko-Signature") != hex.EncodeToString(mac.Sum(nil)) {
			raw = nil
		}
		got <- string(raw)
	}))
	defer consumer.Close()
	s := setup(t, func(c *Config) { c.Knobs.Webhook.URL = consumer.URL })
	made(t, s, "aplt_manual")
	if body := <-got; !strings.Contains(body, `"type":"face_authentication_created"`) {
		t.Errorf("got %s", body)
	}
}
