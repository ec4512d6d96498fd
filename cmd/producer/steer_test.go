package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

// newSteered is a bench with the topics that orders are written to.
func newSteered(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, cluster: streamtest.Start(t,
		streamtest.Topics(shards, event.TopicLedger, event.TopicSignals))}
	b.client = b.cluster.Client(t)
	b.writer = b.client.NewWriter(stream.WriterConfig{})
	t.Cleanup(func() {
		if err := b.writer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// order gives an order and returns it as it was given.
func (b *bench) order(args ...string) ledger.Order {
	b.t.Helper()
	r := b.run(append(args, "--output", "json")...)
	r.want(b.t, 0)
	var o ledger.Order
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		b.t.Fatal(err)
	}
	return o
}

// inForce returns what orders lists.
func (b *bench) inForce(args ...string) []ledger.Order {
	b.t.Helper()
	r := b.run(append([]string{"orders", "--output", "json"}, args...)...)
	r.want(b.t, 0)
	var list struct{ Orders []ledger.Order }
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		b.t.Fatal(err)
	}
	return list.Orders
}

func TestOrderIsWrittenToEveryLedgerAndThenAsASignal(t *testing.T) {
	b := newSteered(t)
	o := b.order("pause", "--vendor", "argos", "--by", "night shift", "--reason", "maintenance")
	if o.Kind != ledger.Pause || o.Vendor != event.Argos || o.By != "night shift" || o.Reason != "maintenance" || time.Since(o.IssuedAt) > time.Minute {
		t.Errorf("order %+v", o)
	}
	written := map[int]bool{}
	for _, rec := range b.records(event.TopicLedger) {
		written[rec.Partition] = true
		r, err := ledger.Decode(rec.Value)
		if err != nil || string(rec.Key) != "order/vendor/argos" {
			t.Fatalf("record under key %s: %v", rec.Key, err)
		}
		if diff := cmp.Diff(o, *r.Order); diff != "" {
			t.Errorf("order in the ledger (-given +written):\n%s", diff)
		}
		if err := ledger.NewShard(time.Hour).Apply(rec.Key, rec.Value, rec.Time); err != nil {
			t.Error(err)
		}
	}
	if len(written) != shards {
		t.Errorf("written to the shards %v of %d", written, shards)
	}
	signals := b.records(event.TopicSignals)
	if len(signals) != 1 || signals[0].Partition != 0 {
		t.Fatalf("%d signals", len(signals))
	}
	var s orderSignal
	if err := json.Unmarshal(signals[0].Value, &s); err != nil || s.Kind != "order" {
		t.Errorf("signal %s: %v", signals[0].Value, err)
	}
	if diff := cmp.Diff(o, s.Order); diff != "" {
		t.Errorf("order in the signal (-given +written):\n%s", diff)
	}
}

// The consumers' package reads the same files.
func TestSignalOfAnOrderHasItsWireForm(t *testing.T) {
	issued := time.Date(2026, 11, 22, 8, 0, 0, 25e6, time.UTC)
	wantSignalForm(t, "signal.order.json", ledger.Order{
		ID: "0f8fad5b-d9cb-469f-a165-70867728950e", Kind: ledger.Rate, Vendor: event.Argos, Value: 20,
		IssuedAt: issued, By: "night shift", Reason: "the vendor asked for it",
	})
	wantSignalForm(t, "signal.withdraw.json", ledger.Order{
		ID: "7c9e6679-7425-40de-944b-e07fc1f90ae7", Kind: ledger.Withdraw,
		Requests: []ledger.ID{ledger.IDOf("r-1042"), ledger.IDOf("r-1043")},
		IssuedAt: issued, By: "day shift", Reason: "left the platform",
	})
}

// wantSignalForm compares an order's signal with a golden file.
func wantSignalForm(t *testing.T, file string, order ledger.Order) {
	t.Helper()
	value, err := json.Marshal(orderSignal{orderSignalKind, signalSender, order})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "testdata", "wire", file)
	if *update {
		if err := os.WriteFile(path, append(value, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), string(value)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// issuedAt finds the times in a list of orders.
var issuedAt = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

func TestOrdersListsWhatIsInForce(t *testing.T) {
	b := newSteered(t)
	// What has left the window means nothing to a consumer, either.
	old := ledger.Order{ID: "old", Kind: ledger.Pause, Campaign: "d", IssuedAt: time.Now().Add(-30 * time.Hour)}
	b.write(event.Record{Topic: event.TopicLedger, Key: []byte(old.Key()), Value: old.Record().Encode(), Time: old.IssuedAt})
	if got := b.inForce(); len(got) != 0 {
		t.Fatalf("orders %+v before there was any", got)
	}
	b.order("pause", "--campaign", "autumn", "--reason", "wrong manifest")
	b.order("weight", "--campaign", "autumn", "3")
	b.order("pause", "--vendor", "argos")
	b.order("rate", "--vendor", "argos", "300/min", "--by", "zoe")
	b.order("rate", "--vendor", "faceki", "20/s")
	b.write(event.Record{Topic: event.TopicLedger, Key: []byte("order/vendor/argos"), Value: []byte(`{"step":"order","order":{"kind":"drain"}}`)})
	r := b.run("orders")
	r.want(t, 0, "1 record passed over")
	golden(t, "orders.txt", issuedAt.ReplaceAllString(r.out, "2026-11-22T08:00:00Z"))

	b.order("resume", "--campaign", "autumn")
	b.order("weight", "--campaign", "autumn", "1")
	b.order("resume", "--vendor", "argos")
	b.order("rate", "--vendor", "faceki", "full")
	for _, args := range [][]string{nil, {"--all-partitions"}} {
		if got := b.inForce(args...); len(got) != 1 || got[0].Kind != ledger.Rate || got[0].Value != 5 {
			t.Errorf("%v: orders %+v, want the rate of argos only", args, got)
		}
	}
	// What only one shard has heard of yet.
	o := ledger.Order{ID: "late", Kind: ledger.Pause, Campaign: "c", IssuedAt: time.Now()}
	b.write(event.Record{Topic: event.TopicLedger, Partition: shards - 1, Key: []byte(o.Key()), Value: o.Record().Encode()})
	if one, all := len(b.inForce()), len(b.inForce("--all-partitions")); one != 1 || all != 2 {
		t.Errorf("%d orders in one partition, %d in all", one, all)
	}
}

func TestLaterOrderHoldsThoughAnEarlierOneCameFromAClockAhead(t *testing.T) {
	b := newSteered(t)
	ahead := ledger.Order{ID: "ahead", Kind: ledger.Pause, Vendor: event.Argos, IssuedAt: time.Now().Add(20 * time.Minute).UTC().Truncate(time.Millisecond)}
	signal, err := json.Marshal(orderSignal{orderSignalKind, signalSender, ahead})
	if err != nil {
		t.Fatal(err)
	}
	b.write(event.Record{Topic: event.TopicLedger, Key: []byte(ahead.Key()), Value: ahead.Record().Encode()},
		event.Record{Topic: event.TopicSignals, Value: signal, Time: ahead.IssuedAt},
		event.Record{Topic: event.TopicSignals, Value: []byte(`{"kind":"news","from":"x"}`)})
	r := b.run("resume", "--vendor", "argos")
	r.want(t, 0, "by a clock ahead of this one")
	if got := b.inForce(); len(got) != 0 {
		t.Errorf("orders %+v: the pause still holds", got)
	}
	// Another vendor's order is not about the same.
	if o := b.order("resume", "--vendor", "faceki"); o.IssuedAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("issued at %s", o.IssuedAt)
	}
}

func TestWrongOrdersAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	environ := []string{"REAUTH_KAFKA__BROKERS=127.0.0.1:1"}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"pause"}, []string{"vendor", "campaign"}},
		{[]string{"pause", "--vendor", "argos", "--campaign", "c"}, []string{"vendor", "campaign"}},
		{[]string{"pause", "--vendor", ""}, []string{"either a vendor or a campaign"}},
		{[]string{"pause", "--vendor", "acme", "--output", "html"}, []string{`--vendor "acme"`, `--output "html"`}},
		{[]string{"resume", "--campaign", "a/b"}, []string{`campaign "a/b"`}},
		{[]string{"rate", "20/s"}, []string{"vendor"}},
		{[]string{"rate", "--vendor", "argos", "fast"}, []string{`rate "fast"`, "20/s"}},
		{[]string{"rate", "--vendor", "argos", "1000000000/s"}, []string{"calls per second"}},
		{[]string{"rate", "--campaign", "c", "20/s"}, []string{"campaign"}},
		{[]string{"weight", "3"}, []string{"campaign"}},
		{[]string{"weight", "--campaign", "c", "NaN"}, []string{`weight "NaN"`, "0.01 to 100"}},
		{[]string{"weight", "--campaign", "c", "0"}, []string{`weight "0"`}},
		{[]string{"pause", "--campaign", "c", "--reason", strings.Repeat("x", 257)}, []string{"256 bytes"}},
		{[]string{"orders", "--output", "html"}, []string{`--output "html"`}},
	} {
		runWith(context.Background(), newConsole(), "", environ, c.args...).want(t, exitFailed, c.want...)
	}
}
