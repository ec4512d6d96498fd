package storage

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"reauth/internal/event"
)

func (s *simulated) wantKeys(bucket, prefix string, want ...string) {
	s.t.Helper()
	got, err := s.store.Keys(s.t.Context(), bucket, prefix)
	if err != nil || !slices.Equal(got, want) {
		s.t.Errorf("%s: keys are %q and %v, want %q", bucket, got, err, want)
	}
}

func TestKeysAreThoseBelowThePrefix(t *testing.T) {
	for _, bucket := range []string{"selfies", versioned} {
		s := simulate(t, policy())
		for _, key := range []string{"faces/r:1/b/ü 1.jpg", "faces/r:1/a/1.jpg", "faces/r:1/a/1.jpg", "faces/r:10/a/1.jpg", "faces/r", "other/r:1/a/1.jpg"} {
			s.put(bucket, key)
		}
		s.wantKeys(bucket, "faces/r:1/", "faces/r:1/a/1.jpg", "faces/r:1/b/ü 1.jpg")
		s.wantKeys(bucket, "faces/r:2/")
	}
}

func TestKeysAreOfOlderVersionsAndMarkersToo(t *testing.T) {
	s := simulate(t, policy())
	hidden, marked := Ref{Bucket: versioned, Key: "r/hidden.jpg"}, Ref{Bucket: versioned, Key: "r/marked.jpg"}
	s.put(versioned, hidden.Key)
	version := s.put(versioned, marked.Key)
	s.dispose(hidden, event.Rejected, Hidden)
	s.dispose(marked, event.Rejected, Hidden)
	s.erase(Ref{Bucket: versioned, Key: marked.Key, Version: version}, Erasure{Deleted: 1})
	s.wantKeys(versioned, "r/", hidden.Key, marked.Key)
	s.erase(hidden, Erasure{Deleted: 1})
	s.erase(marked, Erasure{})
	s.wantKeys(versioned, "r/")
}

func TestEveryPageOfKeysIsRead(t *testing.T) {
	s := simulate(t, policy())
	var want []string
	for i := range 5 {
		key := fmt.Sprintf("a b+c/%d.jpg", i)
		want = append(want, key)
		for range 3 {
			s.put(versioned, key)
		}
	}
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		query.Set("max-keys", "2")
		r.URL = &url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
		s.ServeHTTP(w, r)
		return true
	}
	s.wantKeys(versioned, "a b+c/", want...)
}

func TestKeysOfAStoreThatCannotListVersions(t *testing.T) {
	s := simulate(t, policy())
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("r-1/%d.jpg", i))
		s.put("selfies", want[i])
	}
	s.put("selfies", "r-10/0.jpg")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		if query.Has("versions") {
			writeRefusal(w, http.StatusNotImplemented, "NotImplemented")
			return true
		}
		query.Set("max-keys", "2")
		r.URL = &url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
		s.ServeHTTP(w, r)
		return true
	}
	s.wantKeys("selfies", "r-1/", want...)
}

// What is listed is to be erased.
func TestAStoreThatListsMoreThanItWasAskedForIsNotBelieved(t *testing.T) {
	s := simulate(t, policy())
	s.put("selfies", "r-1/1.jpg")
	s.put("selfies", "r-2/1.jpg")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		r.URL = &url.URL{Path: r.URL.Path, RawQuery: "versions="}
		s.ServeHTTP(w, r)
		return true
	}
	s.wantKeys("selfies", "r-1/", "r-1/1.jpg")
}

func TestKeysThatCannotBeListedAreAFault(t *testing.T) {
	endless := `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListVersionsResult>`
	for name, answer := range map[string]func(http.ResponseWriter){
		"denied":    func(w http.ResponseWriter) { writeRefusal(w, http.StatusForbidden, "AccessDenied") },
		"no bucket": func(w http.ResponseWriter) { writeRefusal(w, http.StatusNotFound, "NoSuchBucket") },
		"no S3":     func(w http.ResponseWriter) { w.Write([]byte("<html/>")) },
		"endless":   func(w http.ResponseWriter) { w.Write([]byte(endless)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, policy())
			s.intercept = func(w http.ResponseWriter, _ *http.Request) bool { answer(w); return true }
			keys, err := s.store.Keys(t.Context(), "selfies", personalKey)
			if e := wantError(t, err, Fault, ""); e.Op != "list" || keys != nil {
				t.Errorf("keys are %q, error is %v", keys, err)
			}
		})
	}
}

func TestKeysOfABucketThatIsNotAllowedOrWithoutAPrefixAreRefused(t *testing.T) {
	s := simulate(t, policy())
	for bucket, prefix := range map[string]string{"elsewhere": "r-1/", "selfies": ""} {
		_, err := s.store.Keys(t.Context(), bucket, prefix)
		wantError(t, err, Refused, event.SelfieForbidden)
	}
	if made := s.requests(); len(made) > 0 {
		t.Errorf("it asked: %v", made)
	}
}
