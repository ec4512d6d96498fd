package checkoutsim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// play goes on making attempts, as a caller does who looks every second, until
// the authentication is final or there have been most attempts. It returns the
// states seen, one after the other.
func play(t *testing.T, s *Simulator, path string, most int) []string {
	t.Helper()
	var seen []string
	for attempts := 0; ; {
		now := state(t, s, path)
		if len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		status, _, _ := strings.Cut(now, " ")
		switch {
		case Status(status).Final():
			return seen
		case status == string(Created) || status == string(RetryRequired):
			if attempts == most {
				return seen
			}
			attempted(t, s, path)
			attempts++
		}
		time.Sleep(time.Second)
	}
}

func TestPersonsDoWhatTheirScriptSays(t *testing.T) {
	const way = "created, pending, capture_in_progress, "
	for applicant, want := range map[string]struct {
		states  string
		charges int
	}{
		"aplt_approve_1":        {way + "checks_in_progress, approved approved", 1},
		"aplt_anybody":          {way + "checks_in_progress, approved approved", 1},
		"aplt_decline_1":        {way + "checks_in_progress, declined face_face_mismatch", 1},
		"aplt_decline_62305":    {way + "checks_in_progress, declined face_not_live", 1},
		"aplt_refuse":           {way + "refused applicant_refusal", 0},
		"aplt_close":            {way + "checks_in_progress, inconclusive forcibly_closed", 0},
		"aplt_odd":              {way + "under_review, approved approved", 1},
		"aplt_abort":            {way + "retry_required applicant_drop, pending, capture_in_progress, checks_in_progress, approved approved", 1},
		"aplt_abort_61113":      {way + "retry_required camera_access_refused, pending, capture_in_progress, checks_in_progress, approved approved", 1},
		"aplt_unclear":          {way + "checks_in_progress, retry_required face_partially_hidden, pending, capture_in_progress, checks_in_progress, approved approved", 2},
		"aplt_unclear_61410_1":  {way + "checks_in_progress, retry_required face_not_captured, pending, capture_in_progress, checks_in_progress, approved approved", 2},
		"aplt_abort_refuse":     {way + "retry_required applicant_drop, pending, capture_in_progress, refused applicant_refusal", 0},
		"aplt_noshow_once":      {"created, pending, retry_required applicant_never_started, pending, capture_in_progress, checks_in_progress, approved approved", 1},
		"aplt_noshow":           {"created, pending, retry_required applicant_never_started, pending, retry_required applicant_never_started, pending, retry_required applicant_never_started", 0},
		"aplt_slow":             {way + "checks_in_progress, approved approved", 1},
		"aplt_abort_always":     {strings.TrimSuffix(strings.Repeat("created, pending, capture_in_progress, retry_required applicant_drop, ", 1)+strings.Repeat("pending, capture_in_progress, retry_required applicant_drop, ", 2), ", "), 0},
		"aplt_crowd_decline_7x": {way + "checks_in_progress, declined face_face_mismatch", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t, nil)
			path := made(t, s, applicant)
			if diff := cmp.Diff(want.states, strings.Join(play(t, s, path, 3), ", ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", applicant, diff)
			}
			got := parse[wireAuthentication](t, get(s, path))
			verdict := got.Status == Approved || got.Status == Declined
			if crowd := strings.Contains(applicant, "crowd"); (got.Face != nil) != verdict || (len(got.RiskLabels) == 1) != crowd {
				t.Errorf("%s: face %v, risk labels %q", applicant, got.Face, got.RiskLabels)
			}
			if n := len(s.Charged(applicant)); n != want.charges || s.Stats().Charged != n {
				t.Errorf("%s: %d charges, want %d", applicant, n, want.charges)
			}
			if st := s.Stats(); st.AttemptsWhileLive != 0 || st.PeakLive > 1 || st.DeadLinks != 0 || st.Conflicts != 0 || st.Unattempted != 0 {
				t.Errorf("%s: %+v", applicant, st)
			}
		})
	}
}

func TestSlowPersonsThinkForSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_slow_1")
		attempted(t, s, path)
		time.Sleep(5*time.Minute - 1)
		wantState(t, s, path, "pending")
		time.Sleep(time.Millisecond)
		wantState(t, s, path, "capture_in_progress")
	})
}

func TestAttemptsAreRefusedInEveryOtherState(t *testing.T) {
	for applicant, c := range map[string]struct {
		after  time.Duration
		state  string
		status int
	}{
		"aplt_approve":        {0, "pending", 201},
		"aplt_approve_1":      {2*time.Second + 1, "capture_in_progress", 201},
		"aplt_approve_2":      {5*time.Second + 1, "checks_in_progress", 409},
		"aplt_odd":            {5*time.Second + 1, "under_review", 409},
		"aplt_approve_3":      {9*time.Second + 1, "approved approved", 409},
		"aplt_decline":        {9*time.Second + 1, "declined face_face_mismatch", 409},
		"aplt_refuse":         {9*time.Second + 1, "refused applicant_refusal", 409},
		"aplt_close":          {9*time.Second + 1, "inconclusive forcibly_closed", 409},
		"aplt_abort":          {9*time.Second + 1, "retry_required applicant_drop", 201},
		"aplt_unclear":        {9*time.Second + 1, "retry_required face_partially_hidden", 201},
		"aplt_noshow":         {15*time.Minute + 1, "retry_required applicant_never_started", 201},
		"aplt_noshow_already": {15*time.Minute - 1, "pending", 201},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t, nil)
			path := made(t, s, applicant)
			attempted(t, s, path)
			time.Sleep(c.after)
			synctest.Wait()
			wantState(t, s, path, c.state)
			got := post(s, path+"/attempts", attemptBodyText)
			if got.status != c.status || (s.Stats().Conflicts == 1) != (c.status == 409) {
				t.Errorf("%s: %d %s, want %d in %s", applicant, got.status, got.body, c.status, c.state)
			}
			live := c.state == "pending" || c.state == "capture_in_progress"
			if st := s.Stats(); (st.AttemptsWhileLive == 1) != live || (st.PeakLive == 2) != live {
				t.Errorf("%s: %d attempts while live, at most %d at once", applicant, st.AttemptsWhileLive, st.PeakLive)
			}
		})
	}
}

func TestANewAttemptEndsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_approve_1")
		first := attempted(t, s, path)
		time.Sleep(time.Second)
		second := attempted(t, s, path)
		list := parse[struct{ Data []attemptBody }](t, get(s, path+"/attempts")).Data
		if len(list) != 2 || list[0].ID != second.ID || list[0].Status != AttemptPending || list[1].ID != first.ID || list[1].Status != AttemptTerminated {
			t.Errorf("attempts %+v, want the new one and then the old one, terminated", list)
		}
		if got := get(s, pathOf(t, first.Links.VerificationURL)); got.status != http.StatusGone {
			t.Errorf("the old link: %d, want 410", got.status)
		}
		time.Sleep(1500 * time.Millisecond) // the person has opened the old link in vain
		synctest.Wait()
		wantState(t, s, path, "pending")
		if n := s.Stats().DeadLinks; n != 2 {
			t.Errorf("%d dead links, want 2", n)
		}
		time.Sleep(time.Minute)
		wantState(t, s, path, "approved approved")
		if n := len(s.Charged("")); n != 1 {
			t.Errorf("%d charges, want 1", n)
		}
	})
}

func TestWhoIsBeforeTheCameraIsTurnedAwayByANewAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_approve_1")
		attempted(t, s, path)
		time.Sleep(4 * time.Second)
		wantState(t, s, path, "capture_in_progress")
		attempted(t, s, path)
		time.Sleep(2 * time.Second)
		if st := s.Stats(); st.DeadLinks != 1 || st.AttemptsWhileLive != 1 {
			t.Errorf("%d dead links, %d attempts while live", st.DeadLinks, st.AttemptsWhileLive)
		}
	})
}

func TestACaptureThatHasBegunOutlivesItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *Config) { c.Knobs.Link = delay("3s") })
		path := made(t, s, "aplt_approve_1")
		attempted(t, s, path)
		time.Sleep(4 * time.Second)
		wantState(t, s, path, "capture_in_progress")
		time.Sleep(time.Minute)
		wantState(t, s, path, "approved approved")
		if n := s.Stats().Expired; n != 0 {
			t.Errorf("%d expired", n)
		}
	})
}

func TestAuditsTurnTheVerdictRound(t *testing.T) {
	for applicant, want := range map[string][2]string{
		"aplt_approve_audit": {"approved approved", "declined known_fraudulent_face"},
		"aplt_decline_audit": {"declined face_face_mismatch", "approved approved"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t, nil)
			path := made(t, s, applicant)
			attempted(t, s, path)
			time.Sleep(19*time.Second - 1)
			wantState(t, s, path, want[0])
			before := parse[wireAuthentication](t, get(s, path)).ModifiedOn
			time.Sleep(time.Second)
			wantState(t, s, path, want[1])
			if after := parse[wireAuthentication](t, get(s, path)).ModifiedOn; !after.After(before) {
				t.Errorf("modified on %s, and before the audit on %s", after, before)
			}
			if st := s.Stats(); st.Audited != 1 || st.Charged != 1 {
				t.Errorf("%d audited, %d charged", st.Audited, st.Charged)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_approve")
		id := strings.TrimPrefix(path, "/face-authentications/")
		if err := s.Audit(id); err != nil {
			t.Error(err)
		}
		wantState(t, s, path, "created")
		play(t, s, path, 1)
		if err := s.Audit(id); err != nil {
			t.Error(err)
		}
		wantState(t, s, path, "declined known_fraudulent_face")
		if err := s.Audit("fav_x"); err == nil {
			t.Error("audited what is not there")
		}
	})
}

// press is the form on the page.
func press(s *Simulator, link, button string) reply {
	r := httptest.NewRequest(http.MethodPost, link, strings.NewReader(url.Values{"do": {button}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(s, r)
}

func TestThePageIsPlayedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_manual_decline")
		first := attempted(t, s, path)
		link := pathOf(t, first.Links.VerificationURL)
		time.Sleep(time.Minute)
		wantState(t, s, path, "pending")
		if at := parse[attemptBody](t, get(s, pathOf(t, first.Links.Self))); at.Session != nil {
			t.Errorf("a visitor before there was one: %+v", at.Session)
		}
		if got := get(s, link); got.status != 200 || !strings.Contains(got.body, `value="capture"`) {
			t.Errorf("page: %d %s", got.status, got.body)
		}
		if at := parse[attemptBody](t, get(s, pathOf(t, first.Links.Self))); at.Session == nil || at.Session.IPAddress != "192.0.2.1" {
			t.Errorf("visitor %+v", at.Session)
		}
		if got := press(s, link, "start"); got.status != http.StatusSeeOther || got.header.Get("Location") != link {
			t.Errorf("start: %d to %s", got.status, got.header.Get("Location"))
		}
		wantState(t, s, path, "capture_in_progress")
		if got := press(s, link, "dance"); got.status != http.StatusBadRequest {
			t.Errorf("dance: %d", got.status)
		}
		id := strings.TrimPrefix(path, "/face-authentications/")
		got := press(s, link, "abort")
		want := "https://app.example/done?event=face_authentication_capture_aborted&from=mail&id=" + id + "&response_code=61121"
		if got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("abort: %d to %s, want %s", got.status, got.header.Get("Location"), want)
		}
		wantState(t, s, path, "retry_required applicant_drop")
		if got := press(s, link, "capture"); got.status != http.StatusGone {
			t.Errorf("the old link: %d", got.status)
		}

		link = pathOf(t, attempted(t, s, path).Links.VerificationURL)
		if got := press(s, link, ""); !strings.Contains(got.header.Get("Location"), "face_authentication_capture_completed") {
			t.Errorf("capture leads to %s", got.header.Get("Location"))
		}
		wantState(t, s, path, "checks_in_progress")
		time.Sleep(4*time.Second + 1)
		wantState(t, s, path, "declined face_face_mismatch")
		if got := get(s, "/capture/elsewhere"); got.status != http.StatusNotFound {
			t.Errorf("made up link: %d", got.status)
		}

		other := made(t, s, "aplt_noshow")
		press(s, pathOf(t, attempted(t, s, other).Links.VerificationURL), "refuse")
		wantState(t, s, other, "refused applicant_refusal")
	})
}

func TestResetKeepsAuthenticationsAndForgetsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, nil)
		path := made(t, s, "aplt_approve")
		play(t, s, path, 1)
		s.Reset()
		if st := s.Stats(); st.Created != 0 || st.Charged != 0 || len(st.Calls) != 0 || st.Statuses[Approved] != 1 || len(s.Charged("")) != 0 {
			t.Errorf("after Reset: %+v", st)
		}
		wantState(t, s, path, "approved approved")
		if got := fmt.Sprint(s.Stats().Calls); got != "map[get:1]" {
			t.Errorf("calls %s", got)
		}
	})
}
