package faceki

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"reauth/internal/event"
)

// APIVersion is a generation of the vendor's API.
type APIVersion string

// The generations. Accounts are on one of them.
const (
	// V2 is KYC V2, with POST /facelink/api/face-check.
	V2 APIVersion = "v2"
	// Blaze is Blaze 3.0, with POST /api/v3/kyc_verification/search-by-face.
	Blaze APIVersion = "blaze"
)

// generation is what differs between the two.
type generation struct {
	// search is the path of the paid call, part the name of its only field.
	search, part string
	// rules is the path of a free GET that needs a token, "" where none is
	// documented.
	rules string
	// tokenRequest builds the call for a token.
	tokenRequest func(ctx context.Context, base, clientID, clientSecret string) (*http.Request, error)
	// found reads a successful search; ok is false when the answer is none.
	found func(said) (s search, ok bool)
	// decide binds a successful search to the expected reference. Approved
	// has no reason.
	decide func(s search, expected string) event.Reason
}

var generations = map[APIVersion]generation{
	V2: {
		search:       "/facelink/api/face-check",
		part:         "selfie_image",
		rules:        "/kycrules/api/kycrules",
		tokenRequest: tokenByQuery,
		found:        said.faceCheck,
		decide:       decideByFace,
	},
	Blaze: {
		search:       "/api/v3/kyc_verification/search-by-face",
		part:         "selfie",
		tokenRequest: tokenByBody,
		found:        said.searchByFace,
		decide:       decideByIdentifier,
	},
}

// tokenByQuery has the secret in the URL, as the vendor's own clients do: the
// URL of this request must not be written anywhere.
func tokenByQuery(ctx context.Context, base, clientID, clientSecret string) (*http.Request, error) {
	query := url.Values{"clientId": {clientID}, "clientSecret": {clientSecret}}
	return http.NewRequestWithContext(ctx, http.MethodGet, base+"/auth/api/access-token?"+query.Encode(), nil)
}

func tokenByBody(ctx context.Context, base, clientID, clientSecret string) (*http.Request, error) {
	body, err := json.Marshal(map[string]string{"clientId": clientID, "clientSecret": clientSecret})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/auth/api/generate-token", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}
