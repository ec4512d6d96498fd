package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/storage"
	"reauth/internal/vendors"
	"reauth/internal/vendors/rekognition"
)

// withRekognition asks for Amazon Rekognition, on a free port.
func withRekognition(o *Options) {
	o.RekognitionAddr, o.S3.AllowAnonymous = "127.0.0.1:0", true
}

// rekognitionOf returns an adapter that is set up from the sandbox's environment
// alone.
func rekognitionOf(t *testing.T, s *Sandbox) *rekognition.Adapter {
	t.Helper()
	env := environmentOf(s)
	region := env["REAUTH_SELFIES__REGION"]
	keys := credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")
	signer, err := storage.NewSigner(t.Context(), storage.SignerConfig{Service: rekognition.Service, Region: region, Credentials: keys})
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(t.Context(), storage.Config{
		Endpoint: env["REAUTH_SELFIES__ENDPOINT"], PathStyle: true, Region: region, Bucket: env["REAUTH_SELFIES__BUCKET"], Credentials: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(client.CloseIdleConnections)
	a, err := rekognition.New(rekognition.Config{
		BaseURL: env["REAUTH_VENDORS__REKOGNITION__BASE_URL"], Region: region, Sign: signer.Sign, DefaultBucket: env["REAUTH_SELFIES__BUCKET"], Client: client,
		HasReference: func(ctx context.Context, o vendors.ObjectRef) (bool, error) {
			return store.Has(ctx, storage.Ref{Bucket: o.Bucket, Key: o.Key, Version: o.Version})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func environmentOf(s *Sandbox) map[string]string {
	env := map[string]string{}
	for _, v := range s.Environment() {
		env[v.Name] = v.Value
	}
	return env
}

// TestExpectRekognitionIsWhatTheAdapterFinds makes one attempt after the other, as
// the consumer does, with the pictures that S3 has under the keys.
func TestExpectRekognitionIsWhatTheAdapterFinds(t *testing.T) {
	s := setup(t, withRekognition)
	a := rekognitionOf(t, s)
	const jane = "selfies/ref/face-jane.jpg"
	compare := func(selfie, reference string) {
		t.Helper()
		s.Rekognition.Reset()
		r := event.Request{Vendor: event.Rekognition, SelfieKey: selfie, ReferenceKey: reference}
		got := attempts(t, a, vendors.Call{Selfie: selfieOf(t, s, selfie), Reference: &vendors.ObjectRef{Key: reference}})
		got.Charges = len(s.Rekognition.Charged(""))
		if diff := cmp.Diff(ExpectRequest(r), got); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", selfie, reference, diff)
		}
	}
	for _, script := range []string{
		"300KB", "40KB-two", "two", "dim", "dim-two", "noface", "noface-two", "sim89.9", "sim90", "sim50-two",
		"429", "429-twice", "429bare", "429-always", "500", "502", "503", "resetearly", "504", "badjson-twice", "reset", "500-always", "resetearly-always", "504-always",
		"504-noface", "reset-always-noface", "badjson-two", "500-sim1",
		"AccessDeniedException", "AccessDeniedException-once", "MissingAuthenticationTokenException", "IncompleteSignatureException", "UnrecognizedClientException",
		"InvalidSignatureException", "ExpiredTokenException-twice", "UnknownOperationException", "ImageTooLargeException", "ImageTooLargeException-once",
		"InvalidImageFormatException", "InvalidParameterException-once", "InvalidS3ObjectException", "InvalidS3ObjectException-once", "RequestEntityTooLargeException",
		"ThrottlingException", "ProvisionedThroughputExceededException-twice", "InternalServerError", "ServiceUnavailableException-once", "ValidationException", "SerializationException",
	} {
		compare("selfies/1/face-jane-"+script+"-3KB.jpg", jane)
		compare("selfies/1/face-joe-"+script+"-3KB.png", jane)
	}
	for _, script := range []string{"", "-two", "-dim", "-dim-two", "-noface", "-sim80", "-missing", "-notimage", "-empty", "-truncated", "-huge", "-500-always"} {
		for _, selfie := range []string{"", "-two", "-dim-two-sim1", "-dim", "-reset", "-InvalidS3ObjectException"} {
			compare("selfies/2/face-jane"+selfie+"-3KB.jpg", "selfies/ref/face-jane"+script+"-3KB.jpg")
		}
	}
	compare("selfies/face-jane.png", "selfies/7.png")
	compare("selfies/face-jane.png", "selfies/face-jane-pngbomb.png")
	compare("selfies/7.jpg", jane)
	compare("selfies/7.jpg", "selfies/8.jpg")
	compare("selfies/7.jpg", "selfies/7.jpg")
	missing := ExpectRequest(event.Request{Vendor: event.Rekognition, SelfieKey: "selfies/face-x-missing.jpg", ReferenceKey: jane})
	if diff := cmp.Diff(Expectation{Outcome: event.Unusable, Reasons: []event.Reason{event.SelfieNotFound}}, missing); diff != "" {
		t.Errorf("missing selfie (-want +got):\n%s", diff)
	}
}

func TestRekognitionIsThereOnlyWhenAskedFor(t *testing.T) {
	without := setup(t, nil)
	if env := environmentOf(without); without.Rekognition != nil || without.RekognitionURL() != "" || env["REAUTH_VENDORS__REKOGNITION__ENABLED"] != "" {
		t.Errorf("Rekognition is there unasked: %v", env)
	}
	if status, _ := ask(t, without, http.MethodGet, "/rekognition/ledger", ""); status != http.StatusNotFound {
		t.Errorf("its ledger answers %d", status)
	}

	for limits, perSecond := range map[string]int{"none": 0, "20/s": 20} {
		s := setup(t, func(o *Options) {
			withRekognition(o)
			o.Rekognition.PerSecond, o.S3.AccessKeyID = perSecond, "another"
			o.Rekognition.Region, o.Rekognition.SecretAccessKey = "mars-1", "never used"
		})
		env := environmentOf(s)
		for name, want := range map[string]string{"ENABLED": "true", "BASE_URL": s.RekognitionURL(), "LIMITS": limits} {
			if got := env["REAUTH_VENDORS__REKOGNITION__"+name]; got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if err := rekognitionOf(t, s).Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAdminTurnsRekognition(t *testing.T) {
	s := setup(t, withRekognition)
	before := s.Rekognition.Knobs()
	for _, bad := range []string{
		`{"rekognition": {"per_second": -1}, "s3": {"outage": "500"}}`,
		`{"rekognition": {"per_second": 5}, "s3": {"outage": "flood"}}`,
		`{"rekognition": {"per_minute": 5}}`,
	} {
		if status, body := ask(t, s, http.MethodPut, "/knobs", bad); status != http.StatusBadRequest || s.Rekognition.Knobs() != before || s.S3.Knobs().Outage != "" {
			t.Errorf("%s: %d %s, want 400 and nothing changed", bad, status, body)
		}
	}
	a := rekognitionOf(t, s)
	call := func() vendors.Call {
		return vendors.Call{Selfie: selfieOf(t, s, "selfies/face-jane.jpg"), Reference: &vendors.ObjectRef{Key: "selfies/face-jane-ref.jpg"}}
	}
	for range 2 {
		if _, err := a.Authenticate(t.Context(), call()); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/rekognition/ledger?person=jane": `"selfies/selfies/face-jane-ref.jpg"`, "/rekognition/ledger?person=joe": "[]",
		"/rekognition/duplicates": `"person": "jane"`, "/stats": `"duplicates": 1`,
	} {
		if status, body := ask(t, s, http.MethodGet, path, ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	if status, body := ask(t, s, http.MethodPut, "/knobs", `{"rekognition": {"deny_access": true}}`); status != http.StatusOK || !s.Rekognition.Knobs().DenyAccess {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := ask(t, s, http.MethodPost, "/reset", ""); status != http.StatusNoContent || len(s.Rekognition.Charged("")) != 0 {
		t.Errorf("reset: %d, and %d charges are still there", status, len(s.Rekognition.Charged("")))
	}
}

// TestCloseDoesNotWaitForAReference: a comparison that waits for its reference is
// broken off with S3.
func TestCloseDoesNotWaitForAReference(t *testing.T) {
	s := setup(t, withRekognition)
	a := rekognitionOf(t, s)
	selfie := selfieOf(t, s, "selfies/face-jane.jpg")
	before := s.S3.Stats().Requests
	if status, body := ask(t, s, http.MethodPut, "/knobs", `{"s3": {"latency": "1h"}}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := a.Authenticate(t.Context(), vendors.Call{Selfie: selfie, Reference: &vendors.ObjectRef{Key: "selfies/face-jane-ref.jpg"}})
		ended <- err
	}()
	for s.S3.Stats().Requests == before {
		select {
		case err := <-ended:
			t.Fatalf("ended without its reference: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	s.Close()
	var e *vendors.Error
	if err := <-ended; !errors.As(err, &e) || !e.Unknown {
		t.Errorf("a comparison that waited ended with %v", err)
	}
}
