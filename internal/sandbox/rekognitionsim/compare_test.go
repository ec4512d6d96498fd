package rekognitionsim

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/sandbox/vendorsim"
	"reauth/internal/sandbox/vendorsim/vendorsimtest"
)

func TestFacesAreCompared(t *testing.T) {
	s, _ := setup(t, nil)
	const all = `"SimilarityThreshold":0,`
	for _, c := range []struct{ reference, selfie, more, want string }{
		{"face-jane.jpg", "face-jane-3KB.jpg", "", "99.25 +0"},
		{"face-jane-old.png", "face-jane-3KB.png", "", "99.25 +0"},
		{"face-jane.jpg", "face-joe-3KB.jpg", "", "+1"},
		{"face-jane.jpg", "face-joe-3KB.jpg", all, "1.5 +0"},
		{"face-jane.jpg", "face-jane-sim85.5-3KB.jpg", "", "85.5 +0"},
		{"face-jane.jpg", "face-jane-sim79.9-3KB.jpg", "", "+1"},
		{"face-jane.jpg", "face-jane-sim79.9-3KB.jpg", all, "79.9 +0"},
		{"face-jane-sim60.jpg", "face-jane-3KB.jpg", all, "60 +0"},
		{"face-jane.jpg", "face-jane-two-3KB.jpg", "", "99.25 +1"},
		{"face-jane.jpg", "face-jane-two-3KB.jpg", all, "99.25 1.5 +0"},
		{"face-jane.jpg", "face-joe-two-3KB.jpg", "", "+2"},
		{"face-jane-two.jpg", "face-jane-3KB.jpg", "", "99.25 +0"},
		{"face-jane.jpg", "face-jane-dim-3KB.jpg", "", "99.25 +0"},
		{"face-jane.jpg", "face-jane-dim-3KB.jpg", `"QualityFilter":"NONE",`, "99.25 +0"},
		{"face-jane.jpg", "face-jane-dim-3KB.jpg", `"QualityFilter":"AUTO",`, "+0"},
		{"face-jane.jpg", "face-jane-dim-two-3KB.jpg", `"QualityFilter":"LOW",`, "+1"},
		{"face-jane-dim.jpg", "face-jane-3KB.jpg", `"QualityFilter":"AUTO",`, "400 " + invalidParameter},
		{"face-jane.jpg", "face-jane-noface-3KB.jpg", "", "400 " + invalidParameter},
		{"face-jane-noface.jpg", "face-jane-3KB.jpg", "", "400 " + invalidParameter},
		{"1-3KB.jpg", "2-3KB.jpg", all, "1.5 +0"},
		{"1-3KB.jpg", "1-3KB.jpg", all, "99.25 +0"},
		{"face-jane-missing.jpg", "face-jane-3KB.jpg", "", "400 " + invalidObject},
		{"face-jane-notimage.jpg", "face-jane-3KB.jpg", "", "400 " + invalidImage},
		{"face-jane-empty.jpg", "face-jane-3KB.jpg", "", "400 " + invalidImage},
		{"face-jane.jpg", "face-jane-truncated.jpg", "", "400 " + invalidImage},
	} {
		if got := compare(t, s, c.reference, c.selfie, c.more).summary(t); got != c.want {
			t.Errorf("%s with %s %s: %s, want %s", c.reference, c.selfie, c.more, got, c.want)
		}
	}
}

func TestReferencesMayNotBeReadable(t *testing.T) {
	s, store := setup(t, nil)
	for name, c := range map[string]struct {
		change func(*Knobs) error
		want   string
	}{
		"hidden":    {func(k *Knobs) error { k.HideReferences = true; return nil }, "400 " + invalidObject},
		"too large": {func(k *Knobs) error { k.HideReferences, k.MaxObjectBytes = false, 1000; return nil }, "400 " + imageTooLarge},
	} {
		call := signed(t, s.Knobs(), body(t, s, "face-jane.jpg", "face-jane-3KB.jpg", ""))
		before := s.Knobs()
		if err := s.Adjust(c.change); err != nil {
			t.Fatal(err)
		}
		if got := do(s, call).summary(t); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if err := s.Adjust(func(k *Knobs) error { *k = before; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		knobs s3sim.Knobs
		want  string
	}{
		"denied":      {s3sim.Knobs{AccessKeyID: "sandbox", DenyAccess: true}, "400 " + invalidObject},
		"another key": {s3sim.Knobs{AccessKeyID: "other"}, "400 " + invalidObject},
		"store down":  {s3sim.Knobs{AccessKeyID: "sandbox", Outage: fault.ServerError}, "500 " + serverError},
		"store gone":  {s3sim.Knobs{AccessKeyID: "sandbox", Outage: fault.Refuse}, "500 " + serverError},
	} {
		call := signed(t, s.Knobs(), body(t, s, "face-jane.jpg", "face-jane-3KB.jpg", ""))
		turn(t, store, c.knobs)
		if got := do(s, call).summary(t); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		turn(t, store, s3sim.DefaultKnobs())
	}
	if n := s.Stats().Charged; n != 0 {
		t.Errorf("%d charged", n)
	}
}

func turn(t *testing.T, store *s3sim.Simulator, k s3sim.Knobs) {
	t.Helper()
	if err := store.Adjust(func(now *s3sim.Knobs) error { *now = k; return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAreValidated(t *testing.T) {
	s, _ := setup(t, nil)
	const reference = `"SourceImage":{"S3Object":{"Bucket":"selfies","Name":"p/face-jane.jpg"}}`
	selfie := `"TargetImage":{"Bytes":"` + base64.StdEncoding.EncodeToString(bytesOf(t, s, "face-jane-3KB.jpg")) + `"}`
	for body, want := range map[string]string{
		"": "400 " + serialization, "[]": "400 " + serialization, "{}": "400 " + validation,
		"{" + reference + "}":                                    "400 " + validation,
		"{" + reference + `,"TargetImage":{}}`:                   "400 " + invalidParameter,
		"{" + reference + `,"TargetImage":{"Bytes":""}}`:         "400 " + validation,
		"{" + reference + `,"TargetImage":{"Bytes":"?"}}`:        "400 " + serialization,
		"{" + reference + `,"TargetImage":{"Bytes":"bm9uZQ=="}}`: "400 " + invalidImage,
		"{" + reference + `,"TargetImage":{"Bytes":"` + base64.StdEncoding.EncodeToString(make([]byte, maxPictureBytes+1)) + `"}}`: "400 " + imageTooLarge,
		"{" + reference + `,"TargetImage":{"Bytes":"AAAA","S3Object":{"Bucket":"selfies","Name":"a"}}}`:                            "400 " + invalidParameter,
		`{"SourceImage":{"S3Object":{"Bucket":"selfies","Name":""}},` + selfie + "}":                                               "400 " + validation,
		`{"SourceImage":{"S3Object":{"Bucket":"nowhere","Name":"a"}},` + selfie + "}":                                              "400 " + invalidObject,
		"{" + reference + "," + selfie + `,"SimilarityThreshold":100.5}`:                                                           "400 " + validation,
		"{" + reference + "," + selfie + `,"QualityFilter":"auto"}`:                                                                "400 " + validation,
		"{" + reference + "," + selfie + `,"SimilarityThreshold":99,"QualityFilter":"HIGH"}`:                                       "99.25 +0",
		"{" + reference + `,"TargetImage":{"S3Object":{"Bucket":"selfies","Name":"p/face-jane-2.jpg"}}}`:                           "99.25 +0",
		strings.Repeat(" ", maxRequestBytes+1):                                                                                     "413 " + entityTooLarge,
	} {
		if got := do(s, signed(t, s.Knobs(), body)).summary(t); got != want {
			t.Errorf("%.120s: %s, want %s", body, got, want)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"another operation": func(r *http.Request) { r.Header.Set("X-Amz-Target", "RekognitionService.DetectFaces") },
		"another type":      func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		"another path":      func(r *http.Request) { r.URL.Path = "/compare" },
		"another method":    func(r *http.Request) { r.Method = http.MethodGet },
	} {
		r := signed(t, s.Knobs(), "{}")
		change(r)
		if got := do(s, r).summary(t); got != "404 "+unknownOperation {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestMishaps: how many of three comparisons go wrong, how, and what was charged.
func TestMishaps(t *testing.T) {
	for script, c := range map[string]struct {
		first, third string
		charged      int
	}{
		"429":                             {"400 " + throttling, "99.25 +0", 2},
		"429bare":                         {"400 " + throttling, "99.25 +0", 2},
		"500":                             {"500 " + serverError, "99.25 +0", 2},
		"500-twice":                       {"500 " + serverError, "99.25 +0", 1},
		"502":                             {"502, no JSON", "99.25 +0", 2},
		"503-always":                      {"503 " + unavailable, "503 " + unavailable, 0},
		"resetearly":                      {"aborted", "99.25 +0", 2},
		"504":                             {"504 " + unavailable, "99.25 +0", 3},
		"badjson":                         {"200, no JSON", "99.25 +0", 3},
		"reset":                           {"aborted", "99.25 +0", 3},
		"AccessDeniedException":           {"400 " + accessDenied, "400 " + accessDenied, 0},
		"InternalServerError-once":        {"500 " + serverError, "99.25 +0", 2},
		"UnrecognizedClientException":     {"400 " + unknownClient, "400 " + unknownClient, 0},
		"ImageTooLargeException-twice":    {"400 " + imageTooLarge, "99.25 +0", 1},
		"InvalidS3ObjectException-always": {"400 " + invalidObject, "400 " + invalidObject, 0},
	} {
		s, _ := setup(t, nil)
		var got []string
		for range 3 {
			got = append(got, compare(t, s, "face-jane.jpg", "face-jane-3KB-"+script+".jpg", "").summary(t))
		}
		st := s.Stats()
		if got[0] != c.first || got[2] != c.third || st.Charged != c.charged || st.Duplicates != max(0, c.charged-1) {
			t.Errorf("%s: %q, %d charged, %d duplicates, want %s … %s and %d", script, got, st.Charged, st.Duplicates, c.first, c.third, c.charged)
		}
	}
}

func TestHangEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, nil)
		r := signed(t, s.Knobs(), body(t, s, "face-jane.jpg", "face-jane-3KB-hang.jpg", ""))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := do(s, r.WithContext(ctx)); !got.aborted {
			t.Errorf("answered %d", got.status)
		}
		if n := s.Stats().Charged; n != 1 {
			t.Errorf("%d charged", n)
		}
	})
}

func TestQuotaIsKept(t *testing.T) {
	s, _ := setup(t, func(k *Knobs) { k.PerSecond = 2 })
	var calls []*http.Request
	for range 4 {
		calls = append(calls, signed(t, s.Knobs(), body(t, s, "face-jane.jpg", "face-jane-3KB.jpg", "")))
	}
	refused := 0
	for _, r := range calls {
		if do(s, r).summary(t) == "400 "+overThroughput {
			refused++
		}
	}
	if st := s.Stats(); refused != 2 || st.Refused != 2 || st.Charged != 2 || st.PeakPerSecond != 4 {
		t.Errorf("%d refused, %+v", refused, st)
	}
}

func TestGatewayWaitsForNoBooks(t *testing.T) {
	s, _ := setup(t, func(k *Knobs) { k.PerSecond = 1 })
	text := body(t, s, "face-jane.jpg", "face-jane-3KB.jpg", "")
	calls := []*http.Request{signed(t, s.Knobs(), text), signed(t, s.Knobs(), text)}
	vendorsimtest.GatewayWaitsForNoBooks(t, &s.books, http.StatusBadRequest, http.StatusOK, func(n int) int { return do(s, calls[n]).status })
}

func TestLedgerKnowsRepeats(t *testing.T) {
	s, _ := setup(t, nil)
	for _, pair := range [][2]string{{"face-jane.jpg", "face-jane-3KB.jpg"}, {"face-jane-2.jpg", "face-jane-3KB.jpg"}, {"face-jane.jpg", "face-joe-3KB.jpg"}, {"face-jane.jpg", "face-jane-3KB.jpg"}} {
		compare(t, s, pair[0], pair[1], "")
	}
	if got := s.Charged("joe"); len(got) != 1 || got[0].Reference != "selfies/p/face-jane.jpg" || got[0].Similarity != Unlike || got[0].SelfieBytes != 3000 {
		t.Errorf("joe: %+v", got)
	}
	if all, doubled := s.Charged(""), s.Duplicates(); len(all) != 4 || len(doubled) != 1 || len(doubled[0]) != 2 || s.Stats().Duplicates != 1 {
		t.Errorf("%d charged, duplicates %+v", len(all), doubled)
	}
	s.Reset()
	if st := s.Stats(); st.Charged != 0 || st.Calls != 0 || len(s.Charged("")) != 0 {
		t.Errorf("after a reset: %+v", st)
	}
}

func TestOutageHitsEveryCall(t *testing.T) {
	s, _ := setup(t, func(k *Knobs) { k.Outage = fault.ServerError })
	if got := compare(t, s, "face-jane.jpg", "face-jane-3KB.jpg", "").summary(t); got != "500 "+serverError || s.Stats().Outage != 1 {
		t.Error(got)
	}
}

func TestKnobsAreValidated(t *testing.T) {
	s, store := setup(t, nil)
	for name, change := range map[string]func(*Knobs){
		"region": func(k *Knobs) { k.Region = "" }, "key": func(k *Knobs) { k.AccessKeyID = "" }, "secret": func(k *Knobs) { k.SecretAccessKey = "" },
		"rate": func(k *Knobs) { k.PerSecond = -1 }, "bytes": func(k *Knobs) { k.MaxObjectBytes = 0 }, "share": func(k *Knobs) { k.ErrorRate = 2 },
	} {
		if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err == nil || s.Knobs() != DefaultKnobs() {
			t.Errorf("%s: %v, %+v", name, err, s.Knobs())
		}
	}
	for _, c := range []Config{{Store: store}, {Knobs: DefaultKnobs()}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestScriptsIgnoreWhatTheyDoNotKnow(t *testing.T) {
	for name, want := range map[string]Script{
		"a/b/face-jane-100KB.jpg":     {Person: "jane", Alike: Alike},
		"face-jane-sim101-simple.jpg": {Person: "jane", Alike: Alike},
		"face-jane-NeverSeen.jpg":     {Person: "jane", Alike: Alike},
		"face.jpg":                    {Alike: Alike},
		"jane-500.jpg":                {Alike: Alike},
		"face-jane-two-dim-429-twice": {Person: "jane", Alike: Alike, Two: true, Dim: true,
			Mishap: vendorsim.Mishap{Kind: vendorsim.Throttled, Times: 2}},
	} {
		if got := ParseScript(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if text := fmt.Sprint(ParseScript("face-jane-once").Mishap.Times); text != "0" {
		t.Errorf("no mishap happens %s times", text)
	}
}
