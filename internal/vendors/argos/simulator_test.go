package argos

import (
	"net/http/httptest"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/sandbox/argossim"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// simulate returns an adapter in front of a simulated vendor.
func simulate(t *testing.T, change func(*argossim.Knobs)) *Adapter {
	t.Helper()
	knobs := argossim.DefaultKnobs()
	knobs.APIKeys = []string{"key-1"}
	change(&knobs)
	sim, err := argossim.New(argossim.Config{Knobs: knobs, PathPrefix: "/v3"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	client := vendors.NewHTTPClient(vendors.HTTPOptions{})
	t.Cleanup(func() {
		sim.Close()
		client.CloseIdleConnections()
		server.Close()
	})
	a, err := New(Config{BaseURL: server.URL + "/v3", APIKey: func() (string, error) { return "key-1", nil }, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func call(submissionID string) vendors.Call {
	return vendors.Call{SubmissionID: submissionID, UserID: "user-1", Selfie: vendortest.NewSelfie(2 << 10)}
}

// TestSimulatedVendor has each of the simulator's scripts read as it is meant.
func TestSimulatedVendor(t *testing.T) {
	a := simulate(t, func(*argossim.Knobs) {})
	for submission, want := range map[string]event.Outcome{
		"sub-approve":           event.Approved,
		" sub-approve-blanks ":  event.Approved,
		"sub-reject-similarity": event.Rejected,
		"sub-reject-two":        event.Rejected,
		"sub-reject-new":        event.Rejected,
		"sub-unknown-code":      event.Ineligible,
		"sub-unapproved-text":   event.Ineligible,
		"sub-noface-code":       event.Unusable,
		"sub-noface-text":       event.Unusable,
	} {
		v, err := a.Authenticate(t.Context(), call(submission))
		if err != nil || v.Outcome != want {
			t.Errorf("%s: %q and %v, want %q", submission, v.Outcome, err, want)
		}
	}
	for submission, want := range map[string]struct {
		kind    vendors.Kind
		unknown bool
	}{
		"sub-error-data_processing_error-code": {vendors.Transient, true},
		"sub-error-image_processing_error":     {vendors.Transient, false},
		"sub-error-Invalid_projectId-text":     {vendors.LaneFault, false},
		"sub-error-never_heard_of-code":        {vendors.Unexplained, true},
		"sub-429":                              {vendors.Throttled, false},
		"sub-500":                              {vendors.Transient, true},
		"sub-502":                              {vendors.Transient, true},
		"sub-504":                              {vendors.Transient, true},
		"sub-badjson":                          {vendors.Transient, true},
		"sub-reset":                            {vendors.Transient, true},
	} {
		_, err := a.Authenticate(t.Context(), call(submission))
		if err == nil {
			t.Errorf("%s: no error", submission)
			continue
		}
		if e := fault(t, err); e.Kind != want.kind || e.Unknown != want.unknown {
			t.Errorf("%s: %v (unknown %v), want %s (unknown %v)", submission, e, e.Unknown, want.kind, want.unknown)
		}
	}
	if err := a.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestUnknownOutcomeIsFoundAndErased: the answer is lost after the call was
// charged; the list knows it, in both shapes.
func TestUnknownOutcomeIsFoundAndErased(t *testing.T) {
	for _, shape := range []argossim.ListShape{argossim.ListPaged, argossim.ListFlat} {
		a := simulate(t, func(k *argossim.Knobs) { k.ListShape = shape })
		began := time.Now()
		_, err := a.Authenticate(t.Context(), call("sub-reset"))
		if e := fault(t, err); !e.Unknown {
			t.Fatalf("%s: %v, want an unknown outcome", shape, e)
		}
		found, err := find(t, a, call("sub-reset"), began)
		if err != nil || len(found) != 1 || found[0].Outcome != event.Approved {
			t.Fatalf("%s: found %+v and %v, want one approval", shape, found, err)
		}
		for range 2 {
			if err := a.Erase(t.Context(), found[0].Reference); err != nil {
				t.Errorf("%s: erasing: %v", shape, err)
			}
		}
	}
}

// TestFindKnowsALastPageThatIsFull: as many authentications as fill the pages to
// the last row, after which the vendor names no key to go on with.
func TestFindKnowsALastPageThatIsFull(t *testing.T) {
	for _, shape := range []argossim.ListShape{argossim.ListPaged, argossim.ListFlat} {
		a := simulate(t, func(k *argossim.Knobs) { k.ListShape = shape })
		began := time.Now()
		for range pageSize {
			if _, err := a.Authenticate(t.Context(), call("sub-approve")); err != nil {
				t.Fatal(err)
			}
		}
		found, err := find(t, a, call("sub-approve"), began)
		if err != nil || len(found) != pageSize {
			t.Errorf("%s: found %d and %v, want %d", shape, len(found), err, pageSize)
		}
	}
}

func TestSimulatedLaneFaults(t *testing.T) {
	for code, change := range map[string]func(*argossim.Knobs){
		codeForbiddenKey:     func(k *argossim.Knobs) { k.APIKeys = []string{"another"} },
		codeForbiddenAddress: func(k *argossim.Knobs) { k.DenyAddress = true },
	} {
		a := simulate(t, change)
		_, err := a.Authenticate(t.Context(), call("sub-approve"))
		for _, err := range []error{err, a.Check(t.Context())} {
			if e := fault(t, err); e.Kind != vendors.LaneFault || e.Code != code {
				t.Errorf("%v, want lane_fault %s", e, code)
			}
		}
	}
}
