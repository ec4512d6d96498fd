package checkout

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/event"
	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

const signatureKey = "canary-signature-key"

// receiver is a webhook, and what it passed on and logged.
type receiver struct {
	*Webhook
	news   []vendors.News
	logged bytes.Buffer
	fails  error
}

func receive(tb testing.TB, change func(*WebhookConfig)) *receiver {
	tb.Helper()
	r := &receiver{}
	c := WebhookConfig{
		Secret: func() (string, error) { return signatureKey + "\n", nil },
		Tell: func(_ context.Context, n vendors.News) error {
			if r.fails == nil {
				r.news = append(r.news, n)
			}
			return r.fails
		},
		Logger: slog.New(slog.NewTextHandler(&r.logged, nil)),
	}
	if change != nil {
		change(&c)
	}
	var err error
	if r.Webhook, err = NewWebhook(c); err != nil {
		tb.Fatal(err)
	}
	return r
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(signatureKey))
	_, _ = io.WriteString(mac, body)
	return hex.EncodeToString(mac.Sum(nil))
}

func delivered(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/checkout", strings.NewReader(body))
	r.Header.Set("Cko-Signature", sign(body))
	return r
}

// take returns the status of the answer to a delivery, which has no body.
func (r *receiver) take(tb testing.TB, request *http.Request) int {
	tb.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	if w.Body.Len() > 0 {
		tb.Errorf("answer has a body: %s", w.Body)
	}
	return w.Code
}

func (r *receiver) count(d delivery) float64 {
	return testutil.ToFloat64(r.deliveries.WithLabelValues(string(d)))
}

func eventOf(id, kind, fav, status string) string {
	return fmt.Sprintf(`{"id":%q,"type":%q,"version":"1.2.0","data":{"face_authentication_id":%q,"status":%q}}`, id, kind, fav, status)
}

func TestEventsBecomeNews(t *testing.T) {
	r := receive(t, nil)
	want(t, r.take(t, delivered(vendortest.Golden(t, "event.json"))), http.StatusNoContent)
	want(t, r.news, []vendors.News{{Vendor: event.Checkout, Reference: "fav_1", Outcome: event.Approved}})
	for status, outcome := range map[string]event.Outcome{
		created: "", pending: "", captureInProgress: "", checksInProgress: "", retryRequired: "", "": "", "new": "",
		approved: event.Approved, declined: event.Rejected, refusedByPerson: event.Rejected, inconclusive: event.Rejected,
	} {
		r.news = nil
		// The type says what happened, not what came of it.
		want(t, r.take(t, delivered(eventOf("evt_"+status+"x", "face_authentication_checks_completed", "fav_2", status))), http.StatusNoContent)
		want(t, r.news, []vendors.News{{Vendor: event.Checkout, Reference: "fav_2", Outcome: outcome}})
	}
	want(t, r.count(wasAccepted), 12.0)
}

// TestForgeriesAreNotHeard: nothing of them is read, and nobody is told.
func TestForgeriesAreNotHeard(t *testing.T) {
	body := eventOf("evt_1", "face_authentication_checks_completed", "fav_1", approved)
	for name, c := range map[string]struct {
		signature string
		result    delivery
	}{
		"none":               {"", wasUnsigned},
		"of another body":    {sign(body + " "), wasForged},
		"cut":                {sign(body)[:32], wasForged},
		"longer":             {sign(body) + "00", wasForged},
		"no hex":             {strings.Repeat("z", 64), wasForged},
		"the engine's form":  {"1735787045:key-1:" + sign(body), wasForged},
		"of another key":     {hex.EncodeToString(make([]byte, 32)), wasForged},
		"the key's own hash": {fmt.Sprintf("%x", sha256.Sum256([]byte(signatureKey))), wasForged},
	} {
		for _, sent := range []string{body, "{"} {
			if sent != body && c.signature != "" {
				continue
			}
			r := receive(t, nil)
			request := delivered(sent)
			request.Header.Del("Cko-Signature")
			if c.signature != "" {
				request.Header.Set("Cko-Signature", c.signature)
			}
			if status := r.take(t, request); status != http.StatusUnauthorized || r.news != nil || r.count(c.result) != 1 {
				t.Errorf("signature %s: %d, news %v", name, status, r.news)
			}
			// The real one is not mistaken for a repetition.
			want(t, r.take(t, delivered(body)), http.StatusNoContent)
			want(t, len(r.news), 1)
		}
	}
}

// TestTheFixedHeaderIsASecondCheck, not a first one in place of the signature.
func TestTheFixedHeaderIsASecondCheck(t *testing.T) {
	r := receive(t, func(c *WebhookConfig) {
		c.Authorization = func() (string, error) { return "Basic canary-header", nil }
	})
	body := eventOf("evt_1", "face_authentication_created", "fav_1", created)
	for _, c := range []struct {
		header string
		signed bool
		want   int
		result delivery
	}{
		{"", true, 401, wasUnsigned},
		{"Basic canary-headeR", true, 401, wasForged},
		{"Basic canary-header", false, 401, wasUnsigned},
		{"Basic canary-header", true, 204, wasAccepted},
	} {
		request := delivered(body)
		if c.header != "" {
			request.Header.Set("Authorization", c.header)
		}
		if !c.signed {
			request.Header.Del("Cko-Signature")
		}
		before := r.count(c.result)
		if got := r.take(t, request); got != c.want || r.count(c.result) != before+1 {
			t.Errorf("header %q, signed %v: %d, want %d as %s", c.header, c.signed, got, c.want, c.result)
		}
	}
}

// TestRepetitionsAreDropped, but only of what was passed on.
func TestRepetitionsAreDropped(t *testing.T) {
	r := receive(t, nil)
	one, two := eventOf("evt_1", "face_authentication_started", "fav_1", captureInProgress), eventOf("evt_2", "face_authentication_opened", "fav_1", pending)
	r.fails = errors.New("no broker")
	want(t, r.take(t, delivered(one)), http.StatusServiceUnavailable)
	r.fails = nil
	for _, body := range []string{one, one, two, one, two} { // late ones among them
		want(t, r.take(t, delivered(body)), http.StatusNoContent)
	}
	want(t, len(r.news), 2)
	want(t, []float64{r.count(wasNotPassedOn), r.count(wasAccepted), r.count(wasDuplicate)}, []float64{1, 2, 3})
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(3)
	for _, id := range []string{"a", "b", "a", "c", "d", "e"} {
		r.add(id)
	}
	var known []string
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		if r.has(id) {
			known = append(known, id)
		}
	}
	want(t, known, []string{"c", "d", "e"})
	want(t, len(r.known), 3)
	want(t, len(r.ring), 3)
}

func TestWhatIsNoEventOfOurs(t *testing.T) {
	for _, c := range []struct {
		body   string
		want   int
		result delivery
	}{
		{eventOf("evt_1", "identity_verification_created", "fav_1", created), 204, wasForeign},
		{`{"id":"gw_1","type":"payment_approved","data":"anything"}`, 204, wasForeign},
		{"", 400, wasUnreadable},
		{"{", 400, wasUnreadable},
		{"[]", 400, wasUnreadable},
		{`{"id":"evt_1"}`, 400, wasUnreadable},
		{eventOf("", "face_authentication_created", "fav_1", created), 400, wasUnreadable},
		{eventOf("evt_1", "face_authentication_created", "", created), 400, wasUnreadable},
		{eventOf("evt_1", "face_authentication_created", "fav_1/../x", created), 400, wasUnreadable},
		{`{"id":"evt_1","type":"face_authentication_created","data":[]}`, 400, wasUnreadable},
		{`{"id":"evt_1","type":"face_authentication_created","data":{"face_authentication_id":"fav_1","Face_Authentication_Id":"fav_2"}}`, 400, wasUnreadable},
	} {
		r := receive(t, nil)
		if got := r.take(t, delivered(c.body)); got != c.want || r.count(c.result) != 1 || r.news != nil {
			t.Errorf("%s: %d, want %d as %s; news %v", c.body, got, c.want, c.result, r.news)
		}
		if strings.Contains(r.logged.String(), "fav_") || strings.Contains(r.logged.String(), "evt_") {
			t.Errorf("logged: %s", &r.logged)
		}
	}
}

func TestOnlyPostIsTaken(t *testing.T) {
	r := receive(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead, http.MethodOptions} {
		request := delivered(vendortest.Golden(t, "event.json"))
		request.Method = method
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		want(t, []any{w.Code, w.Header().Get("Allow")}, []any{http.StatusMethodNotAllowed, http.MethodPost})
	}
	want(t, r.news, []vendors.News(nil))
}

// TestLargeBodiesAreNotRead beyond the bound, whatever length they claim.
func TestLargeBodiesAreNotRead(t *testing.T) {
	r := receive(t, func(c *WebhookConfig) { c.MaxBytes = 1000 })
	pad := func(n int) string {
		body := eventOf("evt_1", "face_authentication_created", "fav_1", created)
		return body + strings.Repeat(" ", n-len(body))
	}
	for _, claimed := range []int64{1001, -1} {
		large := &counted{Reader: strings.NewReader(pad(100_000))}
		request := delivered(pad(100_000))
		request.Body, request.ContentLength = io.NopCloser(large), claimed
		want(t, r.take(t, request), http.StatusRequestEntityTooLarge)
		if large.n > 2000 {
			t.Errorf("%d bytes were read", large.n)
		}
	}
	want(t, r.take(t, delivered(pad(1000))), http.StatusNoContent)

	broken := delivered(pad(1000))
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader(pad(500)), failing{}))
	want(t, r.take(t, broken), http.StatusBadRequest)
	want(t, []float64{r.count(wasTooLarge), r.count(wasAccepted), r.count(wasUnreadable)}, []float64{2, 1, 1})
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 512)])
	c.n += n
	return n, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestTheVendorIsNotKeptWaiting for news that cannot be passed on.
func TestTheVendorIsNotKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := receive(t, func(c *WebhookConfig) {
			c.Tell = func(ctx context.Context, _ vendors.News) error { <-ctx.Done(); return context.Cause(ctx) }
		})
		want(t, r.take(t, delivered(vendortest.Golden(t, "event.json"))), http.StatusServiceUnavailable)
		if !strings.Contains(r.logged.String(), errTellTimeout.Error()) {
			t.Errorf("logged: %s", &r.logged)
		}
		want(t, r.count(wasNotPassedOn), 1.0)
	})
}

// TestUnreadableKeysAreNoForgeries: the vendor delivers again when they are back.
func TestUnreadableKeysAreNoForgeries(t *testing.T) {
	broken := func() (string, error) { return "canary", io.ErrUnexpectedEOF }
	empty := func() (string, error) { return "\n", nil }
	for _, secret := range []vendors.Secret{broken, empty} {
		for _, change := range []func(*WebhookConfig){
			func(c *WebhookConfig) { c.Secret = secret }, func(c *WebhookConfig) { c.Authorization = secret },
		} {
			r := receive(t, change)
			want(t, r.take(t, delivered(vendortest.Golden(t, "event.json"))), http.StatusServiceUnavailable)
			if strings.Contains(r.logged.String(), "canary") {
				t.Errorf("logged: %s", &r.logged)
			}
		}
	}
}

func TestManyDeliveriesAtOnce(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	r := receive(t, func(c *WebhookConfig) {
		c.Tell = func(_ context.Context, n vendors.News) error {
			mu.Lock()
			defer mu.Unlock()
			told[n.Reference]++
			return nil
		}
	})
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			for range 3 {
				r.take(t, delivered(eventOf(fmt.Sprintf("evt_%d", n), "face_authentication_created", fmt.Sprintf("fav_%d", n), created)))
			}
		})
	}
	all.Wait()
	want(t, len(told), 50)
	for reference, n := range told {
		want(t, reference+fmt.Sprint(n), reference+"1")
	}
}

func TestNewWebhookReportsWhatIsWrong(t *testing.T) {
	tell := func(context.Context, vendors.News) error { return nil }
	registry := prometheus.NewRegistry()
	if _, err := NewWebhook(WebhookConfig{Secret: secretKey, Tell: tell, Registerer: registry}); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry); n != len(deliveryStatuses) || err != nil {
		t.Errorf("%d counters at the start, want %d (%v)", n, len(deliveryStatuses), err)
	}
	for wrong, c := range map[string]WebhookConfig{
		"signature key":     {Tell: tell},
		"nobody is told":    {Secret: secretKey},
		"-1 bytes":          {Secret: secretKey, Tell: tell, MaxBytes: -1},
		"registering":       {Secret: secretKey, Tell: tell, Registerer: registry},
		"nobody is told of": {},
	} {
		if _, err := NewWebhook(c); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v, want %q", err, wrong)
		}
	}
}
