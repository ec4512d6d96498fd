package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"reauth/internal/event"
	"reauth/internal/sandbox"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/fault"
)

// switchboard passes what is sent to it on to one of the consumers' webhooks, as
// a Service in a cluster does.
type switchboard struct {
	*httptest.Server
	mu        sync.Mutex // guards consumers
	consumers []*consumer
}

func newSwitchboard(t *testing.T) *switchboard {
	s := &switchboard{}
	transport := &http.Transport{DisableKeepAlives: true}
	s.Server = httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s.pick()})
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(s.Close)
	return s
}

// pick returns the address of some consumer's webhook, an unreachable one if
// there is none.
func (s *switchboard) pick() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range rand.Perm(len(s.consumers)) {
		if said := s.consumers[i].log.said("listening for news"); len(said) > 0 && s.consumers[i].alive() {
			address, _ := said[0].facts["address"].(string)
			return address
		}
	}
	return "127.0.0.1:1"
}

func (s *switchboard) connect(consumers []*consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consumers = append([]*consumer(nil), consumers...)
}

// linkLife is short, so that people who never come are waited for briefly.
const linkLife = 5 * time.Second

// allVendors is a world with every vendor, persons who are quick, and a webhook
// that meets everything that can befall one.
func allVendors(board *switchboard) setting {
	quick := func(text string) fault.Delay {
		d, err := fault.ParseDelay(text)
		if err != nil {
			panic(err)
		}
		return d
	}
	return setting{
		sandbox: func(o *sandbox.Options) {
			o.Argos.Latency, o.Argos.PerSecond = fault.Fixed(200*time.Millisecond), 40
			o.FacekiAddr, o.Faceki.Latency, o.Faceki.PerSecond = "127.0.0.1:0", fault.Fixed(200*time.Millisecond), 40
			o.CheckoutAddr = "127.0.0.1:0"
			c := &o.Checkout
			c.Latency = quick("30ms-120ms")
			c.Link, c.Think, c.Capture, c.Checks = fault.Fixed(linkLife), quick("100ms-800ms"), quick("100ms-400ms"), quick("100ms-600ms")
			c.Webhook.URL = board.URL + "/webhooks/checkout"
			c.Webhook.Retry, c.Webhook.Late = fault.Fixed(300*time.Millisecond), fault.Fixed(2*time.Second)
			c.Webhook.LostRate, c.Webhook.LateRate, c.Webhook.SwapRate, c.Webhook.TwiceRate = .05, .1, .2, .3
			c.Webhook.ForgedRate, c.Webhook.UnsignedRate, c.Webhook.OversizeRate = .2, .1, .05
		},
		environ: []string{
			"REAUTH_VENDORS__CHECKOUT__WEBHOOK__LISTEN=127.0.0.1:0", "REAUTH_VENDORS__CHECKOUT__LINK_LIFE=" + linkLife.String(),
			"REAUTH_VENDORS__CHECKOUT__POLL_INITIAL=1s", "REAUTH_VENDORS__CHECKOUT__POLL_MAX=4s", "REAUTH_VENDORS__CHECKOUT__TIMEOUT=3s",
			"REAUTH_VENDORS__CHECKOUT__LIMITS=60/s", "REAUTH_VENDORS__FACEKI__TIMEOUT=3s", "REAUTH_RETRY__INITIAL=200ms", "REAUTH_RETRY__MAX=2s",
		},
	}
}

// persons are the scripts of Checkout.com's applicants, most often used first.
var persons = []string{
	"approve", "approve", "approve", "decline_62321", "decline_62305", "refuse", "abort_61113", "abort_61113_decline_62307", "unclear_61411",
	"close", "noshow", "unknown", "novideo", "crowd", "odd", "abort_61113_twice",
	"create_hang", "attempt_hang", "attempt_504", "get_badjson", "create_503", "attempt_reset",
}

// anyVendor makes n requests, in turn for each vendor.
func anyVendor(n int) []event.Request {
	requests := make([]event.Request, n)
	for i := range requests {
		script := "approve"
		switch i % 4 {
		case 0:
			requests[i] = request(i, script, "8KB.jpg")
		case 1:
			person := fmt.Sprintf("person%05d", i)
			requests[i] = request(i, "", "face-"+person+[]string{"", "", "-other", "-nomatch"}[i/4%4]+".jpg")
			requests[i].SelfieKey = strings.Replace(requests[i].SelfieKey, fmt.Sprintf("%05d-", i), fmt.Sprintf("%05d/", i), 1)
			requests[i].Vendor, requests[i].SubmissionID = event.Faceki, person
		default:
			requests[i] = event.Request{
				RequestID: fmt.Sprintf("r-%05d", i), Vendor: event.Checkout, UserID: fmt.Sprintf("user-canary-%05d", i), CampaignID: "e2e",
				ApplicantID: fmt.Sprintf("aplt_%s_%d", persons[i/2%len(persons)], i), RedirectURL: "https://app.example/done",
			}
		}
	}
	return requests
}

// turnRound has Checkout.com change its verdict on n requests, and returns n. The
// webhook is all that tells of it, so none of these events may get lost.
func (w *world) turnRound(n int) int {
	w.t.Helper()
	err := w.Checkout.Adjust(func(k *checkoutsim.Knobs) error {
		k.Webhook.LostRate = 0
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	turned := 0
	for id, found := range w.resultsByID() {
		var r event.Result
		if err := json.Unmarshal(found[0].Value, &r); err != nil {
			w.t.Fatalf("result of %s: %v", id, err)
		}
		if r.Vendor != event.Checkout || r.Outcome != event.Approved || turned == n {
			continue
		}
		if err := w.Checkout.Audit(r.VendorReference); err != nil {
			w.t.Fatal(err)
		}
		turned++
	}
	return turned
}

func TestEveryVendorsRequestsEndOnceThroughKills(t *testing.T) {
	long(t)
	concurrently(t)
	board := newSwitchboard(t)
	requests, kills := sized(600, 320), sized(4, 2)
	w := newWorld(t, allVendors(board))
	w.ask(anyVendor(requests)...)
	alive := w.startWorking(3)
	board.connect(alive)
	for n := range kills {
		w.eventually(time.Minute, "all shards and some people on their way", func() bool {
			return ownedBy(alive) == shards && w.Checkout.Stats().Attempts > n*requests/(4*kills)
		})
		w.pass(100*time.Millisecond + rand.N(time.Second))
		victim := rand.IntN(len(alive))
		t.Logf("killing %s with %d results out", alive[victim].name, len(w.resultsByID()))
		alive[victim].kill()
		alive[victim] = w.start()
		board.connect(alive)
	}
	w.awaitResults(4 * time.Minute)
	audits := w.turnRound(12)
	w.eventually(time.Minute, fmt.Sprintf("%d revised results", audits), func() bool { return w.revised() == audits })
	w.audit()

	stats := w.Checkout.Stats()
	hook := stats.Webhook
	t.Logf("%d authentications created, %d attempts, %d charged, %d never attempted; %d revised; webhook: %+v",
		stats.Created, stats.Attempts, stats.Charged, stats.Unattempted, audits, hook)
	if stats.AttemptsWhileLive != 0 || stats.PeakLive > 1 {
		t.Errorf("%d links were taken away from people who might have been about to open them; %d at most at once", stats.AttemptsWhileLive, stats.PeakLive)
	}
	if hook.FakesTaken+hook.OversizedTaken != 0 {
		t.Errorf("%d forged and %d oversized webhooks were taken", hook.FakesTaken, hook.OversizedTaken)
	}
	if hook.Forged == 0 || hook.Unsigned == 0 || hook.Oversized == 0 || hook.Twice == 0 || hook.Swapped == 0 || hook.Lost == 0 {
		t.Error("not everything befell the webhook that was to")
	}
	if stats.Refused > 0 {
		t.Errorf("Checkout.com refused %d calls as too many", stats.Refused)
	}
}
