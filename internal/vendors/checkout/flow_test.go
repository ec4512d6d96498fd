package checkout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"reauth/internal/vendors"
)

// fault returns the error as it must be.
func fault(tb testing.TB, err error) *vendors.Error {
	tb.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) {
		tb.Fatalf("error is %v, want a *vendors.Error", err)
	}
	return e
}

// summary is a step's end in short: a verdict with its reasons, a pending step
// with its state's next one, or an error.
func summary(tb testing.TB, v vendors.Verdict, err error) string {
	tb.Helper()
	if err != nil {
		e := fault(tb, err)
		s := e.Kind.String() + " " + e.Code
		if e.Unknown {
			s += ", unknown"
		}
		return s
	}
	if v.Pending == nil {
		s := string(v.Outcome)
		for _, r := range v.Reasons {
			s += " " + string(r)
		}
		return s
	}
	s, ok := readState(v.Pending.State)
	if !ok {
		tb.Fatalf("state %q cannot be read", v.Pending.State)
	}
	text := string(s.Next)
	if v.Pending.Invite != nil {
		text += fmt.Sprintf(", invite %d", v.Pending.Invite.Number)
	}
	if v.Pending.After > 0 {
		text += ", later"
	}
	return text
}

// flow is a request on its way through the steps, as the pipeline drives it.
type flow struct {
	tb      testing.TB
	adapter *Adapter
	vendor  *hosted
	call    vendors.Call
	after   time.Duration
	verdict vendors.Verdict // once there is one
	truth   string          // the vendor's status at that time
	links   map[int]string  // announced, by number
}

func newFlow(tb testing.TB, h *hosted, change func(*Config)) *flow {
	return &flow{tb: tb, adapter: h.adapter(tb, change), vendor: h, call: theCall(), links: map[int]string{}}
}

func (f *flow) auth() *hostedAuth { return f.vendor.auths[len(f.vendor.auths)-1] }

// crash says when the process dies within a step.
type crash int

const (
	noCrash crash = iota
	beforeAnnouncing
	beforeKeeping // the invitation is out, the state is not kept
)

// step makes a call and keeps what comes of it, unless the process dies.
func (f *flow) step(dies crash) string {
	f.tb.Helper()
	v, err := f.adapter.Authenticate(f.tb.Context(), f.call)
	text := summary(f.tb, v, err)
	switch {
	case err != nil:
		f.call.Unsure = f.call.Unsure || fault(f.tb, err).Unknown
		return text
	case dies == beforeAnnouncing:
		f.call.Unsure = true
		return text
	case v.Pending == nil:
		f.verdict = v
		if len(f.vendor.auths) > 0 {
			f.truth = f.auth().status
		}
		return text
	}
	f.judge(v)
	if i := v.Pending.Invite; i != nil {
		f.announce(i)
	}
	if dies == beforeKeeping {
		f.call.Unsure = true
		return text
	}
	f.call.State, f.call.Unsure, f.after = v.Pending.State, false, v.Pending.After
	return text
}

// judge looks at what is true of every step.
func (f *flow) judge(v vendors.Verdict) {
	f.tb.Helper()
	p := v.Pending
	if len(p.State) > vendors.MaxState || strings.Contains(strings.ToLower(p.State), "canary") || strings.Contains(p.State, "http") {
		f.tb.Fatalf("state %q is too long, or holds what it must not", p.State)
	}
	if p.Reference == "" || !strings.HasPrefix(p.Reference, "fav_") {
		f.tb.Fatalf("reference %q", p.Reference)
	}
	s, _ := readState(p.State)
	left := max(0, s.deadline(f.call.NotAfter).Sub(f.vendor.now))
	if p.After < 0 || p.After > f.adapter.pollMax || p.After > left {
		f.tb.Fatalf("wait of %v, with %v left", p.After, left)
	}
}

// announce publishes an invitation: a number that was there before is taken for
// the same event, so that it must come with the same link.
func (f *flow) announce(i *vendors.Invite) {
	f.tb.Helper()
	if former, known := f.links[i.Number]; known && former != i.URL {
		f.tb.Fatalf("invitation %d has two links: who follows the results never sees the second", i.Number)
	}
	for number, link := range f.links {
		if link == i.URL && number != i.Number {
			f.tb.Fatalf("one link has the numbers %d and %d", number, i.Number)
		}
	}
	if !i.ExpiresAt.After(f.vendor.now) {
		f.tb.Fatalf("invitation %d has ended already", i.Number)
	}
	f.links[i.Number] = i.URL
}

// run makes steps, each when it is due, until there is a verdict.
func (f *flow) run(steps int) {
	f.tb.Helper()
	for range steps {
		f.vendor.now = f.vendor.now.Add(f.after)
		f.step(noCrash)
		if f.verdict.Outcome != "" {
			return
		}
	}
	f.tb.Fatalf("no verdict after %d steps; state %s", steps, f.call.State)
}

// steps makes them and returns how they ended.
func (f *flow) steps(n int) (all []string) {
	f.tb.Helper()
	for range n {
		all = append(all, f.step(noCrash))
	}
	return all
}
