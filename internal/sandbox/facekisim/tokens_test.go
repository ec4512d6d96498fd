package facekisim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTokensAreGivenForTheRightCredentialsOnly(t *testing.T) {
	s := setup(t, nil)
	get := func(query string) reply {
		return do(s, httptest.NewRequest(http.MethodGet, "/auth/api/access-token?"+query, nil))
	}
	post := func(body string) reply {
		return do(s, httptest.NewRequest(http.MethodPost, "/auth/api/generate-token", strings.NewReader(body)))
	}
	for name, got := range map[string]reply{
		"query": get("clientId=sandbox-faceki-client&clientSecret=sandbox-faceki-secret"),
		"body":  post(`{"clientId":"sandbox-faceki-client","clientSecret":"sandbox-faceki-secret"}`),
	} {
		if got.status != 200 || !strings.Contains(got.body, `"expires_in":3600`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for name, got := range map[string]reply{
		"nothing": get(""), "no secret": get("clientId=sandbox-faceki-client"), "wrong secret": get("clientId=sandbox-faceki-client&clientSecret=x"),
		"wrong id": post(`{"clientId":"x","clientSecret":"sandbox-faceki-secret"}`), "no JSON": post("clientId=x"), "empty": post("{}"),
	} {
		if got.status != 422 || strings.Contains(got.body, "token") || !strings.Contains(got.body, `"statusCode":422`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if st := s.Stats(); st.Tokens != 2 || st.TokensRefused != 5 {
		t.Errorf("%d tokens and %d refusals, want 2 and 5", st.Tokens, st.TokensRefused)
	}
}

func rules(s *Simulator, bearer string) int {
	r := httptest.NewRequest(http.MethodGet, "/kycrules/api/kycrules", nil)
	r.Header.Set("Authorization", "Bearer "+bearer)
	return do(s, r).status
}

func TestTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(k *Knobs) { k.TokenSeconds = 2 })
		bearer := token(t, s)
		want := func(why string, status int) {
			t.Helper()
			if got := rules(s, bearer); got != status {
				t.Errorf("%s: %d, want %d", why, got, status)
			}
		}
		want("fresh", 200)
		time.Sleep(2*time.Second - 1)
		want("in its last moment", 200)
		time.Sleep(time.Nanosecond)
		want("expired", 401)

		bearer = token(t, s)
		s.Revoke()
		want("revoked", 401)

		adjust(t, s, func(k *Knobs) { k.RevokeAfter = 2 })
		bearer = token(t, s)
		want("first use", 200)
		want("second use", 200)
		want("used up", 401)

		adjust(t, s, func(k *Knobs) { k.RevokeAfter, k.RefuseTokens = 0, true })
		bearer = token(t, s)
		want("refused", 401)
		bearer = "made-up"
		adjust(t, s, func(k *Knobs) { k.RefuseTokens = false })
		want("made up", 401)
		if st := s.Stats(); st.Unauthorized != 5 || st.Rules != 9 {
			t.Errorf("%d unauthorized of %d, want 5 of 9", st.Unauthorized, st.Rules)
		}
	})
}

func TestSearchWithoutATokenIsRefusedUnread(t *testing.T) {
	s := setup(t, nil)
	for _, path := range []string{pathV2, pathBlaze} {
		if got := do(s, upload(t.Context(), path, "selfie", "", nil)); got.status != 401 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if st := s.Stats(); st.Charged != 0 || st.Calls != 2 {
		t.Errorf("%+v", st)
	}
}
