package storage

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"reauth/internal/event"
)

func TestAHoldIsRespectedWhateverItsValue(t *testing.T) {
	s := simulate(t, policy())
	for value, held := range map[string]bool{"true": true, "": true, "case 17": true, "no": true, "false": false, "False": false, "off": false, "OFF": false} {
		for _, ref := range []Ref{
			{Bucket: "selfies", Key: "a.jpg", Version: s.put("selfies", "a.jpg")},
			{Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")},
		} {
			s.setTags(ref, "legal-hold", value)
			if held {
				s.dispose(ref, event.Rejected, Held)
				// A lifecycle rule would delete what has the outcome's tag.
				s.dispose(ref, event.Approved, Held)
				if tags := s.tagsOf(ref); len(tags) != 1 {
					t.Errorf("%q: tags are %v", value, tags)
				}
				continue
			}
			s.dispose(ref, event.Approved, Done)
			s.dispose(ref, event.Rejected, Done)
			if s.exists(ref) {
				t.Errorf("%q: %s is still there", value, ref.Bucket)
			}
		}
	}
}

func TestAHoldOfAnotherVersionDoesNotCount(t *testing.T) {
	s := simulate(t, policy())
	ref := Ref{Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")}
	later := Ref{Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")}
	s.setTags(ref, "legal-hold", "true")
	s.dispose(later, event.Rejected, Done)
	s.dispose(ref, event.Rejected, Held)
}

func TestWithoutAHoldTagNoTagIsLookedAt(t *testing.T) {
	after := policy()
	after.HoldTag = ""
	s := simulate(t, after)
	s.put("selfies", "a.jpg")
	s.setTags(Ref{Bucket: "selfies", Key: "a.jpg"}, "legal-hold", "true")
	s.dispose(Ref{Key: "a.jpg"}, event.Rejected, Done)
	if made := s.requests(); len(made) != 1 || made[0] != "DELETE" {
		t.Errorf("requests were %v", made)
	}
}

func TestALockedSelfieIsHeldAndNoFault(t *testing.T) {
	s := simulate(t, policy())
	for name, tt := range map[string]struct {
		hold  bool
		until time.Time
		want  Result
	}{
		"legal hold":     {true, time.Time{}, Held},
		"retention":      {false, time.Now().Add(time.Hour), Held},
		"retention over": {false, time.Now().Add(-time.Hour), Done},
	} {
		t.Run(name, func(t *testing.T) {
			ref := Ref{Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")}
			s.lock(ref, tt.hold, tt.until)
			s.dispose(ref, event.Rejected, tt.want)
			if s.exists(ref) != (tt.want == Held) {
				t.Errorf("it is there: %t", s.exists(ref))
			}
		})
	}
}

// A lock is told from a denial by a HEAD; MinIO's code for it is another.
func TestADenialWithoutALockIsAFault(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		code   string
		lock   http.Header
		kind   Kind // zero: held
		hint   string
	}{
		"no permission":       {403, "AccessDenied", nil, Fault, "s3:DeleteObjectVersion"},
		"lock that is over":   {403, "AccessDenied", http.Header{"X-Amz-Object-Lock-Retain-Until-Date": {"2020-01-01T00:00:00Z"}}, Fault, ""},
		"MinIO's lock":        {400, "InvalidRequest", http.Header{"X-Amz-Object-Lock-Legal-Hold": {"ON"}}, 0, ""},
		"MinIO, no lock":      {400, "InvalidRequest", nil, Transient, ""},
		"end cannot be read":  {403, "AccessDenied", http.Header{"X-Amz-Object-Lock-Retain-Until-Date": {"soon"}}, 0, ""},
		"hold for an event":   {403, "AccessDenied", http.Header{"X-Amz-Object-Lock-Event-Hold": {"ON"}}, 0, ""},
		"another fault":       {403, "InvalidAccessKeyId", http.Header{"X-Amz-Object-Lock-Legal-Hold": {"ON"}}, Fault, ""},
		"as many as it takes": {503, "SlowDown", http.Header{"X-Amz-Object-Lock-Legal-Hold": {"ON"}}, Throttled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, policy())
			ref := Ref{Bucket: versioned, Key: personalKey, Version: s.put(versioned, personalKey)}
			s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				switch r.Method {
				case http.MethodDelete:
					writeRefusal(w, tt.status, tt.code)
					return true
				case http.MethodHead:
					for name, values := range tt.lock {
						w.Header()[name] = values
					}
				}
				return false
			}
			if tt.kind == 0 {
				s.dispose(ref, event.Rejected, Held)
				return
			}
			_, err := s.store.Dispose(t.Context(), ref, event.Rejected)
			if e := wantError(t, err, tt.kind, ""); e.Op != "delete" || e.Code != tt.code || !strings.Contains(err.Error(), tt.hint) || strings.Contains(err.Error(), "jane") {
				t.Errorf("error is %v", err)
			}
		})
	}
}
