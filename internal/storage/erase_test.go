package storage

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"reauth/internal/event"
)

func (s *simulated) erase(ref Ref, want Erasure) {
	s.t.Helper()
	got, err := s.store.Erase(s.t.Context(), ref)
	if err != nil || got != want {
		s.t.Fatalf("came to %+v and %v, want %+v", got, err, want)
	}
}

func TestErasureLeavesNoVersionAndNoMarker(t *testing.T) {
	s := simulate(t, policy())
	ref := Ref{Bucket: versioned, Key: personalKey}
	for range 3 {
		s.put(versioned, personalKey)
	}
	s.dispose(ref, event.Rejected, Hidden)
	s.put(versioned, personalKey+".bak")
	s.requests()
	s.erase(ref, Erasure{Deleted: 3})
	if made := s.requests(); len(made) != 1+3*2+1 {
		t.Errorf("listing, three versions and a marker took %d requests: %v", len(made), made)
	}
	if versions, markers := s.listed(versioned); versions != 1 || markers != 0 {
		t.Errorf("%d versions and %d markers are left, want the neighbour's one", versions, markers)
	}
	s.erase(ref, Erasure{})
}

func TestErasureReadsEveryPage(t *testing.T) {
	s := simulate(t, policy())
	for range 5 {
		s.put(versioned, "a b+c/ü.jpg")
	}
	s.dispose(Ref{Bucket: versioned, Key: "a b+c/ü.jpg"}, event.Rejected, Hidden)
	s.put(versioned, "a b+c/ü.jpg.bak")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if query := r.URL.Query(); query.Has("versions") {
			query.Set("max-keys", "2")
			r.URL = &url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
			s.ServeHTTP(w, r)
			return true
		}
		return false
	}
	s.erase(Ref{Bucket: versioned, Key: "a b+c/ü.jpg"}, Erasure{Deleted: 5})
	if versions, markers := s.listed(versioned); versions != 1 || markers != 0 {
		t.Errorf("%d versions and %d markers are left, want the neighbour's one", versions, markers)
	}
}

func TestErasureOfOneVersionLeavesTheOthers(t *testing.T) {
	s := simulate(t, policy())
	first, second := s.put(versioned, "a.jpg"), s.put(versioned, "a.jpg")
	s.erase(Ref{Bucket: versioned, Key: "a.jpg", Version: first}, Erasure{Deleted: 1})
	if !s.exists(Ref{Bucket: versioned, Key: "a.jpg", Version: second}) {
		t.Error("the other version is gone")
	}
	s.erase(Ref{Bucket: versioned, Key: "a.jpg", Version: first}, Erasure{})
}

func TestErasureLeavesWhatIsHeldBehindItsMarker(t *testing.T) {
	s := simulate(t, policy())
	at := func() Ref { return Ref{Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")} }
	tagged, plain, locked := at(), at(), at()
	s.setTags(tagged, "legal-hold", "case 17")
	s.lock(locked, false, time.Now().Add(time.Hour))
	key := Ref{Bucket: versioned, Key: "a.jpg"}
	s.dispose(key, event.Rejected, Hidden)
	s.erase(key, Erasure{Deleted: 1, Held: 2})
	if !s.exists(tagged) || s.exists(plain) || !s.exists(locked) || s.exists(key) {
		t.Errorf("there are: tagged %t, plain %t, locked %t, current %t", s.exists(tagged), s.exists(plain), s.exists(locked), s.exists(key))
	}
}

func TestErasureWithoutVersions(t *testing.T) {
	s := simulate(t, policy())
	s.put("selfies", "a.jpg")
	for _, key := range []string{"a.jpg", "scripted/1.jpg"} {
		s.setTags(Ref{Bucket: "selfies", Key: key}, "legal-hold", "true")
		s.erase(Ref{Key: key}, Erasure{Held: 1})
		s.setTags(Ref{Bucket: "selfies", Key: key})
		s.erase(Ref{Key: key}, Erasure{Deleted: 1})
		s.erase(Ref{Key: key}, Erasure{})
	}

	// A store that does not know what versions are.
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("versions") {
			writeRefusal(w, http.StatusNotImplemented, "NotImplemented")
			return true
		}
		return false
	}
	s.put("selfies", "a.jpg")
	s.erase(Ref{Key: "a.jpg"}, Erasure{Deleted: 1})
	s.erase(Ref{Key: "a.jpg"}, Erasure{})
}

func TestErasureThatMayNotListIsAFaultWithAHint(t *testing.T) {
	s := simulate(t, policy())
	s.put("selfies", personalKey)
	for _, refuse := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) { writeRefusal(w, http.StatusForbidden, "AccessDenied") },
		func(w http.ResponseWriter) { w.Write([]byte("<html/>")) },
	} {
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Has("versions") {
				refuse(w)
				return true
			}
			return false
		}
		_, err := s.store.Erase(t.Context(), Ref{Key: personalKey})
		if e := wantError(t, err, Fault, ""); e.Op != "erase" || e.Err == nil {
			t.Errorf("error is %v", err)
		}
	}
	if !s.exists(Ref{Bucket: "selfies", Key: personalKey}) {
		t.Error("it is gone")
	}
}
