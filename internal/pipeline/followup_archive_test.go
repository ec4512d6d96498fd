package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

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
