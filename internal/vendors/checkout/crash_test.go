package checkout

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

// TestACrashAtTheStartLeavesNothingOpen: another face authentication is created,
// and nobody is invited to the first.
func TestACrashAtTheStartLeavesNothingOpen(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	want(t, f.step(beforeAnnouncing), "invite")
	want(t, f.steps(2), []string{"invite", "look, invite 1, later"})
	want(t, len(f.vendor.auths), 2)
	want(t, len(f.vendor.auths[0].attempts), 0)
	want(t, f.vendor.auths[0].status, created)
}

// TestAnAttemptThatMayHaveBeenMadeIsLookedFor: at every moment at which a
// process can die, the person ends with one link that works.
func TestAnAttemptThatMayHaveBeenMadeIsLookedFor(t *testing.T) {
	for name, c := range map[string]struct {
		fails func(*flow)
		then  []string
	}{
		"request lost": {func(f *flow) { f.vendor.lost = true; f.step(noCrash); f.call.Unsure = true }, []string{"invite", "look, invite 1, later"}},
		"answer lost":  {func(f *flow) { f.vendor.lostAnswer = true; f.step(noCrash) }, []string{"look, invite 1, later"}},
		"answer unreadable": {func(f *flow) {
			f.vendor.lostAnswer = true
			f.step(noCrash)
			f.vendor.answer = saying(502, "")
			f.step(noCrash)
		}, []string{"look, invite 1, later"}},
		"never announced":  {func(f *flow) { f.step(beforeAnnouncing) }, []string{"look, invite 1, later"}},
		"announced":        {func(f *flow) { f.step(beforeKeeping) }, []string{"look, invite 1, later"}},
		"announced twice":  {func(f *flow) { f.step(beforeKeeping); f.step(beforeKeeping) }, []string{"look, invite 1, later"}},
		"opened meanwhile": {func(f *flow) { f.step(beforeKeeping); f.vendor.open(f.auth()) }, []string{"look, invite 1, later"}},
		"captured meanwhile": {func(f *flow) { f.step(beforeKeeping); f.vendor.open(f.auth()); f.vendor.capture(f.auth()) },
			[]string{"look, later"}},
		"approved meanwhile": {func(f *flow) {
			f.step(beforeKeeping)
			f.vendor.open(f.auth())
			f.vendor.end(f.auth(), completed, approved)
		}, []string{"look", "approved"}},
		"refused meanwhile": {func(f *flow) {
			f.step(beforeKeeping)
			f.vendor.open(f.auth())
			f.vendor.end(f.auth(), captureRefused, refusedByPerson)
		}, []string{"look", "rejected subject_refused"}},
		// The next link has another number, or nobody would hear of it.
		"ended meanwhile": {func(f *flow) { f.step(beforeKeeping); f.vendor.now = f.vendor.now.Add(time.Hour) },
			[]string{"invite", "look, invite 2, later"}},
		// It may still be opened by a clock that is behind, but not by the
		// person who reads about it only now.
		"about to end": {func(f *flow) {
			f.step(beforeKeeping)
			f.vendor.now = f.vendor.now.Add(DefaultLinkLife + 10*time.Second)
		},
			[]string{"look, later", "look, later"}},
		"ended, and no count": {func(f *flow) {
			f.step(beforeKeeping)
			f.auth().withoutTotalCount = true
			f.vendor.now = f.vendor.now.Add(time.Hour)
		}, []string{"invite", "look, invite 2, later"}},
		"aborted meanwhile": {func(f *flow) {
			f.step(beforeKeeping)
			f.vendor.open(f.auth())
			f.vendor.end(f.auth(), captureAborted, retryRequired, 61121)
		}, []string{"invite", "look, invite 2, later"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, newHosted(), nil)
			f.step(noCrash)
			c.fails(f)
			if !f.call.Unsure {
				t.Fatal("the pipeline would be sure of what it did")
			}
			want(t, f.steps(len(c.then)), c.then)
			want(t, f.vendor.ended, []string(nil))
		})
	}
}

// TestAnAttemptThatComesLateTakesNoNumber: the vendor made it after it was looked
// for, and nobody was ever told of it. The link that is announced keeps its
// number when it is announced again.
func TestAnAttemptThatComesLateTakesNoNumber(t *testing.T) {
	f := newFlow(t, newHosted(), nil)
	f.step(noCrash)
	f.call.Unsure = true
	want(t, f.step(noCrash), "invite")
	f.vendor.invite(httptest.NewRecorder(), f.auth())
	want(t, f.step(beforeKeeping), "look, invite 1, later")
	want(t, f.step(noCrash), "look, invite 1, later")
	f.vendor.end(f.auth(), captureAborted, retryRequired)
	want(t, f.steps(3), []string{"attempt", "invite", "look, invite 3, later"})
}

// TestTheLastAttemptCountsAfterACrash: the bound holds for what the vendor knows.
func TestTheLastAttemptCountsAfterACrash(t *testing.T) {
	f := newFlow(t, newHosted(), func(c *Config) { c.MaxAttempts = 1 })
	f.step(noCrash)
	f.step(beforeKeeping)
	f.vendor.open(f.auth())
	f.vendor.end(f.auth(), captureAborted, retryRequired, 61201)
	want(t, f.step(noCrash), "unusable attempts_exhausted")
	want(t, f.verdict.Codes, []string{"61201"})
}

// TestALinkFoundAgainKeepsItsEnd, by the vendor's clock if ours differs.
func TestALinkFoundAgainKeepsItsEnd(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		h := newHosted()
		f := newFlow(t, h, nil)
		f.adapter.now = func() time.Time { return h.now.Add(skew) }
		f.step(noCrash)
		f.step(beforeAnnouncing)
		h.now = h.now.Add(5 * time.Minute)
		v, err := f.adapter.Authenticate(t.Context(), f.call)
		if err != nil || v.Pending == nil || v.Pending.Invite == nil {
			t.Fatalf("%+v, %v", v, err)
		}
		want(t, v.Pending.Invite.ExpiresAt, h.now.Add(skew+DefaultLinkLife-5*time.Minute))
	}
}

// TestAtMostOneLinkLives: whatever the person, the clock, the network and the
// processes do, no attempt ends one that the person could have followed, each
// link is announced under a number of its own, and there is a verdict in the
// end: the vendor's, if it has one.
func TestAtMostOneLinkLives(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := newHosted()
		f := newFlow(&rapidTB{TB: t, r: r}, h, func(c *Config) {
			c.MaxAttempts = rapid.IntRange(1, 4).Draw(r, "attempts")
			c.Deadline = time.Duration(rapid.IntRange(1, 40).Draw(r, "deadline")) * 5 * time.Minute
		})
		withPerson := func(act func(*hostedAuth)) func(*rapid.T) {
			return func(*rapid.T) {
				if len(h.auths) > 0 {
					act(f.auth())
				}
			}
		}
		step := func(prepare func(), dies crash) func(*rapid.T) {
			return func(*rapid.T) {
				if f.verdict.Outcome == "" {
					prepare()
					f.step(dies)
					h.lost, h.lostAnswer, h.stale, h.answer = false, false, false, nil
				}
			}
		}
		finish := func(attempt, status string, codes ...int) func(*rapid.T) {
			return withPerson(func(auth *hostedAuth) {
				if t := auth.last(); t != nil && (t.status == captureInProgress || t.status == checksInProgress) {
					h.end(auth, attempt, status, codes...)
				}
			})
		}
		nothing := func() {}
		r.Repeat(map[string]func(*rapid.T){
			"step":              step(nothing, noCrash),
			"step again":        step(nothing, noCrash),
			"crash":             step(nothing, beforeAnnouncing),
			"crash, announced":  step(nothing, beforeKeeping),
			"request lost":      step(func() { h.lost = true }, noCrash),
			"answer lost":       step(func() { h.lostAnswer = true }, noCrash),
			"stale answer":      step(func() { h.stale = !f.isOver() }, noCrash),
			"server error":      step(func() { h.answer = saying(503, "") }, noCrash),
			"due":               func(*rapid.T) { h.now = h.now.Add(f.after) },
			"time":              func(r *rapid.T) { h.now = h.now.Add(time.Duration(rapid.IntRange(1, 1200).Draw(r, "s")) * time.Second) },
			"vendor sees links": withPerson(h.sweep),
			"person opens":      withPerson(func(auth *hostedAuth) { h.open(auth) }),
			"person captures":   withPerson(func(auth *hostedAuth) { h.capture(auth) }),
			"person drops":      finish(captureAborted, retryRequired, 61121),
			"video is blurred":  finish(checksInconclusive, retryRequired, 61401),
			"person refuses":    finish(captureRefused, refusedByPerson, 63001),
			"approved":          finish(completed, approved, 10000),
			"declined":          finish(completed, declined, 62321),
			"": func(r *rapid.T) {
				if len(h.ended) > 0 {
					r.Fatalf("attempts %q were ended while they lived", h.ended)
				}
			},
		})
		if f.verdict.Outcome == "" {
			f.run(200)
		}
		f.judgeEnd()
	})
}

// isOver tells whether the next look is the last, which must not be stale: there
// is none after it to put it right.
func (f *flow) isOver() bool {
	s, _ := readState(f.call.State)
	return f.call.State != "" && f.adapter.isOver(s, f.call)
}

// judgeEnd compares the verdict with what the vendor knows.
func (f *flow) judgeEnd() {
	var auth *hostedAuth
	for _, each := range f.vendor.auths {
		if each.ID == f.verdict.Reference {
			auth = each
		}
	}
	if auth == nil {
		f.tb.Fatalf("verdict on %q", f.verdict.Reference)
	}
	outcome := outcomes[f.truth]
	switch f.verdict.Outcome {
	case outcome:
	case event.Unusable, event.Expired:
		if outcome != "" {
			f.tb.Fatalf("%s, but the vendor says %s", f.verdict.Outcome, f.truth)
		}
		if n := len(auth.attempts); f.verdict.Outcome == event.Unusable && n < f.adapter.maxAttempts {
			f.tb.Fatalf("unusable after %d attempts", n)
		}
	default:
		f.tb.Fatalf("%s, but the vendor says %s", f.verdict.Outcome, f.truth)
	}
	if n := len(auth.attempts); n > f.adapter.maxAttempts {
		f.tb.Fatalf("%d attempts", n)
	}
}

// rapidTB reports to the run of the property that fails.
type rapidTB struct {
	testing.TB
	r *rapid.T
}

func (t *rapidTB) Helper()                           {}
func (t *rapidTB) Fatalf(format string, args ...any) { t.r.Fatalf(format, args...) }
func (t *rapidTB) Fatal(args ...any)                 { t.r.Fatal(fmt.Sprint(args...)) }
