package checkoutsim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// grant asks for a token with the fields, over those of a good request; an empty
// one is left out.
func grant(s *Simulator, basic bool, fields ...string) reply {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"identity-verification"}}
	id, secret := "cli_sandboxcheckout", "sandbox-checkout-secret"
	for i := 0; i < len(fields); i += 2 {
		switch fields[i] {
		case "client_id":
			id = fields[i+1]
		case "client_secret":
			secret = fields[i+1]
		default:
			form.Set(fields[i], fields[i+1])
		}
	}
	if !basic {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	r := httptest.NewRequest(http.MethodPost, "/connect/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(id, secret)
	}
	return do(s, r)
}

func TestTokensAreGivenForTheRightClientOnly(t *testing.T) {
	s := setup(t, nil)
	for name, got := range map[string]reply{
		"form": grant(s, false), "basic": grant(s, true), "several scopes": grant(s, false, "scope", "vault identity-verification"),
	} {
		if got.status != 200 || !strings.Contains(got.body, `"expires_in":3600`) || !strings.Contains(got.body, `"token_type":"Bearer"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for name, c := range map[string]struct {
		got    reply
		status int
		code   string
	}{
		"wrong id":        {grant(s, false, "client_id", "cli_x"), 400, "invalid_client"},
		"wrong secret":    {grant(s, true, "client_secret", "x"), 401, "invalid_client"},
		"no grant type":   {grant(s, false, "grant_type", ""), 400, "invalid_request"},
		"password":        {grant(s, false, "grant_type", "password"), 400, "unsupported_grant_type"},
		"wrong scope":     {grant(s, false, "scope", "vault"), 400, "invalid_scope"},
		"no scope":        {grant(s, false, "scope", ""), 400, "invalid_scope"},
		"wrong and basic": {grant(s, true, "client_id", ""), 401, "invalid_client"},
	} {
		if c.got.status != c.status || c.got.body != `{"error":"`+c.code+`"}` {
			t.Errorf("%s: %d %s, want %d %s", name, c.got.status, c.got.body, c.status, c.code)
		}
	}
	if st := s.Stats(); st.Tokens != 3 || st.TokensRefused != 7 || st.Errors["invalid_client"] != 3 {
		t.Errorf("%d tokens, %d refused, errors %v", st.Tokens, st.TokensRefused, st.Errors)
	}
}

func TestCallsNeedAGoodTokenOrTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *Config) { c.Knobs.TokenSeconds = 2 })
		with := func(authorization string) int {
			r := request(context.Background(), http.MethodGet, "/face-authentications/fav_1", "")
			r.Header.Set("Authorization", authorization)
			return do(s, r).status
		}
		token := func() string {
			return "Bearer " + parse[struct {
				Token string `json:"access_token"`
			}](t, grant(s, false)).Token
		}
		want := func(why, authorization string, status int) {
			t.Helper()
			if got := with(authorization); got != status {
				t.Errorf("%s: %d, want %d", why, got, status)
			}
		}
		const key = "Bearer sk_sbox_sandbox_checkout_key"
		want("key", key, 404)
		want("no bearer", strings.TrimPrefix(key, "Bearer "), 401)
		want("other key", key+"x", 401)
		want("nothing", "", 401)

		first := token()
		want("fresh", first, 404)
		time.Sleep(2*time.Second - 1)
		want("in its last moment", first, 404)
		time.Sleep(time.Nanosecond)
		want("expired", first, 401)

		second := token()
		s.Revoke()
		want("revoked", second, 401)
		adjust(t, s, func(k *Knobs) { k.RevokeAfter = 1 })
		third := token()
		want("first use", third, 404)
		want("used up", third, 401)

		adjust(t, s, func(k *Knobs) { k.SecretKey = "" })
		want("key where there is none", "Bearer ", 401)
		adjust(t, s, func(k *Knobs) { k.SecretKey, k.RefuseTokens = "sk_sbox_sandbox_checkout_key", true })
		want("refused", key, 401)
		adjust(t, s, func(k *Knobs) { k.RefuseTokens, k.Forbid = false, true })
		want("forbidden", key, 403)
		if st := s.Stats(); st.Unauthorized != 8 || st.Forbidden != 1 || st.Calls[CallGet] != 13 {
			t.Errorf("%d unauthorized, %d forbidden of %d", st.Unauthorized, st.Forbidden, st.Calls[CallGet])
		}
	})
}
