package rekognitionsim

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"reauth/internal/sandbox/s3sim"
)

// setup returns a simulator on default knobs after change, and the store that it
// reads from.
func setup(t *testing.T, change func(*Knobs)) (*Simulator, *s3sim.Simulator) {
	t.Helper()
	store, err := s3sim.New(s3sim.Config{Knobs: s3sim.DefaultKnobs(), Buckets: []string{"selfies"}, Prefix: "p/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	k := DefaultKnobs()
	if change != nil {
		change(&k)
	}
	s, err := New(Config{Knobs: k, Store: store, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, store
}

// bytesOf is the picture that the store has under the name.
func bytesOf(t *testing.T, s *Simulator, name string) []byte {
	t.Helper()
	content, errorType := s.object(t.Context(), s3Object{Bucket: "selfies", Name: "p/" + name}, s.Knobs())
	if errorType != "" {
		t.Fatalf("%s: %s", name, errorType)
	}
	return content
}

// body is a comparison of the selfie called name with the reference.
func body(t *testing.T, s *Simulator, reference, selfie, more string) string {
	t.Helper()
	return fmt.Sprintf(`{"SourceImage":{"S3Object":{"Bucket":"selfies","Name":"p/%s"}},%s"TargetImage":{"Bytes":"%s"}}`,
		reference, more, base64.StdEncoding.EncodeToString(bytesOf(t, s, selfie)))
}

// signed is a call as Amazon's own signer signs it.
func signed(t *testing.T, k Knobs, body string) *http.Request {
	t.Helper()
	return signedAt(t, k, body, time.Now())
}

func signedAt(t *testing.T, k Knobs, body string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", operation)
	r.URL.Scheme, r.URL.Host = "http", r.Host // the signer looks there
	credentials := aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hexSHA256([]byte(body)), "rekognition", k.Region, at); err != nil {
		t.Fatal(err)
	}
	return r
}

// reply is what came back; aborted means that the connection broke instead.
type reply struct {
	status  int
	body    []byte
	aborted bool
}

// do serves a call in memory.
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
	return reply{status: w.Code, body: w.Body.Bytes()}
}

// compare compares a selfie with a reference.
func compare(t *testing.T, s *Simulator, reference, selfie, more string) reply {
	t.Helper()
	return do(s, signed(t, s.Knobs(), body(t, s, reference, selfie, more)))
}

// summary is what the tables compare: the similarities of the matches, then the
// number of other faces; or status and type of an error.
func (r reply) summary(t *testing.T) string {
	t.Helper()
	if r.aborted {
		return "aborted"
	}
	var said struct {
		Type            string `json:"__type"`
		SourceImageFace *struct{ Confidence float64 }
		FaceMatches     []struct{ Similarity float64 }
		UnmatchedFaces  []struct{ Confidence float64 }
	}
	if err := json.NewDecoder(bytes.NewReader(r.body)).Decode(&said); err != nil {
		return fmt.Sprintf("%d, no JSON", r.status)
	}
	if said.SourceImageFace == nil {
		return fmt.Sprintf("%d %s", r.status, said.Type)
	}
	text := ""
	for _, m := range said.FaceMatches {
		text += fmt.Sprintf("%v ", m.Similarity)
	}
	return fmt.Sprintf("%s+%d", text, len(said.UnmatchedFaces))
}
