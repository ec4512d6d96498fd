package storage

import (
	"net/http"
	"testing"

	"reauth/internal/event"
)

func TestHasTellsThereFromMissing(t *testing.T) {
	asked := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Method != http.MethodGet {
			t.Errorf("%s, whose answer has no code", r.Method)
		}
		switch r.URL.Path {
		case "/selfies/there":
			writeObject(w, make([]byte, 1<<20))
		case "/selfies/gone":
			w.Header().Set("X-Amz-Delete-Marker", "true")
			writeRefusal(w, http.StatusNotFound, "NoSuchKey")
		case "/other/missing":
			writeRefusal(w, http.StatusNotFound, "NoSuchKey")
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	}, nil)
	store := openStore(t, Config{Endpoint: url, AllowedBuckets: []string{"other"}})
	for ref, want := range map[Ref]bool{{Key: "there"}: true, {Key: "gone"}: false, {Bucket: "other", Key: "missing"}: false} {
		if got, err := store.Has(t.Context(), ref); err != nil || got != want {
			t.Errorf("%s: %v and %v, want %v", ref.Key, got, err, want)
		}
	}
	wantNothingReserved(t, store)
	if asked != 3 {
		t.Errorf("%d requests for 3 questions", asked)
	}
}

// TestHasDoesNotGuess: whatever is not a clear no is an error.
func TestHasDoesNotGuess(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    Kind
	}{
		"bare 404": {http.NotFound, Fault},
		"denied":   {func(w http.ResponseWriter, _ *http.Request) { writeRefusal(w, 403, "AccessDenied") }, Fault},
		"down":     {func(w http.ResponseWriter, _ *http.Request) { writeRefusal(w, 500, "InternalError") }, Transient},
	} {
		found, err := openStore(t, Config{Endpoint: serve(t, c.handler, nil)}).Has(t.Context(), Ref{Key: personalKey})
		if e := wantError(t, err, c.kind, ""); found || e.Op != "look" || e.Bucket != "selfies" {
			t.Errorf("%s: found %v, %+v", name, found, e)
		}
	}
}

func TestHasLooksIntoNoOtherBucket(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") }, nil)
	_, err := openStore(t, Config{Endpoint: url}).Has(t.Context(), Ref{Bucket: "secrets", Key: "k"})
	wantError(t, err, Refused, event.SelfieForbidden)
}
