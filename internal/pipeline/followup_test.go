package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// picturedVendor is a hostedVendor that keeps a picture of each session, until it
// is erased.
type picturedVendor struct {
	*hostedVendor

	mu       sync.Mutex // guards what follows
	erased   map[string]int
	early    []string // erased before the archive had the picture
	listed   int
	listing  func() error // before each list
	erasing  func() error // before each erasure
	shown    func(session string) []byte
	archived *fakeArchive
}

func newPicturedVendor() *picturedVendor {
	v := &picturedVendor{hostedVendor: newHostedVendor(), erased: map[string]int{}, archived: newFakeArchive()}
	v.poll = time.Second
	v.shown = func(session string) []byte { return []byte("picture of " + session) }
	return v
}

func (v *picturedVendor) Pictures(ctx context.Context, reference string, turn vendors.Turn) (all []vendors.Picture, err error) {
	err = turn(ctx, func(context.Context) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.listed++
		if v.listing != nil {
			if err := v.listing(); err != nil {
				return err
			}
		}
		if v.erased[reference] == 0 && v.shown(reference) != nil {
			all = append(all, vendors.Picture{Attempt: "fatp_1", Name: "face-1", Open: func(context.Context) (io.ReadCloser, int64, error) {
				return io.NopCloser(bytes.NewReader(v.shown(reference))), -1, nil
			}})
		}
		return nil
	})
	return all, err
}

func (v *picturedVendor) Erase(_ context.Context, reference string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.erasing != nil {
		if err := v.erasing(); err != nil {
			return err
		}
	}
	if len(v.archived.all()) == 0 {
		v.early = append(v.early, reference)
	}
	v.erased[reference]++
	return nil
}

func (v *picturedVendor) askedFor() int {
	v.hostedVendor.mu.Lock()
	defer v.hostedVendor.mu.Unlock()
	return v.asked
}

func (v *picturedVendor) callsMade() int {
	v.hostedVendor.mu.Lock()
	defer v.hostedVendor.mu.Unlock()
	return len(v.calls)
}

func (v *picturedVendor) lists() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.listed
}

func (v *picturedVendor) tooEarly() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.early
}

func (v *picturedVendor) erasedOf(session string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.erased[session]
}

func (v *picturedVendor) erasures() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, times := range v.erased {
		n += times
	}
	return n
}

// fakeArchive keeps what it is given, by key.
type fakeArchive struct {
	mu   sync.Mutex
	kept map[string]string
	fail func() error
}

func newFakeArchive() *fakeArchive { return &fakeArchive{kept: map[string]string{}} }

func (a *fakeArchive) keep(ctx context.Context, key string, open func(context.Context) (io.ReadCloser, int64, error)) error {
	body, _, err := open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		if err := a.fail(); err != nil {
			return err
		}
	}
	a.kept[key+".jpg"] = string(content)
	return nil
}

func (a *fakeArchive) all() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]string{}
	for k, v := range a.kept {
		all[k] = v
	}
	return all
}

// everything is a configuration in which all is done after a verdict.
var everything = FollowUpConfig{
	Archive: []event.Outcome{event.Approved, event.Rejected}, AuditChecks: []time.Duration{30 * time.Minute}, AnonymiseAfter: time.Hour,
}

// followingUp returns a pipeline without shards that follows up, with a window so
// short that all but the archiving comes after it.
func followingUp(t *testing.T, topics *fakeTopics, v *picturedVendor, c FollowUpConfig, change func(*Config)) *world {
	t.Helper()
	w := join(t, topics, v, func(cfg *Config, _ *vendors.LaneConfig) {
		cfg.FollowUps, cfg.Window = map[event.Vendor]FollowUpConfig{event.Argos: c}, 20*time.Minute
		if change != nil {
			change(cfg)
		}
	})
	w.parts.Archives = map[event.Vendor]Archive{event.Argos: v.archived.keep}
	return w
}

// followingAlone is followingUp with all shards.
func followingAlone(t *testing.T, v *picturedVendor, c FollowUpConfig, change func(*Config)) *world {
	t.Helper()
	w := followingUp(t, newFakeTopics(), v, c, change)
	w.assign([]int{0, 1, 2}, nil, nil)
	settle(2 * time.Minute) // no former owner can be at it any more
	return w
}

// left returns how much is left to be done.
func left(w *world) (n int) {
	w.Pipeline.mu.Lock()
	defer w.Pipeline.mu.Unlock()
	for _, s := range w.shards {
		s.mu.Lock()
		n += s.ledger.FollowUps()
		s.mu.Unlock()
	}
	return n
}

var archivedOne = map[string]string{"r-1/fatp_1/face-1.jpg": "picture of fav_sub-1_1"}

func TestVerdictIsFollowedUpInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(2 * time.Minute)
		if diff := cmp.Diff(archivedOne, v.archived.all()); diff != "" {
			t.Errorf("archived soon after the verdict (-want +got):\n%s", diff)
		}
		v.decide("fav_sub-1_1", event.Rejected) // and no webhook tells
		settle(20 * time.Minute)
		if n := len(finalResults(t, w)); n != 1 || v.askedFor() != 0 {
			t.Fatalf("%d results, asked %d times before the audit check is due", n, v.askedFor())
		}
		settle(20 * time.Minute)
		rs := finalResults(t, w)
		if len(rs) != 2 || rs[1].Revision != 2 || rs[1].Outcome != event.Rejected || rs[1].RequestID != "r-1" || v.askedFor() != 1 {
			t.Errorf("asked %d times, results %+v; want the changed verdict once", v.askedFor(), rs)
		}
		if v.erasures() != 0 {
			t.Error("anonymised before its time")
		}
		settle(time.Hour)
		if v.erasedOf("fav_sub-1_1") != 1 || len(v.tooEarly()) != 0 || left(w) != 0 {
			t.Errorf("erased %d, before being archived %v, %d left to be done", v.erasures(), v.tooEarly(), left(w))
		}
		w.shut()
	})
}

func TestFollowUpsSurviveADeathBetweenAnyTwoSteps(t *testing.T) {
	// Death comes right before or right after each write: those before the
	// answer, the answer, its result, and of what follows each record and the
	// revision.
	const writes = 18
	reached := 0
	for die := 6; die <= writes; die++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, written %v", die, written), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if dieWhileFollowingUp(t, die, written) {
						reached = die
					}
				})
			})
		}
	}
	if reached == writes || reached < 13 {
		t.Errorf("there was a write %d: the last of them is not tried, or the first are missing", reached)
	}
}

// dieWhileFollowingUp kills the owner at a write; died says whether there were so
// many.
func dieWhileFollowingUp(t *testing.T, die int, written bool) (died bool) {
	v, topics := newPicturedVendor(), newFakeTopics()
	a, b := followingUp(t, topics, v, everything, nil), followingUp(t, topics, v, everything, nil)
	a.assign([]int{0, 1, 2}, nil, nil)
	writes, dead := 0, make(chan struct{})
	topics.write = func(recs []event.Record) error {
		if recs[0].Topic == "signals" || len(recs[0].Key) == 0 {
			return nil // of no request
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
	v.decide("fav_sub-1_1", event.Approved)
	v.decide("fav_sub-1_2", event.Approved)
	a.send(0, "r-1", "sub-1")
	go func() {
		time.Sleep(20 * time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		v.decide("fav_sub-1_2", event.Rejected)
	}()
	select {
	case <-dead:
		a.commit()
		a.kill()
		died = true
	case <-time.After(2 * time.Hour): // there are not so many writes
		a.shut()
	}
	b.assign([]int{0, 1, 2}, nil, nil)
	settle(2 * time.Hour)
	if diff := cmp.Diff(archivedOne, v.archived.all()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if v.erasedOf("fav_sub-1_1") == 0 || v.erasures() != v.erasedOf("fav_sub-1_1") || len(v.tooEarly()) != 0 {
		t.Errorf("erased %d, before being archived %v", v.erasures(), v.tooEarly())
	}
	rs := finalResults(t, b)
	if len(rs) != 2 || rs[0].Revision != 1 || rs[1].Revision != 2 || rs[1].Outcome != event.Rejected {
		t.Errorf("results %+v, want an approval and its revision, once each", rs)
	}
	if n := left(b); n != 0 {
		t.Errorf("%d left to be done", n)
	}
	b.shut()
	return died
}

func TestFollowUpOutlivesManyWindowsAndItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, topics := newPicturedVendor(), newFakeTopics()
		c := FollowUpConfig{AnonymiseAfter: 3 * time.Hour}
		a, b := followingUp(t, topics, v, c, nil), followingUp(t, topics, v, c, nil)
		a.assign([]int{0, 1, 2}, nil, nil)
		v.decide("fav_sub-1_1", event.Approved)
		a.send(0, "r-1", "sub-1")
		settle(100 * time.Minute)
		a.commit()
		a.kill()
		settle(5 * time.Minute)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Hour)
		if left(b) != 1 || v.erasures() != 0 {
			t.Fatalf("%d left to be done after a takeover, %d erased", left(b), v.erasures())
		}
		settle(time.Hour)
		if v.erasedOf("fav_sub-1_1") != 1 || left(b) != 0 {
			t.Errorf("erased %d, %d left", v.erasures(), left(b))
		}
		b.shut()
	})
}

func TestArchiveIsTriedOnceMoreBeforeItIsTooLateAndThenWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, log := newPicturedVendor(), &bytes.Buffer{}
		c := FollowUpConfig{Archive: everything.Archive, AnonymiseAfter: 20 * time.Hour}
		w := followingAlone(t, v, c, nil)
		w.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
		v.listing = func() error { return &vendors.Error{Vendor: event.Argos, Op: "list assets", Kind: vendors.Transient} }
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(12 * time.Hour)
		if v.lists() != followUpTries {
			t.Errorf("%d tries in the first round, want %d", v.lists(), followUpTries)
		}
		settle(18 * time.Hour)
		if v.lists() != 2*followUpTries || v.erasures() != 0 || left(w) != 0 {
			t.Errorf("%d tries in all, %d erased, %d left; want two rounds and nothing erased", v.lists(), v.erasures(), left(w))
		}
		if rs := finalResults(t, w); len(rs) != 1 || rs[0].Outcome != event.Approved {
			t.Errorf("results %+v: it must never touch the verdict", rs)
		}
		for _, task := range []ledger.Task{ledger.ArchiveTask, ledger.AnonymiseTask} {
			if n := testutil.ToFloat64(w.metrics.follow.givenUp.WithLabelValues("argos", string(task))); n == 0 {
				t.Errorf("%s was given up and not counted", task)
			}
		}
		if n := testutil.ToFloat64(w.metrics.follow.failures.WithLabelValues("argos", failedVendor)); n != 2*followUpTries {
			t.Errorf("%v failures counted", n)
		}
		if !strings.Contains(log.String(), "request_id=r-1") {
			t.Errorf("the log names no request: %s", log)
		}
		w.shut()
	})
}

func TestArchiveThatRecoversIsFollowedByAnonymising(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, FollowUpConfig{Archive: everything.Archive, AnonymiseAfter: time.Minute}, nil)
		end := time.Now().Add(30 * time.Minute)
		v.archived.fail = func() error {
			if time.Now().Before(end) {
				return &storage.Error{Kind: storage.Transient, Op: "archive"}
			}
			return nil
		}
		v.decide("fav_sub-1_1", event.Rejected)
		w.send(0, "r-1", "sub-1")
		settle(25 * time.Minute)
		if v.erasures() != 0 {
			t.Error("anonymised what is not archived, though its time is over")
		}
		settle(2 * time.Hour)
		if v.erasures() != 1 || len(v.tooEarly()) != 0 || len(v.archived.all()) != 1 {
			t.Errorf("%d erased, early %v, archived %v", v.erasures(), v.tooEarly(), v.archived.all())
		}
		w.shut()
	})
}

func TestBucketsFaultIsWaitedOutByPicturesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		c := FollowUpConfig{Archive: []event.Outcome{event.Approved}, AnonymiseAfter: time.Hour}
		w := followingAlone(t, v, c, nil)
		faults := 0
		v.archived.fail = func() error {
			faults++
			return &storage.Error{Kind: storage.Fault, Op: "archive", Code: accessDenied}
		}
		for i := range 2 * followUpsAtOnce { // more than are under way at once
			subject := fmt.Sprint("sub-", i)
			v.decide("fav_"+subject+"_1", event.Approved)
			w.send(i%3, "r-"+subject, subject)
		}
		settle(2 * time.Minute)
		if w.ArchiveFault(event.Argos) == nil {
			t.Error("nobody is told that nothing can be archived")
		}
		v.decide("fav_other_1", event.Rejected) // not archived
		w.send(0, "r-other", "other")
		settle(time.Hour + time.Minute)
		if v.erasedOf("fav_other_1") != 1 || v.erasures() != 1 {
			t.Errorf("%d erased, want the one that waits for no picture, at once", v.erasures())
		}
		settle(11 * time.Hour)
		if n := testutil.ToFloat64(w.metrics.follow.givenUp.WithLabelValues("argos", string(ledger.ArchiveTask))); n != 0 || faults < 100 {
			t.Errorf("%v given up over %d faults of the bucket", n, faults)
		}
		v.archived.mu.Lock()
		v.archived.fail = nil
		v.archived.mu.Unlock()
		settle(time.Hour)
		if n := len(v.archived.all()); n != 2*followUpsAtOnce || left(w) != 0 || w.ArchiveFault(event.Argos) != nil {
			t.Errorf("%d archived when the bucket is well again, %d left, fault %v", n, left(w), w.ArchiveFault(event.Argos))
		}
		w.shut()
	})
}

func TestAuditCheckAndWebhookPublishARevisionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		c := FollowUpConfig{AuditChecks: []time.Duration{10 * time.Minute, 20 * time.Minute, 2 * time.Hour}}
		w := followingAlone(t, v, c, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(5 * time.Minute)
		v.decide("fav_sub-1_1", event.Rejected)
		for range 5*60 + 30 { // the webhook tells again and again while it is asked for
			tell(t, w, "fav_sub-1_1", event.Rejected)
			time.Sleep(time.Second)
		}
		settle(time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || rs[1].Revision != 2 {
			t.Fatalf("results %+v, want one revision", rs)
		}
		// Long after the window, nothing is known of it but by its follow-up.
		settle(time.Hour)
		v.decide("fav_sub-1_1", event.Approved)
		settle(time.Hour)
		if rs := finalResults(t, w); len(rs) != 3 || rs[2].Revision != 3 || rs[2].Outcome != event.Approved || left(w) != 0 {
			t.Errorf("results %+v, %d left; want a third revision", rs, left(w))
		}
		w.shut()
	})
}

func TestAuditCheckWaitsForARevisionThatIsBeingPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, FollowUpConfig{AuditChecks: []time.Duration{10 * time.Minute}}, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(10 * time.Minute) // the check is due in a moment
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				time.Sleep(time.Minute) // fake time
			}
			return nil
		}
		w.topics.mu.Unlock()
		v.decide("fav_sub-1_1", event.Rejected)
		tell(t, w, "fav_sub-1_1", event.Rejected)
		settle(10 * time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || v.askedFor() != 2 {
			t.Errorf("%d results after both asked (%d did), want one revision", len(rs), v.askedFor())
		}
		w.shut()
	})
}

func TestRevisionWaitsForTheFirstResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, FollowUpConfig{AuditChecks: []time.Duration{time.Minute}}, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.topics.mu.Lock()
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" && event.TypeOf(recs[0]) == event.TypeResult {
				time.Sleep(5 * time.Minute) // fake time
			}
			return nil
		}
		w.topics.mu.Unlock()
		w.send(0, "r-1", "sub-1")
		settle(30 * time.Second)
		v.decide("fav_sub-1_1", event.Rejected)
		settle(4 * time.Minute)
		if n := v.askedFor(); n != 0 {
			t.Errorf("asked %d times before there is a result to revise", n)
		}
		settle(10 * time.Minute)
		if rs := finalResults(t, w); len(rs) != 2 || rs[0].Revision != 1 || rs[1].Revision != 2 {
			t.Errorf("results %+v, want the first and its revision", rs)
		}
		w.shut()
	})
}

func TestPausedVendorIsNotAskedForFollowUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(3 * time.Second) // answered, and not archived yet
		w.lines[event.Argos].pause(true)
		settle(2 * time.Hour)
		if v.lists() != 0 || v.askedFor() != 0 || v.erasures() != 0 {
			t.Errorf("a paused vendor was asked for %d lists, %d verdicts, %d erasures", v.lists(), v.askedFor(), v.erasures())
		}
		w.lines[event.Argos].pause(false)
		settle(time.Minute)
		if len(v.archived.all()) != 1 || v.askedFor() != 1 || v.erasures() != 1 || len(v.tooEarly()) != 0 {
			t.Errorf("afterwards: archived %v, asked %d times, %d erased (early: %v)", v.archived.all(), v.askedFor(), v.erasures(), v.tooEarly())
		}
		w.shut()
	})
}

func TestFollowUpsGetFewTurnsWhileRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, topics := newPicturedVendor(), newFakeTopics()
		w := join(t, topics, v, func(cfg *Config, lane *vendors.LaneConfig) {
			cfg.FollowUps = map[event.Vendor]FollowUpConfig{event.Argos: {AuditChecks: []time.Duration{time.Hour}}}
			cfg.MaxOpen = 2000
			lane.PerSecond, lane.MaxInFlight = 5, 64
		})
		w.assign([]int{0, 1, 2}, nil, nil)
		for i := range 100 {
			subject := fmt.Sprint("sub-", i)
			v.decide("fav_"+subject+"_1", event.Approved)
			w.send(i%3, "r-"+subject, subject)
		}
		settle(58 * time.Minute)
		for i := range 2000 {
			w.send(i%3, fmt.Sprint("r-new-", i), fmt.Sprint("new-", i))
		}
		settle(3 * time.Minute) // audit checks are due, and 2000 requests wait
		asked, before := v.askedFor(), v.callsMade()
		settle(2 * time.Minute)
		asked, called := v.askedFor()-asked, v.callsMade()-before
		if share := float64(asked) / float64(called); asked == 0 || share > .1 {
			t.Errorf("%d of %d calls went to audit checks while requests waited: want some, and few", asked, called)
		}
		w.shut()
	})
}

func TestRequestsAreNotBegunWhileTooManyAreFollowedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		v.poll = 10 * time.Minute
		c := FollowUpConfig{AnonymiseAfter: 3 * time.Hour}
		w := followingAlone(t, v, c, func(cfg *Config) { cfg.MaxFollowUps = 6 }) // two a shard
		w.send(0, "r-slow", "slow")
		settle(time.Minute)
		for i := range 5 {
			subject := fmt.Sprint("sub-", i)
			v.decide("fav_"+subject+"_1", event.Approved)
			w.send(0, "r-"+subject, subject)
			settle(15 * time.Minute)
		}
		v.decide("fav_slow_1", event.Approved) // it was begun before
		settle(20 * time.Minute)
		if n := len(finalResults(t, w)); n != 3 || left(w) != 3 {
			t.Errorf("%d results, %d to be followed up: want two, and the one that was at the vendor", n, left(w))
		}
		settle(10 * time.Hour)
		if n := len(finalResults(t, w)); n != 6 || v.erasures() != 6 {
			t.Errorf("%d results and %d erased in the end: want all", n, v.erasures())
		}
		w.shut()
	})
}

func TestWhatIsNotOfferedAnyMoreIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newPicturedVendor()
		w := followingAlone(t, v, everything, nil)
		w.parts.Archives = nil // the settings of a later start
		v.decide("fav_sub-1_1", event.Approved)
		w.send(0, "r-1", "sub-1")
		settle(2 * time.Hour)
		if v.erasures() != 1 || left(w) != 0 {
			t.Errorf("%d erased, %d left to be done", v.erasures(), left(w))
		}
		w.shut()
	})
}

func TestPersonWhoRefusedIsNotArchived(t *testing.T) {
	v := newPicturedVendor()
	p := New(Config{FollowUps: map[event.Vendor]FollowUpConfig{event.Argos: everything}}, Parts{
		Lanes:  map[event.Vendor]*vendors.Lane{event.Argos: vendors.NewLane(v, vendors.LaneConfig{MaxInFlight: 1, Logger: slog.New(slog.DiscardHandler)})},
		Logger: slog.New(slog.DiscardHandler),
	})
	it := &item{request: event.Request{RequestID: "r-1", Vendor: event.Argos}}
	at := time.Now()
	answer := ledger.Answer{Outcome: event.Rejected, Reference: "fav_1", Revisable: true}
	if f := p.followUpOf(it, answer, at); f == nil || f.Archive.IsZero() || len(f.Audits) != 1 || f.Anonymise.IsZero() {
		t.Errorf("follow-up of a rejection %+v, want everything", f)
	}
	answer.Reasons = []event.Reason{event.SubjectRefused}
	if f := p.followUpOf(it, answer, at); f == nil || !f.Archive.IsZero() || len(f.Audits) != 1 {
		t.Errorf("follow-up of a refusal %+v, want no archiving: nothing was recorded", f)
	}
	answer.Outcome = event.Expired
	if f := p.followUpOf(it, answer, at); f == nil || !f.Archive.IsZero() || len(f.Audits) != 0 || f.Anonymise.IsZero() {
		t.Errorf("follow-up of an expired request %+v, want it anonymised only", f)
	}
	answer.Reference = ""
	if f := p.followUpOf(it, answer, at); f != nil {
		t.Errorf("follow-up %+v of a request that the vendor does not know", f)
	}
}

func TestArchiveKeyIsNoStepInAPath(t *testing.T) {
	picture := vendors.Picture{Attempt: "fatp_1", Name: "face_image-1"}
	for id, want := range map[string]string{
		"r-1": "r-1/fatp_1/face_image-1", "..": "~../fatp_1/face_image-1", ".": "~./fatp_1/face_image-1", "a..b": "a..b/fatp_1/face_image-1",
	} {
		if got := archiveKey(id, picture); got != want {
			t.Errorf("key of %q is %q, want %q", id, got, want)
		}
	}
}

func TestFailuresOfTheArchiveByReason(t *testing.T) {
	for want, err := range map[string]error{
		failedNone:     fmt.Errorf("archiving: %w", errNoPicture),
		failedVendor:   &vendors.Error{Kind: vendors.Transient},
		failedUnusable: &storage.Error{Kind: storage.Unusable},
		failedStore:    errors.Join(&storage.Error{Kind: storage.Transient}),
	} {
		if got := failureReason(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
	if got := failureReason(&storage.Error{Kind: storage.Transient, Err: storage.ErrSource}); got != failedVendor {
		t.Errorf("a picture that broke off at the vendor is %q", got)
	}
}
