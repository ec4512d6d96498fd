package argossim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

var wholeJPEG = []byte("\xff\xd8\xff\xe0 a face \xff\xd9")

// setup returns a simulator on default knobs after change.
func setup(t *testing.T, change func(*Knobs)) *Simulator {
	t.Helper()
	k := DefaultKnobs()
	k.ErrorStyle = StyleCode
	if change != nil {
		change(&k)
	}
	s, err := New(Config{Knobs: k, PathPrefix: "/v3", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// call is one POST /faceauth; fields that are empty are not sent.
type call struct {
	submission, user, cf1 string
	image                 []byte
	key                   string
}

func (c call) request(ctx context.Context) *http.Request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{"submissionId": c.submission, "userId": c.user, "cf1": c.cf1} {
		if value != "" {
			form.WriteField(name, value)
		}
	}
	if c.image != nil {
		part, _ := form.CreateFormFile("faceImage", "selfie.jpg")
		part.Write(c.image)
	}
	form.Close()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v3/faceauth", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("x-api-key", c.key)
	return r
}

// submit is a call in order for a submission.
func submit(submission string) call {
	return call{submission: submission, image: wholeJPEG, key: "sandbox-argos-key"}
}

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

func post(s *Simulator, c call) reply { return do(s, c.request(context.Background())) }

func get(s *Simulator, method, pathAndQuery string) reply {
	r := httptest.NewRequest(method, pathAndQuery, nil)
	r.Header.Set("x-api-key", "sandbox-argos-key")
	return do(s, r)
}

func parse[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("reading %q: %v", r.body, err)
	}
	return v
}

func wantReply(t *testing.T, got reply, status int, body string) {
	t.Helper()
	if got.aborted || got.status != status || got.body != body {
		t.Errorf("got %d %s (aborted %t), want %d %s", got.status, got.body, got.aborted, status, body)
	}
}

func adjust(t *testing.T, s *Simulator, change func(*Knobs)) {
	t.Helper()
	if err := s.Adjust(func(k *Knobs) error { change(k); return nil }); err != nil {
		t.Fatal(err)
	}
}

func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
