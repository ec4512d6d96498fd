package argos

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// serve returns an adapter whose vendor is handler.
func serve(t *testing.T, handler http.HandlerFunc) *Adapter {
	t.Helper()
	baseURL, client := vendortest.Serve(t, handler)
	a, err := New(Config{BaseURL: baseURL + "/v3/", APIKey: func() (string, error) { return "key-1", nil }, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	a.now = func() time.Time { return time.Date(2026, 2, 3, 23, 30, 0, 0, time.UTC) }
	return a
}

func say(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestNewReportsWhatIsWrong(t *testing.T) {
	key := func() (string, error) { return "k", nil }
	for _, c := range []struct {
		config Config
		want   string // empty: nothing is
	}{
		{Config{APIKey: key}, ""},
		{Config{APIKey: key, BaseURL: "https://vendor.example/v3"}, ""},
		{Config{APIKey: key, BaseURL: "http://127.0.0.1:8080"}, ""},
		{Config{APIKey: key, BaseURL: "http://[::1]:8080"}, ""},
		{Config{APIKey: key, BaseURL: "http://sandbox:8080", AllowHTTP: true}, ""},
		{Config{APIKey: key, BaseURL: "http://vendor.example"}, "not https"},
		{Config{APIKey: key, BaseURL: "ftp://vendor.example", AllowHTTP: true}, "not https"},
		{Config{APIKey: key, BaseURL: "vendor.example/v3"}, "absolute"},
		{Config{APIKey: key, BaseURL: "https://u:canary@vendor.example"}, "user"},
		{Config{APIKey: key, BaseURL: "https://vendor.example?k=canary"}, "query"},
		{Config{APIKey: key, BaseURL: "https://vendor example/canary"}, "absolute"},
		{Config{}, "API key"},
	} {
		_, err := New(c.config)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.config.BaseURL, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary")):
			t.Errorf("base URL that must be refused as %q: %v", c.want, err)
		}
	}
}

func TestRequestAsItArrives(t *testing.T) {
	selfie := vendortest.NewSelfie(30 << 10)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Method+" "+r.URL.String(), "POST /v3/faceauth"; got != want {
			t.Errorf("request %s, want %s", got, want)
		}
		if r.Header.Get("X-Api-Key") != "key-1" || r.ContentLength <= selfie.Size() || len(r.TransferEncoding) > 0 || r.Header.Get("Expect") != "" {
			t.Errorf("headers: key is set %v, length %d, encoding %v, expect %q", r.Header.Get("X-Api-Key") == "key-1", r.ContentLength, r.TransferEncoding, r.Header.Get("Expect"))
		}
		if got := r.FormValue("submissionId"); got != "sub-1" {
			t.Errorf("submissionId %q, want it without blanks", got)
		}
		if _, sent := r.MultipartForm.Value["userId"]; sent {
			t.Error("an empty userId was sent")
		}
		say(w, 200, vendortest.Golden(t, "approved.json"))
	})
	v, err := a.Authenticate(t.Context(), vendors.Call{SubmissionID: " sub-1\t", CF1: "x", Selfie: selfie})
	if err != nil || v.Outcome != event.Approved {
		t.Errorf("%+v, %v", v, err)
	}
	if faults := selfie.Faults(); faults != nil {
		t.Error(faults)
	}
}

func TestNothingIsSentInVain(t *testing.T) {
	var arrived atomic.Int64
	a := serve(t, func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	for _, c := range []struct {
		name string
		call vendors.Call
		key  vendors.Secret
		kind vendors.Kind
		code string
	}{
		{"no selfie", vendors.Call{SubmissionID: "s"}, a.apiKey, vendors.Refused, codeSelfieMissing},
		{"empty selfie", vendors.Call{SubmissionID: "s", Selfie: vendortest.NewSelfie(0)}, a.apiKey, vendors.Refused, codeSelfieMissing},
		{"blank submission", vendors.Call{SubmissionID: " ", Selfie: vendortest.NewSelfie(9)}, a.apiKey, vendors.Refused, codeSubmissionMissing},
		{"no key", vendors.Call{SubmissionID: "s", Selfie: vendortest.NewSelfie(9)}, func() (string, error) { return "", nil }, vendors.LaneFault, codeKeyUnusable},
		{"unreadable key", vendors.Call{SubmissionID: "s", Selfie: vendortest.NewSelfie(9)}, func() (string, error) { return "", io.ErrUnexpectedEOF }, vendors.LaneFault, codeKeyUnusable},
		{"key of two lines", vendors.Call{SubmissionID: "s", Selfie: vendortest.NewSelfie(9)}, func() (string, error) { return "a\nb", nil }, vendors.LaneFault, codeKeyUnusable},
	} {
		a.apiKey = c.key
		_, err := a.Authenticate(t.Context(), c.call)
		if e := fault(t, err); e.Kind != c.kind || e.Code != c.code || e.Unknown {
			t.Errorf("%s: %v (unknown %v), want %s %s", c.name, e, e.Unknown, c.kind, c.code)
		}
		if selfie, ok := c.call.Selfie.(*vendortest.Selfie); ok {
			for _, f := range selfie.Faults() {
				t.Errorf("%s: %s", c.name, f)
			}
		}
	}
	if n := arrived.Load(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestKeyIsReadAtEveryCall(t *testing.T) {
	var keys []string
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("X-Api-Key"))
		say(w, 200, "[]")
	})
	key := "old\n"
	a.apiKey = func() (string, error) { return key, nil }
	for _, key = range []string{"old\n", "new\n"} {
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"old", "new"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestSilenceUntilTheDeadline(t *testing.T) {
	ctx, pass := context.WithCancelCause(t.Context())
	a := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		pass(vendors.ErrTimeout)
		<-r.Context().Done()
	})
	_, err := a.Authenticate(ctx, vendors.Call{SubmissionID: "s", Selfie: vendortest.NewSelfie(9)})
	want := "argos: authenticate: transient: " + vendors.ErrTimeout.Error()
	if e := fault(t, err); !e.Unknown || e.Error() != want {
		t.Errorf("%q (unknown %v), want %q (unknown)", e, e.Unknown, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   vendors.Kind // 0: no error
	}{
		{200, "[]", 0},
		{200, `[{"faceAuth_projectId":"p","data":[],"nextPage_key":null}]`, 0},
		{200, vendortest.Golden(t, "list_flat.json"), 0},
		{200, "<html>", vendors.LaneFault},
		{200, "{}", vendors.LaneFault},
		{200, `{"status":"up"}`, vendors.LaneFault},
		{403, `{"message":"Forbidden"}`, vendors.LaneFault},
		{400, `{"errorCode":"required key is missing"}`, vendors.LaneFault},
		{429, "", vendors.Throttled},
		{500, "", vendors.Transient},
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got, want := r.Method+" "+r.URL.String(), "GET /v3/faceauth?count=1"; got != want {
				t.Errorf("request %s, want %s", got, want)
			}
			say(w, c.status, c.body)
		})
		err := a.Check(t.Context())
		if c.kind == 0 {
			if err != nil {
				t.Errorf("HTTP %d %s: %v", c.status, c.body, err)
			}
			continue
		}
		if e := fault(t, err); e.Kind != c.kind || e.Unknown {
			t.Errorf("HTTP %d %s: %v (unknown %v), want %s", c.status, c.body, e, e.Unknown, c.kind)
		}
	}
}

func TestErase(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		kind    vendors.Kind // 0: no error
		unknown bool
	}{
		{200, `{"message":"success"}`, 0, false},
		{200, `{"message":"SUCCESS"}`, 0, false},
		{400, `{"errorCode":"Cannot find submission. Please check input data."}`, 0, false},
		{200, `{"errorCode":"Cannot find submission. Please check input data"}`, 0, false},
		{500, `{"message":"success"}`, vendors.Transient, true},
		{200, `{}`, vendors.Transient, true},
		{400, `{"errorCode":"error in delete submission"}`, vendors.Transient, true},
		{400, `{"errorCode":"error in processing data"}`, vendors.Transient, true},
		{400, `{"errorCode":"required key is missing"}`, vendors.LaneFault, false},
		{400, `{"errorCode":"no_face"}`, vendors.Refused, false},
		{413, "", vendors.Refused, false},
		{403, `{"message":"Forbidden"}`, vendors.LaneFault, false},
	} {
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got, want := r.Method+" "+r.URL.String(), "DELETE /v3/faceauth?authId=auth-0001"; got != want {
				t.Errorf("request %s, want %s", got, want)
			}
			say(w, c.status, c.body)
		})
		err := a.Erase(t.Context(), "auth-0001")
		if c.kind == 0 {
			if err != nil {
				t.Errorf("HTTP %d %s: %v", c.status, c.body, err)
			}
			continue
		}
		if e := fault(t, err); e.Kind != c.kind || e.Unknown != c.unknown {
			t.Errorf("HTTP %d %s: %v (unknown %v), want %s (unknown %v)", c.status, c.body, e, e.Unknown, c.kind, c.unknown)
		}
	}
}

func TestEraseRefusesWhatIsNoReference(t *testing.T) {
	a := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	for _, reference := range []string{"", "a b", "a&authId=b", strings.Repeat("x", 65)} {
		if e := fault(t, a.Erase(t.Context(), reference)); e.Kind != vendors.Refused || e.Code != codeReferenceInvalid {
			t.Errorf("%q: %v", reference, e)
		}
	}
}

// pages serves a list: the first page, then by the key asked for.
func pages(t *testing.T, queries *[]url.Values, byKey map[string]string) *Adapter {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		*queries = append(*queries, r.URL.Query())
		say(w, 200, byKey[r.URL.Query().Get("nextKey_id")])
	})
}

func TestFindReadsEveryPage(t *testing.T) {
	var queries []url.Values
	a := pages(t, &queries, map[string]string{"": vendortest.Golden(t, "list_paged_1.json"), "auth-0006": vendortest.Golden(t, "list_paged_2.json")})
	// create_time has milliseconds: a call made just after since may bear the
	// millisecond before it.
	since := time.Date(2026, 2, 3, 13, 0, 0, 400_000, time.FixedZone("", 3600))
	got, err := find(t, a, vendors.Call{SubmissionID: " sub-1 "}, since)
	if err != nil {
		t.Fatal(err)
	}
	want := []vendors.Verdict{
		{Outcome: event.Rejected, Reasons: []event.Reason{event.SimilarityBelowThreshold}, Scores: map[string]float64{"similarity": 41.5},
			Reference: "auth-0005", Liveness: event.LivenessNone, At: time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)},
		{Outcome: event.Approved, Scores: map[string]float64{"similarity": 93.5},
			Reference: "auth-0007", Liveness: event.LivenessNone, At: time.Date(2026, 2, 3, 12, 0, 2, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	days := url.Values{"startDate": {"2026-02-02"}, "endDate": {"2026-02-04"}, "count": {"1000"}}
	next := url.Values{"startDate": {"2026-02-02"}, "endDate": {"2026-02-04"}, "count": {"1000"},
		"nextKey_id": {"auth-0006"}, "nextKey_date": {"2026-02-03T12:00:01.000Z"}}
	if diff := cmp.Diff([]url.Values{days, next}, queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestFindReadsTheOlderList(t *testing.T) {
	var queries []url.Values
	a := pages(t, &queries, map[string]string{"": vendortest.Golden(t, "list_flat.json")})
	got, err := find(t, a, vendors.Call{SubmissionID: "sub-1"}, time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	want := []vendors.Verdict{
		{Outcome: event.Approved, Scores: map[string]float64{"similarity": 90.25},
			Reference: "auth-0008", Liveness: event.LivenessNone, At: time.Date(2026, 2, 3, 12, 0, 4, 0, time.UTC)},
		{Outcome: event.Rejected, Reasons: []event.Reason{event.OtherRejection}, Scores: map[string]float64{"similarity": 88},
			Reference: "auth-0009", Liveness: event.LivenessNone, At: time.Date(2026, 2, 3, 12, 0, 5, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// TestFindNeverGuesses: a list that is not whole must not read as "not found",
// after which the caller would pay again.
func TestFindNeverGuesses(t *testing.T) {
	item := `{"auth_id":"a-1","auth_status":"approved","create_time":"2026-02-03T12:00:00.000Z","kyc_submission_id":"sub-2"}`
	key := `{"authId":"a-1","createTime":"2026-02-03T12:00:00.000Z"}`
	group := `{"data":[` + item + `],"nextPage_key":` + key + `}`
	for _, c := range []struct{ name, body, code string }{
		{"the same key again", "[" + group + "]", codeFindIncomplete},
		{"two projects to go on with", "[" + group + "," + group + "]", codeFindIncomplete},
		{"the largest page, without a key", "[" + strings.Repeat(item+",", maxCount-1) + item + "]", codeFindIncomplete},
		{"ours without a time", strings.ReplaceAll("["+item+"]", `"create_time":"2026-02-03T12:00:00.000Z","kyc_submission_id":"sub-2"`, `"kyc_submission_id":"sub-1"`), codeNoVerdict},
		{"ours without a final status", `[{"auth_id":"a-1","auth_status":"processing","create_time":"2026-02-03T12:00:00.000Z","kyc_submission_id":"sub-1"}]`, codeNoVerdict},
		{"no list", `{"data":[]}`, codeNoVerdict},
		{"no items", `[{"data":"none"}]`, codeUnreadable},
		{"null", "null", codeUnreadable},
	} {
		var queries []url.Values
		a := pages(t, &queries, map[string]string{"": c.body, "a-1": c.body})
		found, err := find(t, a, vendors.Call{SubmissionID: "sub-1"}, time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC))
		if err == nil {
			t.Errorf("%s: found %v without an error", c.name, found)
			continue
		}
		if e := fault(t, err); e.Kind != vendors.Transient || e.Code != c.code || e.Unknown {
			t.Errorf("%s: %v (unknown %v), want transient %s", c.name, e, e.Unknown, c.code)
		}
	}
}

// find asks for one call, without a limit.
func find(t *testing.T, a *Adapter, c vendors.Call, since time.Time) ([]vendors.Verdict, error) {
	t.Helper()
	found, err := a.Find(t.Context(), []vendors.Call{c}, since, vendortest.NoLimit)
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func TestFindTellsSubmissionsApartAndTakesATurnForEachPage(t *testing.T) {
	turns := 0
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page := `[{"data":[{"auth_id":"a-1","auth_status":"approved","create_time":"2026-02-03T04:05:06.000Z","kyc_submission_id":"s-1"},
			{"auth_id":"a-2","auth_status":"approved","create_time":"2026-02-03T04:05:06.000Z","kyc_submission_id":"s-2"}],
			"nextPage_key":{"authId":"a-2","createTime":"2026-02-03T04:05:06.000Z"}}]`
		if r.URL.Query().Get("nextKey_id") != "" {
			page = `[{"data":[{"auth_id":"a-3","auth_status":"approved","create_time":"2026-02-03T04:05:07.000Z","kyc_submission_id":"s-1"}]}]`
		}
		_, _ = w.Write([]byte(page))
	})
	found, err := a.Find(t.Context(), []vendors.Call{{SubmissionID: "s-2"}, {SubmissionID: "s-1"}, {SubmissionID: "s-3"}},
		time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), func(ctx context.Context, do func(context.Context) error) error {
			turns++
			return do(ctx)
		})
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, verdicts := range found {
		ids := []string{}
		for _, v := range verdicts {
			ids = append(ids, v.Reference)
		}
		got = append(got, ids)
	}
	if diff := cmp.Diff([][]string{{"a-2"}, {"a-1", "a-3"}, {}}, got); diff != "" || turns != 2 {
		t.Errorf("found (-want +got):\n%s in %d turns", diff, turns)
	}
}
