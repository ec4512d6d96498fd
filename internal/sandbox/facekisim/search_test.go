package facekisim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim/vendorsimtest"
)

// answerV2 is what a caller reads of a face-check.
type answerV2 struct {
	ResponseCode int
	Data         struct {
		FaceVerified bool     `json:"face_verified"`
		AllFaceIDs   []string `json:"all_face_ids"`
		KYCRecords   []struct {
			ReferenceID, FaceID, Status, DeleteStatus string
			KYCResponse                               struct{ Face struct{ Confidence any } }
		} `json:"kyc_records"`
	}
}

// brief is the answer in a line: verified, faces, then reference, face and state
// of each record; the person is P, somebody else O.
func (a answerV2) brief() string {
	who := strings.NewReplacer(reference, "P", Other(reference), "O", faceOf(reference), "p", faceOf(Other(reference)), "o")
	text := fmt.Sprint(a.ResponseCode, a.Data.FaceVerified, a.Data.AllFaceIDs)
	for _, r := range a.Data.KYCRecords {
		text += fmt.Sprintf(" %s/%s/%s/%s", r.ReferenceID, r.FaceID, r.Status, r.DeleteStatus)
	}
	return who.Replace(text)
}

func TestWhatASearchFindsV2(t *testing.T) {
	for script, want := range map[string]string{
		"face-" + reference:                   "0 true [p] P/p/ACCEPTED/ACTIVE",
		"face-" + reference + "-100KB":        "0 true [p] P/p/ACCEPTED/ACTIVE",
		"face-" + reference + "-other-20KB":   "0 true [o] O/o/ACCEPTED/ACTIVE",
		"face-" + reference + "-two":          "0 true [o p] O/o/ACCEPTED/ACTIVE P/p/ACCEPTED/ACTIVE",
		"face-" + reference + "-again":        "0 true [p p] O/p/DECLINED/ACTIVE P/p/ACCEPTED/ACTIVE",
		"face-" + reference + "-deleted":      "0 true [p] P/p/ACCEPTED/DELETED",
		"face-" + reference + "-declined":     "0 true [p] P/p/DECLINED/ACTIVE",
		"face-" + reference + "-review":       "0 true [p] P/p/REVIEW/ACTIVE",
		"face-" + reference + "-stray":        "0 true [o] P/p/ACCEPTED/ACTIVE",
		"face-" + reference + "-norecords":    "0 true [p]",
		"face-" + reference + "-nomatch":      "0 false []",
		"7":                                   "0 false []",
		"face-" + reference + "-nomatch8013":  "8013 false []",
		"face-" + reference + "-code8018":     "8018 false []",
		"face-" + reference + "-truncated":    "8006 false []",
		"face-" + reference + "-notimage-two": "8006 false []",
	} {
		s := setup(t, nil)
		got := find(t, s, script+".jpg")
		if answer := parse[answerV2](t, got).brief(); got.status != http.StatusOK || answer != want {
			t.Errorf("%s: %d %s, want %s", script, got.status, answer, want)
		}
	}
	s := setup(t, nil)
	if got := find(t, s, "face-"+reference+"-nomatch404.png"); got.status != http.StatusNotFound || !strings.Contains(got.body, "8013") {
		t.Errorf("no match in form (c): %d %s", got.status, got.body)
	}
	confidence := parse[answerV2](t, find(t, s, "face-"+reference+".jpg")).Data.KYCRecords[0].KYCResponse.Face.Confidence
	if text, ok := confidence.(string); !ok || text != "0.786" {
		t.Errorf("confidence is %v of type %T, the vendor's is a string", confidence, confidence)
	}
}

func TestWhatASearchFindsBlaze(t *testing.T) {
	type answer struct {
		Status bool
		Code   int
		Result []struct {
			RecordIdentifier string                  `json:"record_identifier"`
			DocumentData     []struct{ Passed bool } `json:"document_data"`
		}
	}
	for script, want := range map[string]string{
		"":            "true 200 P/true",
		"-other":      "true 200 O/true",
		"-two":        "true 200 O/true P/true",
		"-again":      "true 200 P/false P/true",
		"-declined":   "true 200 P/false",
		"-nomatch":    "true 200",
		"-code8006":   "false 8006",
		"-truncated":  "false 8006",
		"-norecords":  "true 200",
		"-http422":    "true 200 P/true",
		"-once-two-1": "true 200 O/true P/true",
	} {
		s := setup(t, nil)
		got := parse[answer](t, do(s, upload(t.Context(), pathBlaze, "selfie", token(t, s), selfie(t, "face-"+reference+script+".jpg"))))
		text := fmt.Sprint(got.Status, " ", got.Code)
		for _, r := range got.Result {
			text += fmt.Sprintf(" %s/%v", r.RecordIdentifier, r.DocumentData[0].Passed)
		}
		if text = strings.NewReplacer(reference, "P", Other(reference), "O").Replace(text); text != want {
			t.Errorf("%q: %s, want %s", script, text, want)
		}
	}
}

func TestCodesComeWithTheStatusAskedFor(t *testing.T) {
	for name, want := range map[string]int{"-code8004": 400, "-code8004-http422": 422, "-code8004-http200": 200} {
		s := setup(t, func(k *Knobs) { k.ErrorStatus = 400 })
		for range 2 {
			if got := find(t, s, "face-"+reference+name+".jpg"); got.status != want || !strings.Contains(got.body, `"responseCode":8004`) {
				t.Errorf("%s: %d %s, want %d", name, got.status, got.body, want)
			}
		}
		if n := s.Stats().Charged; n != 0 {
			t.Errorf("%s: %d charges for an error", name, n)
		}
	}
}

func TestMishapsEndAndLostAnswersAreCharged(t *testing.T) {
	for name, want := range map[string]struct {
		status  int // 0: aborted
		charged int // by the two calls
	}{
		"429-once": {429, 1}, "429bare": {429, 1}, "500": {500, 1}, "502": {502, 1}, "503": {503, 1}, "resetearly": {0, 1},
		"504": {504, 2}, "reset": {0, 2}, "code8003-once": {200, 1},
	} {
		s := setup(t, nil)
		first := find(t, s, "face-"+reference+"-"+name+".jpg")
		if first.status != want.status || first.aborted != (want.status == 0) {
			t.Errorf("%s: %d (aborted %t), want %d", name, first.status, first.aborted, want.status)
		}
		if retry := first.header.Get("Retry-After"); (retry == "1") != (name == "429-once") {
			t.Errorf("%s: Retry-After %q", name, retry)
		}
		second := parse[answerV2](t, find(t, s, "face-"+reference+"-"+name+".jpg"))
		st := s.Stats()
		if !second.Data.FaceVerified || st.Charged != want.charged || st.Duplicates != want.charged-1 || len(s.Duplicates()) != want.charged-1 {
			t.Errorf("%s: then %s with %d charges, %d duplicates, want %d", name, second.brief(), st.Charged, st.Duplicates, want.charged)
		}
	}
	s := setup(t, nil)
	if got := find(t, s, "face-"+reference+"-badjson.jpg"); got.status != 200 || strings.HasSuffix(got.body, "}}") || s.Stats().Charged != 1 {
		t.Errorf("badjson: %d %q with %d charges", got.status, got.body, s.Stats().Charged)
	}
	for range 3 {
		if got := find(t, s, "face-"+reference+"-500-always.jpg"); got.status != 500 {
			t.Errorf("500-always: %d", got.status)
		}
	}
}

func TestHangEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := do(s, upload(ctx, pathV2, "selfie_image", token(t, s), selfie(t, "face-"+reference+"-hang.jpg"))); !got.aborted {
			t.Errorf("answered %d", got.status)
		}
		if n := len(s.Charged(reference)); n != 1 {
			t.Errorf("%d charges", n)
		}
	})
}

func TestLedgerIsByPersonAndForgotten(t *testing.T) {
	s := setup(t, nil)
	for _, name := range []string{"-1", "-other-2", "-nomatch-3"} {
		find(t, s, "face-"+reference+name+".jpg")
	}
	find(t, s, "face-feedbeef.jpg")
	var found []Find
	for _, search := range s.Charged(reference) {
		found = append(found, search.Found)
		if search.ImageBytes != 60_000 || len(search.ImageSHA256) != 64 || search.At.IsZero() {
			t.Errorf("%+v lacks something", search)
		}
	}
	if diff := cmp.Diff([]Find{FindPerson, FindOther, FindNobody}, found); diff != "" {
		t.Error(diff)
	}
	if n := len(s.Charged("")); n != 4 {
		t.Errorf("%d charges in all, want 4", n)
	}
	s.Reset()
	if n, st := len(s.Charged("")), s.Stats(); n != 0 || st.Calls != 0 || st.Charged != 0 || st.InFlight != 0 {
		t.Errorf("after Reset: %d, %+v", n, st)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.MaxBytes = 50_000; k.ErrorStatus = 400 })
	image := selfie(t, "face-"+reference+"-20KB.jpg")
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		text    string
	}{
		"the part of the other generation": {upload(t.Context(), pathV2, "selfie", token(t, s), image), 400, "8001"},
		"no part":                          {upload(t.Context(), pathV2, "selfie_image", token(t, s), nil), 400, "8001"},
		"not a form":                       {withType(upload(t.Context(), pathV2, "selfie_image", token(t, s), image), "application/json"), 400, "8001"},
		"too large":                        {upload(t.Context(), pathV2, "selfie_image", token(t, s), selfie(t, "face-"+reference+".jpg")), 413, "413"},
		"no such path":                     {upload(t.Context(), "/facelink/api/face", "selfie_image", token(t, s), image), 404, "404"},
	} {
		if got := do(s, c.request); got.status != c.status || !strings.Contains(got.body, c.text) {
			t.Errorf("%s: %d %s, want %d with %s", name, got.status, got.body, c.status, c.text)
		}
	}
	if n := s.Stats().Charged; n != 0 {
		t.Errorf("%d charges", n)
	}
}

func withType(r *http.Request, contentType string) *http.Request {
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestAllowanceRunsOut(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.Allowance = 2 })
	for n, want := range []int{0, 0, 8017, 8017} {
		if got := parse[answerV2](t, find(t, s, fmt.Sprintf("face-%s-%d.jpg", reference, n))); got.ResponseCode != want {
			t.Errorf("search %d: code %d, want %d", n+1, got.ResponseCode, want)
		}
	}
	adjust(t, s, func(k *Knobs) { k.Allowance = 10 })
	if got := parse[answerV2](t, find(t, s, "face-"+reference+"-9.jpg")); got.ResponseCode != 0 || s.Stats().Charged != 3 {
		t.Errorf("after paying: code %d with %d charges", got.ResponseCode, s.Stats().Charged)
	}
}

func TestNoSecondHasMoreThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.PerSecond = 2 })
		bearer, image := token(t, s), selfie(t, "7-2KB.jpg")
		for _, want := range []int{200, 200, 429} {
			if got := do(s, upload(t.Context(), pathV2, "selfie_image", bearer, image)); got.status != want {
				t.Errorf("status %d, want %d", got.status, want)
			}
		}
		time.Sleep(time.Second)
		if got := do(s, upload(t.Context(), pathV2, "selfie_image", bearer, image)); got.status != 200 {
			t.Errorf("a second later: %d", got.status)
		}
		if st := s.Stats(); st.PeakPerSecond != 3 || st.Refused != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestGatewayWaitsForNoBooks(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.PerSecond = 1 })
	bearer, image := token(t, s), selfie(t, "7-2KB.jpg")
	vendorsimtest.GatewayWaitsForNoBooks(t, &s.books, http.StatusTooManyRequests, http.StatusOK, func(int) int { return do(s, upload(t.Context(), pathV2, "selfie_image", bearer, image)).status })
}

func TestPersonalDataIsAsLargeAsAskedFor(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.PersonalBytes = 1 << 20 })
	got := find(t, s, "face-"+reference+".jpg")
	if len(got.body) < 1<<20 || !strings.Contains(got.body, Canary) || parse[answerV2](t, got).brief() != "0 true [p] P/p/ACCEPTED/ACTIVE" {
		t.Errorf("%d bytes", len(got.body))
	}
}

func TestOutageAndRates(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.ErrorRate = 1 })
	if got := find(t, s, "7.jpg"); got.status < 500 {
		t.Errorf("at an error rate of 1: %d", got.status)
	}
	if got := find(t, s, "face-"+reference+"-code8006.jpg"); got.status != 200 {
		t.Errorf("a scripted picture meets another mishap: %d", got.status)
	}
	adjust(t, s, func(k *Knobs) { k.Outage = fault.ServerError })
	if got := do(s, upload(t.Context(), pathV2, "selfie_image", "", nil)); got.status != 500 || s.Stats().Outage != 1 {
		t.Errorf("outage: %d", got.status)
	}
	for name, change := range map[string]func(*Knobs){
		"rate": func(k *Knobs) { k.HangRate = 2 }, "outage": func(k *Knobs) { k.Outage = "flood" }, "token": func(k *Knobs) { k.TokenSeconds = 0 },
		"status": func(k *Knobs) { k.ErrorStatus = 99 }, "secret": func(k *Knobs) { k.ClientSecret = "" }, "bytes": func(k *Knobs) { k.MaxBytes = 0 },
		"negative": func(k *Knobs) { k.Allowance = -1 }, "sum": func(k *Knobs) { k.ErrorRate, k.ResetRate = 0.6, 0.6 },
	} {
		if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err == nil {
			t.Errorf("knobs with a bad %s are taken", name)
		}
	}
}
