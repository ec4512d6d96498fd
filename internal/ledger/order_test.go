package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

func orderAt(id string, kind OrderKind, at time.Time) Order {
	return Order{ID: id, Kind: kind, Vendor: event.Argos, IssuedAt: at}
}

func put(t *testing.T, s *Shard, o Order, at time.Time) {
	t.Helper()
	if err := s.Apply([]byte(o.Key()), o.Record().Encode(), at); err != nil {
		t.Fatal(err)
	}
}

func TestOrderIsReadBackAsItWasWritten(t *testing.T) {
	o := Order{ID: "o-1", Kind: Weight, Campaign: "autumn", Value: 2.5,
		IssuedAt: time.Date(2026, 11, 22, 8, 0, 0, 25e6, time.UTC), By: "night shift", Reason: `"late"`}
	r, err := Decode(o.Record().Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, *r.Order); diff != "" {
		t.Errorf("order (-written +read):\n%s", diff)
	}
}

func withdrawalOf(id string, at time.Time, requestIDs ...string) Order {
	o := Order{ID: id, Kind: Withdraw, IssuedAt: at}
	for _, r := range requestIDs {
		o.Requests = append(o.Requests, IDOf(r))
	}
	return o
}

func TestWithdrawalIsReadBackAsItWasWritten(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	full := withdrawalOf("o-1", now)
	for i := range MaxOrderRequests {
		full.Requests = append(full.Requests, IDOf(fmt.Sprint("r-", i)))
	}
	for _, o := range []Order{full, {ID: "o-2", Kind: Withdraw, Campaign: "autumn", IssuedAt: now}} {
		value := o.Record().Encode()
		if len(value) > 26<<10 {
			t.Errorf("%d bytes", len(value))
		}
		r, err := Decode(value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, *r.Order); diff != "" {
			t.Errorf("order (-written +read):\n%s", diff)
		}
	}
}

func TestUnreadableIDsAreRefused(t *testing.T) {
	good := `{"step":"order","order":{"id":"o","kind":"withdraw","requests":["` + "AAAAAAAAAAAAAAAAAAAAAA" + `"],"issued_at":"2026-11-22T08:00:00Z"}}`
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "r-1", strings.Repeat("A", 21), strings.Repeat("A", 23), strings.Repeat("A", 21) + "B", strings.Repeat("A", 21) + "=", strings.Repeat("A", 21) + "/"} {
		bad := strings.Replace(good, strings.Repeat("A", 22), id, 1)
		if _, err := Decode([]byte(bad)); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Else each shard of a replica would keep them.
func TestIDsOfAWithdrawalAreHandedOverOnce(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := NewShard(time.Hour)
	o := withdrawalOf("o-1", now, "r-1", "r-2")
	put(t, s, o, now)
	put(t, s, withdrawalOf("o-2", now, "r-3"), now) // about others
	put(t, s, o, now.Add(time.Minute))
	for i, want := range []int{3, 0} {
		n := 0
		for _, known := range s.Orders() {
			n += len(known.Requests)
		}
		if n != want {
			t.Errorf("%d ids are handed over at time %d, want %d", n, i+1, want)
		}
	}
	if !s.Holds(o, now) || len(s.Orders()) != 2 {
		t.Error("it is not known any more that the order is in the log")
	}
	s.Forget(now.Add(2 * time.Hour))
	if len(s.Orders()) != 0 {
		t.Error("a withdrawal is remembered whose records have left the window")
	}
}

func TestNewestOrderOfEachSubjectIsKept(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := NewShard(time.Hour)
	put(t, s, orderAt("o-2", Resume, now.Add(2*time.Second)), now)
	put(t, s, orderAt("o-1", Pause, now.Add(time.Second)), now.Add(time.Minute))
	rate := orderAt("o-0", Rate, now)
	rate.Value = 20
	put(t, s, rate, now)
	campaign := orderAt("o-3", Pause, now)
	campaign.Vendor, campaign.Campaign = "", "argos"
	put(t, s, campaign, now)
	got := map[string]string{}
	for _, o := range s.Orders() {
		got[o.Subject()] = o.ID
	}
	want := map[string]string{
		"order/vendor/argos/pause": "o-2", "order/vendor/argos/rate": "o-0", "order/campaign/argos/pause": "o-3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

func TestShardHoldsAnOrderAsLongAsItsLastRecordIsYoungEnough(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := NewShard(time.Hour)
	o := orderAt("o-1", Pause, now)
	if s.Holds(o, time.Time{}) {
		t.Error("an order is held that was never written")
	}
	put(t, s, o, now)
	put(t, s, o, now.Add(30*time.Minute)) // by its owner
	if !s.Holds(o, now.Add(20*time.Minute)) || s.Holds(o, now.Add(40*time.Minute)) {
		t.Error("it is not the last record that counts")
	}
	if newer := orderAt("o-2", Resume, now.Add(time.Second)); s.Holds(newer, time.Time{}) {
		t.Error("a newer order is held that was never written")
	}
	if older := orderAt("o-0", Resume, now.Add(-time.Second)); !s.Holds(older, now.Add(40*time.Minute)) {
		t.Error("an outdated order is asked for")
	}
	s.Forget(now.Add(89 * time.Minute))
	if len(s.Orders()) != 1 {
		t.Error("an order is forgotten whose record is within the window")
	}
	s.Forget(now.Add(91 * time.Minute))
	if len(s.Orders()) != 0 {
		t.Error("an order is remembered whose records have left the window")
	}
}

func TestOrdersThatSayNothingAreUnreadable(t *testing.T) {
	good := orderAt("o-1", Pause, time.Unix(1e9, 0))
	for name, change := range map[string]func(*Order){
		"no id":                          func(o *Order) { o.ID = "" },
		"id":                             func(o *Order) { o.ID = "a b" },
		"no kind":                        func(o *Order) { o.Kind = "" },
		"kind":                           func(o *Order) { o.Kind = "drain" },
		"about nothing":                  func(o *Order) { o.Vendor = "" },
		"about two":                      func(o *Order) { o.Campaign = "c" },
		"slash":                          func(o *Order) { o.Vendor, o.Campaign = "", "a/b" },
		"long":                           func(o *Order) { o.Vendor, o.Campaign = "", strings.Repeat("c", 129) },
		"value":                          func(o *Order) { o.Value = 1 },
		"negative rate":                  func(o *Order) { o.Kind, o.Value = Rate, -1 },
		"huge rate":                      func(o *Order) { o.Kind, o.Value = Rate, 1e7 },
		"campaign rate":                  func(o *Order) { o.Kind, o.Vendor, o.Campaign = Rate, "", "c" },
		"vendor weight":                  func(o *Order) { o.Kind, o.Value = Weight, 2 },
		"no weight":                      func(o *Order) { o.Kind, o.Vendor, o.Campaign = Weight, "", "c" },
		"huge weight":                    func(o *Order) { o.Kind, o.Vendor, o.Campaign, o.Value = Weight, "", "c", 101 },
		"no time":                        func(o *Order) { o.IssuedAt = time.Time{} },
		"endless reason":                 func(o *Order) { o.Reason = strings.Repeat("x", 257) },
		"pause of requests":              func(o *Order) { o.Vendor, o.Requests = "", []ID{{1}} },
		"pause of a vendor and requests": func(o *Order) { o.Requests = []ID{{1}} },
		"withdrawn vendor":               func(o *Order) { o.Kind = Withdraw },
		"withdrawn vendor and requests":  func(o *Order) { o.Kind, o.Requests = Withdraw, []ID{{1}} },
		"withdrawn campaign and requests": func(o *Order) {
			o.Kind, o.Vendor, o.Campaign, o.Requests = Withdraw, "", "c", []ID{{1}}
		},
		"withdrawn nothing":     func(o *Order) { o.Kind, o.Vendor = Withdraw, "" },
		"withdrawal of a value": func(o *Order) { o.Kind, o.Vendor, o.Campaign, o.Value = Withdraw, "", "c", 1 },
		"too many withdrawn":    func(o *Order) { o.Kind, o.Vendor, o.Requests = Withdraw, "", make([]ID, MaxOrderRequests+1) },
	} {
		bad := good
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("%s: passes", name)
		}
		s := NewShard(time.Hour)
		if err := s.Apply([]byte(bad.Key()), bad.Record().Encode(), time.Unix(1e9, 0)); !errors.Is(err, ErrUnreadable) || len(s.Orders()) != 0 {
			t.Errorf("%s: applied, with %v", name, err)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

// No request id holds a slash, so neither can be taken for the other.
func TestOrdersAndRequestsNeverMeet(t *testing.T) {
	s := NewShard(time.Hour)
	o := orderAt("o-1", Pause, time.Unix(1e9, 0))
	for _, key := range []string{"r-1", "order/vendor/faceki", "order/campaign/argos"} {
		if err := s.Apply([]byte(key), o.Record().Encode(), o.IssuedAt); !errors.Is(err, ErrUnreadable) {
			t.Errorf("an order under the key %s: %v", key, err)
		}
	}
	due := o.IssuedAt
	parked := Record{Step: Parked, Due: &due, Why: "retry", Original: &Original{Value: "{}"}}
	if err := s.Apply([]byte(o.Key()), parked.Encode(), o.IssuedAt); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a request under the key of an order: %v", err)
	}
	if open, _ := s.Len(); open != 0 || len(s.Orders()) != 0 {
		t.Errorf("%d requests and %d orders came of it", open, len(s.Orders()))
	}
}
