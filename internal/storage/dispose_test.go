package storage

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/sandbox/s3sim"
)

func TestATagIsAddedToThoseThatAreThere(t *testing.T) {
	s := simulate(t, policy())
	for name, ref := range map[string]Ref{
		"unversioned": {Bucket: "selfies", Key: "a/<&>ü + \"1\".jpg"},
		"scripted":    {Bucket: "selfies", Key: "scripted/1.jpg"},
		"a version":   {Bucket: versioned, Key: "a.jpg", Version: s.put(versioned, "a.jpg")},
	} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "unversioned":
				s.put(ref.Bucket, ref.Key)
			case "a version":
				s.put(ref.Bucket, ref.Key)
			}
			s.setTags(ref, "team", "a <b> & ü", "legal-hold", "off")
			s.dispose(ref, event.Approved, Done)
			want := map[string]string{"team": "a <b> & ü", "legal-hold": "off", "reauth-outcome": "approved"}
			if diff := cmp.Diff(want, s.tagsOf(ref)); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if latest := s.tagsOf(Ref{Bucket: ref.Bucket, Key: ref.Key}); ref.Version != "" && len(latest) != 0 {
				t.Errorf("the later version was tagged: %v", latest)
			}
			s.dispose(ref, event.Unusable, Done) // the vendor has changed its mind
			want["reauth-outcome"] = "unusable"
			if diff := cmp.Diff(want, s.tagsOf(ref)); diff != "" {
				t.Errorf("tags after another outcome (-want +got):\n%s", diff)
			}
			s.requests()
			s.dispose(ref, event.Unusable, Done)
			if made := s.requests(); len(made) != 1 || !strings.HasPrefix(made[0], "GET") {
				t.Errorf("what is tagged was tagged again: %v", made)
			}
		})
	}
}

func TestAnEleventhTagIsRefusedAndNoneLost(t *testing.T) {
	s := simulate(t, policy())
	ref := Ref{Bucket: "selfies", Key: personalKey}
	s.put(ref.Bucket, ref.Key)
	var full []string
	for i := range maxTags {
		full = append(full, fmt.Sprint("tag-", i), "v")
	}
	s.setTags(ref, full...)
	_, err := s.store.Dispose(t.Context(), ref, event.Approved)
	e := wantError(t, err, Refused, "")
	if !errors.Is(err, ErrTagsFull) || e.Op != "tag" || e.Bucket != "selfies" || strings.Contains(err.Error(), "jane") {
		t.Errorf("error is %v", err)
	}
	if n := len(s.tagsOf(ref)); n != maxTags {
		t.Errorf("%d tags", n)
	}
	// One that is there already can have its new value.
	full[0] = "reauth-outcome"
	s.setTags(ref, full...)
	s.dispose(ref, event.Approved, Done)
	if tags := s.tagsOf(ref); tags["reauth-outcome"] != "approved" || len(tags) != maxTags {
		t.Errorf("tags are %v", tags)
	}
}

func TestDeletionIsForGoodAndMayBeRepeated(t *testing.T) {
	s := simulate(t, policy())
	for _, key := range append(oddKeys, "scripted/1.jpg") {
		ref := Ref{Key: key} // of the default bucket
		if !strings.HasPrefix(key, "scripted/") {
			s.put("selfies", key)
		}
		s.dispose(ref, event.Rejected, Done)
		if ref.Bucket = "selfies"; s.exists(ref) {
			t.Errorf("%q is still there", key)
		}
		s.dispose(ref, event.Rejected, Gone)
		s.dispose(ref, event.Approved, Gone)
	}
}

// A new selfie at the same key is the next request's.
func TestExactlyTheVersionThatWasFetchedIsDeleted(t *testing.T) {
	s := simulate(t, policy())
	for _, key := range []string{"a.jpg", "scripted/1.jpg"} {
		if !strings.HasPrefix(key, "scripted/") {
			s.put(versioned, key)
		}
		ref := Ref{Bucket: versioned, Key: key}
		selfie, err := s.store.Fetch(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		selfie.Release()
		ref.Version = selfie.Version()
		later := Ref{Bucket: versioned, Key: key, Version: s.put(versioned, key)}
		s.dispose(ref, event.Rejected, Done)
		if s.exists(ref) || !s.exists(later) || !s.exists(Ref{Bucket: versioned, Key: key}) {
			t.Errorf("%s: the version that was fetched is there: %t; the later one: %t", key, s.exists(ref), s.exists(later))
		}
		s.dispose(ref, event.Rejected, Gone)
		if !s.exists(later) {
			t.Errorf("%s: the repeat deleted the later version", key)
		}
	}
}

func TestUnusableSelfiesTellTheirVersionToo(t *testing.T) {
	s := simulate(t, policy())
	for _, key := range []string{"scripted/1-notimage.jpg", "scripted/1-huge.jpg"} {
		_, err := s.store.Fetch(t.Context(), Ref{Bucket: versioned, Key: key})
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unusable || e.Version == "" {
			t.Errorf("%s: %+v", key, e)
		}
	}
	selfie, err := s.store.Fetch(t.Context(), Ref{Bucket: "selfies", Key: "scripted/1.jpg"})
	if err != nil || selfie.Version() != "" {
		t.Fatalf("version %q of an object that has none, %v", selfie.Version(), err)
	}
	selfie.Release()
}

func TestWithoutItsVersionASelfieIsHiddenOnly(t *testing.T) {
	s := simulate(t, policy())
	ref := Ref{Bucket: versioned, Key: "a.jpg"}
	earlier, version := s.put(ref.Bucket, ref.Key), s.put(ref.Bucket, ref.Key)
	s.dispose(ref, event.Rejected, Hidden)
	s.dispose(ref, event.Rejected, Gone)
	for _, kept := range []string{earlier, version} {
		if ref.Version = kept; !s.exists(ref) {
			t.Errorf("version %s is gone", kept)
		}
	}
	if _, markers := s.listed(versioned); markers != 1 {
		t.Errorf("%d delete markers", markers)
	}
}

func TestNothingIsAskedAboutWhatIsKept(t *testing.T) {
	s := simulate(t, policy())
	for name, tt := range map[string]struct {
		ref     Ref
		outcome event.Outcome
	}{
		"keep":           {Ref{Key: "a.jpg"}, event.Failed},
		"not mentioned":  {Ref{Key: "a.jpg"}, event.Expired},
		"without a key":  {Ref{}, event.Rejected}, // or the bucket would be deleted
		"only a version": {Ref{Version: "v"}, event.Approved},
	} {
		got, err := s.store.Dispose(t.Context(), tt.ref, tt.outcome)
		if err != nil || got != (Disposal{Action: Keep}) {
			t.Errorf("%s: %+v and %v", name, got, err)
		}
	}
	_, err := s.store.Dispose(t.Context(), Ref{Bucket: "secrets", Key: "a.jpg"}, event.Rejected)
	wantError(t, err, Refused, event.SelfieForbidden)
	_, err = s.store.Erase(t.Context(), Ref{Bucket: "secrets", Key: "a.jpg"})
	wantError(t, err, Refused, event.SelfieForbidden)
	_, err = s.store.Erase(t.Context(), Ref{})
	wantError(t, err, Refused, event.SelfieForbidden)
	if made := s.requests(); len(made) != 0 {
		t.Errorf("requests were %v", made)
	}
}

// What is current may never have been judged.
func TestWhatNobodyKnowsTheVersionOfIsLeft(t *testing.T) {
	s := simulate(t, policy())
	unsure := func(ref Ref, outcome event.Outcome, want Result) {
		t.Helper()
		if got, err := s.store.DisposeUnsure(t.Context(), ref, outcome); err != nil || got.Result != want {
			t.Errorf("%s came to %q and %v, want %q", outcome, got.Result, err, want)
		}
	}
	ref := Ref{Bucket: versioned, Key: "a.jpg"}
	s.put(ref.Bucket, ref.Key)
	unsure(ref, event.Approved, Left)
	unsure(ref, event.Rejected, Left)
	if versions, markers := s.listed(versioned); versions != 1 || markers != 0 || len(s.tagsOf(ref)) != 0 {
		t.Errorf("%d versions, %d delete markers, tags %v", versions, markers, s.tagsOf(ref))
	}
	s.dispose(ref, event.Rejected, Hidden)
	unsure(ref, event.Rejected, Gone) // and no further delete marker
	if _, markers := s.listed(versioned); markers != 1 {
		t.Errorf("%d delete markers", markers)
	}

	plain := Ref{Bucket: "selfies", Key: "a.jpg"}
	s.put(plain.Bucket, plain.Key)
	unsure(plain, event.Approved, Done)
	if tags := s.tagsOf(plain); tags["reauth-outcome"] != "approved" {
		t.Errorf("tags %v", tags)
	}
	unsure(plain, event.Rejected, Done)
	if s.exists(plain) {
		t.Error("it is there where no versions are kept")
	}
	unsure(plain, event.Rejected, Gone)
	s.requests()
	unsure(plain, event.Failed, "")
	if made := s.requests(); len(made) != 0 {
		t.Errorf("requests about what is kept: %v", made)
	}
	_, err := s.store.DisposeUnsure(t.Context(), Ref{Bucket: "secrets", Key: "a.jpg"}, event.Rejected)
	wantError(t, err, Refused, event.SelfieForbidden)
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			writeRefusal(w, http.StatusServiceUnavailable, "")
		}
		return r.Method == http.MethodHead
	}
	_, err = s.store.DisposeUnsure(t.Context(), ref, event.Rejected)
	wantError(t, err, Throttled, "")
}

func TestFaultsOfTheStoreKeepTheirKind(t *testing.T) {
	for _, tt := range []struct {
		outcome event.Outcome
		method  string // that fails
		status  int
		code    string
		kind    Kind
	}{
		{event.Approved, "GET", 403, "AccessDenied", Fault},
		{event.Approved, "GET", 503, "SlowDown", Throttled},
		{event.Approved, "GET", 501, "NotImplemented", Fault},
		{event.Approved, "GET", 500, "InternalError", Transient},
		{event.Approved, "PUT", 403, "AccessDenied", Fault},
		{event.Approved, "PUT", 400, "InvalidArgument", Transient},
		{event.Approved, "PUT", 409, "OperationAborted", Transient},
		{event.Rejected, "GET", 404, "NoSuchBucket", Fault},
		{event.Rejected, "DELETE", 503, "SlowDown", Throttled},
		{event.Rejected, "DELETE", 500, "InternalError", Transient},
	} {
		t.Run(fmt.Sprint(tt.outcome, tt.method, tt.code), func(t *testing.T) {
			s := simulate(t, policy())
			ref := Ref{Bucket: versioned, Key: personalKey, Version: s.put(versioned, personalKey)}
			s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == tt.method {
					writeRefusal(w, tt.status, tt.code)
				}
				return r.Method == tt.method
			}
			_, err := s.store.Dispose(t.Context(), ref, tt.outcome)
			if wantError(t, err, tt.kind, ""); strings.Contains(err.Error(), "jane") || strings.Contains(err.Error(), "arn:") {
				t.Errorf("error tells too much: %v", err)
			}
			if !s.exists(ref) {
				t.Error("it is gone all the same")
			}
		})
	}
}

func TestATagThatIsGoneMeanwhileIsGone(t *testing.T) {
	s := simulate(t, policy())
	s.put("selfies", "a.jpg")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			writeRefusal(w, http.StatusNotFound, "NoSuchKey")
		}
		return r.Method == http.MethodPut
	}
	s.dispose(Ref{Key: "a.jpg"}, event.Approved, Gone)
}

// A page that answers everything is no list of tags, and must not lift a hold.
func TestTagsThatAreNoneAreNotTakenForNone(t *testing.T) {
	s := simulate(t, policy())
	s.put("selfies", "a.jpg")
	for _, page := range []string{"welcome", "<html><body/></html>", ""} {
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				w.Write([]byte(page))
			}
			return r.Method == http.MethodGet
		}
		_, err := s.store.Dispose(t.Context(), Ref{Key: "a.jpg"}, event.Rejected)
		wantError(t, err, Fault, "")
	}
}

func TestDisposalsAreCountedFromZero(t *testing.T) {
	s := simulate(t, policy())
	born := testutil.CollectAndCount(s.store.metrics.disposed)
	s.put("selfies", "a.jpg")
	s.dispose(Ref{Key: "a.jpg"}, event.Approved, Done)
	s.dispose(Ref{Key: "a.jpg"}, event.Rejected, Done)
	s.dispose(Ref{Key: "a.jpg"}, event.Rejected, Gone)
	s.dispose(Ref{Key: "a.jpg"}, event.Failed, "")
	s.Adjust(func(k *s3sim.Knobs) error { k.SlowDownRate = 1; return nil })
	if _, err := s.store.Dispose(t.Context(), Ref{Key: "a.jpg"}, event.Rejected); err == nil {
		t.Error("no error")
	}
	for labels, want := range map[[2]string]float64{
		{"tag", "done"}: 1, {"delete", "done"}: 1, {"delete", "gone"}: 1, {"delete", "throttled"}: 1, {"delete", "held"}: 0,
	} {
		if got := testutil.ToFloat64(s.store.metrics.disposed.WithLabelValues(labels[0], labels[1])); got != want {
			t.Errorf("%v is %v, want %v", labels, got, want)
		}
	}
	if n := testutil.CollectAndCount(s.store.metrics.disposed); n != born {
		t.Errorf("%d series, %d at the start", n, born)
	}
}

func TestOpenReportsWhatIsWrongWithThePolicy(t *testing.T) {
	for want, after := range map[string]AfterVerdict{
		`after verdict approved: "burn" is no action`: {Actions: map[event.Outcome]Action{event.Approved: "burn"}},
		"tag key is empty":                            {Actions: map[event.Outcome]Action{event.Approved: Tag}},
		"begins with aws:":                            {Actions: map[event.Outcome]Action{event.Approved: Tag}, TagKey: "AWS:outcome"},
		"more than 128 characters":                    {Actions: map[event.Outcome]Action{event.Approved: Tag}, TagKey: strings.Repeat("ü", 129)},
		"tag key and hold tag are the same":           {Actions: map[event.Outcome]Action{event.Approved: Tag}, TagKey: "a", HoldTag: "a"},
	} {
		_, err := Open(t.Context(), Config{Bucket: "selfies", AfterVerdict: after})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestCheckTriesTheTagsOnlyIfTheyAreNeeded(t *testing.T) {
	deny := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("tagging") {
			writeRefusal(w, http.StatusForbidden, "AccessDenied")
			return true
		}
		return false
	}
	for name, tt := range map[string]struct {
		action Action
		hold   string
		fails  bool
	}{
		"tag":                      {Tag, "", true},
		"delete, with a hold":      {Delete, "legal-hold", true},
		"delete, whatever is held": {Delete, "", false},
		"keep":                     {Keep, "legal-hold", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, AfterVerdict{Actions: map[event.Outcome]Action{event.Approved: tt.action}, TagKey: "t", HoldTag: tt.hold})
			if err := s.store.Check(t.Context()); err != nil {
				t.Errorf("with permission: %v", err)
			}
			s.intercept = deny
			err := s.store.Check(t.Context())
			if !tt.fails && err != nil {
				t.Error(err)
			}
			if tt.fails {
				if wantError(t, err, Fault, ""); !strings.Contains(err.Error(), "s3:GetObjectTagging") {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}
