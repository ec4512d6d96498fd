package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/vendors"
	"reauth/internal/vendors/argos"
	"reauth/internal/vendors/vendortest"
)

// eraseBench is a cluster with the vendor and the store of which it speaks.
type eraseBench struct {
	*bench
	argos   *argossim.Simulator
	adapter *argos.Adapter
	s3      *s3.Client
	vendor  string // URLs
	store   string
	more    []string // settings
}

// zoe's data must not be in any proof.
const (
	zoeKey     = "selfies/zoe.jpg"
	zoeAddress = "zoe@example.org"
)

func newEraseBench(t *testing.T) *eraseBench {
	t.Helper()
	b := &eraseBench{bench: newBench(t)}
	knobs := argossim.DefaultKnobs()
	knobs.APIKeys = []string{"key-1"}
	var err error
	if b.argos, err = argossim.New(argossim.Config{Knobs: knobs, PathPrefix: "/v3"}); err != nil {
		t.Fatal(err)
	}
	vendor := httptest.NewServer(b.argos)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(func() { client.CloseIdleConnections(); b.argos.Close(); vendor.Close() })
	b.vendor = vendor.URL + "/v3"
	if b.adapter, err = argos.New(argos.Config{BaseURL: b.vendor, APIKey: func() (string, error) { return "key-1", nil }, Client: client}); err != nil {
		t.Fatal(err)
	}
	sim, err := s3sim.New(s3sim.Config{Knobs: s3sim.DefaultKnobs(), Prefix: "scripted/",
		Buckets: []string{"selfies", "versioned", plainArchive, versionedArchive}, Versioned: []string{"versioned", versionedArchive}})
	if err != nil {
		t.Fatal(err)
	}
	store := httptest.NewServer(sim)
	t.Cleanup(func() { store.Client().CloseIdleConnections(); sim.Close(); store.Close() })
	b.store = store.URL
	b.s3 = s3.New(s3.Options{
		BaseEndpoint: &b.store, UsePathStyle: true, Region: "us-east-1", HTTPClient: store.Client(),
		Credentials:                credentials.NewStaticCredentialsProvider("sandbox", "any", ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	t.Setenv("AWS_ACCESS_KEY_ID", "sandbox")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "any")
	return b
}

func (b *eraseBench) environ() []string {
	return append(slices.Concat(b.bench.environ(), b.more),
		"REAUTH_VENDORS__ARGOS__BASE_URL="+b.vendor, "REAUTH_VENDORS__ARGOS__API_KEY=key-1",
		"REAUTH_VENDORS__FACEKI__ENABLED=true", "REAUTH_VENDORS__FACEKI__LIMITS=none", "REAUTH_VENDORS__FACEKI__BASE_URL=http://127.0.0.1:1",
		"REAUTH_VENDORS__FACEKI__CLIENT_ID=id", "REAUTH_VENDORS__FACEKI__CLIENT_SECRET=secret",
		"REAUTH_SELFIES__ENDPOINT="+b.store, "REAUTH_SELFIES__PATH_STYLE=true", "REAUTH_SELFIES__ALLOWED_BUCKETS=versioned")
}

// erase runs the command without asking and at a rate that takes no time, and
// checks that nothing of zoe is in its output.
func (b *eraseBench) erase(args ...string) (ran, []proof) {
	b.t.Helper()
	return b.eraseIn("", append([]string{"--yes", "--rate", "50/s"}, args...)...)
}

func (b *eraseBench) eraseIn(stdin string, args ...string) (ran, []proof) {
	b.t.Helper()
	r := runWith(context.Background(), newConsole(), stdin, b.environ(), append([]string{"erase"}, args...)...)
	if strings.Contains(r.out+r.err, "zoe") {
		b.t.Errorf("personal data in the output:\n%s\n%s", r.out, r.err)
	}
	var proofs []proof
	for lines := json.NewDecoder(strings.NewReader(r.out)); ; {
		var p proof
		if err := lines.Decode(&p); err == io.EOF {
			return r, proofs
		} else if err != nil {
			b.t.Fatalf("%v in %s", err, r.out)
		}
		if age := time.Since(p.Time); age < 0 || age > time.Minute {
			b.t.Errorf("proof of %s", p.Time)
		}
		proofs = append(proofs, p)
	}
}

// short returns proofs as "request what outcome".
func short(proofs []proof) []string {
	var all []string
	for _, p := range proofs {
		all = append(all, fmt.Sprint(p.RequestID, " ", p.What, " ", p.Outcome))
	}
	return all
}

func wantProofs(t *testing.T, got []proof, want ...string) {
	t.Helper()
	if texts := short(got); !slices.Equal(texts, want) {
		t.Errorf("proofs are %q, want %q", texts, want)
	}
}

// authenticate has the vendor make an authentication and returns its id.
func (b *eraseBench) authenticate(subject string) string {
	b.t.Helper()
	v, err := b.adapter.Authenticate(b.t.Context(), vendors.Call{SubmissionID: subject, UserID: zoeAddress, Selfie: vendortest.NewSelfie(2 << 10)})
	if err != nil {
		b.t.Fatal(err)
	}
	return v.Reference
}

// isErased tells whether the vendor has deleted an authentication.
func (b *eraseBench) isErased(reference string) bool {
	b.t.Helper()
	for _, a := range b.argos.Charged("") {
		if a.ID == reference {
			return a.Deleted
		}
	}
	b.t.Fatalf("the vendor has never had %s", reference)
	return false
}

// request publishes a request, on any partition.
func (b *eraseBench) request(id, subject string, change func(*event.Request)) {
	b.t.Helper()
	r := event.Request{RequestID: id, Vendor: event.Argos, SubmissionID: subject, SelfieKey: zoeKey, UserID: zoeAddress, RequestedAt: failedAt}
	if change != nil {
		change(&r)
	}
	rec, err := r.Record(event.TopicRequests)
	if err != nil {
		b.t.Fatal(err)
	}
	rec.Partition, rec.Key, rec.Time = elsewhere(id), []byte("zoe"), failedAt
	b.write(rec)
}

// result publishes a result of Argos.
func (b *eraseBench) result(id, subject, reference string, change func(*event.Result)) {
	b.t.Helper()
	r := event.Result{RequestID: id, Vendor: event.Argos, SubmissionID: subject, UserID: zoeAddress, Outcome: event.Approved,
		VendorReference: reference, Calls: 1, Attempts: 1, Revision: 1, Final: true, CompletedAt: failedAt.Add(time.Minute),
		SelfieSHA256: strings.Repeat("0", 64), SelfieBytes: 1}
	if change != nil {
		change(&r)
	}
	rec, err := r.Record(event.TopicResults, "/test")
	if err != nil {
		b.t.Fatal(err)
	}
	rec.Partition = elsewhere(id)
	b.write(rec)
}

func (b *eraseBench) step(id string, r ledger.Record) {
	b.t.Helper()
	b.write(event.Record{Topic: event.TopicLedger, Partition: elsewhere(id), Key: []byte(id), Value: r.Encode(), Time: failedAt})
}

// object puts an object and returns its version.
func (b *eraseBench) object(bucket, key string, tags ...types.Tag) *string {
	b.t.Helper()
	out, err := b.s3.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte("face"))})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(tags) > 0 {
		if _, err := b.s3.PutObjectTagging(b.t.Context(), &s3.PutObjectTaggingInput{
			Bucket: &bucket, Key: &key, Tagging: &types.Tagging{TagSet: tags}}); err != nil {
			b.t.Fatal(err)
		}
	}
	return out.VersionId
}

func (b *eraseBench) hasObject(bucket, key string, version *string) bool {
	b.t.Helper()
	_, err := b.s3.HeadObject(b.t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: version})
	return err == nil
}
