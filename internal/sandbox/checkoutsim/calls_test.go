package checkoutsim

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCreateTakesWhatIsDocumentedAndNothingElse(t *testing.T) {
	s := setup(t, nil)
	const ok, usj = `"applicant_id":"aplt_approve_1"`, `"user_journey_id":"` + journey + `"`
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"no JSON":               {`applicant_id=1`, 400, "request_body__invalid_json"},
		"two objects":           {`{` + ok + `,` + usj + `}{}`, 400, "request_body__invalid_json"},
		"wrong type":            {`{"applicant_id":7,` + usj + `}`, 400, "request_body__invalid_json"},
		"unknown field":         {`{` + ok + `,` + usj + `,"webhook_url":"https://a.example"}`, 400, "request_body__invalid_json"},
		"no applicant":          {`{` + usj + `}`, 422, "applicant_id__required"},
		"no journey":            {`{` + ok + `}`, 422, "user_journey_id__required"},
		"applicant of no form":  {`{"applicant_id":"aplt_a-b",` + usj + `}`, 422, "applicant_id__invalid_format"},
		"applicant of no kind":  {`{"applicant_id":"sub_1",` + usj + `}`, 422, "applicant_id__invalid_format"},
		"journey of no form":    {`{` + ok + `,"user_journey_id":"usj_1"}`, 422, "user_journey_id__invalid_format"},
		"another journey":       {`{` + ok + `,"user_journey_id":"usj_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`, 422, "organization__no_configuration"},
		"unknown applicant":     {createBody("aplt_unknown_1"), 422, "applicant_id__not_found"},
		"applicant unverified":  {createBody("aplt_novideo_1"), 422, "applicant_id__no_face_video"},
		"applicant that is off": {createBody("aplt_anonymized"), 422, "applicant_id__anonymized"},
	} {
		before := s.Stats().Errors[c.code]
		wantError(t, name, post(s, "/face-authentications", c.body), c.status, c.code)
		if n := s.Stats().Errors[c.code]; n != before+1 {
			t.Errorf("%s: counted %d times", name, n-before)
		}
	}
	form := request(context.Background(), http.MethodPost, "/face-authentications", createBody("aplt_approve_1"))
	form.Header.Set("Content-Type", "text/plain")
	wantError(t, "another type", do(s, form), 400, "request_body__invalid_json")
	if st := s.Stats(); st.Created != 0 || st.Calls[CallCreate] != 14 {
		t.Errorf("%d created by %d calls", st.Created, st.Calls[CallCreate])
	}

	got := post(s, "/face-authentications", createBody("aplt_approve_1"))
	a := parse[wireAuthentication](t, got)
	if got.status != 201 || !authenticationID.MatchString(a.ID) || a.ApplicantID != "aplt_approve_1" || a.UserJourneyID != journey ||
		a.Status != Created || a.Face != nil || a.CreatedOn.IsZero() || !strings.Contains(got.body, `"response_codes":[],"risk_labels":[]`) {
		t.Errorf("created: %d %s", got.status, got.body)
	}
	if self := get(s, pathOf(t, a.Links.Self)); self.body != got.body || self.status != 200 {
		t.Errorf("self: %d %s, want %s", self.status, self.body, got.body)
	}
	if got.header.Get("Cko-Request-Id") == "" || got.header.Get("Cko-Version") == "" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.header)
	}
}

func TestIdsInPathsAreLookedAt(t *testing.T) {
	s := setup(t, nil)
	path := made(t, s, "aplt_approve_1")
	other := attempted(t, s, made(t, s, "aplt_approve_2"))
	for target, code := range map[string]string{
		"/face-authentications/aplt_1":       "face_authentication_id__invalid_format",
		"/face-authentications/fav_a-b":      "face_authentication_id__invalid_format",
		path + "/attempts/fav_1":             "attempt_id__invalid_format",
		path + "/attempts/fatp_a.b/assets":   "attempt_id__invalid_format",
		"/face-authentications/x1/attempts":  "face_authentication_id__invalid_format",
		"/face-authentications/%20/attempts": "face_authentication_id__invalid_format",
	} {
		wantError(t, target, get(s, target), 400, code)
	}
	for _, target := range []string{
		"/face-authentications/fav_1", "/face-authentications/fav_1/attempts", path + "/attempts/fatp_1", path + "/attempts/fatp_1/assets",
		path + "/attempts/" + other.ID, "/applicants/aplt_approve_1", "/face-authentications",
	} {
		if got := get(s, target); got.status != 404 || got.body != "" {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	wantError(t, "attempt at nothing", post(s, "/face-authentications/fav_1/attempts", attemptBodyText), 404, "")
	wantError(t, "anonymizing nothing", post(s, "/face-authentications/fav_1/anonymize", ""), 404, "")
	if st := s.Stats(); st.Errors["404"] != 7 || st.Errors["no_such_path"] != 2 {
		t.Errorf("errors %v", st.Errors)
	}
}

func TestAttemptsTakeWhatIsDocumentedAndNothingElse(t *testing.T) {
	s := setup(t, nil)
	path := made(t, s, "aplt_approve_1")
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing":            {``, 400, "request_body__invalid_json"},
		"a telephone":        {`{"redirect_url":"https://a.example","phone_number":{"country_code":"+33"}}`, 400, "request_body__invalid_json"},
		"no redirect":        {`{}`, 422, "redirect_url__required"},
		"redirect of a path": {`{"redirect_url":"/done"}`, 422, "redirect_url__invalid_format"},
		"redirect of no URL": {`{"redirect_url":"https://a b"}`, 422, "redirect_url__invalid_format"},
		"country":            {`{"redirect_url":"https://a.example","client_information":{"pre_selected_residence_country":"fr"}}`, 422, "client_information.pre_selected_residence_country__invalid_format"},
		"language":           {`{"redirect_url":"https://a.example","client_information":{"pre_selected_language":"french"}}`, 422, "client_information.pre_selected_language__invalid_format"},
	} {
		wantError(t, name, post(s, path+"/attempts", c.body), c.status, c.code)
	}
	wantState(t, s, path, "created")
	if st := s.Stats(); st.Attempts != 0 || st.Unattempted != 1 {
		t.Errorf("%d attempts, %d unattempted", st.Attempts, st.Unattempted)
	}
	at := attempted(t, s, path)
	want := attemptBody{
		ID: at.ID, CreatedOn: at.CreatedOn, ModifiedOn: at.ModifiedOn, Status: AttemptPending, ResponseCodes: []responseCode{},
		RedirectURL: "https://app.example/done?from=mail", Client: &clientInformation{"FR", "fr-FR"},
	}
	want.Links.Self.Href = "http://checkout.test" + path + "/attempts/" + at.ID
	want.Links.VerificationURL = at.Links.VerificationURL
	if diff := cmp.Diff(want, at); diff != "" || !attemptID.MatchString(at.ID) || at.CreatedOn.IsZero() || len(pathOf(t, at.Links.VerificationURL)) < 40 {
		t.Errorf("attempt (-want +got):\n%s\nlink %s", diff, at.Links.VerificationURL.Href)
	}
	if got := parse[attemptBody](t, get(s, pathOf(t, at.Links.Self))); got.ID != at.ID || got.Links.VerificationURL != at.Links.VerificationURL {
		t.Errorf("shown as %+v", got)
	}
}

func TestListsComeInPagesNewestFirst(t *testing.T) {
	s := setup(t, nil)
	path := made(t, s, "aplt_manual")
	var ids []string
	for range 5 {
		ids = append([]string{attempted(t, s, path).ID}, ids...)
	}
	type list struct {
		TotalCount int `json:"total_count"`
		Skip       int
		Limit      int
		Data       []attemptBody
		Links      struct{ Self, Next, Previous *href } `json:"_links"`
	}
	var seen []string
	target := path + "/attempts?limit=2"
	for pages := 0; target != "" && pages < 4; pages++ {
		page := parse[list](t, get(s, target))
		if page.TotalCount != 5 || page.Skip != 2*pages || page.Limit != 2 || (page.Links.Previous != nil) != (pages > 0) {
			t.Errorf("page %d: %+v", pages, page)
		}
		for _, at := range page.Data {
			seen = append(seen, at.ID)
		}
		target = ""
		if page.Links.Next != nil {
			target = pathOf(t, *page.Links.Next)
		}
	}
	if diff := cmp.Diff(ids, seen); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if page := parse[list](t, get(s, path+"/attempts?skip=9")); len(page.Data) != 0 || page.Limit != 10 || page.Links.Next != nil {
		t.Errorf("beyond the end: %+v", page)
	}
	for query, code := range map[string]string{"skip=-1": "skip", "skip=x": "skip", "limit=0": "limit", "limit=101": "limit"} {
		wantError(t, query, get(s, path+"/attempts?"+query), 422, code+"__invalid_format")
	}
}

type assets struct {
	TotalCount int `json:"total_count"`
	Data       []asset
}

func TestAssetsAreThereUntilAnonymized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_approve_1")
		attemptPath := pathOf(t, attempted(t, s, path).Links.Self)
		of := func() assets { return parse[assets](t, get(s, attemptPath+"/assets?skip=0&limit=10")) }
		if a := of(); a.TotalCount != 0 {
			t.Errorf("assets before the capture: %+v", a)
		}
		wantError(t, "anonymizing early", post(s, path+"/anonymize", ""), 422, "face_authentication__not_final")
		time.Sleep(10 * time.Second)

		a := of()
		if a.TotalCount != 1 || a.Data[0].Type != "face_image" {
			t.Fatalf("assets %+v, want a face_image", a)
		}
		link := pathOf(t, a.Data[0].Links.AssetURL)
		if got := fetch(s, link); got.status != 200 || got.header.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(got.body, "\xff\xd8") {
			t.Errorf("picture: %d %s", got.status, got.header.Get("Content-Type"))
		}
		if got := fetch(s, link+"0"); got.status != 403 {
			t.Errorf("with another signature: %d", got.status)
		}
		if got := fetch(s, strings.Replace(link, "expires=", "expires=9", 1)); got.status != 403 {
			t.Errorf("with a longer life: %d", got.status)
		}
		face := parse[wireAuthentication](t, get(s, path)).Face
		if face == nil || fetch(s, pathOf(t, href{face.ImageSignedURL})).status != 200 {
			t.Errorf("face %+v", face)
		}
		time.Sleep(time.Hour)
		if got := fetch(s, link); got.status != 403 {
			t.Errorf("an hour later: %d", got.status)
		}
		adjust(t, s, func(k *Knobs) { k.Videos = true })
		if a = of(); a.TotalCount != 2 || a.Data[1].Type != "face_video" {
			t.Errorf("with videos: %+v", a)
		}

		for range 2 {
			got := post(s, path+"/anonymize", "")
			if after := parse[wireAuthentication](t, got); got.status != 200 || after.Face != nil || strings.Contains(got.body, "face\"") || after.Status != Approved {
				t.Errorf("anonymized: %d %s", got.status, got.body)
			}
		}
		if left := of(); left.TotalCount != 0 || len(left.Data) != 0 {
			t.Errorf("assets left: %+v", left)
		}
		if got := fetch(s, pathOf(t, a.Data[1].Links.AssetURL)); got.status != 404 {
			t.Errorf("video afterwards: %d", got.status)
		}
		if at := parse[attemptBody](t, get(s, attemptPath)); at.Session != nil {
			t.Errorf("visitor afterwards: %+v", at.Session)
		}
		if st := s.Stats(); st.Anonymized != 1 || st.Calls[CallAnonymize] != 3 || st.Calls[CallAssets] != 4 {
			t.Errorf("%d anonymized, calls %v", st.Anonymized, st.Calls)
		}
	})
}
