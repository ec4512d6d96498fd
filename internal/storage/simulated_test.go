package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reauth/internal/event"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage/storagetest"
)

// simulated is a simulated S3 with the buckets selfies and versioned, a Store for
// it, and the official client, with which tests do what others would.
type simulated struct {
	*s3sim.Simulator
	t      *testing.T
	store  *Store
	client *s3.Client

	mu sync.Mutex // guards all below
	// made are the requests of the store, as method and query without values.
	made []string
	// intercept, unless nil, may answer a request of the store by itself.
	intercept func(http.ResponseWriter, *http.Request) bool
}

const versioned = "versioned"

// simulate returns a store with the policy in front of the simulator, which has
// every request of the store checked for its signature.
func simulate(t *testing.T, after AfterVerdict) *simulated {
	t.Helper()
	knobs := s3sim.DefaultKnobs()
	knobs.AccessKeyID = "id"
	sim, err := s3sim.New(s3sim.Config{Knobs: knobs, Buckets: []string{"selfies", versioned}, Versioned: []string{versioned}, Prefix: "scripted/"})
	if err != nil {
		t.Fatal(err)
	}
	s := &simulated{Simulator: sim, t: t}
	url := serve(t, s.serve, nil)
	t.Cleanup(sim.Close)
	s.store = openStore(t, Config{Endpoint: url, AllowedBuckets: []string{versioned}, AfterVerdict: after})
	s.client = s3.New(s3.Options{
		BaseEndpoint: &url, UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials:                credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:                 &http.Client{Transport: s.store.client.transport},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	return s
}

func (s *simulated) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("User-Agent") != "reauth" {
		s.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	if err != nil || r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		s.t.Errorf("%s %s: body of another digest than what is signed (%v)", r.Method, r.RequestURI, err)
	}
	if got, want := r.Header.Get("Authorization"), signature(r, "secret"); !strings.HasSuffix(got, "Signature="+want) {
		s.t.Errorf("%s %s: Authorization is %q, want signature %s", r.Method, r.RequestURI, got, want)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var names []string
	for name := range r.URL.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	s.mu.Lock()
	s.made = append(s.made, strings.TrimSpace(r.Method+" "+strings.Join(names, "&")))
	intercept := s.intercept
	s.mu.Unlock()
	if intercept == nil || !intercept(w, r) {
		s.ServeHTTP(w, r)
	}
}

// requests returns those of the store since the last time.
func (s *simulated) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.made
	s.made = nil
	return made
}

// put puts a selfie and returns its version.
func (s *simulated) put(bucket, key string) string {
	s.t.Helper()
	out, err := s.client.PutObject(s.t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(storagetest.JPEG(1, 2_000)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}

func (s *simulated) setTags(ref Ref, pairs ...string) {
	s.t.Helper()
	set := []types.Tag{}
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	if _, err := s.client.PutObjectTagging(s.t.Context(), &s3.PutObjectTaggingInput{
		Bucket: &ref.Bucket, Key: &ref.Key, VersionId: versionOf(ref), Tagging: &types.Tagging{TagSet: set},
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulated) tagsOf(ref Ref) map[string]string {
	s.t.Helper()
	out, err := s.client.GetObjectTagging(s.t.Context(), &s3.GetObjectTaggingInput{Bucket: &ref.Bucket, Key: &ref.Key, VersionId: versionOf(ref)})
	if err != nil {
		s.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, t := range out.TagSet {
		tags[*t.Key] = *t.Value
	}
	return tags
}

func (s *simulated) lock(ref Ref, hold bool, until time.Time) {
	s.t.Helper()
	var err error
	if hold {
		_, err = s.client.PutObjectLegalHold(s.t.Context(), &s3.PutObjectLegalHoldInput{
			Bucket: &ref.Bucket, Key: &ref.Key, VersionId: versionOf(ref), LegalHold: &types.ObjectLockLegalHold{Status: "ON"}})
	} else {
		_, err = s.client.PutObjectRetention(s.t.Context(), &s3.PutObjectRetentionInput{
			Bucket: &ref.Bucket, Key: &ref.Key, VersionId: versionOf(ref),
			Retention: &types.ObjectLockRetention{Mode: "COMPLIANCE", RetainUntilDate: &until}})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// exists tells whether an object, or a version, can be read.
func (s *simulated) exists(ref Ref) bool {
	s.t.Helper()
	_, err := s.client.HeadObject(s.t.Context(), &s3.HeadObjectInput{Bucket: &ref.Bucket, Key: &ref.Key, VersionId: versionOf(ref)})
	return err == nil
}

// listed returns how many versions and delete markers a bucket has.
func (s *simulated) listed(bucket string) (versions, markers int) {
	s.t.Helper()
	out, err := s.client.ListObjectVersions(s.t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(out.Versions), len(out.DeleteMarkers)
}

func versionOf(ref Ref) *string {
	if ref.Version == "" {
		return nil
	}
	return &ref.Version
}

// dispose disposes of a selfie and fails the test unless that comes to want.
func (s *simulated) dispose(ref Ref, outcome event.Outcome, want Result) {
	s.t.Helper()
	got, err := s.store.Dispose(s.t.Context(), ref, outcome)
	if err != nil || got.Result != want {
		s.t.Fatalf("came to %q and %v, want %q", got.Result, err, want)
	}
}

// policy tags what is approved and deletes what is rejected.
func policy() AfterVerdict {
	return AfterVerdict{
		Actions: map[event.Outcome]Action{event.Approved: Tag, event.Unusable: Tag, event.Rejected: Delete, event.Failed: Keep},
		TagKey:  "reauth-outcome", HoldTag: "legal-hold",
	}
}
