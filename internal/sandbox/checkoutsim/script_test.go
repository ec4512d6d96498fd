package checkoutsim

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/sandbox/vendorsim"
)

func TestApplicantIDsAreScripts(t *testing.T) {
	const always = vendorsim.Always
	type mishaps = map[Call]vendorsim.Mishap
	for id, want := range map[string]Script{
		"aplt_approve":         {Verdict: Approved, Code: 10000},
		"aplt_7f3_decline_500": {Verdict: Approved, Code: 10000},
		"aplt_decline_1":       {Verdict: Declined, Code: 62321},
		"aplt_decline_62305_1": {Verdict: Declined, Code: 62305},
		"aplt_decline_61305":   {Verdict: Declined, Code: 62321},
		"aplt_refuse":          {Verdict: Refused, Code: 63001},
		"aplt_close_x":         {Verdict: Inconclusive, Code: 64001},
		"aplt_noshow":          {Verdict: Approved, Code: 10000, Hurdles: []Hurdle{{NoShow, 61101, always}}},
		"aplt_noshow_once_7":   {Verdict: Approved, Code: 10000, Hurdles: []Hurdle{{NoShow, 61101, 1}}},
		"aplt_abort_61113_twice_unclear_decline_62305": {Verdict: Declined, Code: 62305, Hurdles: []Hurdle{{Abort, 61113, 2}, {Unclear, 61411, 1}}},
		"aplt_unclear_always_slow_crowd_odd_audit":     {Verdict: Approved, Code: 10000, Hurdles: []Hurdle{{Unclear, 61411, always}}, Slow: true, Crowd: true, Odd: true, Audit: true},
		"aplt_manual_1":     {Verdict: Approved, Code: 10000, Manual: true},
		"aplt_unknown_1":    {Verdict: Approved, Code: 10000, Refusal: "applicant_id__not_found"},
		"aplt_create_504_1": {Verdict: Approved, Code: 10000, Mishaps: mishaps{CallCreate: {Kind: vendorsim.Status504, Times: 1}}},
		"aplt_decline_attempt_hang_twice_get_500_always": {Verdict: Declined, Code: 62321, Mishaps: mishaps{
			CallAttempt: {Kind: vendorsim.Hang, Times: 2}, CallGet: {Kind: vendorsim.Status500, Times: always}}},
		"aplt_create_7":          {Verdict: Approved, Code: 10000},
		"aplt_approve_create":    {Verdict: Approved, Code: 10000},
		"aplt_approve_list_once": {Verdict: Approved, Code: 10000},
	} {
		if want.Mishaps == nil {
			want.Mishaps = mishaps{}
		}
		if diff := cmp.Diff(want, ParseScript(id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestBadKnobsAreRefused(t *testing.T) {
	s := setup(t, nil)
	before := s.Knobs()
	for name, change := range map[string]func(*Knobs){
		"rate": func(k *Knobs) { k.HangRate = 2 }, "outage": func(k *Knobs) { k.Outage = "flood" }, "token": func(k *Knobs) { k.TokenSeconds = 0 },
		"secret": func(k *Knobs) { k.ClientSecret = "" }, "journey": func(k *Knobs) { k.UserJourneyID = "usj_1" }, "limit": func(k *Knobs) { k.ReadsPerSecond = -1 },
		"link": func(k *Knobs) { k.Link = delay("0s") }, "webhook": func(k *Knobs) { k.Webhook.URL = "127.0.0.1:1" }, "tries": func(k *Knobs) { k.Webhook.Tries = 0 },
		"key": func(k *Knobs) { k.Webhook.URL, k.Webhook.SignatureKey = "http://a.example/", "" }, "lost": func(k *Knobs) { k.Webhook.LostRate = -1 },
	} {
		if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err == nil || s.Knobs() != before {
			t.Errorf("knobs with a bad %s are taken", name)
		}
	}
}
