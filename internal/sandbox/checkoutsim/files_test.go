package checkoutsim

import (
	"bytes"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fetch follows a signed link, which needs no credentials.
func fetch(s *Simulator, path string) reply {
	return do(s, httptest.NewRequest(http.MethodGet, "http://checkout.test"+path, nil))
}

func TestEachAttemptHasAPictureOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		seen := map[string]bool{}
		for _, applicant := range []string{"aplt_approve_1", "aplt_decline_1", "aplt_abort_approve_1"} {
			path := made(t, s, applicant)
			first := attempted(t, s, path)
			time.Sleep(10 * time.Second)
			last := first
			if strings.Contains(applicant, "abort") {
				if s.Picture(first.ID) != nil {
					t.Error("an attempt that the person left has a picture")
				}
				last = attempted(t, s, path)
				time.Sleep(10 * time.Second)
			}
			list := parse[assets](t, get(s, pathOf(t, last.Links.Self)+"/assets"))
			link := pathOf(t, list.Data[0].Links.AssetURL)
			got := fetch(s, link)
			if got.status != 200 || got.body != string(s.Picture(last.ID)) || seen[got.body] {
				t.Errorf("%s: %d, not the picture of this attempt", applicant, got.status)
			}
			if _, err := jpeg.Decode(bytes.NewReader([]byte(got.body))); err != nil {
				t.Errorf("%s: %v", applicant, err)
			}
			seen[got.body] = true
			if got := get(s, link); got.status != http.StatusBadRequest {
				t.Errorf("%s: with our key as well: %d", applicant, got.status)
			}
			post(s, path+"/anonymize", "")
			if s.Picture(last.ID) != nil || fetch(s, link).status != http.StatusNotFound {
				t.Errorf("%s: the picture is there once anonymized", applicant)
			}
		}
		if st := s.Stats(); st.Pictures != 3 || st.FilesWithCredentials != 3 {
			t.Errorf("%d pictures fetched, %d with credentials", st.Pictures, st.FilesWithCredentials)
		}
	})
}
