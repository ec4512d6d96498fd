package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/sandbox/rekognitionsim"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// TestRekognitionIsMadeOfItsSettings: a simulated service that takes signatures
// for one region only answers it, about references in the default bucket, by the
// threshold of the settings; and references are looked for in the selfies' store.
func TestRekognitionIsMadeOfItsSettings(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "sandbox")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sandbox-secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	store, err := s3sim.New(s3sim.Config{Knobs: s3sim.DefaultKnobs(), Buckets: []string{"faces"}})
	if err != nil {
		t.Fatal(err)
	}
	knobs := rekognitionsim.DefaultKnobs()
	knobs.Region = "eu-central-1"
	sim, err := rekognitionsim.New(rekognitionsim.Config{Knobs: knobs, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Vendors.Argos.Enabled = false
	c.Selfies.Endpoint, c.Selfies.PathStyle, c.Selfies.Bucket, c.Selfies.Region = serve(t, store), true, "faces", "eu-central-1"
	c.Vendors.Rekognition.Enabled, c.Vendors.Rekognition.BaseURL = true, serve(t, sim)
	authenticate := func(c config.Config, key string) (vendors.Verdict, error) {
		t.Helper()
		selfies, err := OpenStore(t.Context(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer selfies.Close()
		adapters, err := Adapters(t.Context(), c, selfies, nil)
		if err != nil {
			t.Fatal(err)
		}
		selfie, err := selfies.Fetch(t.Context(), storage.Ref{Key: "face-jane-sim93.jpg"})
		if err != nil {
			t.Fatal(err)
		}
		return adapters[event.Rekognition].Authenticate(t.Context(), vendors.Call{Selfie: selfie, Reference: &vendors.ObjectRef{Key: key}})
	}

	if v, err := authenticate(c, "face-jane.jpg"); err != nil || v.Outcome != event.Approved {
		t.Errorf("as set: %v, %v", v, err)
	}
	strict := c
	strict.Vendors.Rekognition.Threshold = 99
	if v, err := authenticate(strict, "face-jane.jpg"); err != nil || v.Outcome != event.Rejected {
		t.Errorf("with a threshold above the similarity: %v, %v", v, err)
	}
	elsewhere := c
	elsewhere.Vendors.Rekognition.Region = "us-east-1"
	if v, err := authenticate(elsewhere, "face-jane.jpg"); err == nil {
		t.Errorf("signed for another region: %v", v)
	}
	if v, err := authenticate(c, "face-jane-missing.jpg"); err != nil || v.Outcome != event.Ineligible {
		t.Errorf("without a reference: %v, %v", v, err)
	}
	if err := sim.Adjust(func(k *rekognitionsim.Knobs) error { k.HideReferences = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if v, err := authenticate(c, "face-jane.jpg"); err == nil {
		t.Errorf("a reference that only we can read: %v", v)
	}
}

func serve(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
