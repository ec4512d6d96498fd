package rekognition

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"reauth/internal/event"
	"reauth/internal/sandbox/rekognitionsim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// simulate returns an adapter in front of a simulated service, signing as the
// consumer does, and the service.
func simulate(t *testing.T, change func(*rekognitionsim.Knobs), more func(*Config)) (*Adapter, *rekognitionsim.Simulator) {
	t.Helper()
	knobs := rekognitionsim.DefaultKnobs()
	knobs.Region, knobs.SessionToken = "eu-central-1", "session-1"
	if change != nil {
		change(&knobs)
	}
	sim, err := rekognitionsim.New(rekognitionsim.Config{Knobs: knobs, Store: pictures(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	signer, err := storage.NewSigner(t.Context(), storage.SignerConfig{
		Service: Service, Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("sandbox", "sandbox-secret", "session-1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, sim.ServeHTTP, func(c *Config) {
		c.Sign = signer.Sign
		if more != nil {
			more(c)
		}
	}), sim
}

// pictures is the store of the simulated service.
func pictures(t *testing.T) *s3sim.Simulator {
	t.Helper()
	store, err := s3sim.New(s3sim.Config{Knobs: s3sim.Knobs{AccessKeyID: "sandbox", AllowAnonymous: true}, Buckets: []string{"selfies", "portraits"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// picture is a selfie with these bytes.
type picture []byte

func (p picture) Size() int64         { return int64(len(p)) }
func (p picture) ContentType() string { return http.DetectContentType(p) }
func (p picture) Reader() io.Reader   { return bytes.NewReader(p) }
func (p picture) Body() io.ReadCloser { return io.NopCloser(bytes.NewReader(p)) }

// scripted is the picture that the simulated store has under the name.
func scripted(t *testing.T, name string) picture {
	t.Helper()
	w := httptest.NewRecorder()
	pictures(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/selfies/"+name, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("selfie %s: %d", name, w.Code)
	}
	return w.Body.Bytes()
}

func TestSimulatedVendor(t *testing.T) {
	for _, c := range []struct{ reference, selfie, want string }{
		{"face-jane.jpg", "face-jane-3KB.jpg", "approved"},
		{"face-jane.png", "face-jane-300KB.png", "approved"},
		{"face-jane.jpg", "face-jane-4000KB.jpg", "approved"},
		{"face-jane.jpg", "face-joe-3KB.jpg", "rejected similarity_below_threshold"},
		{"face-jane.jpg", "face-jane-sim89.9-3KB.jpg", "rejected similarity_below_threshold"},
		{"face-jane.jpg", "face-jane-sim90-3KB.jpg", "approved"},
		{"face-jane.jpg", "face-jane-two-3KB.jpg", "unusable multiple_faces"},
		{"face-jane-two.jpg", "face-jane-3KB.jpg", "approved"},
		{"face-jane.jpg", "face-jane-dim-3KB.jpg", "unusable no_face"},
		{"face-jane.jpg", "face-jane-noface-3KB.jpg", "unusable no_face"},
		{"face-jane-noface.jpg", "face-jane-3KB.jpg", "unusable no_face"},
		{"face-jane-missing.jpg", "face-jane-3KB.jpg", "ineligible subject_unknown"},
		{"face-jane-notimage.jpg", "face-jane-3KB.jpg", "unusable selfie_unreadable"},
		{"face-jane.jpg", "face-jane-429-3KB.jpg", "throttled ThrottlingException"},
		{"face-jane.jpg", "face-jane-ProvisionedThroughputExceededException-3KB.jpg", "throttled ProvisionedThroughputExceededException"},
		{"face-jane.jpg", "face-jane-AccessDeniedException-3KB.jpg", "lane_fault AccessDeniedException"},
		{"face-jane.jpg", "face-jane-500-3KB.jpg", "transient InternalServerError, unknown"},
		{"face-jane.jpg", "face-jane-502-3KB.jpg", "transient , unknown"},
		{"face-jane.jpg", "face-jane-504-3KB.jpg", "transient ServiceUnavailableException, unknown"},
		{"face-jane.jpg", "face-jane-badjson-3KB.jpg", "transient unreadable_answer, unknown"},
		{"face-jane.jpg", "face-jane-reset-3KB.jpg", "transient , unknown"},
	} {
		a, sim := simulate(t, nil, nil)
		call := vendors.Call{SubmissionID: "jane", Selfie: scripted(t, c.selfie), Reference: &vendors.ObjectRef{Bucket: "portraits", Key: "ü b/" + c.reference}}
		v, err := a.Authenticate(t.Context(), call)
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.reference, c.selfie, got, c.want)
		}
		if err := a.Check(t.Context()); err != nil {
			t.Errorf("check: %v", err)
		}
		if st := sim.Stats(); st.Calls != 2 || st.Charged > 1 {
			t.Errorf("%s with %s: %+v for one attempt and a check", c.reference, c.selfie, st)
		}
	}
}

func TestSettingsReachTheVendor(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"rejected similarity_below_threshold": func(c *Config) { c.Threshold = 95 },
		"approved":                            func(c *Config) { c.QualityFilter = FilterNone },
		"unusable no_face":                    func(c *Config) { c.QualityFilter = FilterHigh },
	} {
		selfie := "face-jane-sim94-3KB.jpg"
		if want != "rejected similarity_below_threshold" {
			selfie = "face-jane-dim-3KB.jpg"
		}
		a, _ := simulate(t, nil, change)
		v, err := a.Authenticate(t.Context(), vendors.Call{Selfie: scripted(t, selfie), Reference: &vendors.ObjectRef{Key: "face-jane.jpg"}})
		if got := summary(t, v, err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSimulatedLaneFaults(t *testing.T) {
	for want, change := range map[string]func(*rekognitionsim.Knobs){
		"lane_fault UnrecognizedClientException": func(k *rekognitionsim.Knobs) { k.AccessKeyID = "another" },
		"lane_fault InvalidSignatureException":   func(k *rekognitionsim.Knobs) { k.SecretAccessKey = "another" },
		"lane_fault ExpiredTokenException":       func(k *rekognitionsim.Knobs) { k.Expired = true },
		"lane_fault AccessDeniedException":       func(k *rekognitionsim.Knobs) { k.DenyAccess = true },
	} {
		a, sim := simulate(t, change, nil)
		v, err := a.Authenticate(t.Context(), vendors.Call{Selfie: scripted(t, "face-jane-3KB.jpg"), Reference: &vendors.ObjectRef{Key: "face-jane.jpg"}})
		if got := summary(t, v, err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := summary(t, vendors.Verdict{}, a.Check(t.Context())); got != want {
			t.Errorf("check: %s, want %s", got, want)
		}
		if n := sim.Stats().Charged; n != 0 {
			t.Errorf("%s: %d charged", want, n)
		}
	}
}

// TestHiddenReferencesBlameNobody: the buckets are in another region, say.
func TestHiddenReferencesBlameNobody(t *testing.T) {
	store := pictures(t)
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	reader, err := storage.Open(t.Context(), storage.Config{
		Endpoint: server.URL, PathStyle: true, Region: "eu-central-1", Bucket: "selfies",
		Credentials: credentials.NewStaticCredentialsProvider("sandbox", "any", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	for reference, want := range map[string]string{
		"face-jane.jpg": "transient reference_hidden", "face-jane-missing.jpg": "ineligible subject_unknown",
	} {
		a, _ := simulate(t, func(k *rekognitionsim.Knobs) { k.HideReferences = true }, func(c *Config) {
			c.HasReference = func(ctx context.Context, o vendors.ObjectRef) (bool, error) {
				return reader.Has(ctx, storage.Ref{Bucket: o.Bucket, Key: o.Key, Version: o.Version})
			}
		})
		v, err := a.Authenticate(t.Context(), vendors.Call{Selfie: scripted(t, "face-jane-3KB.jpg"), Reference: &vendors.ObjectRef{Key: reference}})
		if got := summary(t, v, err); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}

// TestManyAtOnce: no signature is for another call's body.
func TestManyAtOnce(t *testing.T) {
	a, sim := simulate(t, nil, nil)
	var all sync.WaitGroup
	for n := range 40 {
		selfie := scripted(t, fmt.Sprintf("face-jane-%d-%dKB.jpg", n, 3+n))
		all.Go(func() {
			v, err := a.Authenticate(t.Context(), vendors.Call{Selfie: selfie, Reference: &vendors.ObjectRef{Key: "face-jane.jpg"}})
			if err != nil || v.Outcome != event.Approved {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	all.Wait()
	if st := sim.Stats(); st.Charged != 40 || st.Duplicates != 0 {
		t.Errorf("%+v", st)
	}
}
