package storage

import (
	"net/http"
	"strings"
	"testing"
)

func TestCheckPassesWhereAMissingKeyIsToldApart(t *testing.T) {
	s3 := newFakeS3(t)
	if err := openStore(t, Config{Endpoint: s3.url}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCheckTriesEveryBucket(t *testing.T) {
	s3 := newFakeS3(t)
	err := openStore(t, Config{Endpoint: s3.url, AllowedBuckets: []string{"nowhere"}}).Check(t.Context())
	e := wantError(t, err, Fault, "")
	if e.Bucket != "nowhere" || e.Code != "NoSuchBucket" || e.Op != "check" {
		t.Errorf("error is %+v", e)
	}
}

func TestCheckHintsAtTheMissingPermission(t *testing.T) {
	for name, tt := range map[string]struct {
		headStatus int
		want       string
	}{
		"may list, not read": {http.StatusOK, "is s3:GetObject granted?"},
		"may not list":       {http.StatusForbidden, "s3:ListBucket"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					if r.URL.Path != "/selfies" {
						t.Errorf("HEAD of %s", r.URL.Path)
					}
					w.WriteHeader(tt.headStatus)
					return
				}
				writeRefusal(w, http.StatusForbidden, "AccessDenied")
			}, nil)
			err := openStore(t, Config{Endpoint: url}).Check(t.Context())
			if wantError(t, err, Fault, ""); !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestCheckDistrustsAnswersToARandomKey(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page for everything": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("welcome")) },
		"a bare 404":            http.NotFound,
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, openStore(t, Config{Endpoint: serve(t, handler, nil)}).Check(t.Context()), Fault, "")
		})
	}
}
