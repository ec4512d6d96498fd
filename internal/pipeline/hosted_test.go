package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// hostedVendor asks the person: a verdict takes a session, a link to its page,
// and the person's coming. Making a second session for a request is harmless, a
// second live link is not.
type hostedVendor struct {
	mu       sync.Mutex
	poll     time.Duration
	sessions map[string]int           // by submission
	links    map[string]int           // live ones, by session
	verdicts map[string]event.Outcome // by session
	calls    []vendors.Call
	doubled  int // links made while one was live
	// after is called when a step has had its effect; its error is what the
	// caller sees instead of the answer.
	after func(step string, nth int) error
	asked int // reviews
}

func newHostedVendor() *hostedVendor {
	return &hostedVendor{
		poll: time.Hour, sessions: map[string]int{}, links: map[string]int{}, verdicts: map[string]event.Outcome{},
	}
}

func (v *hostedVendor) Name() event.Vendor          { return event.Argos }
func (v *hostedVendor) Check(context.Context) error { return nil }
func (v *hostedVendor) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{Resumable: true, Revisable: true}
}

func (v *hostedVendor) Authenticate(_ context.Context, c vendors.Call) (vendors.Verdict, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, c)
	step, verdict := v.step(c)
	if v.after != nil {
		if err := v.after(step, len(v.calls)); err != nil {
			return vendors.Verdict{}, err
		}
	}
	return verdict, nil
}

func (v *hostedVendor) step(c vendors.Call) (string, vendors.Verdict) {
	pending := func(p vendors.Pending) vendors.Verdict { return vendors.Verdict{Pending: &p} }
	session, linked := strings.CutSuffix(c.State, "+link")
	switch {
	case c.State == "":
		v.sessions[c.SubmissionID]++
		session = fmt.Sprintf("fav_%s_%d", c.SubmissionID, v.sessions[c.SubmissionID])
		return "session", pending(vendors.Pending{State: session, Reference: session})
	case !linked:
		if v.links[session] == 0 || !c.Unsure {
			v.links[session]++
			if v.links[session] > 1 {
				v.doubled++
			}
		}
		return "link", pending(vendors.Pending{State: session + "+link", Reference: session, After: v.poll, Invite: &vendors.Invite{
			Number: 1, URL: "https://capture.example/" + session, ExpiresAt: time.Now().Add(15 * time.Minute)}})
	case v.verdicts[session] != "":
		return "verdict", vendors.Verdict{Outcome: v.verdicts[session], Reference: session, Liveness: event.LivenessVendor}
	case !c.NotAfter.IsZero() && time.Now().After(c.NotAfter):
		return "verdict", vendors.Verdict{Outcome: event.Expired, Reference: session}
	}
	return "poll", pending(vendors.Pending{State: c.State, Reference: session, After: v.poll})
}

func (v *hostedVendor) Review(_ context.Context, reference string) (vendors.Verdict, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	return vendors.Verdict{Outcome: v.verdicts[reference], Reference: reference, Liveness: event.LivenessVendor}, nil
}

// decide is the person's coming.
func (v *hostedVendor) decide(session string, o event.Outcome) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.verdicts[session] = o
}

// tell is the vendor's webhook.
func tell(t *testing.T, w *world, session string, o event.Outcome) {
	t.Helper()
	if err := w.Tell(t.Context(), vendors.News{Vendor: event.Argos, Reference: session, Outcome: o}); err != nil {
		t.Fatal(err)
	}
}

// happened returns the types of the events on the results topic, without a
// repeated one, and how often one was repeated.
func happened(w *world) (types []string, repeated int) {
	seen := map[string]bool{}
	for _, rec := range w.topics.written("results") {
		if id, _ := rec.Header("ce_id"); seen[id] {
			repeated++
		} else {
			seen[id] = true
			types = append(types, event.TypeOf(rec))
		}
	}
	return types, repeated
}

func finalResults(t *testing.T, w *world) (all []event.Result) {
	t.Helper()
	for _, rec := range w.topics.written("results") {
		if event.TypeOf(rec) != event.TypeResult {
			continue
		}
		r, err := event.DecodeResult(rec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func hosted(t *testing.T, v *hostedVendor) *world {
	w := join(t, newFakeTopics(), v, nil)
	w.assign([]int{0, 1, 2}, nil, nil)
	return w
}

func TestPersonIsInvitedAndAnsweredAsSoonAsThereIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		recs := w.topics.written("results")
		if len(recs) != 1 {
			t.Fatalf("%d events, want the invitation", len(recs))
		}
		invitation, err := event.DecodePending(recs[0])
		if err != nil || invitation.VerificationURL != "https://capture.example/fav_sub-1_1" || invitation.Attempt != 1 {
			t.Fatalf("invitation %+v, %v", invitation, err)
		}
		if n := w.next(0); n != 1 {
			t.Errorf("next is %d: a request that waits for a person holds no offset", n)
		}
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Minute)
		if n := len(finalResults(t, w)); n != 0 {
			t.Fatalf("%d results before the next poll and without news", n)
		}
		tell(t, w, "fav_sub-1_1", event.Approved)
		settle(time.Second)
		rs := finalResults(t, w)
		if len(rs) != 1 || rs[0].Outcome != event.Approved || rs[0].VendorReference != "fav_sub-1_1" || rs[0].Liveness != event.LivenessVendor || rs[0].Calls != 3 {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

func TestWithoutNewsTheVendorIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1")
		settle(90 * time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		settle(time.Hour)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Rejected {
			t.Errorf("results %+v", rs)
		}
		w.shut()
	})
}

func TestNewsThatOvertakesTheAnswerIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		v.after = func(step string, _ int) error {
			if step == "link" { // the person is there before the call has returned
				time.Sleep(time.Millisecond)
				v.verdicts["fav_sub-1_1"] = event.Approved
				w.parking.wake("fav_sub-1_1")
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Second)
		if n := len(finalResults(t, w)); n != 1 {
			t.Errorf("%d results: the news was lost", n)
		}
		w.shut()
	})
}

func TestNewsIsHeededOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		tell(t, w, "fav_sub-1_1", "")
		settle(10 * time.Minute)
		if n := len(v.calls); n != 3 {
			t.Errorf("%d calls, want two and one look", n)
		}
		tell(t, w, "fav_of-somebody-else", "")
		settle(time.Minute)
		if n := len(v.calls); n != 3 {
			t.Errorf("%d calls after news of somebody else", n)
		}
		w.shut()
	})
}

func TestHostedFlowSurvivesADeathBetweenAnyTwoSteps(t *testing.T) {
	// Death comes right before or right after each write, of which there are
	// claim, parking (twice), invitation, and so on.
	for die := 1; die <= 14; die++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, written %v", die, written), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { dieAtWrite(t, die, written) })
			})
		}
	}
}

func dieAtWrite(t *testing.T, die int, written bool) {
	v := newHostedVendor()
	v.poll = 5 * time.Minute
	topics := newFakeTopics()
	a, b := join(t, topics, v, nil), join(t, topics, v, nil)
	a.assign([]int{0, 1, 2}, nil, nil)
	synctest.Wait()
	v.after = func(step string, _ int) error {
		if step == "poll" {
			v.verdicts["fav_sub-1_1"], v.verdicts["fav_sub-1_2"] = event.Approved, event.Approved
		}
		return nil
	}
	writes, dead := 0, make(chan struct{})
	topics.write = func(recs []event.Record) error {
		if recs[0].Topic == "signals" || ledger.BarrierOf(recs[0].Value) > 0 {
			return nil
		}
		topics.mu.Lock()
		writes++
		now := writes == die
		topics.mu.Unlock()
		if !now {
			return nil
		}
		if written {
			topics.keep(recs)
		}
		close(dead)
		<-a.take.Done()
		return context.Canceled
	}
	a.send(0, "r-1", "sub-1")
	select {
	case <-dead:
		a.commit()
		a.kill()
	case <-time.After(time.Hour): // there are not so many writes
		a.shut()
	}
	b.assign([]int{0, 1, 2}, nil, nil)
	settle(2 * time.Hour)
	rs := finalResults(t, b)
	if len(rs) != 1 || rs[0].Outcome != event.Approved {
		t.Errorf("results %+v, want the one", rs)
	}
	if v.doubled != 0 {
		t.Errorf("%d links were made while one was live", v.doubled)
	}
	types, repeated := happened(b)
	if len(types) != 2 || types[0] != event.TypePending || repeated > 1 {
		// A death between making the session and parking it orphans it, so
		// what is announced may be repeated, never for two of them.
		t.Errorf("events %v, %d repeated", types, repeated)
	}
	b.shut()
}

func TestLostAnswerOfAHostedStepIsTakenUpWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		v.after = func(step string, nth int) error {
			if nth == 2 { // the link is made, and nobody hears of it
				return lost()
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		if v.doubled != 0 || len(v.calls) != 3 || !v.calls[2].Unsure || v.calls[2].State != v.calls[1].State {
			t.Errorf("%d links doubled, calls %+v", v.doubled, v.calls)
		}
		if types, _ := happened(w); len(types) != 1 || types[0] != event.TypePending {
			t.Errorf("events %v, want the invitation", types)
		}
		w.shut()
	})
}

func TestHostedStepThatAlwaysFailsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		w := hosted(t, v)
		v.after = func(string, int) error { return lost() }
		w.send(0, "r-1", "sub-1")
		settle(time.Hour)
		rs := finalResults(t, w)
		if len(rs) != 1 || rs[0].Outcome != event.Failed || len(v.calls) != w.cfg.Retry.MaxAttempts {
			t.Errorf("%d calls, results %+v", len(v.calls), rs)
		}
		w.shut()
	})
}

func TestRequestAtTheVendorIsExpiredByItsAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = 20 * time.Minute
		w := hosted(t, v)
		w.send(0, "r-1", "sub-1", func(r *event.Request) { r.NotAfter = time.Now().Add(time.Hour) })
		settle(59 * time.Minute)
		v.decide("fav_sub-1_1", event.Approved) // paid for, and in time
		settle(time.Hour)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v, want the verdict that was there at the last look", rs)
		}
		w.shut()
	})
}

func TestManyStepsAreNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newHostedVendor()
		v.poll = time.Minute
		w := hosted(t, v)
		w.lines[event.Argos].budget = newBudget(1e-9)
		w.send(0, "r-1", "sub-1")
		settle(30 * time.Minute)
		if n := len(v.calls); n < 25 {
			t.Errorf("%d calls in half an hour of one a minute: polls were held to the retry budget", n)
		}
		v.decide("fav_sub-1_1", event.Approved)
		settle(2 * time.Minute)
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v: more polls than attempts are allowed", rs)
		}
		w.shut()
	})
}
