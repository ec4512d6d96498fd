package checkout

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func want(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheWayToAnApproval is the whole of it, call by call.
func TestTheWayToAnApproval(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	want(t, f.steps(2), []string{"invite", "look, invite 1, later"})
	want(t, f.links[1], f.auth().last().link())
	f.vendor.open(f.auth())
	want(t, f.steps(1), []string{"look, later"})
	f.vendor.capture(f.auth())
	want(t, f.steps(1), []string{"look, later"})
	f.vendor.now = f.vendor.now.Add(time.Minute)
	f.vendor.end(f.auth(), completed, approved, 10000)
	f.step(noCrash)
	want(t, f.verdict, vendors.Verdict{
		Outcome: event.Approved, Codes: []string{"10000"}, Reference: "fav_1",
		Liveness: event.LivenessVendor, At: theStart.Add(time.Minute),
	})
	want(t, f.vendor.calls, []string{
		"POST /face-authentications", "POST /face-authentications/fav_1/attempts",
		"GET /face-authentications/fav_1", "GET /face-authentications/fav_1", "GET /face-authentications/fav_1",
	})
}

// TestEveryStatusOfALook goes through what the vendor can say of a face
// authentication whose link is out: the link works, or is dead.
func TestEveryStatusOfALook(t *testing.T) {
	for _, c := range []struct {
		status     string
		codes      []int
		works, end string
	}{
		{created, nil, "look, later", "attempt"},
		{pending, nil, "look, later", "attempt"},
		{captureInProgress, nil, "look, later", "look, later"},
		{checksInProgress, nil, "look, later", "look, later"},
		{retryRequired, []int{61401}, "attempt", "attempt"},
		{approved, []int{10000}, "approved", "approved"},
		{approved, []int{62321}, "approved", "approved"},
		{declined, nil, "rejected other_rejection", ""},
		{declined, []int{62999}, "rejected other_rejection", ""},
		{declined, []int{62305}, "rejected face_not_live", ""},
		{declined, []int{62306}, "rejected face_altered", ""},
		{declined, []int{62306, 62307}, "rejected face_altered", ""},
		{declined, []int{62321}, "rejected face_mismatch", ""},
		{declined, []int{62321, 62402}, "rejected face_mismatch suspicious_device", ""},
		{declined, []int{62403}, "rejected consent_unclear", ""},
		{declined, []int{62405}, "rejected known_fraud", ""},
		{refusedByPerson, []int{63001}, "rejected subject_refused", ""},
		{inconclusive, []int{64001}, "rejected inconclusive", ""},
		{"waiting_for_an_expert", nil, "look, later", "look, later"},
		{"Approved", nil, "look, later", "look, later"},
	} {
		for _, dead := range []bool{false, true} {
			f := newFlow(t, newHosted(), nil)
			f.steps(2)
			f.vendor.move(f.auth(), c.status, c.codes...)
			expected := c.works
			if dead {
				f.vendor.now = f.vendor.now.Add(DefaultLinkLife + time.Minute)
				if c.end != "" {
					expected = c.end
				}
			}
			if got := f.step(noCrash); got != expected {
				t.Errorf("%s %v, link dead %v: %s, want %s", c.status, c.codes, dead, got, expected)
			}
			if v := f.verdict; v.Outcome != "" {
				want(t, v.Codes, texts(c.codes))
				want(t, []any{v.Reference, v.Liveness}, []any{"fav_1", event.LivenessVendor})
			}
		}
	}
}

// TestEveryStatusOfAnAttempt goes through what the vendor can say of an attempt
// when the face authentication asks for another.
func TestEveryStatusOfAnAttempt(t *testing.T) {
	for _, c := range []struct {
		status string
		codes  []int
		// works and dead: with attempts left; last: with none left, and a
		// dead link.
		works, dead, last string
	}{
		{pendingRedirection, nil, "look, later", "invite", "expired not_after_passed"},
		{captureInProgress, nil, "look, later", "look, later", "look, later"},
		{checksInProgress, nil, "look, later", "look, later", "look, later"},
		{expired, nil, "invite", "invite", "expired not_after_passed"},
		{expired, []int{61101}, "invite", "invite", "expired not_after_passed"},
		{expired, []int{61121}, "invite", "invite", "unusable attempts_exhausted"},
		{terminated, nil, "invite", "invite", "expired not_after_passed"},
		{captureAborted, nil, "invite", "invite", "unusable attempts_exhausted"},
		{captureAborted, []int{61113}, "invite", "invite", "unusable attempts_exhausted"},
		{checksInconclusive, []int{61401}, "invite", "invite", "unusable face_blurred"},
		{checksInconclusive, []int{61402, 61410}, "invite", "invite", "unusable poor_light no_face"},
		{checksInconclusive, []int{61411}, "invite", "invite", "unusable face_occluded"},
		{checksInconclusive, []int{61412}, "invite", "invite", "unusable attempts_exhausted"},
		{completed, nil, "invite", "invite", "look, later"},
		{captureRefused, nil, "invite", "invite", "look, later"},
		{"in_a_queue", nil, "look, later", "invite", "look, later"},
	} {
		for _, run := range []struct {
			name     string
			dead     bool
			attempts int
			want     string
		}{{"works", false, 3, c.works}, {"dead", true, 3, c.dead}, {"last", true, 1, c.last}} {
			f := newFlow(t, newHosted(), func(config *Config) { config.MaxAttempts = run.attempts })
			f.steps(2)
			f.vendor.move(f.auth(), retryRequired)
			if run.dead {
				f.vendor.now = f.vendor.now.Add(DefaultLinkLife + time.Minute)
			}
			f.auth().last().status, f.auth().last().codes = c.status, c.codes
			if got := f.steps(2); got[0] != "attempt" || got[1] != run.want {
				t.Errorf("%s %v, %s: %q, want %s", c.status, c.codes, run.name, got, run.want)
			}
			if v := f.verdict; v.Outcome != "" {
				want(t, v.Codes, texts(c.codes))
				want(t, v.Reference, "fav_1")
			}
		}
	}
}

// TestALinkThatEndsIsReplaced at once, and only then.
func TestALinkThatEndsIsReplaced(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	f.steps(2)
	for n := 2; n <= DefaultMaxAttempts; n++ {
		dead := f.vendor.now.Add(DefaultLinkLife * 105 / 100)
		for f.step(noCrash) == "look, later" {
			f.vendor.now = f.vendor.now.Add(f.after)
		}
		if late := f.vendor.now.Sub(dead); late != 0 {
			t.Errorf("looked %v after the link was dead", late)
		}
		want(t, f.steps(2), []string{"invite", fmt.Sprintf("look, invite %d, later", n)})
	}
	f.vendor.now = f.vendor.now.Add(time.Hour)
	want(t, f.steps(2), []string{"attempt", "expired not_after_passed"})
	want(t, len(f.auth().attempts), DefaultMaxAttempts)
	want(t, f.vendor.ended, []string(nil))
}

// TestTheAttemptIsAskedBeforeItIsReplaced: a look may show what was true a moment
// ago.
func TestTheAttemptIsAskedBeforeItIsReplaced(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	f.steps(2)
	f.vendor.end(f.auth(), captureAborted, retryRequired, 61121)
	want(t, f.steps(3), []string{"attempt", "invite", "look, invite 2, later"})
	f.vendor.stale = true
	want(t, f.steps(2), []string{"attempt", "look, later"})
	want(t, f.vendor.ended, []string(nil))
}

// TestConflictIsSettledByTheStatus: whatever it is, it is acted upon, and what
// stays contradictory is not asked in a hurry.
func TestConflictIsSettledByTheStatus(t *testing.T) {
	for status, expected := range map[string]string{
		approved: "approved", declined: "rejected other_rejection", refusedByPerson: "rejected subject_refused",
		inconclusive: "rejected inconclusive", checksInProgress: "look, later", captureInProgress: "find, later",
		pending: "find, later", retryRequired: "find, later", created: "find, later",
	} {
		f := newFlow(t, newHosted(), nil)
		f.step(noCrash)
		f.vendor.answer = saying(409, "")
		want(t, f.step(noCrash), "look")
		f.vendor.move(f.auth(), status)
		want(t, f.step(noCrash), expected)
	}

	f := newFlow(t, newHosted(), func(c *Config) { c.Deadline = time.Hour })
	f.step(noCrash)
	calls := 0
	for f.verdict.Outcome == "" {
		if f.call.State != "" {
			if s, _ := readState(f.call.State); s.Next == stepInvite {
				f.vendor.answer = saying(409, "")
			}
		}
		f.vendor.now = f.vendor.now.Add(f.after)
		f.step(noCrash)
		calls++
	}
	if calls > 80 {
		t.Errorf("%d calls within an hour", calls)
	}
	want(t, f.verdict.Outcome, event.Expired)
}

// TestTheLastLookIsAtTheDeadline, whatever the next step would have been, and
// what it finds is the verdict.
func TestTheLastLookIsAtTheDeadline(t *testing.T) {
	for _, notAfter := range []time.Duration{0, 10 * time.Minute, 5 * time.Hour} {
		for _, final := range []bool{false, true} {
			for steps := 1; steps <= 4; steps++ {
				f := newFlow(t, newHosted(), func(c *Config) { c.Deadline = time.Hour })
				deadline := theStart.Add(time.Hour)
				if notAfter > 0 {
					f.call.NotAfter = theStart.Add(notAfter)
					deadline = theStart.Add(min(notAfter, time.Hour))
				}
				f.steps(steps)
				if s, _ := readState(f.call.State); steps > 1 && s.Next == stepLook {
					for now := f.vendor.now; now.Add(f.after).Before(deadline) && f.auth().status == pending; now = f.vendor.now {
						f.vendor.open(f.auth())
						f.vendor.now = now.Add(f.after)
						f.step(noCrash)
					}
				}
				f.vendor.now = deadline
				expected := "expired not_after_passed"
				if final {
					f.vendor.move(f.auth(), approved)
					expected = "approved"
				}
				calls := len(f.vendor.calls)
				want(t, f.step(noCrash), expected)
				want(t, f.vendor.calls[calls:], []string{"GET /face-authentications/fav_1"})
			}
		}
	}
	f := newFlow(t, newHosted(), nil)
	f.call.NotAfter = theStart.Add(30 * time.Hour)
	f.steps(2)
	f.vendor.open(f.auth())
	f.vendor.capture(f.auth())
	f.run(1000)
	want(t, f.vendor.now, theStart.Add(DefaultDeadline))
	want(t, f.verdict, vendors.Verdict{
		Outcome: event.Expired, Reasons: []event.Reason{event.NotAfterPassed}, Reference: "fav_1", Liveness: event.LivenessNone,
	})
}

// TestAFailedLastLookIsTakenAgain: a verdict may be there, and nobody saw it.
func TestAFailedLastLookIsTakenAgain(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	f.steps(2)
	f.vendor.open(f.auth())
	f.vendor.capture(f.auth())
	f.vendor.end(f.auth(), completed, approved)
	f.vendor.now = f.vendor.now.Add(DefaultDeadline)
	f.vendor.answer = saying(503, "")
	want(t, f.step(noCrash), "transient , unknown")
	want(t, f.step(noCrash), "approved")
}

// TestWaitsGrow from the first to the longest, and begin anew with news.
func TestWaitsGrow(t *testing.T) {
	h := newHosted()
	h.linkLife = 24 * time.Hour
	f := newFlow(t, h, func(c *Config) { c.PollFirst, c.PollMax = 10*time.Second, time.Minute })
	f.steps(2)
	expect := func(first int) {
		t.Helper()
		for n := first; n < 9; n++ {
			atMost := min(time.Minute, time.Duration(float64(10*time.Second)*math.Pow(pauseGrowth, float64(n))))
			if f.after > atMost || f.after < atMost*9/10-time.Nanosecond {
				t.Errorf("wait %d is %v, want %v less at most a tenth", n, f.after, atMost)
			}
			f.vendor.now = f.vendor.now.Add(f.after)
			f.step(noCrash)
		}
	}
	expect(0)
	f.vendor.open(f.auth())
	f.step(noCrash)
	expect(0)
	f.vendor.capture(f.auth())
	f.step(noCrash)
	expect(0)
}

// TestUnknownStatusesAreCounted and waited out.
func TestUnknownStatusesAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	f := newFlow(t, newHosted(), func(c *Config) { c.Registerer = registry })
	if n := testutil.CollectAndCount(f.adapter.unknown); n != 2 {
		t.Errorf("%d counters before there is anything to count", n)
	}
	f.steps(2)
	f.vendor.move(f.auth(), "being_considered")
	f.steps(3)
	f.vendor.move(f.auth(), retryRequired)
	f.auth().last().status = "being_considered"
	want(t, f.steps(2), []string{"attempt", "look, later"})
	want(t, testutil.ToFloat64(f.adapter.unknown.WithLabelValues(ofAuthentication)), 3.0)
	want(t, testutil.ToFloat64(f.adapter.unknown.WithLabelValues(ofAttempt)), 1.0)
	f.vendor.move(f.auth(), "being_considered")
	f.run(1000)
	want(t, f.verdict.Outcome, event.Expired)
}

// TestSomebodyElsesAnswerIsNoVerdict: neither under another id nor for another
// applicant.
func TestSomebodyElsesAnswerIsNoVerdict(t *testing.T) {
	other := func(id, applicant string) string {
		return fmt.Sprintf(`{"id":%q,"applicant_id":%q,"status":"approved"}`, id, applicant)
	}
	for body, expected := range map[string]string{
		other("fav_2", applicant):                          "transient unreadable_answer, unknown",
		other("fav_1", "aplt_other"):                       "refused other_applicant",
		other("fav_1", applicant):                          "approved",
		`{"id":"fav_1","status":"approved"}`:               "approved",
		`{"id":"fav_1","status":"declined","STATUS":"a"}`:  "transient unreadable_answer, unknown",
		`{"id":"fav_1","status":"declined","ſtatuS":"a"}`:  "transient unreadable_answer, unknown",
		`{"id":"fav_1","status":["approved"]}`:             "transient unreadable_answer, unknown",
		`{"id":"fav_1"}`:                                   "transient unreadable_answer, unknown",
		`{"id":"fav_1","status":"approved"} {}`:            "transient unreadable_answer, unknown",
		`[{"id":"fav_1","status":"approved"}]`:             "transient unreadable_answer, unknown",
		`{"id":"fav_1","status":"declined","face":{"a":1}`: "transient unreadable_answer, unknown",
	} {
		f := newFlow(t, newHosted(), nil)
		f.steps(2)
		f.vendor.answer = saying(200, body)
		if got := f.step(noCrash); got != expected {
			t.Errorf("%s: %s, want %s", body, got, expected)
		}
	}
	f := newFlow(t, newHosted(), nil)
	f.vendor.answer = saying(201, `{"id":"fav_1","applicant_id":"aplt_other","status":"created"}`)
	want(t, f.step(noCrash), "refused other_applicant")
}

// TestLinksThatCannotBeFollowed are not announced.
func TestLinksThatCannotBeFollowed(t *testing.T) {
	for _, link := range []string{"", "capture.example/x", "http://capture.example/x", "javascript:alert(1)", "https://u:p@capture.example/", "https://capture.example/\x00"} {
		f := newFlow(t, newHosted(), nil)
		f.step(noCrash)
		f.vendor.answer = saying(201, fmt.Sprintf(`{"id":"fatp_1","status":"pending_redirection","_links":{"verification_url":{"href":%q}}}`, link))
		want(t, f.step(noCrash), "transient unreadable_answer, unknown")
	}
}
