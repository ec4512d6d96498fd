package checkoutsim

import (
	"net/http"
	"slices"
	"strings"

	"reauth/internal/sandbox/vendorsim"
)

// TokenPath is where tokens are given out.
const TokenPath = "/connect/token"

// scope is what a token must be asked for with.
const scope = "identity-verification"

// maxForm bounds the body of POST /connect/token.
const maxForm = 4 << 10

// token is POST /connect/token. The client may stand in the form or in Basic
// authentication (RFC 6749, 2.3.1).
func (s *Simulator) token(w http.ResponseWriter, r *http.Request) {
	knobs := s.Knobs()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	refusal, status := "", http.StatusBadRequest
	switch {
	case r.PostFormValue("grant_type") == "":
		refusal = "invalid_request"
	case r.PostFormValue("grant_type") != "client_credentials":
		refusal = "unsupported_grant_type"
	case id != knobs.ClientID || secret != knobs.ClientSecret:
		refusal = "invalid_client"
		if basic {
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", "Basic")
		}
	case !slices.Contains(strings.Fields(r.PostFormValue("scope")), scope):
		refusal = "invalid_scope"
	}
	if refusal != "" {
		s.count(func(st *Stats) {
			st.TokensRefused++
			st.Errors[refusal]++
		})
		vendorsim.WriteJSON(w, status, map[string]string{"error": refusal})
		return
	}
	s.mu.Lock()
	s.stats.Tokens++
	token := s.tokens.Give(knobs.TokenSeconds)
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	vendorsim.WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": knobs.TokenSeconds, "scope": scope,
	})
}
