package vendortest

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// healthy is an answer that is a success to the breaker.
func (s Suite) healthy() http.HandlerFunc { return s.Answers[0].Handler }

func checkCapabilities(b *bench) {
	a := b.stage(b.suite.healthy()).adapter
	c := a.Capabilities()
	if a.Name() == "" {
		b.find("adapter has no name")
	}
	if c.Subject != "submission_id" && c.Subject != "applicant_id" {
		b.find("subject is %q, want submission_id or applicant_id", c.Subject)
	}
	if c.Liveness != event.LivenessNone && c.Liveness != event.LivenessVendor {
		b.find("liveness is %q", c.Liveness)
	}
	if _, ok := a.(vendors.Finder); ok != c.Findable {
		b.find("Findable is %v, but being a Finder is %v", c.Findable, ok)
	}
	if _, ok := a.(vendors.Eraser); ok != c.Erasable {
		b.find("Erasable is %v, but being an Eraser is %v", c.Erasable, ok)
	}
	if _, ok := a.(vendors.Reviewer); ok != c.Revisable {
		b.find("Revisable is %v, but being a Reviewer is %v", c.Revisable, ok)
	}
}

func checkAnswers(b *bench) {
	for _, answer := range b.suite.Answers {
		s := b.stage(answer.Handler)
		a := b.authenticate(context.Background(), s)
		if a.err != nil {
			b.find("%s: error %v", answer.Name, a.err)
			continue
		}
		if n := s.paid.Load(); n != 1 {
			b.find("%s: %d paid calls, want 1", answer.Name, n)
		}
		b.judgePending(s, answer, a.verdict)
		if answer.Outcome != "" {
			if a.verdict.Outcome != answer.Outcome {
				b.find("%s: outcome %q, want %q", answer.Name, a.verdict.Outcome, answer.Outcome)
			}
			b.judgeVerdict(s, answer.Name, a.verdict)
		}
	}
}

// judgePending looks at what a step that is not the last must hold.
func (b *bench) judgePending(s *stage, answer Answer, v vendors.Verdict) {
	p := v.Pending
	if answer.Pending != (p != nil) {
		b.find("%s: pending is %v, want %v", answer.Name, p != nil, answer.Pending)
	}
	if p == nil {
		return
	}
	if v.Outcome != "" {
		b.find("%s: pending with outcome %q", answer.Name, v.Outcome)
	}
	if len(p.State) == 0 || len(p.State) > vendors.MaxState || !utf8.ValidString(p.State) {
		b.find("%s: state of %d bytes, want text of 1 to %d", answer.Name, len(p.State), vendors.MaxState)
	}
	if p.After < 0 {
		b.find("%s: wait of %v", answer.Name, p.After)
	}
	for _, canary := range s.suite.canaries() {
		if strings.Contains(p.State, canary) || strings.Contains(p.Reference, canary) {
			b.find("%s: the state holds %q", answer.Name, canary)
		}
	}
	if i := p.Invite; i != nil && (i.Number < 1 || i.URL == "" || i.ExpiresAt.IsZero() || strings.Contains(p.State, i.URL)) {
		b.find("%s: an invitation lacks something, or the state holds its URL", answer.Name)
	}
}

// judgeVerdict looks at what every verdict must hold.
func (b *bench) judgeVerdict(s *stage, what string, v vendors.Verdict) {
	if want := s.adapter.Capabilities().Liveness; v.Liveness != want {
		b.find("%s: liveness %q, want %q as the capabilities say", what, v.Liveness, want)
	}
	if (v.Outcome == event.Approved) != (len(v.Reasons) == 0) {
		b.find("%s: outcome %q with reasons %q", what, v.Outcome, v.Reasons)
	}
	for name, score := range v.Scores {
		if !(score >= 0 && score <= 100) { // also false for NaN
			b.find("%s: score %s is %v, want 0 to 100", what, name, score)
		}
	}
}

func checkUnreadable(b *bench) {
	for _, body := range []string{"", "null", "{}", "[]", `""`, "0", "true", "{", `{"a":`, html, "approved", `{"status":"ok"}`} {
		for _, status := range []int{http.StatusOK, http.StatusCreated} {
			a := b.authenticate(context.Background(), b.stage(Reply(status, body)))
			if e := a.fault(b, body); e != nil && !e.Unknown {
				b.find("%d %q: Unknown is false, but the vendor has had the call", status, body)
			}
		}
	}
}

func checkStatuses(b *bench) {
	wants := b.suite.statuses()
	for _, status := range slices.Sorted(maps.Keys(wants)) {
		want := wants[status]
		for name, answer := range map[string]http.HandlerFunc{
			"empty":      Reply(status, ""),
			"no fields":  Reply(status, "{}"),
			codeNotKnown: Reply(status, `{"code":"never_seen_before"}`),
			"a proxy's":  reply(status, "text/html", html, nil),
		} {
			s := b.stage(answer)
			a := b.authenticate(context.Background(), s)
			if want.Outcome != "" {
				if a.err != nil || a.verdict.Outcome != want.Outcome {
					b.find("HTTP %d: outcome %q and error %v, want %q", status, a.verdict.Outcome, a.err, want.Outcome)
				}
			} else {
				b.judgeStatus(a.err, status, want, name)
			}
			if n := s.paid.Load(); n != 1 {
				b.find("HTTP %d: %d paid calls, want 1", status, n)
			}
		}
	}
}

// codeNotKnown names an answer that may be the vendor's own, with a code that is
// new: how far it got with the call may be unknown.
const codeNotKnown = "a code that nobody knows"

func (b *bench) judgeStatus(err error, status int, want Want, name string) {
	e := faultOf(b, http.StatusText(status), err)
	if e == nil {
		return
	}
	if e.Kind != want.Kind {
		b.find("HTTP %d: kind %s, want %s", status, e.Kind, want.Kind)
	}
	mayBeUnknown := want.Kind == vendors.Unexplained && name == codeNotKnown
	if e.Unknown != want.Unknown && !mayBeUnknown {
		b.find("HTTP %d: Unknown is %v, want %v", status, e.Unknown, want.Unknown)
	}
	if e.Status != status {
		b.find("HTTP %d: error says %d", status, e.Status)
	}
}

func checkRedirects(b *bench) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	b.cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := b.stage(reply(status, "text/html", html, http.Header{"Location": {elsewhere.URL + "/elsewhere"}}))
		a := b.authenticate(context.Background(), s)
		if e := a.fault(b, "redirect"); e != nil && e.Kind != vendors.LaneFault {
			b.find("HTTP %d: kind %s, want %s", status, e.Kind, vendors.LaneFault)
		}
		if n := s.paid.Load(); n != 1 {
			b.find("HTTP %d: %d paid calls, want 1", status, n)
		}
		s.end()
	}
	if n := followed.Load(); n > 0 {
		b.find("%d redirects were followed", n)
	}
}
