package checkout

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// ownWords are all that the code of an error may be.
var ownWords = []string{
	"", codeTokenRefused, codeCredit, codeForbidden, codeConfiguration, codeWrongAddress, codeRedirected, codeProxy,
	codeUnreadable, codeOtherApplicant,
}

// FuzzSteps gives any answer to any step: it ends as a verdict that the answer
// carries, as a state that can be read, or as an error of ours.
func FuzzSteps(f *testing.F) {
	next := []step{"", stepInvite, stepFind, stepLook, stepAttempt}
	for _, name := range []string{
		"created.json", "approved.json", "declined.json", "attempt.json", "attempt_aborted.json", "attempts.json",
		"error_applicant.json", "error_conflict.json", "assets.json", "token.json",
	} {
		for n := range next {
			f.Add(uint8(n), 200, []byte(vendortest.Golden(f, name)))
		}
		f.Add(uint8(1), 409, []byte(vendortest.Golden(f, name)))
		f.Add(uint8(0), 422, []byte(vendortest.Golden(f, name)))
	}
	f.Add(uint8(3), 200, []byte(`{"id":"fav_1","status":"declined","STATUS":"approved"}`))
	f.Add(uint8(3), 404, []byte(`{"error_type":"x"}`))
	h := newHosted()
	a := h.adapter(f, nil)
	f.Fuzz(func(t *testing.T, at uint8, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		c := theCall()
		s := state{Next: next[int(at)%len(next)], ID: "fav_1", Attempt: "fatp_1", Until: theStart.Add(time.Hour).UnixMilli()}
		if s.Next != "" {
			c.State = s.text()
		}
		h.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
		v, err := a.Authenticate(t.Context(), c)
		if err != nil {
			var e *vendors.Error
			if !errors.As(err, &e) || !slices.Contains(ownWords, e.Code) {
				t.Fatalf("error %#v is not made of words of ours", err)
			}
			return
		}
		if p := v.Pending; p != nil {
			if _, ok := readState(p.State); !ok || len(p.State) > vendors.MaxState || p.After < 0 || v.Outcome != "" {
				t.Fatalf("pending %+v", p)
			}
			if i := p.Invite; i != nil && !strings.Contains(strings.ReplaceAll(string(body), `\`, ""), "http") {
				t.Fatalf("invited to %q, which is not in the answer", i.URL)
			}
			return
		}
		judgeVerdict(t, v, s.Next, status, body)
	})
}

func judgeVerdict(t *testing.T, v vendors.Verdict, next step, status int, body []byte) {
	if (v.Outcome == event.Approved) != (len(v.Reasons) == 0) {
		t.Fatalf("%s with reasons %v", v.Outcome, v.Reasons)
	}
	if v.Outcome != event.Approved {
		return
	}
	var said map[string]any
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatalf("approved what is no JSON: %v", err)
	}
	is := func(name, value string) bool {
		for n, v := range said {
			if strings.EqualFold(n, name) {
				return v == value
			}
		}
		return false
	}
	if next != stepLook || status/100 != 2 || !is("status", approved) || !is("id", "fav_1") {
		t.Fatalf("step %s approved %d %s", next, status, body)
	}
}

// FuzzWebhook sends any body, signed: only an event about a face authentication
// is news, and what is not signed never is.
func FuzzWebhook(f *testing.F) {
	f.Add([]byte(vendortest.Golden(f, "event.json")))
	f.Add([]byte(eventOf("evt_1", "face_authentication_created", "fav_1", created)))
	f.Add([]byte(eventOf("evt_1", "payment_approved", "fav_1", created)))
	f.Add([]byte(`{"id":"evt_1","type":"face_authentication","data":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := receive(t, nil)
		status := r.take(t, delivered(string(body)))
		switch status {
		case http.StatusNoContent, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("status %d", status)
		}
		for _, n := range r.news {
			if !isFaceAuthenticationID(n.Reference) || status != http.StatusNoContent || !strings.Contains(string(body), "face_authentication") && !strings.Contains(string(body), `\u`) {
				t.Fatalf("news %+v with %d of %s", n, status, body)
			}
		}
		forgery := delivered(string(body) + " ")
		forgery.Header.Set("Cko-Signature", sign(string(body)))
		told := len(r.news)
		if status := r.take(t, forgery); status != http.StatusUnauthorized && status != http.StatusRequestEntityTooLarge || len(r.news) != told {
			t.Fatalf("forged: status %d", status)
		}
	})
}
