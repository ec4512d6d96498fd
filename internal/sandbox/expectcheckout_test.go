package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/fault"
	"reauth/internal/vendors"
	"reauth/internal/vendors/checkout"
)

// inMemory serves requests in the goroutine that makes them, so that fake time
// does not stand still for a socket.
type inMemory struct{ http.Handler }

func (h inMemory) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, errors.Join(io.ErrUnexpectedEOF, r.Context().Err())
		}
	}()
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// checkoutOf returns an adapter in front of a simulated vendor.
func checkoutOf(t *testing.T) (*checkout.Adapter, *checkoutsim.Simulator) {
	t.Helper()
	knobs := checkoutsim.DefaultKnobs()
	knobs.Audit = fault.Fixed(24 * time.Hour) // long after the first result
	sim, err := checkoutsim.New(checkoutsim.Config{Knobs: knobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	a, err := checkout.New(checkout.Config{
		BaseURL: "http://127.0.0.1:1", TokenURL: "http://127.0.0.1:1" + checkoutsim.TokenPath, ClientID: knobs.ClientID,
		ClientSecret: func() (string, error) { return knobs.ClientSecret, nil }, UserJourneyID: knobs.UserJourneyID,
		MaxAttempts: checkoutLinks, Client: &http.Client{Transport: inMemory{sim}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, sim
}

// TestExpectCheckoutIsWhatTheAdapterFinds makes one step after the other, as the
// consumer does.
func TestExpectCheckoutIsWhatTheAdapterFinds(t *testing.T) {
	for _, script := range []string{
		"x", "approve", "decline", "decline_62305", "decline_62307", "decline_62402_1", "decline_62403", "decline_62405", "decline_62999", "refuse", "close",
		"abort", "abort_61113_twice", "abort_always", "unclear", "unclear_twice_decline", "unclear_61410_always", "unclear_61412_always",
		"noshow", "noshow_once", "noshow_twice_refuse", "abort_unclear_noshow", "abort_noshow_once_unclear", "manual", "slow", "odd", "crowd",
		"unknown", "novideo", "anonymized", "unknown_create_500", "unknown_create_500_always",
		"create_504", "create_429_twice", "create_reset_always", "create_429_always", "attempt_504_twice", "attempt_hang", "attempt_503", "attempt_504_always", "attempt_500_always", "attempt_429bare_always",
		"get_badjson_twice", "get_500_always", "get_429_always_decline", "list_500_always", "attempt_504_list_500_always", "attempt_reset_list_429",
		"show_502", "show_502_always", "abort_show_502", "unclear_show_502_always",
	} {
		synctest.Test(t, func(t *testing.T) {
			applicant := "aplt_" + script
			if diff := cmp.Diff(ExpectCheckout(applicant), finished(t, applicant)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", applicant, diff)
			}
		})
	}
}

// finished is what comes of a request about the applicant, in fake time.
func finished(t *testing.T, applicant string) Expectation {
	t.Helper()
	a, sim := checkoutOf(t)
	got := steps(t, a, applicant)
	time.Sleep(time.Hour)
	got.Charges = len(sim.Charged(applicant))
	if st := sim.Stats(); st.AttemptsWhileLive != 0 {
		t.Errorf("%s: %d attempts ended another", applicant, st.AttemptsWhileLive)
	}
	return got
}

// steps does with an adapter what the consumer does: faults of the lane and
// throttling are waited for, the others count as attempts.
func steps(t *testing.T, a *checkout.Adapter, applicant string) Expectation {
	t.Helper()
	c := vendors.Call{RequestID: "r-1", ApplicantID: applicant, RedirectURL: "https://app.example/done"}
	waits := 0
	for failed := 0; failed < usualAttempts && waits < 20; {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		v, err := a.Authenticate(ctx, c)
		cancel()
		if err == nil && v.Pending == nil {
			return Expectation{Outcome: v.Outcome, Reasons: v.Reasons}
		}
		if err == nil {
			c.State, c.Unsure = v.Pending.State, false
			time.Sleep(v.Pending.After)
			continue
		}
		var e *vendors.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		c.Unsure = c.Unsure || e.Unknown
		switch e.Kind {
		case vendors.Refused:
			return Expectation{Outcome: event.Failed, Reasons: []event.Reason{event.RequestRefused}}
		case vendors.LaneFault, vendors.Throttled:
			waits++
		default:
			failed++
		}
		time.Sleep(time.Second)
	}
	if waits >= 20 {
		return Expectation{}
	}
	return exhausted
}

func TestCheckoutIsThereOnlyWhenAskedFor(t *testing.T) {
	named := func(s *Sandbox) map[string]string {
		all := map[string]string{}
		for _, v := range s.Environment() {
			if name, ok := strings.CutPrefix(v.Name, "REAUTH_VENDORS__CHECKOUT__"); ok {
				all[name] = v.Value
			}
		}
		return all
	}
	without := setup(t, nil)
	if without.Checkout != nil || without.CheckoutURL() != "" || without.CheckoutTokenURL() != "" || len(named(without)) != 0 {
		t.Errorf("Checkout.com is there unasked: %v", named(without))
	}
	if status, _ := ask(t, without, http.MethodGet, "/checkout/ledger", ""); status != http.StatusNotFound {
		t.Errorf("its ledger answers %d", status)
	}

	s := setup(t, func(o *Options) {
		o.CheckoutAddr = "127.0.0.1:0"
		o.Checkout.Webhook.URL = "http://127.0.0.1:18082/webhooks/checkout"
	})
	want := map[string]string{
		"ENABLED": "true", "BASE_URL": s.CheckoutURL(), "TOKEN_URL": s.CheckoutURL() + "/connect/token", "LIMITS": "100/s",
		"CLIENT_ID": "cli_sandboxcheckout", "CLIENT_SECRET": "sandbox-checkout-secret", "USER_JOURNEY_ID": "usj_sandboxsandboxsandboxsandb",
		"WEBHOOK__LISTEN": "127.0.0.1:18082", "WEBHOOK__PATH": "/webhooks/checkout", "WEBHOOK__SIGNATURE_KEY": "sandbox-checkout-signature-key",
	}
	if diff := cmp.Diff(want, named(s)); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	a, err := checkout.New(checkout.Config{
		BaseURL: s.CheckoutURL(), TokenURL: s.CheckoutTokenURL(), ClientID: want["CLIENT_ID"], UserJourneyID: want["USER_JOURNEY_ID"],
		ClientSecret: func() (string, error) { return want["CLIENT_SECRET"], nil }, Client: http.DefaultClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for limits, knobs := range map[string][2]int{"none": {0, 0}, "7/s": {0, 7}, "8/s": {8, 0}, "5/s": {5, 9}} {
		if got := checkoutLimits(checkoutsim.Knobs{ReadsPerSecond: knobs[0], WritesPerSecond: knobs[1]}); got != limits {
			t.Errorf("limits of %v are %s, want %s", knobs, got, limits)
		}
	}
}

func TestAdminTurnsCheckout(t *testing.T) {
	s := setup(t, func(o *Options) { o.CheckoutAddr = "127.0.0.1:0" })
	before := s.Checkout.Knobs()
	for _, bad := range []string{
		`{"checkout": {"webhook": {"tries": 0}}, "s3": {"outage": "500"}}`,
		`{"checkout": {"link": "1m"}, "s3": {"outage": "flood"}}`,
		`{"argos": {"error_rate": 7}, "checkout": {"link": "1m"}}`,
		`{"checkout": {"linger": "1m"}}`, `{"checkout": {"link": "0s"}}`, `{"checkout": {}, "faceki": {}}`,
	} {
		if status, body := ask(t, s, http.MethodPut, "/knobs", bad); status != http.StatusBadRequest || s.Checkout.Knobs() != before || s.S3.Knobs().Outage != "" {
			t.Errorf("%s: %d %s, want 400 and nothing changed", bad, status, body)
		}
	}
	const good = `{"checkout": {"link": "1m", "webhook": {"url": "http://127.0.0.1:1/x"}}, "s3": {"outage": "500"}}`
	status, body := ask(t, s, http.MethodPut, "/knobs", good)
	if k := s.Checkout.Knobs(); status != http.StatusOK || k.Link.String() != "1m0s" || k.Webhook.URL == "" || k.Webhook.Tries != before.Webhook.Tries || s.S3.Knobs().Outage != "500" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask(t, s, http.MethodGet, "/stats", ""); status != http.StatusOK || !strings.Contains(body, `"attempts_while_live": 0`) {
		t.Errorf("stats: %d %s", status, body)
	}
	for _, path := range []string{"/checkout/ledger?applicant=aplt_1", "/checkout/duplicates"} {
		if status, body := ask(t, s, http.MethodGet, path, ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for path, want := range map[string]int{"/checkout/revoke": http.StatusNoContent, "/checkout/audit?authentication=fav_1": http.StatusNotFound, "/reset": http.StatusNoContent} {
		if status, body := ask(t, s, http.MethodPost, path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestTheWebhookTakesWhatTheVendorSendsAndNothingElse lets the consumer's webhook
// and the simulated vendor meet.
func TestTheWebhookTakesWhatTheVendorSendsAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []event.Outcome
		webhook, err := checkout.NewWebhook(checkout.WebhookConfig{
			Secret: func() (string, error) { return "sandbox-checkout-signature-key", nil },
			Tell: func(_ context.Context, n vendors.News) error {
				told = append(told, n.Outcome)
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		knobs := checkoutsim.DefaultKnobs()
		knobs.Webhook.URL = "http://consumer.test/webhooks/checkout"
		knobs.Webhook.ForgedRate, knobs.Webhook.UnsignedRate, knobs.Webhook.OversizeRate, knobs.Webhook.TwiceRate = 1, 1, 1, 1
		sim, err := checkoutsim.New(checkoutsim.Config{Knobs: knobs, Webhooks: inMemory{webhook}})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		a, err := checkout.New(checkout.Config{
			BaseURL: "http://127.0.0.1:1", SecretKey: func() (string, error) { return knobs.SecretKey, nil }, UserJourneyID: knobs.UserJourneyID,
			Client: &http.Client{Transport: inMemory{sim}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := steps(t, a, "aplt_decline"); got.Outcome != event.Rejected {
			t.Errorf("%+v", got)
		}
		synctest.Wait()
		if diff := cmp.Diff([]event.Outcome{"", "", "", "", event.Rejected}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if d := sim.Stats().Webhook; d.FakesTaken != 0 || d.OversizedTaken != 0 || d.Forged != 5 || d.Unsigned != 5 || d.Oversized != 5 || d.Taken != 10 || d.GivenUp != 0 {
			t.Errorf("%+v", d)
		}
	})
}
