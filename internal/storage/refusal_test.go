package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reauth/internal/event"
	"reauth/internal/storage/storagetest"
)

func TestRefusalsAreJudgedByCodeAndStatus(t *testing.T) {
	for _, tt := range []struct {
		status  int
		code    string
		version string
		kind    Kind
		reason  event.Reason
	}{
		{404, "NoSuchKey", "", Unusable, event.SelfieNotFound},
		{404, "NoSuchVersion", "v1", Unusable, event.SelfieNotFound},
		{400, "InvalidArgument", "nonsense", Unusable, event.SelfieNotFound},
		{400, "InvalidArgument", "", Transient, ""},
		{400, "KeyTooLongError", "", Unusable, event.SelfieNotFound},
		{403, "InvalidObjectState", "", Refused, event.SelfieForbidden},
		{403, "AccessDenied", "", Fault, ""},
		{404, "NoSuchBucket", "", Fault, ""},
		{404, "Text that is not a code", "", Fault, ""},
		{403, "InvalidAccessKeyId", "", Fault, ""},
		{403, "SignatureDoesNotMatch", "", Fault, ""},
		{403, "RequestTimeTooSkewed", "", Fault, ""},
		{400, "ExpiredToken", "", Fault, ""},
		{400, "InvalidToken", "", Fault, ""},
		{400, "AuthorizationHeaderMalformed", "", Fault, ""},
		{400, "InvalidBucketName", "", Fault, ""},
		{401, "Unauthorized", "", Fault, ""},
		{301, "PermanentRedirect", "", Fault, ""},
		{307, "TemporaryRedirect", "", Transient, ""},
		{503, "SlowDown", "", Throttled, ""},
		{503, "ServiceUnavailable", "", Throttled, ""},
		{429, "TooManyRequests", "", Throttled, ""},
		{400, "RequestTimeout", "", Transient, ""},
		{500, "InternalError", "", Transient, ""},
		{502, "BadGateway", "", Transient, ""},
		{501, "NotImplemented", "", Fault, ""},
		{400, "SomethingNew", "", Transient, ""},
	} {
		t.Run(fmt.Sprint(tt.status, " ", tt.code, " ", tt.version), func(t *testing.T) {
			asked := 0
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				if r.URL.Query().Get("versionId") != tt.version {
					t.Errorf("asked for version %q", r.URL.Query().Get("versionId"))
				}
				w.Header().Set("Location", "/elsewhere")
				writeRefusal(w, tt.status, tt.code)
			}, nil)
			store := openStore(t, Config{Endpoint: url})
			_, err := store.Fetch(t.Context(), Ref{Key: personalKey, Version: tt.version})
			e := wantError(t, err, tt.kind, tt.reason)
			if e.Status != tt.status || e.Op != "fetch" || e.Bucket != "selfies" {
				t.Errorf("error is %+v", e)
			}
			if strings.Contains(err.Error(), "jane") || strings.Contains(err.Error(), "arn:") || strings.Contains(err.Error(), "Text") {
				t.Errorf("error tells too much: %v", err)
			}
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestDeleteMarkersAreMissingSelfies(t *testing.T) {
	// With a version id S3 answers 405 MethodNotAllowed, without one 404.
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Delete-Marker", "true")
		writeRefusal(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}, nil)
	_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: "a", Version: "v1"})
	wantError(t, err, Unusable, event.SelfieNotFound)
}

func TestBare404IsNotAMissingSelfie(t *testing.T) {
	url := serve(t, http.NotFound, nil)
	_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: "a"})
	wantError(t, err, Fault, "")
}

func TestWrongRegionSaysWhichIsRight(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		writeRefusal(w, http.StatusMovedPermanently, "PermanentRedirect")
	}, nil)
	_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: "a"})
	if wantError(t, err, Fault, ""); !strings.Contains(err.Error(), "eu-central-1") {
		t.Errorf("error is %v", err)
	}
}

func TestHugeRefusalIsNotReadToItsEnd(t *testing.T) {
	stopped := make(chan int, 1)
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		block, written := bytes.Repeat([]byte("x"), 1<<20), 0
		for written < 1<<30 {
			n, err := w.Write(block)
			written += n
			if err != nil {
				break
			}
		}
		stopped <- written
	}, nil)
	_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: "a"})
	wantError(t, err, Transient, "")
	if written := <-stopped; written >= 1<<30 {
		t.Errorf("%d bytes of an error were read", written)
	}
}

func TestBrokenConnectionsAreTransient(t *testing.T) {
	picture := storagetest.JPEG(1, 100_000)
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an object": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Write(picture[:50_000])
			panic(http.ErrAbortHandler)
		},
		"half of unknown length": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(picture[:50_000])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"longer than it has": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "200000")
			w.Write(picture)
		},
		"half a refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte("<Error><Code>NoSuch"))
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openStore(t, Config{Endpoint: serve(t, handler, nil)}).Fetch(t.Context(), Ref{Key: personalKey})
			wantError(t, err, Transient, "")
			if strings.Contains(err.Error(), "jane") {
				t.Errorf("error tells the key: %v", err)
			}
		})
	}
}

func TestRefusedConnectionIsTransient(t *testing.T) {
	url := serve(t, http.NotFound, nil)
	store := openStore(t, Config{Endpoint: strings.Replace(url, "127.0.0.1", "127.0.0.2", 1)})
	_, err := store.Fetch(t.Context(), Ref{Key: personalKey})
	wantError(t, err, Transient, "")
}

func TestUnknownCertificateIsAFault(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about the handshake
	server.StartTLS()
	defer server.Close()
	_, err := openStore(t, Config{Endpoint: server.URL}).Fetch(t.Context(), Ref{Key: "a"})
	wantError(t, err, Fault, "")
}

func TestGarbledAnswerIsNotQuoted(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		connection.Write([]byte("a piece of somebody's face\r\n\r\n"))
		connection.Close()
	}, nil)
	_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: "a"})
	if wantError(t, err, Transient, ""); strings.Contains(err.Error(), "face\\r") || strings.Contains(err.Error(), "piece") {
		t.Errorf("error quotes the answer: %v", err)
	}
}

// hang answers nothing, or the start of an object, until its client has gone.
func hang(start []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(start) > 0 {
			w.Header().Set("Content-Length", "1000000")
			w.Write(start)
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

func TestHangingStoreTimesOut(t *testing.T) {
	for name, start := range map[string][]byte{"before its answer": nil, "in its answer": storagetest.JPEG(1, 10_000)} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t, Config{Endpoint: serve(t, hang(start), nil), Timeout: 50 * time.Millisecond})
			_, err := store.Fetch(t.Context(), Ref{Key: "a"})
			if wantError(t, err, Transient, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
			wantNothingReserved(t, store)
		})
	}
}

func TestCallersEndIsAnInterruptionWithItsCause(t *testing.T) {
	cause := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(cause)
		hang(nil)(w, r)
	}, nil)
	store := openStore(t, Config{Endpoint: url})
	_, err := store.Fetch(ctx, Ref{Key: "a"})
	if wantError(t, err, Interrupted, ""); !errors.Is(err, cause) {
		t.Errorf("error is %v", err)
	}
	wantNothingReserved(t, store)
}

// noCredentials fails as an expired single sign-on does.
type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("session has expired")
}

func TestMissingCredentialsAreAFault(t *testing.T) {
	store := openStore(t, Config{Endpoint: serve(t, http.NotFound, nil), Credentials: noCredentials{}})
	_, err := store.Fetch(t.Context(), Ref{Key: "a"})
	if wantError(t, err, Fault, ""); !strings.Contains(err.Error(), "session has expired") {
		t.Errorf("error is %v", err)
	}
}

func TestRefNeverShowsItsKey(t *testing.T) {
	ref := Ref{Bucket: "selfies", Key: personalKey}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("fetching", "ref", ref)
	text := fmt.Sprintf("%v %+v %#v %s", ref, ref, ref, ref) + log.String()
	if strings.Contains(text, "jane") || !strings.Contains(text, "selfies") {
		t.Errorf("printed as %s", text)
	}
}

func TestPageOfWhatIsNoStoreBlamesNoSelfie(t *testing.T) {
	for name, page := range map[string]string{
		"of a console": "<!doctype html><title>Console</title>",
		"empty":        "",
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, page)
			}, nil)
			_, err := openStore(t, Config{Endpoint: url}).Fetch(t.Context(), Ref{Key: personalKey})
			wantError(t, err, Fault, "")
		})
	}
}
