package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// fakeSelfie is the first that was put at a key, or one that came so many later.
type fakeSelfie struct{ later byte }

func (fakeSelfie) Size() int64         { return 4 }
func (fakeSelfie) ContentType() string { return "image/jpeg" }
func (fakeSelfie) Reader() io.Reader   { return bytes.NewReader([]byte("jpeg")) }
func (fakeSelfie) Body() io.ReadCloser { return io.NopCloser(bytes.NewReader([]byte("jpeg"))) }
func (s fakeSelfie) SHA256() [32]byte  { return [32]byte{31: 7 + s.later} }
func (s fakeSelfie) Version() string   { return fmt.Sprint("v-", 7+s.later) }
func (fakeSelfie) Release()            {}

// fakeVendor approves after delay, unless answer says otherwise.
type fakeVendor struct {
	mu     sync.Mutex
	delay  time.Duration
	answer func(c vendors.Call, nth int) (vendors.Verdict, error)
	check  error
	// connect is how long a call takes to connect before it leaves; nil: no time.
	connect func() time.Duration
	calls   []string // submission ids, as called
	times   []time.Time
	checks  []time.Time
	busy    map[string]int
	most    int                          // calls at once for one subject
	kept    map[string][]vendors.Verdict // what it charged, by subject
	asked   int
	// listing is how long it takes to say what it did.
	listing time.Duration
	// refusal is the answer to the next question, and deaf to every one while set.
	refusal, deaf error
}

func (v *fakeVendor) Name() event.Vendor { return event.Argos }

func (v *fakeVendor) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{NeedsSelfie: true}
}

func (v *fakeVendor) Check(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.checks = append(v.checks, time.Now())
	return v.check
}

func (v *fakeVendor) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *fakeVendor) Authenticate(ctx context.Context, c vendors.Call) (vendors.Verdict, error) {
	if err := v.leave(ctx); err != nil {
		return vendors.Verdict{}, err
	}
	v.mu.Lock()
	v.calls = append(v.calls, c.SubmissionID)
	v.times = append(v.times, time.Now())
	if v.busy == nil {
		v.busy = map[string]int{}
	}
	v.busy[c.SubmissionID]++
	v.most = max(v.most, v.busy[c.SubmissionID])
	nth, delay, answer := len(v.calls), v.delay, v.answer
	v.mu.Unlock()
	defer v.set(func() { v.busy[c.SubmissionID]-- })
	reference := fmt.Sprint("auth-", c.SubmissionID)
	v.set(func() {
		if v.kept == nil {
			v.kept = map[string][]vendors.Verdict{}
		}
		v.kept[c.SubmissionID] = append(v.kept[c.SubmissionID], vendors.Verdict{
			Outcome: event.Approved, Reference: reference, Liveness: event.LivenessNone, At: time.Now()})
	})
	if !takes(ctx, delay) {
		return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Op: "authenticate", Kind: vendors.Transient, Unknown: true, Err: ctx.Err()}
	}
	if answer != nil {
		return answer(c, nth)
	}
	return vendors.Verdict{Outcome: event.Approved, Reference: reference, Liveness: event.LivenessNone}, nil
}

// takes waits for as long as an answer takes; false says that ctx ended first. It uses
// no timer for none: under the race detector, timers of one bubble that are due at once
// crash the runtime now and then, as they share one context of it (Go 1.26.8,
// runtime/time.go, unlockAndRun).
func takes(ctx context.Context, delay time.Duration) bool {
	return delay <= 0 || sleep(ctx, delay)
}

// findingVendor is a vendor that can be asked what it did.
type findingVendor struct{ *fakeVendor }

func (v findingVendor) Find(ctx context.Context, calls []vendors.Call, since time.Time, turn vendors.Turn) (found [][]vendors.Verdict, _ error) {
	err := turn(ctx, func(context.Context) error {
		v.mu.Lock()
		refusal := cmp.Or(v.deaf, v.refusal)
		v.refusal = nil
		v.mu.Unlock()
		if refusal != nil {
			return refusal
		}
		if v.listing > 0 {
			time.Sleep(v.listing) // fake time
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked++
		for _, c := range calls {
			var mine []vendors.Verdict
			for _, done := range v.kept[c.SubmissionID] {
				if !done.At.Before(since) {
					mine = append(mine, done)
				}
			}
			found = append(found, mine)
		}
		return nil
	})
	return found, err
}

func (v *fakeVendor) called() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.calls...)
}
