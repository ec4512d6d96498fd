package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"reauth/internal/event"
)

// OrderKind says what an order wants.
type OrderKind string

// The kinds of orders.
const (
	// Pause: make no calls for the vendor, or for the campaign's requests.
	Pause OrderKind = "pause"
	// Resume takes a Pause back.
	Resume OrderKind = "resume"
	// Rate: make at most Value calls per second to the vendor, over the whole
	// group; 0 takes it back.
	Rate OrderKind = "rate"
	// Weight: the campaign's share is Value times that of a campaign nobody gave
	// an order about; 1 takes it back.
	Weight OrderKind = "weight"
	// Withdraw: end what has not been called yet of the campaign, or of Requests,
	// without a call. Nothing takes it back.
	Withdraw OrderKind = "withdraw"
)

// MinWeight and MaxWeight bound a campaign's weight. The first still lets one
// request through for each hundred of a campaign of weight 1.
const (
	MinWeight = 0.01
	MaxWeight = 100
)

// MaxRate is more than any vendor allows, in calls per second.
const MaxRate = 1e6

// maxOrderText bounds By and Reason, in bytes.
const maxOrderText = 256

// MaxOrderRequests bounds the requests of one order: 26 KB on the wire.
const MaxOrderRequests = 1000

// Order is what an operator wants of the running consumers, about one vendor, one
// campaign, or, to withdraw them, some requests. It stands in the ledger of every
// shard, so that whoever takes one over knows of it.
type Order struct {
	// ID is unique: 1 to 128 of [A-Za-z0-9._:-], like Campaign.
	ID   string    `json:"id"`
	Kind OrderKind `json:"kind"`
	// Vendor, Campaign or Requests is what the order is about; the others are
	// empty.
	Vendor   event.Vendor `json:"vendor,omitempty"`
	Campaign string       `json:"campaign,omitempty"`
	Requests []ID         `json:"requests,omitempty"`
	// Value depends on Kind.
	Value float64 `json:"value,omitempty"`
	// IssuedAt says which of two orders about the same holds: the later one, in
	// whatever order they arrive.
	IssuedAt time.Time `json:"issued_at"`
	// By and Reason are for people, at most 256 bytes each.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// orderKeys begin the keys of orders. No request id holds a slash, so a key is
// never both.
const orderKeys = "order/"

// IsOrder tells by its key whether a record is an order.
func IsOrder(key []byte) bool { return strings.HasPrefix(string(key), orderKeys) }

// Key is the key of the order's records: order/vendor/argos. Orders about requests
// are each about others, so they are told apart by their own id.
func (o Order) Key() string {
	switch {
	case o.Vendor != "":
		return orderKeys + "vendor/" + string(o.Vendor)
	case o.Campaign != "":
		return orderKeys + "campaign/" + o.Campaign
	}
	return orderKeys + "requests/" + o.ID
}

// Subject names what the order is about. Of all orders with one subject the
// newest holds.
func (o Order) Subject() string {
	kind := o.Kind
	if kind == Resume {
		kind = Pause
	}
	return o.Key() + "/" + string(kind)
}

// Newer tells whether the order holds over another one with the same subject.
func (o Order) Newer(than Order) bool {
	return cmp.Or(o.IssuedAt.Compare(than.IssuedAt), strings.Compare(o.ID, than.ID)) > 0
}

// InForce tells whether the order changes anything. One that does not takes an
// earlier one back.
func (o Order) InForce() bool {
	switch o.Kind {
	case Resume:
		return false
	case Rate:
		return o.Value != 0
	case Weight:
		return o.Value != 1
	}
	return true
}

// Lasts returns for how long after it was issued an order is acted on and kept, 0
// for as long as it is in force: what is withdrawn may be read as late as its topic
// keeps it, which is for requestsKept.
func (o Order) Lasts(window, requestsKept time.Duration) time.Duration {
	if o.Kind != Withdraw {
		return 0
	}
	return max(window, requestsKept)
}

// Record returns the order as a record of the ledger; its key is Key.
func (o Order) Record() Record { return Record{Step: Ordered, Order: &o} }

// Check reports every fault of the order.
func (o Order) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !isName(o.ID) {
		fault("an order needs an id of 1 to 128 of [A-Za-z0-9._:-]")
	}
	faults = append(faults, o.checkAbout())
	switch o.Kind {
	case Pause, Resume, Withdraw:
		if o.Value != 0 {
			fault("an order of this kind has no value")
		}
	case Rate:
		if o.Vendor == "" || !(0 <= o.Value && o.Value <= MaxRate) {
			fault("a rate is of a vendor, and from 0 to %.0f calls per second", float64(MaxRate))
		}
	case Weight:
		if o.Campaign == "" || !(MinWeight <= o.Value && o.Value <= MaxWeight) {
			fault("a weight is of a campaign, and from %v to %v", MinWeight, float64(MaxWeight))
		}
	default:
		fault("unknown kind of order")
	}
	if o.IssuedAt.IsZero() {
		fault("an order needs a time")
	}
	if max(len(o.By), len(o.Reason)) > maxOrderText {
		fault("an order's texts have at most %d bytes each", maxOrderText)
	}
	return errors.Join(faults...)
}

// checkAbout reports what is wrong with what the order is about.
func (o Order) checkAbout() error {
	about := 0
	for _, set := range []bool{o.Vendor != "", o.Campaign != "", len(o.Requests) > 0} {
		if set {
			about++
		}
	}
	switch {
	case o.Kind == Withdraw && (about != 1 || o.Vendor != ""):
		return errors.New("a withdrawal is of either a campaign or requests")
	case o.Kind != Withdraw && (about != 1 || len(o.Requests) > 0):
		return errors.New("an order is about either a vendor or a campaign")
	case len(o.Requests) > MaxOrderRequests:
		return fmt.Errorf("an order is about %d requests at most", MaxOrderRequests)
	case len(o.Requests) == 0 && !isName(string(o.Vendor)+o.Campaign):
		return errors.New("what an order is about needs 1 to 128 of [A-Za-z0-9._:-]")
	}
	return nil
}

// isName tells whether a text could be a request id or a campaign id.
func isName(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("._:-", rune(c)) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 128
}

// standingOrder is an order, and when the newest record of it was written.
type standingOrder struct {
	Order
	written time.Time
}

// orders are the newest orders in a shard's ledger, by subject.
type orders map[string]standingOrder

// ordered takes in an order that stands in the log.
func (s *Shard) ordered(o Order, at time.Time) {
	known, ok := s.orders[o.Subject()]
	switch {
	case !ok || o.Newer(known.Order):
		s.orders[o.Subject()] = standingOrder{o, at}
	case o.ID == known.ID && at.After(known.written):
		known.written = at
		s.orders[o.Subject()] = known
	}
}

// Orders returns the newest order of each subject in the log, also those that
// take others back. It hands the ids of the requests that are withdrawn over: they
// are with an order the first time only, so that whoever asks keeps them once, and
// not for every shard.
func (s *Shard) Orders() []Order {
	all := make([]Order, 0, len(s.orders))
	for subject, o := range s.orders {
		all = append(all, o.Order)
		if o.Requests != nil {
			o.Requests = nil
			s.orders[subject] = o
		}
	}
	return all
}

// Holds tells whether a record of the order, or of a newer one with its subject,
// was written to the log at since or later.
func (s *Shard) Holds(o Order, since time.Time) bool {
	known, ok := s.orders[o.Subject()]
	return ok && (known.Newer(o) || known.ID == o.ID && !known.written.Before(since))
}

// forget drops the orders whose last record has left the window that begins at
// before.
func (o orders) forget(before time.Time) {
	for subject, known := range o {
		if known.written.Before(before) {
			delete(o, subject)
		}
	}
}
