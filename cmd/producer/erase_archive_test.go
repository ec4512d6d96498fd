package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// Buckets for pictures.
const (
	plainArchive     = "faces"
	versionedArchive = "faces-versioned"
)

// archiveBench is an eraseBench whose consumers archive pictures.
type archiveBench struct {
	*eraseBench
	bucket string

	mu         sync.Mutex
	anonymised []string // by the vendor, in order
}

func newArchiveBench(t *testing.T, bucket string) *archiveBench {
	t.Helper()
	b := &archiveBench{eraseBench: newEraseBench(t), bucket: bucket}
	vendor := httptest.NewServer(http.HandlerFunc(b.anonymise))
	t.Cleanup(vendor.Close)
	const checkout = "REAUTH_VENDORS__CHECKOUT__"
	b.more = []string{
		checkout + "ENABLED=true", checkout + "BASE_URL=" + vendor.URL, checkout + "SECRET_KEY=sk_of_the_test", checkout + "USER_JOURNEY_ID=usj_" + strings.Repeat("a", 26),
		checkout + "LIMITS=60/s", checkout + "ARCHIVE__BUCKET=" + bucket, checkout + "ARCHIVE__PREFIX=faces/zoe",
	}
	return b
}

func (b *archiveBench) anonymise(w http.ResponseWriter, r *http.Request) {
	reference, anonymises := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/face-authentications/"), "/anonymize")
	if !anonymises || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	b.mu.Lock()
	b.anonymised = append(b.anonymised, reference)
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cko-Request-Id", "request-1")
	fmt.Fprintf(w, `{"id":%q,"status":"approved"}`, reference)
}

func (b *archiveBench) wantAnonymised(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.anonymised, want) {
		b.t.Errorf("the vendor anonymised %q, want %q", b.anonymised, want)
	}
}

// judged publishes a request for Checkout.com and its result.
func (b *archiveBench) judged(id, reference string) {
	b.t.Helper()
	b.request(id, "", func(r *event.Request) {
		r.Vendor, r.ApplicantID, r.SelfieKey, r.RedirectURL = event.Checkout, "aplt_1", "", "https://app.example/done"
	})
	b.result(id, "", reference, func(r *event.Result) {
		r.Vendor, r.ApplicantID, r.SelfieSHA256, r.SelfieBytes = event.Checkout, "aplt_1", "", 0
	})
}

// picture archives a picture as the consumer does and returns its version.
func (b *archiveBench) picture(id, name string) *string {
	b.t.Helper()
	return b.object(b.bucket, "faces/zoe/"+id+"/fatp_1/"+name+".jpg")
}

// left returns the keys, and the number of versions and markers, in the archive.
func (b *archiveBench) left() (keys []string, versions int) {
	b.t.Helper()
	out, err := b.s3.ListObjectVersions(b.t.Context(), &s3.ListObjectVersionsInput{Bucket: &b.bucket})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, v := range out.Versions {
		keys = append(keys, *v.Key)
	}
	for _, m := range out.DeleteMarkers {
		keys = append(keys, *m.Key)
	}
	versions = len(keys)
	slices.Sort(keys)
	return slices.Compact(keys), versions
}

func (b *archiveBench) wantLeft(want ...string) {
	b.t.Helper()
	if keys, _ := b.left(); !slices.Equal(keys, want) {
		b.t.Errorf("in the archive are %q, want %q", keys, want)
	}
}

func TestArchivedPicturesAreErasedInEveryVersion(t *testing.T) {
	for bucket, versions := range map[string]int{plainArchive: 1, versionedArchive: 2} {
		t.Run(bucket, func(t *testing.T) {
			b := newArchiveBench(t, bucket)
			b.judged("r-1", "fav_1")
			for range 2 {
				b.picture("r-1", "face_image-1") // a repeat replaces it
			}
			b.picture("r-1", "face_image-2")
			b.picture("r-10", "face_image-1")
			b.object(bucket, "faces/zoe/reauth-check.txt")
			b.object(bucket, "faces/r-1/fatp_1/face_image-1.jpg")

			r, proofs := b.erase("--request", "r-1")
			r.want(t, 0, "found 1 request with 1 authentication at vendors; with what the archive holds of them",
				"Logs, backups and other copies are not erased either")
			wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture erased", "r-1 picture erased")
			if p := proofs[1]; p.Bucket != bucket || p.Versions != versions || p.Vendor != event.Checkout || p.Subject != "aplt_1" ||
				p.ObjectSHA256 != objectSHA256(bucket, "faces/zoe/r-1/fatp_1/face_image-1.jpg") {
				t.Errorf("proof is %+v", p)
			}
			b.wantAnonymised("fav_1")
			b.wantLeft("faces/r-1/fatp_1/face_image-1.jpg", "faces/zoe/r-10/fatp_1/face_image-1.jpg", "faces/zoe/reauth-check.txt")

			r, proofs = b.erase("--request", "r-1")
			r.want(t, 0)
			wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture gone")
		})
	}
}

// Somebody has deleted a picture: its versions are there still.
func TestArchivedPicturesBehindADeleteMarkerAreErased(t *testing.T) {
	b := newArchiveBench(t, versionedArchive)
	b.judged("..", "fav_1")
	b.picture("~..", "face_image-1") // what a request id that is a step in a path has in front
	key := "faces/zoe/~../fatp_1/face_image-1.jpg"
	if _, err := b.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	if _, versions := b.left(); versions != 2 {
		t.Fatalf("%d versions and markers, want 2", versions)
	}
	r, proofs := b.erase("--subject", "aplt_1")
	r.want(t, 0)
	wantProofs(t, proofs, ".. authentication erased", ".. picture erased")
	b.wantLeft()
}

func TestArchivedPicturesThatAreHeldStayAndAreTold(t *testing.T) {
	b := newArchiveBench(t, versionedArchive)
	b.judged("r-1", "fav_1")
	b.picture("r-1", "a-plain")
	locked := b.picture("r-1", "b-locked")
	key := "faces/zoe/r-1/fatp_1/b-locked.jpg"
	if _, err := b.s3.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
		Bucket: &b.bucket, Key: &key, VersionId: locked, LegalHold: &types.ObjectLockLegalHold{Status: "ON"}}); err != nil {
		t.Fatal(err)
	}
	b.object(b.bucket, "faces/zoe/r-1/fatp_1/c-tagged.jpg", types.Tag{Key: aws.String("legal-hold"), Value: aws.String("case 17")})
	r, proofs := b.erase("--request", "r-1")
	r.want(t, exitIncomplete, "2 things of 4")
	wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture erased", "r-1 picture held", "r-1 picture held")
	b.wantLeft(key, "faces/zoe/r-1/fatp_1/c-tagged.jpg")
}

func TestADryRunListsWhatTheArchiveHolds(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.judged("r-1", "fav_1")
	b.picture("r-1", "face_image-1")
	r, proofs := b.eraseIn("", "--dry-run", "--request", "r-1,r-2")
	r.want(t, 0)
	wantProofs(t, proofs, "r-2 request not_found", "r-2 picture gone", "r-1 authentication would_erase", "r-1 picture would_erase")
	b.wantAnonymised()
	b.wantLeft("faces/zoe/r-1/fatp_1/face_image-1.jpg")
}

func TestAnArchiveOutOfReachMakesItIncomplete(t *testing.T) {
	b := newArchiveBench(t, "no-such-bucket")
	b.judged("r-1", "fav_1")
	b.object("selfies", zoeKey)
	b.request("r-2", "s1", nil)
	b.result("r-2", "s1", "", nil)
	r, proofs := b.erase("--request", "r-1,r-2", "--selfies")
	r.want(t, exitIncomplete, "2 things of 4")
	wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture failed", "r-2 picture failed", "r-2 selfie erased")
	if p := proofs[1]; p.Bucket != "no-such-bucket" || !strings.Contains(p.Error, "NoSuchBucket") {
		t.Errorf("proof is %+v", p)
	}
}

// Pictures may be kept for years, and records for a week.
func TestPicturesAreErasedWhenNoRecordNamesTheRequest(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.picture("r-1", "face_image-1")
	r, proofs := b.erase("--request", "r-1", "--subject", "aplt_1")
	r.want(t, exitIncomplete, "2 things of 3")
	wantProofs(t, proofs, "r-1 request not_found", "r-1 picture erased", " request not_found")
	b.wantLeft()
}

func TestPicturesOfARequestWithoutAResultAreLeftAlone(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.request("r-1", "s1", nil)
	b.picture("r-1", "face_image-1") // of a request of this id, long ago
	r, proofs := b.erase("--request", "r-1")
	r.want(t, exitIncomplete)
	wantProofs(t, proofs, "r-1 request open")
	b.wantLeft("faces/zoe/r-1/fatp_1/face_image-1.jpg")
}

// followed writes what is left to be done about r-1.
func (b *archiveBench) followed(number int, archive time.Time) {
	b.t.Helper()
	f := ledger.FollowUp{Number: number, Vendor: event.Checkout, Reference: "fav_1", Answered: failedAt, Revision: 1, Outcome: event.Approved, Archive: archive}
	b.step("r-1", f.Record())
}

// The consumer may put them there after all was erased.
func TestPicturesThatAreStillToBeArchivedMakeItIncomplete(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.judged("r-1", "fav_1")
	b.picture("r-1", "face_image-1")
	due := failedAt.Add(time.Hour)
	b.step("r-1", ledger.Record{Step: ledger.Answered,
		Answer: &ledger.Answer{Outcome: event.Approved, Reference: "fav_1", CompletedAt: failedAt},
		FollowUp: &ledger.FollowUp{Vendor: event.Checkout, Reference: "fav_1", Answered: failedAt, Revision: 1, Outcome: event.Approved,
			Archive: failedAt}})
	b.followed(1, due)
	r, proofs := b.erase("--request", "r-1")
	r.want(t, exitIncomplete, "1 thing of 3", "Pictures that are still to be archived may come")
	wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture pending", "r-1 picture erased")
	if !proofs[1].Due.Equal(due) {
		t.Errorf("proof is %+v, want one that is due at %s", proofs[1], due)
	}
	b.wantAnonymised("fav_1")

	b.followed(2, time.Time{})
	b.followed(1, due) // a late one of a former owner
	b.picture("r-1", "face_image-1")
	r, proofs = b.erase("--request", "r-1")
	r.want(t, 0)
	wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture erased")
	b.wantLeft()
}

// It is written again for as long as something is left to be done, while results
// leave their topic.
func TestAnAuthenticationIsFoundByItsFollowUpAlone(t *testing.T) {
	b := newArchiveBench(t, plainArchive)
	b.followed(3, time.Time{})
	r, proofs := b.erase("--request", "r-1")
	r.want(t, 0, "found 1 request with 1 authentication")
	wantProofs(t, proofs, "r-1 authentication erased", "r-1 picture gone")
	b.wantAnonymised("fav_1")
}
