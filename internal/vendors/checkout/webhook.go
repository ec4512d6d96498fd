package checkout

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// DefaultMaxBytes is far more than the vendor's events take, which are some 1 KB.
const DefaultMaxBytes = 64 << 10

// WebhookConfig is what NewWebhook needs.
type WebhookConfig struct {
	// Secret is the signature key of the vendor's workflow. Required.
	Secret vendors.Secret
	// Authorization is what the header of that name must be, if the workflow
	// sets one; nil if it does not.
	Authorization vendors.Secret
	// MaxBytes bounds a body; 0 means DefaultMaxBytes.
	MaxBytes int64
	// Tell passes news on, within tellTimeout; its error makes the vendor
	// deliver again. It may be told the same twice. Required.
	Tell func(context.Context, vendors.News) error
	// Registerer takes the webhook's metrics; nil for none.
	Registerer prometheus.Registerer
	// Logger is told of deliveries that were the vendor's and came to nothing;
	// nil for none. It never gets a body.
	Logger *slog.Logger
}

// Webhook takes the vendor's events in. What they say is passed on as a hint, so
// that one that is late, repeated or out of order does no harm. It may be used by
// many goroutines at once.
//
// It answers
//
//	204  passed on, had before, or not about a face authentication
//	400  broken off, or signed and not an event that can be read
//	401  not signed by the vendor, or without the header that it was given
//	405  not a POST
//	413  too large
//	503  could not be passed on, or cannot be judged now: deliver again
//
// The signature has no time in it, so that whoever has one event can send it
// again: its id is remembered for a while, and after that it is but a hint to
// look once more. Slow senders are the server's business (ReadTimeout).
type Webhook struct {
	secret, authorization vendors.Secret
	maxBytes              int64
	tell                  func(context.Context, vendors.News) error
	deliveries            *prometheus.CounterVec
	log                   *slog.Logger
	recent                *recent
}

var _ http.Handler = (*Webhook)(nil)

// NewWebhook returns a webhook, or all that is wrong with c.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if c.Secret == nil {
		faults = append(faults, errors.New("checkout: the webhook's signature key is required"))
	}
	if c.Tell == nil {
		faults = append(faults, errors.New("checkout: nobody is told of the webhook's news"))
	}
	if c.MaxBytes < 0 {
		faults = append(faults, fmt.Errorf("checkout: webhook takes %d bytes at most, want more than 0", c.MaxBytes))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	deliveries, err := newDeliveries(c.Registerer)
	if err != nil {
		return nil, err
	}
	return &Webhook{
		secret:        c.Secret,
		authorization: c.Authorization,
		maxBytes:      c.MaxBytes,
		tell:          c.Tell,
		deliveries:    deliveries,
		log:           c.Logger.With("vendor", event.Checkout),
		recent:        newRecent(recentEvents),
	}, nil
}

// delivery is how a request ended, as a metric label; empty while there is
// nothing to say against it.
type delivery string

const (
	wasAccepted    delivery = "accepted"
	wasDuplicate   delivery = "duplicate"
	wasForeign     delivery = "foreign"
	wasWrongMethod delivery = "wrong_method"
	wasUnsigned    delivery = "unsigned"
	wasForged      delivery = "forged"
	wasTooLarge    delivery = "too_large"
	wasUnreadable  delivery = "unreadable"
	wasNotPassedOn delivery = "failed"
)

var deliveryStatuses = map[delivery]int{
	wasAccepted:    http.StatusNoContent,
	wasDuplicate:   http.StatusNoContent,
	wasForeign:     http.StatusNoContent,
	wasWrongMethod: http.StatusMethodNotAllowed,
	wasUnsigned:    http.StatusUnauthorized,
	wasForged:      http.StatusUnauthorized,
	wasTooLarge:    http.StatusRequestEntityTooLarge,
	wasUnreadable:  http.StatusBadRequest,
	wasNotPassedOn: http.StatusServiceUnavailable,
}

func deliveryResults() (all []string) {
	for d := range deliveryStatuses {
		all = append(all, string(d))
	}
	return all
}

// ServeHTTP implements http.Handler.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result := h.take(w, r)
	h.deliveries.WithLabelValues(string(result)).Inc()
	if result == wasWrongMethod {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(deliveryStatuses[result])
}

// take goes through a delivery: what is not certainly the vendor's is not parsed.
func (h *Webhook) take(w http.ResponseWriter, r *http.Request) delivery {
	if r.Method != http.MethodPost {
		return wasWrongMethod
	}
	if objection := h.authorized(r); objection != "" {
		return objection
	}
	body, objection := h.body(w, r)
	if objection != "" {
		return objection
	}
	if objection := h.signed(r, body); objection != "" {
		return objection
	}
	e, objection := readEvent(body)
	switch {
	case objection == wasUnreadable:
		h.log.Warn("a signed event of the vendor's cannot be read")
		return objection
	case objection != "":
		return objection
	case h.recent.has(e.ID):
		return wasDuplicate
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), tellTimeout, errTellTimeout)
	defer cancel()
	news := vendors.News{Vendor: event.Checkout, Reference: e.Data.ID, Outcome: outcomes[e.Data.Status]}
	if err := h.tell(ctx, news); err != nil {
		h.log.Warn("passing the vendor's news on; it will be delivered again", "error", err)
		return wasNotPassedOn
	}
	h.recent.add(e.ID)
	return wasAccepted
}

// tellTimeout is short, so that the vendor gets its answer while it waits.
const tellTimeout = 3 * time.Second

var errTellTimeout = errors.New("news was not passed on in time")

// authorized compares the fixed header, if there is to be one.
func (h *Webhook) authorized(r *http.Request) (objection delivery) {
	if h.authorization == nil {
		return ""
	}
	want, ok := trimmed(h.authorization)
	got := r.Header.Get("Authorization")
	switch {
	case !ok:
		h.log.Error("the webhook's authorization cannot be read")
		return wasNotPassedOn
	case got == "":
		return wasUnsigned
	case subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1:
		return wasForged
	}
	return ""
}

// trimmed returns a secret, which may have blanks within, without those around it.
func trimmed(s vendors.Secret) (value string, ok bool) {
	value, err := s()
	value = strings.TrimSpace(value)
	return value, err == nil && value != ""
}

func (h *Webhook) body(w http.ResponseWriter, r *http.Request) (body []byte, objection delivery) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBytes))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, wasTooLarge
	case err != nil:
		return nil, wasUnreadable
	}
	return body, ""
}

// signed compares the header Cko-Signature, in hex, with the HMAC-SHA256 of the
// body as it came.
func (h *Webhook) signed(r *http.Request, body []byte) (objection delivery) {
	key, ok := trimmed(h.secret)
	if !ok {
		h.log.Error("the webhook's signature key cannot be read")
		return wasNotPassedOn
	}
	header := r.Header.Get("Cko-Signature")
	if header == "" {
		return wasUnsigned
	}
	got, err := hex.DecodeString(header)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return wasForged
	}
	return ""
}

// vendorEvent is what is read of an event.
type vendorEvent struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		ID     string `json:"face_authentication_id"`
		Status string `json:"status"`
	} `json:"data"`
}

// eventPrefix is that of the types about face authentications: a workflow may be
// set up for others as well.
const eventPrefix = "face_authentication"

// readEvent returns the event in a signed body.
func readEvent(body []byte) (e vendorEvent, objection delivery) {
	// The data of other types has other forms, so that it is read last.
	var kind struct {
		Type string `json:"type"`
	}
	switch {
	case !decode(body, &kind) || kind.Type == "":
		return vendorEvent{}, wasUnreadable
	case !strings.HasPrefix(kind.Type, eventPrefix):
		return vendorEvent{}, wasForeign
	case !decode(body, &e) || !isEventID(e.ID) || !isFaceAuthenticationID(e.Data.ID):
		return vendorEvent{}, wasUnreadable
	}
	return e, ""
}
