package argossim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerdictsFollowTheScript(t *testing.T) {
	s := setup(t, nil)
	for id, want := range map[string]struct {
		status    string
		failCodes []string
	}{
		"sub-approve-1":           {"approved", nil},
		"sub-reject-similarity-1": {"rejected", []string{"face_compare_underscore"}},
		"sub-reject-occluded-1":   {"rejected", []string{"Face_Occluded_fail"}},
		"sub-reject-cover-1":      {"rejected", []string{"Face_cover_fail"}},
		"sub-reject-head-1":       {"rejected", []string{"Head_cover_fail"}},
		"sub-reject-two-1":        {"rejected", []string{"face_compare_underscore", "Face_Occluded_fail"}},
		"sub-reject-new-1":        {"rejected", []string{"Face_mirror_fail"}},
	} {
		got := post(s, submit(id))
		if got.status != http.StatusOK {
			t.Errorf("%s: status %d, want 200", id, got.status)
		}
		body := parse[result](t, got)
		if body.AuthStatus != want.status || !slices.Equal(body.FailCode, want.failCodes) || len(body.RejectedComment) != len(want.failCodes) {
			t.Errorf("%s: got %s, want %s %q", id, got.body, want.status, want.failCodes)
		}
		if _, err := time.Parse(createTime, body.CreateTime); err != nil || body.AuthenticationID == "" {
			t.Errorf("%s: id %q, create_time %q", id, body.AuthenticationID, body.CreateTime)
		}
		if high := body.Score["face_similarity_score"] >= 70; high == slices.Contains(want.failCodes, failSimilarity) {
			t.Errorf("%s: similarity %v goes with %q", id, body.Score, want.failCodes)
		}
	}
	if st := s.Stats(); st.Charged != 7 || st.Approved != 1 || st.Rejected != 6 {
		t.Errorf("charged %d, approved %d, rejected %d, want 7, 1, 6", st.Charged, st.Approved, st.Rejected)
	}
}

func TestErrorsAreCodedAndFree(t *testing.T) {
	s := setup(t, nil)
	text := func(body string, contentType string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/v3/faceauth", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("x-api-key", "sandbox-argos-key")
		return r
	}
	withImage := func(image string) *http.Request {
		c := submit("sub-approve-1")
		c.image = []byte(image)
		return c.request(context.Background())
	}
	withoutName := "--b\r\nContent-Disposition: form-data; name=\"submissionId\"\r\n\r\nsub-approve-1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"faceImage\"\r\n\r\n" + string(wholeJPEG) + "\r\n--b--\r\n"
	twice := "--b\r\nContent-Disposition: form-data; name=\"submissionId\"\r\n\r\nsub-approve-1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"submissionId\"\r\n\r\nsub-approve-2\r\n--b--\r\n"
	for name, test := range map[string]struct {
		request *http.Request
		code    string
	}{
		"no picture":               {call{submission: "sub-approve-1", key: "sandbox-argos-key"}.request(context.Background()), requiredFieldMissing},
		"no submission":            {call{image: wholeJPEG, key: "sandbox-argos-key"}.request(context.Background()), requiredFieldMissing},
		"picture without a name":   {text(withoutName, "multipart/form-data; boundary=b"), requiredFieldMissing},
		"a field twice":            {text(twice, "multipart/form-data; boundary=b"), invalidDataFormat},
		"a form that stops":        {text(withoutName[:60], "multipart/form-data; boundary=b"), invalidDataFormat},
		"no form":                  {text("submissionId=1", "application/x-www-form-urlencoded"), invalidDataFormat},
		"JSON":                     {text(`{"submissionId":"sub-approve-1","faceImage":"/9j/"}`, "application/json"), imageConvertingError},
		"base64 in the form":       {withImage("/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="), imageConvertingError},
		"text for a picture":       {withImage("not an image"), imageConvertingError},
		"an empty picture":         {withImage(""), imageConvertingError},
		"a JPEG that stops":        {withImage("\xff\xd8\xff\xe0 half a fa"), imageConvertingError},
		"a PNG that stops":         {withImage("\x89PNG\r\n\x1a\n half"), imageConvertingError},
		"an unknown submission":    {submit("sub-unknown-1").request(context.Background()), invalidSubmissionID},
		"an unapproved submission": {submit("sub-unapproved-1").request(context.Background()), invalidSubmissionStatus},
		"no face":                  {submit("sub-noface-1").request(context.Background()), noFace},
		"a blank before the id":    {submit(" sub-approve-1").request(context.Background()), invalidSubmissionID},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Stats().Errors[test.code]
			wantReply(t, do(s, test.request), http.StatusBadRequest,
				`{"errorCode":"`+test.code+`","message":"`+errorTexts[test.code]+`"}`)
			if got := s.Stats().Errors[test.code]; got != before+1 {
				t.Errorf("errors counted: %d, want %d", got, before+1)
			}
		})
	}
	if n := s.Stats().Charged; n != 0 {
		t.Errorf("charged %d, want 0", n)
	}
}

func TestEveryErrorCodeComesInBothLayoutsOnceThenTheCallSucceeds(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.ErrorStyle = StyleMixed })
	for code, text := range errorTexts {
		byCode, byText := submit("sub-error-"+code+"-code-1"), submit("sub-error-"+code+"-once-text-1")
		wantReply(t, post(s, byCode), http.StatusBadRequest, `{"errorCode":"`+code+`","message":"`+text+`"}`)
		wantReply(t, post(s, byText), http.StatusBadRequest, `{"errorCode":"`+text+`"}`)
		for _, c := range []call{byCode, byText} {
			if got := post(s, c); parse[result](t, got).AuthStatus != "approved" {
				t.Errorf("second call for %s: got %s, want approved", c.submission, got.body)
			}
		}
	}
	adjust(t, s, func(k *Knobs) { k.ErrorStatus = http.StatusOK })
	wantReply(t, post(s, submit("sub-error-brand_new-text")), http.StatusOK, `{"errorCode":"brand_new"}`)
}

func TestMixedStyleUsesBothLayouts(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.ErrorStyle = StyleMixed })
	seen := map[bool]int{}
	for i := range 40 {
		got := post(s, submit("sub-unknown-"+strings.Repeat("x", i)))
		seen[strings.Contains(got.body, "message")]++
	}
	if seen[true] < 5 || seen[false] < 5 {
		t.Errorf("layouts by code and by text: %v, want both", seen)
	}
}

func TestMishapsHappenAsOftenAsTheScriptSays(t *testing.T) {
	s := setup(t, nil)
	for id, want := range map[string][]int{
		"sub-500-1":        {500, 200, 200},
		"sub-500-once-1":   {500, 200, 200},
		"sub-502-twice-1":  {502, 502, 200},
		"sub-503-always-1": {503, 503, 503},
		"sub-429-once-1":   {429, 200, 200},
		"sub-504-once-1":   {504, 200, 200},
		"sub-error-detection_server_error-always": {400, 400, 400},
	} {
		var got []int
		for range want {
			got = append(got, post(s, submit(id)).status)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: statuses (-want +got):\n%s", id, diff)
		}
	}
}

func TestThrottledCallsCarryRetryAfterUnlessBare(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.RetryAfterSeconds = 7 })
	if got := post(s, submit("sub-429-1")); got.status != 429 || got.header.Get("Retry-After") != "7" {
		t.Errorf("429: got %d, Retry-After %q, want 429, 7", got.status, got.header.Get("Retry-After"))
	}
	if got := post(s, submit("sub-429bare-1")); got.status != 429 || got.header.Get("Retry-After") != "" {
		t.Errorf("429bare: got %d, Retry-After %q, want 429 without", got.status, got.header.Get("Retry-After"))
	}
}

func TestBadGatewayIsHTML(t *testing.T) {
	got := post(setup(t, nil), submit("sub-502-1"))
	if !strings.HasPrefix(got.body, "<html>") || got.header.Get("Content-Type") != "text/html" {
		t.Errorf("got %q of type %q, want HTML", got.body, got.header.Get("Content-Type"))
	}
}

func TestLostAnswersAreChargedAndEarlyFaultsAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		for id, want := range map[string]struct {
			aborted bool
			charged int
		}{
			"sub-reset-1":      {true, 1},
			"sub-resetearly-1": {true, 0},
			"sub-hang-once-1":  {true, 1},
			"sub-504-1":        {false, 1},
			"sub-badjson-1":    {false, 1},
			"sub-500-1":        {false, 0},
			"sub-502-1":        {false, 0},
			"sub-503-1":        {false, 0},
			"sub-429-1":        {false, 0},
		} {
			ctx, cancel := within(t.Context(), 30*time.Second)
			got := do(s, submit(id).request(ctx))
			cancel()
			if got.aborted != want.aborted || len(s.Charged(id)) != want.charged {
				t.Errorf("%s: aborted %t, charged %d, want %t, %d", id, got.aborted, len(s.Charged(id)), want.aborted, want.charged)
			}
			if again := post(s, submit(id)); again.status != http.StatusOK || len(s.Charged(id)) != want.charged+1 {
				t.Errorf("%s again: status %d, charged %d, want 200, %d", id, again.status, len(s.Charged(id)), want.charged+1)
			}
		}
		if got := s.Stats().Duplicates; got != 4 {
			t.Errorf("duplicates %d, want 4", got)
		}
	})
}

func TestTruncatedJSONIsA200ThatDoesNotParse(t *testing.T) {
	got := post(setup(t, nil), submit("sub-badjson-1"))
	if got.status != http.StatusOK || !strings.HasPrefix(got.body, `{"authentication_id"`) || strings.HasSuffix(got.body, "}") {
		t.Errorf("got %d %s, want the first half of a result", got.status, got.body)
	}
}

func TestHangHoldsTheCallUntilTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		start := time.Now()
		ctx, cancel := within(t.Context(), 45*time.Second)
		defer cancel()
		do(s, submit("sub-hang-1").request(ctx))
		if took := time.Since(start); took != 45*time.Second {
			t.Errorf("held for %s, want 45s", took)
		}
	})
}

func TestCallerWhoLeavesIsChargedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.Latency = mustDelay(t, "10s") })
		ctx, cancel := within(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		do(s, submit("sub-approve-1").request(ctx))
		charged := s.Charged("sub-approve-1")
		if len(charged) != 1 || charged[0].At.Sub(start) != 10*time.Second {
			t.Errorf("charged %v, want one after 10s", charged)
		}
	})
}

func TestCloseLetsGoOfWaitingCallsWithoutCharging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.Latency = mustDelay(t, "1h") })
		done := make(chan reply)
		go func() { done <- post(s, submit("sub-approve-1")) }()
		synctest.Wait()
		if st := s.Stats(); st.InFlight != 1 || st.PeakInFlight != 1 {
			t.Errorf("in flight %d, peak %d, want 1, 1", st.InFlight, st.PeakInFlight)
		}
		s.Close()
		if got := <-done; !got.aborted {
			t.Errorf("got %d, want a broken connection", got.status)
		}
		if st := s.Stats(); st.InFlight != 0 || st.PeakInFlight != 1 || st.Charged != 0 {
			t.Errorf("in flight %d, peak %d, charged %d, want 0, 1, 0", st.InFlight, st.PeakInFlight, st.Charged)
		}
	})
}

func TestLedgerKeepsDigestAndCorrelationButCountsDuplicatesPerRequest(t *testing.T) {
	s := setup(t, nil)
	image := slices.Concat([]byte("\xff\xd8\xff"), bytes.Repeat([]byte("noise"), 50_000), []byte("\xff\xd9"))
	first := call{submission: "sub-approve-1", user: "u-1", cf1: "r-1", image: image, key: "sandbox-argos-key"}
	second := first
	second.cf1 = "r-2"
	for _, c := range []call{first, second, first} {
		post(s, c)
	}
	charged := s.Charged("sub-approve-1")
	if len(charged) != 3 || charged[0].ID == charged[2].ID {
		t.Fatalf("charged %v, want three with ids of their own", charged)
	}
	sum := sha256.Sum256(image)
	if a := charged[0]; a.ImageSHA256 != hex.EncodeToString(sum[:]) || a.ImageBytes != int64(len(image)) || a.UserID != "u-1" || a.CF1 != "r-1" {
		t.Errorf("got %+v", a)
	}
	doubled := s.Duplicates()
	if diff := cmp.Diff([][]Authentication{{charged[0], charged[2]}}, doubled); diff != "" || s.Stats().Duplicates != 1 {
		t.Errorf("duplicates %d (-want +got):\n%s", s.Stats().Duplicates, diff)
	}
	if got := len(s.Charged("")); got != 3 {
		t.Errorf("all charged: %d, want 3", got)
	}
}

func TestBodyBeyondMaxBytesIs413(t *testing.T) {
	s := setup(t, func(k *Knobs) { k.MaxBytes = 1000 })
	big := submit("sub-approve-1")
	big.image = slices.Concat([]byte("\xff\xd8\xff"), make([]byte, 1000), []byte("\xff\xd9"))
	wantReply(t, post(s, big), http.StatusRequestEntityTooLarge, `{"message":"Request Too Long"}`)

	unsized := big.request(context.Background())
	unsized.ContentLength = -1
	wantReply(t, do(s, unsized), http.StatusRequestEntityTooLarge, `{"message":"Request Too Long"}`)

	if st := s.Stats(); st.Charged != 0 || st.Errors["too_large"] != 2 {
		t.Errorf("charged %d, too large %d, want 0, 2", st.Charged, st.Errors["too_large"])
	}
}

func TestUnscriptedSubmissionsFollowTheMixTheSameWayEachTime(t *testing.T) {
	mix := Mix{Approved: 0.6, Rejected: 0.2, NoFace: 0.1, Unknown: 0.05, Unapproved: 0.05}
	const n = 4000
	counts := map[string]float64{}
	for i := range n {
		id := "person-" + time.Duration(i).String()
		v := ParseScript(id, mix).Verdict
		if diff := cmp.Diff(v, ParseScript(id, mix).Verdict); diff != "" {
			t.Fatalf("%s changes its verdict:\n%s", id, diff)
		}
		switch {
		case v.Approved():
			counts["approved"]++
		case v.ErrorCode != "":
			counts[v.ErrorCode]++
		default:
			counts["rejected"]++
		}
	}
	for name, want := range map[string]float64{
		"approved": mix.Approved, "rejected": mix.Rejected, noFace: mix.NoFace,
		invalidSubmissionID: mix.Unknown, invalidSubmissionStatus: mix.Unapproved,
	} {
		if got := counts[name] / n; got < want-0.03 || got > want+0.03 {
			t.Errorf("share of %s: %.3f, want about %.3f", name, got, want)
		}
	}
}
