package s3sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"reauth/internal/sandbox/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a store behind a server, and the official client for it.
type bundle struct {
	*Simulator
	client *s3.Client
}

func setup(t *testing.T, change func(*s3.Options)) bundle {
	t.Helper()
	sim, err := New(Config{
		Knobs: DefaultKnobs(), Buckets: []string{"selfies", "kept"}, Versioned: []string{"kept"}, Prefix: "selfies/", Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	t.Cleanup(sim.Close)
	t.Cleanup(server.Client().CloseIdleConnections)
	options := s3.Options{
		BaseEndpoint:     aws.String(server.URL),
		UsePathStyle:     true,
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("sandbox", "any", ""),
		HTTPClient:       server.Client(),
		RetryMaxAttempts: 1,

		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}
	if change != nil {
		change(&options)
	}
	return bundle{sim, s3.New(options)}
}

func (b bundle) get(key string) ([]byte, error) {
	out, err := b.client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("selfies"), Key: aws.String(key)})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func (b bundle) put(t *testing.T, key, body string) {
	t.Helper()
	if _, err := b.client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("selfies"), Key: aws.String(key), Body: strings.NewReader(body),
	}); err != nil {
		t.Fatal(err)
	}
}

func (b bundle) adjust(t *testing.T, change func(*Knobs)) {
	t.Helper()
	if err := b.Adjust(func(k *Knobs) error { change(k); return nil }); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	var http interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &http) || api.ErrorCode() != code || http.HTTPStatusCode() != status {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

func TestScriptedPicturesDecodeAndHaveTheirSize(t *testing.T) {
	b := setup(t, nil)
	for key, want := range map[string]struct {
		format string
		bytes  int
	}{
		"selfies/1-100KB.jpg":     {"jpeg", 100_000},
		"selfies/1.jpg":           {"jpeg", 60_000},
		"selfies/demo/a-40KB.jpg": {"jpeg", 40_000},
		"selfies/1-100KB.png":     {"png", 100_000},
		"selfies/1-0KB.png":       {"png", 60_000},
		"selfies/ä-ß-60KB.jpg":    {"jpeg", 60_000},
		"selfies/1-huge.jpg":      {"jpeg", 6 << 20},
	} {
		body, err := b.get(key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		_, format, err := image.Decode(bytes.NewReader(body))
		if err != nil || format != want.format || len(body) != want.bytes {
			t.Errorf("%s: %s of %d bytes, %v, want %s of %d", key, format, len(body), err, want.format, want.bytes)
		}
	}
}

func TestEveryKeyHasItsOwnBytesAndKeepsThem(t *testing.T) {
	b := setup(t, nil)
	for _, form := range []string{"%d-30KB.jpg", "%d-30KB.png", "%d-truncated.jpg", "%d-notimage.jpg"} {
		seen := map[string]bool{}
		for i := range 5 {
			key := "selfies/" + fmt.Sprintf(form, i)
			first, err := b.get(key)
			second, err2 := b.get(key)
			if err != nil || err2 != nil || !bytes.Equal(first, second) {
				t.Errorf("%s changes between two reads (%v, %v)", key, err, err2)
			}
			seen[string(first)] = true
		}
		if len(seen) != 5 {
			t.Errorf("%s: %d different objects, want 5", form, len(seen))
		}
	}
}

func TestScriptedFaultsOfObjects(t *testing.T) {
	b := setup(t, nil)
	if body, err := b.get("selfies/1-empty.jpg"); err != nil || len(body) != 0 {
		t.Errorf("empty: %d bytes, %v", len(body), err)
	}
	if body, err := b.get("selfies/1-notimage.jpg"); err != nil || !strings.HasPrefix(http.DetectContentType(body), "text/plain") {
		t.Errorf("notimage: %q, %v", body, err)
	}
	body, err := b.get("selfies/1-truncated.jpg")
	if _, _, decodeErr := image.Decode(bytes.NewReader(body)); err != nil || decodeErr == nil {
		t.Errorf("truncated: %v, decodes: %t", err, decodeErr == nil)
	}
	body, err = b.get("selfies/1-pngbomb.png")
	if err != nil || http.DetectContentType(body) != "image/png" || len(body) > 10_000 {
		t.Errorf("pngbomb: %d bytes of %s, %v", len(body), http.DetectContentType(body), err)
	}
	for _, key := range []string{"selfies/1-missing.jpg", "other/1.jpg"} {
		_, err := b.get(key)
		wantCode(t, key, err, "NoSuchKey", http.StatusNotFound)
	}
	_, err = b.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("elsewhere"), Key: aws.String("selfies/1.jpg")})
	wantCode(t, "another bucket", err, "NoSuchBucket", http.StatusNotFound)
}

func TestRangesAndHeadOfScriptedObjects(t *testing.T) {
	b := setup(t, nil)
	whole, err := b.get("selfies/1-30KB.jpg")
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.client.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("selfies"), Key: aws.String("selfies/1-30KB.jpg"), Range: aws.String("bytes=100-199"),
	})
	if err != nil {
		t.Fatal(err)
	}
	part, err := io.ReadAll(out.Body)
	out.Body.Close()
	if err != nil || !bytes.Equal(part, whole[100:200]) {
		t.Errorf("range: %d bytes, %v, want bytes 100 to 199", len(part), err)
	}
	head, err := b.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("selfies"), Key: aws.String("selfies/1-30KB.jpg")})
	if err != nil || aws.ToInt64(head.ContentLength) != 30_000 || aws.ToString(head.ContentType) != "image/jpeg" {
		t.Errorf("head: %+v, %v", head, err)
	}
}

func TestPutReplacesTheScriptAndDeleteEndsIt(t *testing.T) {
	b := setup(t, nil)
	b.put(t, "selfies/1.jpg", "mine")
	if body, err := b.get("selfies/1.jpg"); err != nil || string(body) != "mine" {
		t.Errorf("after PUT: %q, %v", body, err)
	}
	if _, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("selfies"), Key: aws.String("selfies/1.jpg")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String("selfies"),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("selfies/2.jpg")}}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"selfies/1.jpg", "selfies/2.jpg"} {
		_, err := b.get(key)
		wantCode(t, key+" after DELETE", err, "NoSuchKey", http.StatusNotFound)
	}
}

func TestTagsAreKeptBesideTheObjectUntilItIsReplaced(t *testing.T) {
	b := setup(t, nil)
	at := func(key string) (*string, *string) { return aws.String("selfies"), aws.String(key) }
	bucket, key := at("selfies/1.jpg")
	before, err := b.get(*key)
	if err != nil {
		t.Fatal(err)
	}
	tag := []types.Tag{{Key: aws.String("erase"), Value: aws.String("yes")}}
	if _, err := b.client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &types.Tagging{TagSet: tag}}); err != nil {
		t.Fatal(err)
	}
	tagged := func() int {
		out, err := b.client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.TagSet)
	}
	if n := tagged(); n != 1 {
		t.Errorf("%d tags, want 1", n)
	}
	if after, err := b.get(*key); err != nil || !bytes.Equal(before, after) {
		t.Errorf("tagging changed the object (%v)", err)
	}
	b.put(t, *key, "mine")
	if n := tagged(); n != 0 {
		t.Errorf("%d tags after PUT, want 0", n)
	}
	bucket, key = at("selfies/1-missing.jpg")
	_, err = b.client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: bucket, Key: key, Tagging: &types.Tagging{TagSet: tag}})
	wantCode(t, "tagging what is not there", err, "NoSuchKey", http.StatusNotFound)
}

func TestUnsignedRequestsAndOtherKeysAreRefused(t *testing.T) {
	anonymous := setup(t, func(o *s3.Options) { o.Credentials = aws.AnonymousCredentials{} })
	_, err := anonymous.get("selfies/1.jpg")
	wantCode(t, "unsigned", err, "AccessDenied", http.StatusForbidden)
	anonymous.adjust(t, func(k *Knobs) { k.AllowAnonymous = true })
	if _, err := anonymous.get("selfies/1.jpg"); err != nil {
		t.Errorf("unsigned, allowed: %v", err)
	}

	stranger := setup(t, func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider("stranger", "any", "") })
	_, err = stranger.get("selfies/1.jpg")
	wantCode(t, "another key", err, "InvalidAccessKeyId", http.StatusForbidden)

	for name, header := range map[string]string{"basic": "Basic c2FuZGJveDo=", "half": "AWS4-HMAC-SHA256 Credential=sandbox"} {
		r := httptest.NewRequest(http.MethodGet, "/selfies/selfies/1.jpg", nil)
		r.Header.Set("Authorization", header)
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
		w := httptest.NewRecorder()
		stranger.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s authorization: %d, want 403", name, w.Code)
		}
	}
}

func TestKnobsBringFaults(t *testing.T) {
	b := setup(t, nil)
	b.adjust(t, func(k *Knobs) { k.DenyAccess = true })
	_, err := b.get("selfies/1.jpg")
	wantCode(t, "deny", err, "AccessDenied", http.StatusForbidden)

	b.adjust(t, func(k *Knobs) { k.DenyAccess, k.SlowDownRate = false, 1 })
	_, err = b.get("selfies/1.jpg")
	wantCode(t, "slow down", err, "SlowDown", http.StatusServiceUnavailable)

	b.adjust(t, func(k *Knobs) { k.SlowDownRate, k.Outage = 0, fault.ServerError })
	_, err = b.get("selfies/1.jpg")
	wantCode(t, "outage", err, "InternalError", http.StatusInternalServerError)

	b.adjust(t, func(k *Knobs) { k.Outage = fault.NoOutage })
	if _, err := b.get("selfies/1.jpg"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if got, want := b.Stats(), (Stats{Requests: 4, Denied: 1, SlowDown: 1, Outage: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := b.Adjust(func(k *Knobs) error { k.SlowDownRate = 2; return nil }); err == nil {
		t.Error("a rate of 2: want an error")
	}
}

func TestLatencyComesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := DefaultKnobs()
		k.Latency, k.AllowAnonymous = fault.Fixed(3*time.Second), true
		sim, err := New(Config{Knobs: k, Buckets: []string{"selfies"}, Prefix: "selfies/"})
		if err != nil {
			t.Fatal(err)
		}
		start, w := time.Now(), httptest.NewRecorder()
		sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/selfies/selfies/1-empty.jpg", nil))
		if w.Code != http.StatusOK || time.Since(start) != 3*time.Second {
			t.Errorf("%d after %s, want 200 after 3s", w.Code, time.Since(start))
		}
	})
}

func TestPicturesBearTheirNames(t *testing.T) {
	b := setup(t, nil)
	long := strings.Repeat("x", nameChars)
	for key, want := range map[string]string{
		"selfies/face-0123456789abcdef0123456789abcdef-two-60KB.jpg": "face-0123456789abcdef0123456789abcdef-two-60KB.jpg",
		"selfies/a/face-ab-2KB.jpg":                                  "face-ab-2KB.jpg",
		"selfies/face-ab-9KB.png":                                    "face-ab-9KB.png",
		"selfies/" + long + "yz.jpg":                                 long,
		"selfies/face-ä-9KB.jpg":                                     "face-ä-9KB.jpg",
		"selfies/1-truncated.jpg":                                    "1-truncated.jpg",
		"selfies/1-notimage.jpg":                                     "",
		"selfies/1-empty.jpg":                                        "",
		"selfies/1-pngbomb.png":                                      "",
	} {
		body, err := b.get(key)
		if err != nil {
			t.Fatal(err)
		}
		if got := NameIn(body); got != want {
			t.Errorf("%s bears the name %q, want %q", key, got, want)
		}
	}
	for _, body := range []string{"", "\xff\xd8\xff\xfe", "\xff\xd8\xff\xfe\x00\x05abc", "\xff\xd8\xff\xe0 a face \xff\xd9", "tEXtComment\x00" + strings.Repeat("z", 200)} {
		if got := NameIn([]byte(body)); got != "" {
			t.Errorf("%q bears the name %q", body, got)
		}
	}
}
