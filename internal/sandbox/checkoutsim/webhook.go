package checkoutsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"reauth/internal/sandbox/vendorsim"
)

// eventPrefix begins every event's type.
const eventPrefix = "face_authentication_"

// The JSON of an event.
type (
	envelope struct {
		ID        string    `json:"id"`
		Type      string    `json:"type"`
		Version   string    `json:"version"`
		CreatedOn time.Time `json:"created_on"`
		Data      eventData `json:"data"`
		Links     struct {
			Self href `json:"self"`
		} `json:"_links"`
		Padding string `json:"padding,omitempty"`
	}
	eventData struct {
		AuthenticationID string `json:"face_authentication_id"`
		ApplicantID      string `json:"applicant_id"`
		UserJourneyID    string `json:"user_journey_id"`
		Status           Status `json:"status"`
		ResponseCodes    []any  `json:"response_codes"`
	}
)

// event returns what is told of an authentication as it stands. Called with
// books held.
func (a *authentication) event(kind string, stringCodes bool) envelope {
	e := envelope{ID: newID("evt_"), Type: eventPrefix + kind, Version: "1.2.0", CreatedOn: now()}
	e.Data = eventData{a.id, a.applicant, a.journey, a.status, eventCodes(a.codes, stringCodes)}
	e.Links.Self.Href = a.base + "/workflows/events/" + e.ID
	return e
}

func eventCodes(codes []int, asStrings bool) []any {
	all := []any{}
	for _, c := range responseCodes(codes) {
		if asStrings {
			all = append(all, map[string]string{"code": strconv.Itoa(c.Code), "summary": c.Summary})
		} else {
			all = append(all, c)
		}
	}
	return all
}

// sign is the value of Cko-Signature: lower-case hexadecimal HMAC-SHA256 over
// the raw body.
func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// message is one body on its way, with its signature, "" for none.
type message struct {
	knobs     Webhook
	body      []byte
	signature string
}

func signed(knobs Webhook, key string, e envelope) message {
	body := vendorsim.Encode(e)
	return message{knobs, body, sign(key, body)}
}

// queue orders the events of one authentication. The simulator's books guards it.
type queue struct {
	// tail is closed when the newest event in order has been sent once, nil
	// before there is one.
	tail <-chan struct{}
	// held is closed to let an event go that is to come after the next, nil if
	// there is none.
	held chan struct{}
}

// tell sends an event of an authentication that has just moved on to the
// webhook, if there is one, with what the knobs have in store for it. Called with
// books held.
func (s *Simulator) tell(a *authentication, kind string) {
	knobs := s.Knobs().Webhook
	if knobs.URL == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	random := s.chance.Random()
	meets := func(rate float64) bool { return rate > 0 && random.Float64() < rate }
	d := &s.stats.Webhook
	d.Events++
	if meets(knobs.LostRate) {
		d.Lost++
		return
	}

	event := a.event(kind, knobs.StringCodes)
	turn := delivery{fakes: s.fakes(a, knobs, meets), message: signed(knobs, knobs.SignatureKey, event)}
	if meets(knobs.TwiceRate) {
		d.Twice++
		turn.copies++
	}
	switch {
	case meets(knobs.LateRate):
		d.Late++
		turn.wait = knobs.Late.Sample(random)
	case a.queue.held == nil && meets(knobs.SwapRate):
		d.Swapped++
		turn.wait = knobs.Late.Sample(random)
		a.queue.held = make(chan struct{})
		turn.release = a.queue.held
	default:
		done := make(chan struct{})
		turn.before, turn.done, turn.swapped = a.queue.tail, done, a.queue.held
		a.queue = queue{tail: done}
	}
	turn.retry = retries(knobs, random)
	s.courier.deliver(turn)
}

// fakes are what comes before an event that the vendor did not send, or should
// not have. Called with books and mu held.
func (s *Simulator) fakes(a *authentication, knobs Webhook, meets func(float64) bool) []fake {
	d := &s.stats.Webhook
	claim := a.event("checks_completed", knobs.StringCodes)
	claim.Data.Status, claim.Data.ResponseCodes = Approved, eventCodes([]int{codeApproved}, knobs.StringCodes)
	var all []fake
	if meets(knobs.ForgedRate) {
		d.Forged++
		all = append(all, fake{signed(knobs, "not "+knobs.SignatureKey, claim), func(d *Deliveries) { d.FakesTaken++ }})
	}
	if meets(knobs.UnsignedRate) {
		d.Unsigned++
		m := signed(knobs, "", claim)
		m.signature = ""
		all = append(all, fake{m, func(d *Deliveries) { d.FakesTaken++ }})
	}
	if meets(knobs.OversizeRate) {
		d.Oversized++
		claim.Padding = strings.Repeat("x", knobs.OversizeBytes)
		all = append(all, fake{signed(knobs, knobs.SignatureKey, claim), func(d *Deliveries) { d.OversizedTaken++ }})
	}
	return all
}

// retries are the waits before each further try.
func retries(knobs Webhook, random *rand.Rand) []time.Duration {
	var waits []time.Duration
	for n := range knobs.Tries - 1 {
		waits = append(waits, knobs.Retry.Sample(random)<<n)
	}
	return waits
}
