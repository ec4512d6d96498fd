package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/sandbox"
	"reauth/internal/sandbox/fault"
)

const (
	archiveBucket = "archived-faces"
	auditCheck    = 6 * time.Second
	anonymise     = 8 * time.Second
)

// TestVerdictsAreFollowedUp: in the binary and without a webhook pictures are archived byte for byte, then the vendor anonymises, and a verdict
// that an audit turned round is heard of by asking.
func TestVerdictsAreFollowedUp(t *testing.T) {
	concurrently(t)
	w := newWorld(t, setting{
		sandbox: func(o *sandbox.Options) {
			o.Buckets, o.S3.AllowAnonymous = []string{"selfies", archiveBucket}, true
			o.CheckoutAddr = "127.0.0.1:0"
			c := &o.Checkout
			c.Link, c.Think, c.Capture, c.Checks = fault.Fixed(time.Minute), fault.Fixed(100*time.Millisecond), fault.Fixed(100*time.Millisecond), fault.Fixed(100*time.Millisecond)
			c.Audit = fault.Fixed(2 * time.Second)
		},
		environ: []string{
			"REAUTH_VENDORS__CHECKOUT__POLL_INITIAL=1s", "REAUTH_VENDORS__CHECKOUT__POLL_MAX=1s", "REAUTH_VENDORS__CHECKOUT__TIMEOUT=2s",
			"REAUTH_VENDORS__ARGOS__TIMEOUT=2s", "REAUTH_LEDGER__MARGIN=2s",
			"REAUTH_VENDORS__CHECKOUT__ARCHIVE__BUCKET=" + archiveBucket, "REAUTH_VENDORS__CHECKOUT__ARCHIVE__PREFIX=faces/e2e",
			"REAUTH_VENDORS__CHECKOUT__AUDIT_CHECKS=" + auditCheck.String(), "REAUTH_VENDORS__CHECKOUT__ANONYMISE_AFTER=" + anonymise.String(),
		},
	})
	w.checkSaysThatItCanArchive()
	consumers := w.startWorking(1)
	audited := map[string]bool{}
	var requests []event.Request
	for i, person := range []string{"approve", "decline_62321", "approve_audit", "decline_62305_audit", "abort_61113_approve", "approve_assets_503", "refuse", "approve_anonymize_504"} {
		r := event.Request{
			RequestID: fmt.Sprintf("r-%05d", i), Vendor: event.Checkout, CampaignID: "e2e",
			ApplicantID: fmt.Sprintf("aplt_%s_%d", person, i), RedirectURL: "https://app.example/done",
		}
		audited[r.RequestID] = strings.HasSuffix(person, "audit")
		requests = append(requests, r)
	}
	w.ask(requests...)
	w.awaitResults(30 * time.Second)
	pictures := w.picturesTaken(requests)

	w.eventually(90*time.Second, "everything archived and anonymised", func() bool {
		return w.Checkout.Stats().Anonymized == len(requests) && w.revised() == 2 && consumers[0].metric("reauth_follow_ups_held") == 0
	})
	for key, picture := range pictures {
		if got := w.archived(key); !bytes.Equal(got, picture) {
			t.Errorf("%s in the archive is %d bytes, and not the picture", key, len(got))
		}
	}
	revisions := map[string]int{}
	for _, rec := range w.of(w.topics.Results) {
		if isRevised(rec) {
			revisions[string(rec.Key)]++
		}
	}
	for _, r := range requests {
		if n := revisions[r.RequestID]; n > 1 || (n == 1) != audited[r.RequestID] {
			t.Errorf("%s (%s) has %d revisions", r.RequestID, r.ApplicantID, n)
		}
	}
	stats := w.Checkout.Stats()
	if stats.FilesWithCredentials != 0 || stats.Pictures < len(pictures) {
		t.Errorf("%d pictures fetched for %d, %d times with our key", stats.Pictures, len(pictures), stats.FilesWithCredentials)
	}
	if n := consumers[0].metric("reauth_pictures_archived_total"); int(n) < len(pictures) {
		t.Errorf("%v pictures are counted as archived, want %d", n, len(pictures))
	}
	for what, canary := range map[string]string{"a signed link": "signature=", "a picture": "\xff\xd8\xff"} {
		if bytes.Contains(consumers[0].log.bytes(), []byte(canary)) {
			t.Errorf("the log holds %s", what)
		}
	}
	consumers[0].stop()
	w.erasesFromTheArchive(requests[0].RequestID, pictures)
}

// erasesFromTheArchive has the producer erase what is kept of a request.
func (w *world) erasesFromTheArchive(requestID string, pictures map[string][]byte) {
	w.t.Helper()
	r := w.producer("erase", "--request", requestID, "--yes", "--rate", "5/s")
	for key := range pictures {
		erased := w.archived(key) == nil
		if its := strings.HasPrefix(key, "faces/e2e/"+requestID+"/"); erased != its {
			w.t.Errorf("after the erasure of %s: %s is erased: %t; the proof is\n%s", requestID, key, erased, r.out)
		}
	}
}

// picturesTaken returns the pictures of the persons who were recorded, by their
// keys in the archive, as long as the vendor has them.
func (w *world) picturesTaken(requests []event.Request) map[string][]byte {
	w.t.Helper()
	pictures := map[string][]byte{}
	for _, r := range requests {
		for _, c := range w.Checkout.Charged(r.ApplicantID) {
			if picture := w.Checkout.Picture(c.AttemptID); picture != nil {
				pictures["faces/e2e/"+r.RequestID+"/"+c.AttemptID+"/face_image-1.jpg"] = picture
			}
		}
	}
	if len(pictures) != len(requests)-1 { // one refused
		w.t.Fatalf("%d pictures of %d persons", len(pictures), len(requests))
	}
	return pictures
}

// archived returns an object of the archive, nil if it is not there.
func (w *world) archived(key string) []byte {
	w.t.Helper()
	content, kind := w.object(archiveBucket + "/" + key)
	if content != nil && kind != "image/jpeg" {
		w.t.Errorf("%s is of type %q", key, kind)
	}
	return content
}

// checkSaysThatItCanArchive runs the check command.
func (w *world) checkSaysThatItCanArchive() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, consumerBinary, "check")
	cmd.Env = slices.Clip(w.environ)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok    archive  bucket "+archiveBucket) {
		w.t.Errorf("check: %v\n%s", err, out)
	}
	if note, _ := w.object(archiveBucket + "/faces/e2e/reauth-check.txt"); !strings.Contains(string(note), "consumer check") {
		w.t.Errorf("check wrote %q", note)
	}
}
