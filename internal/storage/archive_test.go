package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/storage/storagetest"
)

// putStore takes objects as S3 does: it refuses what is not of its digest.
type putStore struct {
	mu     sync.Mutex
	kept   map[string][]byte // by path
	header http.Header       // of the last
	// refuse, if set, answers in place of the store.
	refuse http.HandlerFunc
}

func (p *putStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.refuse != nil {
		p.refuse(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	switch {
	case err != nil, r.Method != http.MethodPut, int64(len(body)) != r.ContentLength:
		writeRefusal(w, http.StatusBadRequest, "IncompleteBody")
		return
	case r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]),
		r.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]):
		writeRefusal(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[r.URL.Path], p.header = body, r.Header.Clone()
}

// openTestArchive returns an archive of pictures up to 1 MB.
func openTestArchive(t *testing.T, change func(*ArchiveConfig)) (*Archive, *Store, *putStore) {
	t.Helper()
	faces := &putStore{kept: map[string][]byte{}}
	c := ArchiveConfig{
		Endpoint: serve(t, faces.ServeHTTP, nil), Region: "us-east-1", PathStyle: true, Bucket: "archived", Prefix: "faces/2026", MaxBytes: 1_000_000,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
	if change != nil {
		change(&c)
	}
	store := openStore(t, Config{Endpoint: c.Endpoint, MaxMemory: 4 << 20, MaxBytes: 1 << 20})
	a, err := OpenArchive(t.Context(), store, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, store, faces
}

// from is a source of content; size is what it says of its length.
func from(content []byte, size int64) Source {
	return func(context.Context) (io.ReadCloser, int64, error) {
		return io.NopCloser(iotest.HalfReader(bytes.NewReader(content))), size, nil
	}
}

func TestPictureIsArchivedByteForByte(t *testing.T) {
	jpeg, png := storagetest.JPEG(1, 700_000), storagetest.PNG(1, 30_000)
	webp := append([]byte("RIFF\x24\x00\x00\x00WEBPVP8 "), make([]byte, 100)...)
	a, store, faces := openTestArchive(t, func(c *ArchiveConfig) { c.Encryption, c.KMSKey = EncryptKMS, "key-1" })
	for _, tt := range []struct {
		key, path, contentType string
		content                []byte
		size                   int64
	}{
		{"r-1/fatp_1/face_image-1", "/archived/faces/2026/r-1/fatp_1/face_image-1.jpg", "image/jpeg", jpeg, int64(len(jpeg))},
		{"r-2/fatp_1/face_image-1", "/archived/faces/2026/r-2/fatp_1/face_image-1.jpg", "image/jpeg", jpeg, -1},
		{"r:3/fatp_1/face_image-1", "/archived/faces/2026/r:3/fatp_1/face_image-1.png", "image/png", png, -1},
		{"r-4/fatp_1/face_image-1", "/archived/faces/2026/r-4/fatp_1/face_image-1.webp", "image/webp", webp, int64(len(webp))},
	} {
		for range 2 { // a repeat replaces the same object
			if err := a.Keep(t.Context(), tt.key, from(tt.content, tt.size)); err != nil {
				t.Fatalf("%s: %v", tt.key, err)
			}
		}
		if !bytes.Equal(faces.kept[tt.path], tt.content) {
			t.Errorf("%s is not what was to be kept", tt.path)
		}
		if faces.header.Get("Content-Type") != tt.contentType || !strings.Contains(faces.header.Get("Authorization"), "x-amz-server-side-encryption") ||
			faces.header.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || faces.header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id") != "key-1" {
			t.Errorf("%s was put with %v", tt.path, faces.header)
		}
	}
	if len(faces.kept) != 4 {
		t.Errorf("%d objects, want 4", len(faces.kept))
	}
	wantNothingReserved(t, store)
}

func TestWhatIsNoWholePictureIsNotArchived(t *testing.T) {
	jpeg := storagetest.JPEG(1, 300_000)
	large := storagetest.JPEG(1, 1_000_001)
	for name, tt := range map[string]struct {
		source Source
		kind   Kind
		reason event.Reason
	}{
		"an answer that broke off":         {from(jpeg[:200_000], int64(len(jpeg))), Transient, ""},
		"an answer of unknown length":      {from(jpeg[:200_000], -1), Unusable, event.SelfieTruncated},
		"an answer that is said too large": {from(large, int64(len(large))), Unusable, event.SelfieTooLarge},
		"an answer that is too large":      {from(large, -1), Unusable, event.SelfieTooLarge},
		"an error page":                    {from([]byte("<html>expired</html>"), -1), Unusable, event.SelfieNotImage},
		"nothing":                          {from(nil, 0), Unusable, event.SelfieEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			a, store, faces := openTestArchive(t, nil)
			wantError(t, a.Keep(t.Context(), "r-1/fatp_1/face_image-1", tt.source), tt.kind, tt.reason)
			if len(faces.kept) != 0 {
				t.Error("it was archived")
			}
			wantNothingReserved(t, store)
		})
	}
}

func TestErrorOfTheSourceIsReturnedAsItIs(t *testing.T) {
	a, store, _ := openTestArchive(t, nil)
	gone := errors.New("link has ended")
	err := a.Keep(t.Context(), "k", func(context.Context) (io.ReadCloser, int64, error) { return nil, 0, gone })
	if !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	broken := func(context.Context) (io.ReadCloser, int64, error) {
		return io.NopCloser(iotest.ErrReader(errors.New("canary of the other side"))), -1, nil
	}
	err = a.Keep(t.Context(), "k", broken)
	if wantError(t, err, Transient, ""); !errors.Is(err, ErrSource) || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v", err)
	}
	wantNothingReserved(t, store)
}

func TestRefusalsOfTheArchive(t *testing.T) {
	jpeg := storagetest.JPEG(1, 400_000)
	for _, tt := range []struct {
		status int
		code   string
		kind   Kind
	}{
		{http.StatusForbidden, "AccessDenied", Fault},
		{http.StatusNotFound, "NoSuchBucket", Fault},
		{http.StatusBadRequest, "KMS.DisabledException", Fault},
		{http.StatusServiceUnavailable, "SlowDown", Throttled},
		{http.StatusInternalServerError, "InternalError", Transient},
		{http.StatusNotFound, "NoSuchKey", Transient},
	} {
		a, store, faces := openTestArchive(t, nil)
		// The answer comes before the body is read.
		faces.refuse = func(w http.ResponseWriter, _ *http.Request) { writeRefusal(w, tt.status, tt.code) }
		err := a.Keep(t.Context(), "people/jane", from(jpeg, -1))
		e := wantError(t, err, tt.kind, "")
		if e.Op != "archive" || e.Bucket != "archived" || e.Code != tt.code || strings.Contains(err.Error(), "jane") {
			t.Errorf("error %v", err)
		}
		wantNothingReserved(t, store)
	}
}

func TestArchiveThatHangsIsGivenUp(t *testing.T) {
	jpeg := storagetest.JPEG(1, 900_000)
	a, store, faces := openTestArchive(t, func(c *ArchiveConfig) { c.Timeout = 50 * time.Millisecond })
	release := make(chan struct{})
	faces.refuse = func(http.ResponseWriter, *http.Request) { <-release }
	wantError(t, a.Keep(t.Context(), "k", from(jpeg, -1)), Transient, "")
	close(release)
	wantNothingReserved(t, store)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, a.Keep(ctx, "k", from(jpeg, -1)), Interrupted, "")
	wantNothingReserved(t, store)
}

// TestPicturesLeaveMemoryToSelfies: however many come slowly, what they hold is a
// part.
func TestPicturesLeaveMemoryToSelfies(t *testing.T) {
	a, store, _ := openTestArchive(t, nil)
	var opened atomic.Int64
	first, release := make(chan struct{}, 8), make(chan struct{})
	slow := func(context.Context) (io.ReadCloser, int64, error) {
		opened.Add(1)
		first <- struct{}{}
		<-release
		return nil, 0, errors.New("in the end nothing")
	}
	var kept sync.WaitGroup
	for range 8 {
		kept.Go(func() { _ = a.Keep(t.Context(), "k", slow) })
	}
	<-first
	if got := store.memory.reserveNow(store.memory.limit / 2); got == nil {
		t.Error("half of the memory cannot be had while pictures come slowly")
	} else {
		got.release()
	}
	if n := opened.Load(); n > 1 {
		t.Errorf("%d pictures of 1 MB at once in a quarter of 4 MB", n)
	}
	close(release)
	kept.Wait()
	wantNothingReserved(t, store)
}

func TestCheckOfAnArchiveWrites(t *testing.T) {
	a, _, faces := openTestArchive(t, nil)
	if err := a.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(checkText, string(faces.kept["/archived/faces/2026/reauth-check.txt"])); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	faces.refuse = func(w http.ResponseWriter, _ *http.Request) { writeRefusal(w, http.StatusForbidden, "AccessDenied") }
	err := a.Check(t.Context())
	if wantError(t, err, Fault, ""); !strings.Contains(err.Error(), "s3:PutObject") {
		t.Errorf("error %v gives no advice", err)
	}
}

func TestArchivesThatCannotBe(t *testing.T) {
	store := openStore(t, Config{MaxMemory: 2 << 20, MaxBytes: 1 << 20})
	for want, c := range map[string]ArchiveConfig{
		"bucket is empty":        {},
		"more than the memory":   {Bucket: "archived", MaxBytes: 3 << 20},
		"encryption by KMS only": {Bucket: "archived", KMSKey: "k", Encryption: EncryptAES256},
	} {
		c.Region = "us-east-1"
		if _, err := OpenArchive(t.Context(), store, c); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
