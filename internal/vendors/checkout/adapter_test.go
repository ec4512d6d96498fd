package checkout

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestNewReportsWhatIsWrong(t *testing.T) {
	oauth := func(c *Config) { c.SecretKey, c.ClientID, c.ClientSecret = nil, "c", clientSecret }
	for _, c := range []struct {
		change func(*Config)
		want   string // empty: nothing is
	}{
		{func(*Config) {}, ""},
		{oauth, ""},
		{func(c *Config) { c.BaseURL = "http://[::1]:8080" }, ""},
		{func(c *Config) { c.BaseURL, c.AllowHTTP = "http://sandbox:8080", true }, ""},
		{func(c *Config) { c.MaxAttempts = MaxAttempts }, ""},
		{func(c *Config) { c.BaseURL = "http://vendor.example" }, "base URL of vendor.example is not https"},
		{func(c *Config) { c.BaseURL = "vendor.example" }, "base URL is not an absolute URL"},
		{func(c *Config) { c.BaseURL = "https://u:canary@vendor.example" }, "user"},
		{func(c *Config) { c.TokenURL = "http://vendor.example" }, "token URL of vendor.example is not https"},
		{func(c *Config) { c.TokenURL = "https://vendor.example?k=canary" }, "query"},
		{func(c *Config) { c.SecretKey = nil }, "is required"},
		{func(c *Config) { oauth(c); c.ClientID = "" }, "is required"},
		{func(c *Config) { oauth(c); c.ClientSecret = nil }, "is required"},
		{func(c *Config) { c.ClientID = "c" }, "only one of the two"},
		{func(c *Config) { c.UserJourneyID = "" }, "user journey id"},
		{func(c *Config) { c.UserJourneyID = "usj_ABCDEFGHIJKLMNOPQRSTUVWXYZ" }, "user journey id"},
		{func(c *Config) { c.MaxAttempts = -1 }, "-1 attempts"},
		{func(c *Config) { c.MaxAttempts = MaxAttempts + 1 }, "attempts at most"},
		{func(c *Config) { c.Deadline = -1 }, "less than zero"},
		{func(c *Config) { c.LinkLife = -1 }, "less than zero"},
		{func(c *Config) { c.PollFirst = time.Hour }, "shorter than the first"},
	} {
		config := Config{SecretKey: secretKey, UserJourneyID: journey}
		c.change(&config)
		_, err := New(config)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v, want none", err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary")):
			t.Errorf("what must be refused as %q: %v", c.want, err)
		}
	}
}

// TestNothingIsSentInVain, and none of it is put down to the vendor.
func TestNothingIsSentInVain(t *testing.T) {
	h := newHosted()
	a := h.adapter(t, nil)
	good := func(c vendors.Call) vendors.Call { return c }
	with := func(change func(*vendors.Call)) func(vendors.Call) vendors.Call {
		return func(c vendors.Call) vendors.Call { change(&c); return c }
	}
	for _, c := range []struct {
		name   string
		call   func(vendors.Call) vendors.Call
		secret vendors.Secret
		want   string
	}{
		{"no applicant", with(func(c *vendors.Call) { c.ApplicantID = "" }), secretKey, "refused applicant_id_invalid"},
		{"no applicant of theirs", with(func(c *vendors.Call) { c.ApplicantID = "fav_1" }), secretKey, "refused applicant_id_invalid"},
		{"a path for an applicant", with(func(c *vendors.Call) { c.ApplicantID = "aplt_a/../b" }), secretKey, "refused applicant_id_invalid"},
		{"no redirect", with(func(c *vendors.Call) { c.RedirectURL = "" }), secretKey, "refused redirect_url_missing"},
		{"no state of ours", with(func(c *vendors.Call) { c.State = "{}" }), secretKey, "refused state_unreadable"},
		{"no key", good, func() (string, error) { return " \n", nil }, "lane_fault secret_unusable"},
		{"unreadable key", good, func() (string, error) { return "", io.ErrUnexpectedEOF }, "lane_fault secret_unusable"},
	} {
		a.access.secretKey = c.secret
		v, err := a.Authenticate(t.Context(), c.call(theCall()))
		if got := summary(t, v, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	a.access.secretKey = secretKey
	for _, reference := range []string{"", "fav_", "aplt_1", "fav_1/attempts", "fav_1?x", "fav_" + strings.Repeat("x", 93)} {
		_, reviewErr := a.Review(t.Context(), reference)
		_, _, listErr := a.Attempts(t.Context(), reference, 0)
		_, _, assetsErr := a.Assets(t.Context(), reference, "fatp_1", 0)
		_, _, attemptErr := a.Assets(t.Context(), "fav_1", reference, 0)
		for _, err := range []error{reviewErr, a.Erase(t.Context(), reference), listErr, assetsErr, attemptErr} {
			if e := fault(t, err); e.Kind != vendors.Refused || e.Code != codeReference || e.Unknown {
				t.Errorf("reference %q: %v", reference, e)
			}
		}
	}
	want(t, h.calls, []string(nil))
}

// TestStatesThatCannotBeRead are those that no version of ours has written.
func TestStatesThatCannotBeRead(t *testing.T) {
	good := state{Next: stepAttempt, ID: "fav_1", Until: 1, Attempt: "fatp_1", Made: 2, Codes: []int{61401}}
	s, ok := readState(good.text())
	good.Version = stateVersion
	want(t, ok, true)
	want(t, s, good)
	for _, text := range []string{
		"{", "null", "[]", "7", "x", strings.Replace(good.text(), `"v":1`, `"v":2`, 1), strings.Replace(good.text(), "fav_1", "fav_1/../x", 1),
		strings.Replace(good.text(), "fatp_1", "fatp_1?", 1), strings.Replace(good.text(), `"attempt"`, `"pay"`, 1),
		strings.Replace(good.text(), `"fatp":"fatp_1",`, "", 1), strings.Replace(good.text(), `"until":1`, `"until":0`, 1),
		strings.Replace(good.text(), `"made":2`, `"made":-2`, 1), strings.Replace(good.text(), `"v":1`, `"v":1,"v":1`, 1),
	} {
		if s, ok := readState(text); ok {
			t.Errorf("%s is read as %+v", text, s)
		}
	}
}

// TestTheLongestStateFits also with ids as long as they are taken, which the
// vendor's are not.
func TestTheLongestStateFits(t *testing.T) {
	far := time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	long := state{
		Next: stepAttempt, ID: "fav_" + strings.Repeat("x", 92), Attempt: "fatp_" + strings.Repeat("y", 91),
		Until: far, LinkEnd: far, Made: 1 << 30, Looks: 1 << 30, Seen: checksInProgress, Codes: make([]int, maxListed),
	}
	for i := range long.Codes {
		long.Codes[i] = 999999
	}
	if n := len(long.text()); n > vendors.MaxState {
		t.Errorf("%d bytes, want at most %d", n, vendors.MaxState)
	}
	if _, ok := readState(long.text()); !ok {
		t.Error("it cannot be read")
	}
}

// TestRefusals are judged by whom they are about: the person, the account, or
// this call.
func TestRefusals(t *testing.T) {
	codes := func(codes ...string) string {
		return fmt.Sprintf(`{"request_id":"x","error_type":"request_invalid","error_codes":["%s"]}`, strings.Join(codes, `","`))
	}
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{422, codes("applicant_id__not_found"), "ineligible subject_unknown"},
		{422, codes("applicant__unknown"), "ineligible subject_unknown"},
		{422, codes("applicant__anonymized"), "ineligible subject_not_approved"},
		{422, codes("applicant_id__no_usable_face_video"), "ineligible subject_not_approved"},
		{422, codes("organization__no_configuration"), "lane_fault configuration_refused"},
		{422, codes("user_journey_id__not_found"), "lane_fault configuration_refused"},
		{422, codes("applicant_id__not_found", "user_journey_id__not_found"), "lane_fault configuration_refused"},
		{422, codes("redirect_url__invalid"), "refused "},
		{422, codes("the applicant Jane"), "refused "},
		{422, codes("applicant_id__aplt_canary_person_1"), "refused "},
		{422, "", "unexplained "},
		{400, codes("user_journey_id__invalid_format"), "lane_fault configuration_refused"},
		{400, codes("user_journey_id__invalid_format", "applicant_id__invalid_format"), "refused "},
		{400, codes("applicant_id__invalid_format"), "refused "},
		{400, codes("organization__no_configuration"), "refused "},
		{400, "", "unexplained "},
		{410, "", "unexplained "},
		{401, "", "lane_fault token_refused"},
		{402, "", "lane_fault payment_required"},
		{403, "", "lane_fault forbidden"},
		{404, codes("resource__not_found"), "lane_fault wrong_address"},
		{405, "", "lane_fault wrong_address"},
		{407, "", "lane_fault proxy_authentication_required"},
		{408, "", "transient , unknown"},
		{409, "", "unexplained "},
		{429, "", "throttled "},
		{500, codes("applicant_id__not_found"), "transient , unknown"},
		{503, "<html>", "transient , unknown"},
		{307, "", "lane_fault redirected"},
	} {
		f := newFlow(t, newHosted(), nil)
		f.vendor.answer = saying(c.status, c.body)
		if got := f.step(noCrash); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.status, c.body, got, c.want)
		}
		if v := f.verdict; v.Outcome != "" && (len(v.Codes) != 1 || v.Liveness != event.LivenessNone) {
			t.Errorf("%d %s: %+v", c.status, c.body, v)
		}
	}
}

// TestGoneIsOnlyWhatTheVendorSaysIs: a proxy's 404 must not end requests.
func TestGoneIsOnlyWhatTheVendorSaysIs(t *testing.T) {
	theirs := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cko-Request-Id", "request-1")
		say(w, 404, "")
	}
	coded := saying(404, `{"error_type":"not_found"}`)
	for _, next := range []step{stepInvite, stepFind, stepLook, stepAttempt} {
		for name, c := range map[string]struct {
			answer http.HandlerFunc
			want   string
		}{
			"header": {theirs, "ineligible subject_unknown"}, "body": {coded, "ineligible subject_unknown"},
			"nothing": {saying(404, ""), "unexplained wrong_address"}, "page": {saying(404, "<html>"), "unexplained wrong_address"},
			"empty object": {saying(404, "{}"), "unexplained wrong_address"},
		} {
			h := newHosted()
			a := h.adapter(t, nil)
			call := theCall()
			call.State = state{Next: next, ID: "fav_1", Attempt: "fatp_1", Until: theStart.Add(time.Hour).UnixMilli()}.text()
			h.answer = c.answer
			v, err := a.Authenticate(t.Context(), call)
			expected := c.want
			if next == stepAttempt && strings.HasPrefix(expected, "ineligible") {
				expected = "invite" // it is the attempt that is gone
			}
			if got := summary(t, v, err); got != expected {
				t.Errorf("%s, %s: %s, want %s", next, name, got, expected)
			}
		}
	}
}

func TestReview(t *testing.T) {
	h := newHosted()
	h.auths = []*hostedAuth{{ID: "fav_1", ApplicantID: applicant}}
	a := h.adapter(t, nil)
	for status, expected := range map[string]string{
		approved: "approved", declined: "rejected face_mismatch", refusedByPerson: "rejected subject_refused", inconclusive: "rejected inconclusive",
		created: "", pending: "", captureInProgress: "", checksInProgress: "", retryRequired: "", "new": "",
	} {
		h.move(h.auths[0], status, 62321)
		v, err := a.Review(t.Context(), "fav_1")
		if err != nil {
			t.Fatal(err)
		}
		reference := v.Reference
		if v.Pending != nil {
			reference = v.Pending.Reference
			v.Outcome = ""
		}
		if (expected == "") != (v.Pending != nil) || reference != "fav_1" {
			t.Errorf("%s: %+v", status, v)
		}
		if v.Pending == nil {
			want(t, summary(t, v, nil), expected)
		}
	}
	want(t, len(h.calls), 10)
	_, err := a.Review(t.Context(), "fav_2")
	want(t, summary(t, vendors.Verdict{}, err), "refused not_found")
	h.answer = saying(404, "<html>")
	_, err = a.Review(t.Context(), "fav_1")
	want(t, summary(t, vendors.Verdict{}, err), "unexplained wrong_address")
	h.answer = saying(422, `{"error_codes":["applicant__anonymized"]}`)
	_, err = a.Review(t.Context(), "fav_1")
	want(t, summary(t, vendors.Verdict{}, err), "refused ")
}

func TestErase(t *testing.T) {
	h := newHosted()
	h.auths = []*hostedAuth{{ID: "fav_1", ApplicantID: applicant, status: approved}}
	a := h.adapter(t, nil)
	for range 2 {
		if err := a.Erase(t.Context(), "fav_1"); err != nil {
			t.Fatal(err)
		}
	}
	want(t, h.auths[0].anonymized, true)
	for _, c := range []struct {
		answer http.HandlerFunc
		want   string // empty: erased
	}{
		{saying(404, `{"error_type":"not_found"}`), ""},
		{saying(422, `{"error_codes":["face_authentication__already_anonymized"]}`), ""},
		{saying(404, "<html>"), "unexplained wrong_address"},
		{saying(422, `{"error_codes":["status__not_final"]}`), "refused "},
		{saying(200, "{}"), "transient unreadable_answer, unknown"},
		{saying(200, `{"id":"fav_2","status":"approved"}`), "transient unreadable_answer, unknown"},
		{saying(503, ""), "transient , unknown"},
	} {
		h.answer = c.answer
		err := a.Erase(t.Context(), "fav_1")
		if c.want == "" && err == nil {
			continue
		}
		want(t, summary(t, vendors.Verdict{}, err), c.want)
	}
}

// TestCheck with a static key asks for what is not there, and believes only the
// vendor that it is not.
func TestCheck(t *testing.T) {
	h := newHosted()
	a := h.adapter(t, nil)
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, h.calls, []string{"GET /face-authentications/fav_reauth_check"})
	for _, c := range []struct {
		answer http.HandlerFunc
		want   string // empty: all is well
	}{
		{saying(404, `{"request_id":"x"}`), ""},
		{saying(422, `{"error_codes":["id__invalid"]}`), ""},
		{saying(404, "<html>"), "lane_fault wrong_address"},
		{saying(404, ""), "lane_fault wrong_address"},
		{saying(200, "<html>"), "lane_fault wrong_address"},
		{saying(200, "{}"), "lane_fault wrong_address"},
		{saying(400, ""), "lane_fault wrong_address"},
		{saying(401, ""), "lane_fault token_refused"},
		{saying(403, ""), "lane_fault forbidden"},
		{saying(429, ""), "throttled "},
		{saying(503, ""), "transient "},
	} {
		h.answer = c.answer
		err := a.Check(t.Context())
		if c.want == "" && err == nil {
			continue
		}
		want(t, summary(t, vendors.Verdict{}, err), c.want)
	}
}

// TestAssetsComePageByPage, and their links print as nothing.
func TestAssetsComePageByPage(t *testing.T) {
	h := newHosted()
	a := h.adapter(t, nil)
	h.answer = saying(200, vendortest.Golden(t, "assets.json"))
	assets, more, err := a.Assets(t.Context(), "fav_1", "fatp_1", 0)
	if err != nil || more {
		t.Fatalf("more %v, %v", more, err)
	}
	var got []string
	for _, each := range assets {
		got = append(got, each.Type+" "+each.URL.Reveal())
	}
	want(t, got, []string{
		"face_image https://pictures.example/canary-image?X-Amz-Signature=canary",
		"face_video https://pictures.example/canary-video?X-Amz-Signature=canary",
	})
	want(t, SignedURL{}.Reveal(), "")
	for _, c := range []struct {
		body string
		skip int
		more bool
		want string // of an error
	}{
		{`{"total_count":0,"data":[]}`, 0, false, ""},
		{`{"total_count":2,"data":[]}`, 0, false, ""},
		{`{"total_count":2,"data":[{"type":"face_image","_links":{"asset_url":{"href":"https://a.example/1"}}}]}`, 0, true, ""},
		{`{"total_count":2,"data":[{"type":"face_image","_links":{"asset_url":{"href":"https://a.example/1"}}}]}`, 1, false, ""},
		{`{"data":[` + strings.TrimSuffix(strings.Repeat(`{"_links":{"asset_url":{"href":"https://a.example/1"}}},`, pageSize), ",") + `]}`, 0, true, ""},
		{`{"data":[{"type":"face_image"}]}`, 0, false, "transient unreadable_answer, unknown"},
		{`{}`, 0, false, "transient unreadable_answer, unknown"},
	} {
		h.answer = saying(200, c.body)
		_, more, err := a.Assets(t.Context(), "fav_1", "fatp_1", c.skip)
		if c.want != "" {
			want(t, summary(t, vendors.Verdict{}, err), c.want)
		} else if err != nil || more != c.more {
			t.Errorf("%.80s: more is %v, %v", c.body, more, err)
		}
	}
}

func TestAttemptsComePageByPage(t *testing.T) {
	h := newHosted()
	a := h.adapter(t, nil)
	h.answer = saying(200, vendortest.Golden(t, "attempts.json"))
	attempts, more, err := a.Attempts(t.Context(), "fav_1", 0)
	if err != nil || more {
		t.Fatalf("more %v, %v", more, err)
	}
	want(t, attempts, []Attempt{
		{ID: "fatp_2", CreatedAt: theStart.Add(3 * time.Minute), Status: pendingRedirection},
		{ID: "fatp_1", CreatedAt: theStart, Status: captureAborted, Codes: []string{"61121"}},
	})
	h.answer = saying(404, `{"request_id":"x"}`)
	_, _, err = a.Attempts(t.Context(), "fav_1", 0)
	want(t, summary(t, vendors.Verdict{}, err), "refused not_found")
}
