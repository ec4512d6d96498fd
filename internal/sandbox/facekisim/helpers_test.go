package facekisim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"reauth/internal/sandbox/s3sim"
)

const reference = "0123456789abcdef0123456789abcdef"

// setup returns a simulator on default knobs after change.
func setup(t *testing.T, change func(*Knobs)) *Simulator {
	t.Helper()
	k := DefaultKnobs()
	if change != nil {
		change(&k)
	}
	s, err := New(Config{Knobs: k, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func adjust(t *testing.T, s *Simulator, change func(*Knobs)) {
	t.Helper()
	if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err != nil {
		t.Fatal(err)
	}
}

// selfie is the picture that S3 has under the name.
func selfie(t *testing.T, name string) []byte {
	t.Helper()
	store, err := s3sim.New(s3sim.Config{Knobs: s3sim.Knobs{AllowAnonymous: true}, Buckets: []string{"selfies"}, Prefix: "selfies/"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	w := httptest.NewRecorder()
	store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/selfies/selfies/"+name, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("selfie %s: %d %s", name, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// The searches of the two generations.
const (
	pathV2    = "/facelink/api/face-check"
	pathBlaze = "/api/v3/kyc_verification/search-by-face"
)

// reply is what came back; aborted means that the connection broke instead.
type reply struct {
	status  int
	header  http.Header
	body    string
	aborted bool
}

// do serves a request in memory.
func do(s *Simulator, r *http.Request) (got reply) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			got = reply{aborted: true}
		}
	}()
	s.ServeHTTP(w, r)
	return reply{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// upload is a search with an image in the part.
func upload(ctx context.Context, path, part, token string, image []byte) *http.Request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if image != nil {
		w, _ := form.CreateFormFile(part, "selfie.jpg")
		w.Write(image)
	}
	form.Close()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// token asks for one, as V2 does.
func token(t *testing.T, s *Simulator) string {
	t.Helper()
	k := s.Knobs()
	query := url.Values{"clientId": {k.ClientID}, "clientSecret": {k.ClientSecret}}
	got := do(s, httptest.NewRequest(http.MethodGet, "/auth/api/access-token?"+query.Encode(), nil))
	return parse[struct {
		Data struct {
			AccessToken string `json:"access_token"`
		}
	}](t, got).Data.AccessToken
}

// find searches, in V2, for the face on the selfie called name, with a token of
// its own.
func find(t *testing.T, s *Simulator, name string) reply {
	t.Helper()
	return do(s, upload(t.Context(), pathV2, "selfie_image", token(t, s), selfie(t, name)))
}

func parse[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.NewDecoder(strings.NewReader(r.body)).Decode(&v); err != nil || r.aborted {
		t.Fatalf("reading %q (aborted %t): %v", r.body, r.aborted, err)
	}
	return v
}
