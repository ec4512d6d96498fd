package facekisim

import (
	"encoding/json"
	"net/http"
	"strings"

	"reauth/internal/sandbox/vendorsim"
)

// accessToken is GET /auth/api/access-token.
func (s *Simulator) accessToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.giveToken(w, query.Get("clientId"), query.Get("clientSecret"))
}

// maxCredentials bounds the body of POST /auth/api/generate-token.
const maxCredentials = 4 << 10

// generateToken is POST /auth/api/generate-token.
func (s *Simulator) generateToken(w http.ResponseWriter, r *http.Request) {
	var credentials struct {
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCredentials)).Decode(&credentials); err != nil {
		plainError(w, http.StatusUnprocessableEntity, "body is not valid")
		return
	}
	s.giveToken(w, credentials.ClientID, credentials.ClientSecret)
}

func (s *Simulator) giveToken(w http.ResponseWriter, id, secret string) {
	knobs := s.Knobs()
	s.mu.Lock()
	refusal := ""
	switch {
	case id == "":
		refusal = "client id is required"
	case secret == "":
		refusal = "client secret is required"
	case id != knobs.ClientID || secret != knobs.ClientSecret:
		refusal = "client id or client secret is not valid"
	}
	token := ""
	if refusal == "" {
		s.stats.Tokens++
		token = s.tokens.Give(knobs.TokenSeconds)
	} else {
		s.stats.TokensRefused++
	}
	s.mu.Unlock()

	if refusal != "" {
		plainError(w, http.StatusUnprocessableEntity, refusal)
		return
	}
	vendorsim.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": map[string]any{
		"access_token": token, "expires_in": knobs.TokenSeconds, "token_type": "Bearer",
	}})
}

// authorized uses the call's token up by one, and answers a call without a good
// one.
func (s *Simulator) authorized(w http.ResponseWriter, r *http.Request) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	knobs := s.Knobs()
	s.mu.Lock()
	if knobs.RefuseTokens {
		s.tokens.Drop(token)
	}
	good := bearer && s.tokens.Use(token, knobs.RevokeAfter)
	if !good {
		s.stats.Unauthorized++
	}
	s.mu.Unlock()
	if !good {
		plainError(w, http.StatusUnauthorized, "Unauthorized")
	}
	return good
}

// Revoke takes back every token given out so far.
func (s *Simulator) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.Revoke()
}
