package rekognition

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestNewReportsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string // empty: nothing is
	}{
		{nil, ""},
		{func(c *Config) { c.BaseURL = "" }, ""},
		{func(c *Config) { c.Region = "" }, ""},
		{func(c *Config) { c.BaseURL = "http://[::1]:8080" }, ""},
		{func(c *Config) { c.BaseURL, c.AllowHTTP = "http://sandbox:8080", true }, ""},
		{func(c *Config) { c.Threshold, c.QualityFilter = 50, FilterNone }, ""},
		{func(c *Config) { c.BaseURL = "http://vendor.example" }, "not https"},
		{func(c *Config) { c.BaseURL = "vendor.example" }, "absolute"},
		{func(c *Config) { c.BaseURL = "https://u:canary@vendor.example" }, "user"},
		{func(c *Config) { c.BaseURL = "https://vendor.example?k=canary" }, "query"},
		{func(c *Config) { c.BaseURL, c.Region = "", "" }, "region"},
		{func(c *Config) { c.BaseURL, c.Region = "", "evil.example/" }, "region"},
		{func(c *Config) { c.Sign = nil }, "sign"},
		{func(c *Config) { c.DefaultBucket = "" }, "bucket"},
		{func(c *Config) { c.Threshold = 49.9 }, "threshold"},
		{func(c *Config) { c.Threshold = 100.1 }, "threshold"},
		{func(c *Config) { c.Threshold = math.NaN() }, "threshold"},
		{func(c *Config) { c.QualityFilter = "best" }, "quality filter"},
	} {
		_, err := New(config(c.change))
		switch {
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary")):
			t.Errorf("what must be refused as %q: %v", c.want, err)
		}
	}
}

func TestAddressFollowsTheRegion(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1": "https://rekognition.eu-central-1.amazonaws.com/",
		"cn-north-1":   "https://rekognition.cn-north-1.amazonaws.com.cn/",
	} {
		a, err := New(config(func(c *Config) { c.BaseURL, c.Region = "", region }))
		if err != nil || a.endpoint != want {
			t.Errorf("%s: %v, want %s", region, err, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	want := vendors.Capabilities{NeedsSelfie: true, Subject: "submission_id", Liveness: event.LivenessNone}
	if diff := cmp.Diff(want, decoder(t).Capabilities()); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsSentInVain(t *testing.T) {
	var arrived atomic.Int64
	a := serve(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) }, nil)
	with := func(size int, reference *vendors.ObjectRef) vendors.Call {
		return vendors.Call{Selfie: vendortest.NewSelfie(size), Reference: reference}
	}
	there := &vendors.ObjectRef{Key: "k"}
	noKey := func(context.Context, *http.Request, string) error { return errors.New(secretText) }
	for _, c := range []struct {
		name string
		call vendors.Call
		sign func(context.Context, *http.Request, string) error
		want string
	}{
		{"no selfie", vendors.Call{Reference: there}, signAs("k"), "refused selfie_missing"},
		{"empty selfie", with(0, there), signAs("k"), "refused selfie_missing"},
		{"selfie above the limit", with(5<<20+1, there), signAs("k"), "unusable selfie_too_large"},
		{"no reference", with(9, nil), signAs("k"), "refused reference_missing"},
		{"empty reference", with(9, &vendors.ObjectRef{Bucket: "b"}), signAs("k"), "refused reference_missing"},
		{"no credentials", with(9, there), noKey, "lane_fault credentials_unusable"},
	} {
		a.sign = c.sign
		v, err := a.Authenticate(t.Context(), c.call)
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", c.name, err)
		}
		if selfie, ok := c.call.Selfie.(*vendortest.Selfie); ok {
			for _, f := range selfie.Faults() {
				t.Errorf("%s: %s", c.name, f)
			}
		}
	}
	if n := arrived.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestStoppingWhileCredentialsAreFetchedIsNoFaultOfTheLane.
func TestStoppingWhileCredentialsAreFetchedIsNoFaultOfTheLane(t *testing.T) {
	stopped := errors.New("stopped by the test")
	ctx, stop := context.WithCancelCause(t.Context())
	a := serve(t, func(http.ResponseWriter, *http.Request) {}, func(c *Config) {
		c.Sign = func(ctx context.Context, _ *http.Request, _ string) error {
			stop(stopped)
			return ctx.Err()
		}
	})
	_, err := a.Authenticate(ctx, call(vendortest.NewSelfie(9)))
	if e := fault(t, err); e.Kind != vendors.Transient || e.Unknown || !errors.Is(err, stopped) {
		t.Errorf("%v (unknown %v), want transient, known, with its cause", e, e.Unknown)
	}
}

func TestSelfieAtTheLimitIsSent(t *testing.T) {
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n < 5<<20/3*4 || n != r.ContentLength {
			t.Errorf("%d of %d bytes, %v", n, r.ContentLength, err)
		}
		say(w, 200, vendortest.Golden(t, "matched.json"))
	}, nil)
	if v, err := a.Authenticate(t.Context(), call(vendortest.NewSelfie(5<<20))); err != nil || v.Outcome != event.Approved {
		t.Errorf("%s", summary(t, v, err))
	}
}

func TestThresholdIsOurs(t *testing.T) {
	for threshold, want := range map[float64]string{
		0: "approved", 98.25: "approved", 98.26: "rejected similarity_below_threshold", 100: "rejected similarity_below_threshold",
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !strings.Contains(string(body), `"SimilarityThreshold":0,`) {
				t.Errorf("all faces are to be asked for (%v)", err)
			}
			say(w, 200, vendortest.Golden(t, "matched.json"))
		}, func(c *Config) { c.Threshold = threshold })
		v, err := a.Authenticate(t.Context(), call(vendortest.NewSelfie(64)))
		if got := summary(t, v, err); got != want {
			t.Errorf("threshold %v: %s, want %s", threshold, got, want)
		}
		if diff := cmp.Diff(map[string]float64{"similarity": 98.25}, v.Scores); diff != "" {
			t.Errorf("threshold %v: scores %s", threshold, diff)
		}
		if v.Reference != "03507c9b-7e84-11e9-9ad1-854a4567eb71" {
			t.Errorf("reference %q is not the id of the call", v.Reference)
		}
	}
}

// TestUnreadableReferenceIsLookedFor: only a missing one is the subject's fault.
func TestUnreadableReferenceIsLookedFor(t *testing.T) {
	for name, c := range map[string]struct {
		has  func(context.Context, vendors.ObjectRef) (bool, error)
		want string
	}{
		"missing":        {func(context.Context, vendors.ObjectRef) (bool, error) { return false, nil }, "ineligible subject_unknown"},
		"nobody to ask":  {nil, "ineligible subject_unknown"},
		"there":          {func(context.Context, vendors.ObjectRef) (bool, error) { return true, nil }, "transient reference_hidden"},
		"store is down":  {func(context.Context, vendors.ObjectRef) (bool, error) { return false, errors.New(secretText) }, "transient reference_unclear"},
		"store is wrong": {func(context.Context, vendors.ObjectRef) (bool, error) { return true, errors.New(secretText) }, "transient reference_unclear"},
	} {
		var asked vendors.ObjectRef
		a := serve(t, func(w http.ResponseWriter, _ *http.Request) { say(w, 400, vendortest.Golden(t, "noreference.json")) }, func(config *Config) {
			if c.has != nil {
				config.HasReference = func(ctx context.Context, o vendors.ObjectRef) (bool, error) {
					asked = o
					return c.has(ctx, o)
				}
			}
		})
		v, err := a.Authenticate(t.Context(), call(vendortest.NewSelfie(64)))
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if want := (vendors.ObjectRef{Bucket: "selfies", Key: "portraits/4711.jpg"}); c.has != nil && asked != want {
			t.Errorf("%s: looked for %+v, want %+v", name, asked, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoppingWhileLookingKeepsTheCause(t *testing.T) {
	stopped := errors.New("stopped by the test")
	ctx, stop := context.WithCancelCause(t.Context())
	a := serve(t, func(w http.ResponseWriter, _ *http.Request) { say(w, 400, vendortest.Golden(t, "noreference.json")) }, func(c *Config) {
		c.HasReference = func(ctx context.Context, _ vendors.ObjectRef) (bool, error) {
			stop(stopped)
			return false, ctx.Err()
		}
	})
	_, err := a.Authenticate(ctx, call(vendortest.NewSelfie(64)))
	if e := fault(t, err); e.Kind != vendors.Transient || !errors.Is(err, stopped) {
		t.Errorf("%v is without its cause", e)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // empty: all is well
	}{
		{"no picture", 400, `{"__type":"InvalidImageFormatException"}`, ""},
		{"no face", 400, vendortest.Golden(t, "noface.json"), ""},
		{"invalid", 400, `{"__type":"ValidationException"}`, ""},
		{"compared", 200, vendortest.Golden(t, "matched.json"), "lane_fault no_verdict"},
		{"a page", 200, "<html>", "lane_fault no_verdict"},
		{"not allowed", 400, `{"__type":"AccessDeniedException"}`, "lane_fault AccessDeniedException"},
		{"wrong secret", 400, `{"__type":"com.amazon.coral.service#InvalidSignatureException"}`, "lane_fault InvalidSignatureException"},
		{"another error", 400, `{"__type":"NeverSeenBefore"}`, "unexplained unknown_error_type"},
		{"a proxy's refusal", 413, "", "refused request_too_large"},
		{"down", 503, "", "transient , unknown"},
		{"throttled", 400, `{"__type":"ProvisionedThroughputExceededException"}`, "throttled ProvisionedThroughputExceededException"},
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || r.Header.Get("Authorization") != secretText+" "+hexSum(body) {
				t.Errorf("%s: signed %q (%v)", c.name, r.Header.Get("Authorization"), err)
			}
			say(w, c.status, c.body)
		}, nil)
		err := a.Check(t.Context())
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if got := summary(t, vendors.Verdict{}, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
