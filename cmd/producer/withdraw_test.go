package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream/streamtest"
)

// manyIDs returns a file of so many request ids.
func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "r-%d\n", i)
	}
	return b.String()
}

// given returns the orders in the ledger of each shard, by id, and those in signals.
func (b *bench) given() (ledgers [shards]map[string]ledger.Order, signals map[string]ledger.Order) {
	b.t.Helper()
	for _, rec := range b.records(event.TopicLedger) {
		r, err := ledger.Decode(rec.Value)
		if err != nil || string(rec.Key) != r.Order.Key() {
			b.t.Fatalf("record under the key %s: %v", rec.Key, err)
		}
		if ledgers[rec.Partition] == nil {
			ledgers[rec.Partition] = map[string]ledger.Order{}
		}
		ledgers[rec.Partition][r.Order.ID] = *r.Order
	}
	signals = map[string]ledger.Order{}
	for _, rec := range b.records(event.TopicSignals) {
		var s orderSignal
		// The consumers read signals of up to 32 KiB.
		if err := json.Unmarshal(rec.Value, &s); err != nil || len(rec.Value) > 32<<10 {
			b.t.Fatalf("signal of %d bytes: %v", len(rec.Value), err)
		}
		signals[s.Order.ID] = s.Order
	}
	return ledgers, signals
}

func TestWithdrawalIsWrittenToEveryLedgerAndThenAsSignals(t *testing.T) {
	b := newSteered(t)
	file := filepath.Join(t.TempDir(), "left.txt")
	if err := os.WriteFile(file, []byte(manyIDs(2500)+"\r\n  r-7  \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := b.run("withdraw", "--request", "r-3", "--request", "extra", "--from", file, "--campaign", "autumn",
		"--by", strings.Repeat("\"", 256), "--reason", strings.Repeat("<", 256))
	r.want(t, 0)
	for _, want := range []string{"withdraw", "campaign autumn, 2501 requests", "kept by", fmt.Sprintf("%d shards, as 4 orders", shards)} {
		if !strings.Contains(r.out, want) {
			t.Errorf("output lacks %q:\n%s", want, r.out)
		}
	}
	ledgers, signals := b.given()
	for shard, orders := range ledgers {
		ids, campaigns := map[ledger.ID]bool{}, 0
		for id, o := range orders {
			if o.Kind != ledger.Withdraw || time.Since(o.IssuedAt) > time.Minute {
				t.Errorf("order %+v", o)
			}
			if _, told := signals[id]; !told {
				t.Errorf("order %s has no signal", id)
			}
			if o.Campaign == "autumn" {
				campaigns++
			}
			for _, request := range o.Requests {
				ids[request] = true
			}
		}
		if len(orders) != 4 || campaigns != 1 || len(ids) != 2501 || !ids[ledger.IDOf("r-2499")] || !ids[ledger.IDOf("extra")] {
			t.Errorf("shard %d has %d orders of %d campaigns and %d requests", shard, len(orders), campaigns, len(ids))
		}
	}
	if len(signals) != 4 {
		t.Errorf("%d signals", len(signals))
	}
	list := b.run("orders")
	list.want(t, 0)
	for _, want := range []string{"campaign autumn", "1000 requests", "501 requests", "withdraw"} {
		if !strings.Contains(list.out, want) {
			t.Errorf("orders lack %q:\n%s", want, list.out)
		}
	}
}

func TestWithdrawReadsStandardInput(t *testing.T) {
	b := newSteered(t)
	r := b.runIn(context.Background(), newConsole(), "r-1\n\nr-2\n", "withdraw", "--from", "-", "--output", "json")
	r.want(t, 0)
	var said withdrawn
	if err := json.Unmarshal([]byte(r.out), &said); err != nil || said.Requests != 2 || said.Orders != 1 || said.Shards != shards || said.Campaign != "" {
		t.Errorf("%s: %v", r.out, err)
	}
	ledgers, _ := b.given()
	for _, o := range ledgers[0] {
		if len(o.Requests) != 2 || o.Requests[0] != ledger.IDOf("r-1") {
			t.Errorf("order %+v", o)
		}
	}
}

// Consumers act on a withdrawal for the week in which requests are kept, and write it
// again meanwhile: its records are younger than it is.
func TestWithdrawalIsListedForAsLongAsRequestsAreKept(t *testing.T) {
	b := newSteered(t)
	write := func(id string, age time.Duration, o ledger.Order) {
		o.ID, o.Kind, o.IssuedAt = id, ledger.Withdraw, time.Now().Add(-age)
		b.write(event.Record{Topic: event.TopicLedger, Key: []byte(o.Key()), Value: o.Record().Encode()})
	}
	requests := []ledger.ID{ledger.IDOf("r-1")}
	write("a-day", 25*time.Hour, ledger.Order{Requests: requests})
	write("a-day-campaign", 25*time.Hour, ledger.Order{Campaign: "autumn"})
	write("a-week", 8*24*time.Hour, ledger.Order{Requests: requests})
	write("a-week-campaign", 8*24*time.Hour, ledger.Order{Campaign: "summer"})
	var got []string
	for _, o := range b.inForce() {
		got = append(got, o.ID)
	}
	if diff := cmp.Diff([]string{"a-day-campaign", "a-day"}, got); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

func TestWrongWithdrawalsAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	environ := []string{"REAUTH_KAFKA__BROKERS=127.0.0.1:1"}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{}, []string{"request", "from", "campaign"}},
		{[]string{"--request", ""}, []string{`request ""`, "1 to 128"}},
		{[]string{"--request", "a/b", "--campaign", "c d", "--output", "html"}, []string{`request "a/b"`, `campaign "c d"`, `--output "html"`}},
		{[]string{"--campaign", ""}, []string{`campaign ""`}},
		{[]string{"--from", filepath.Join(dir, "none.txt")}, []string{"none.txt", "no such file", "one request id a line"}},
		{[]string{"--from", dir}, []string{dir, "is a directory"}},
		{[]string{"--from", write("empty.txt", "\n \n")}, []string{"empty.txt holds no request id", "one a line"}},
		{[]string{"--from", write("faulty.txt", "r-1\nr 2\n"+strings.Repeat("x", 300)+"\n")}, []string{"faulty.txt:2:", `"r 2"`, "faulty.txt:3:"}},
		{[]string{"--from", write("table.csv", strings.Repeat("request_id,submission_id\n", 50))}, []string{"table.csv:10:", "50 faulty lines in all", "one request id a line"}},
		{[]string{"--from", write("long.txt", "r-1\n"+strings.Repeat("x", 1<<17))}, []string{"long.txt after line 1", "too long"}},
		{[]string{"--from", write("many.txt", manyIDs(100_001))}, []string{"100000 at most", "--campaign"}},
		{[]string{"--request", "r-1", "--reason", strings.Repeat("x", 257)}, []string{"256 bytes"}},
		{[]string{"r-1"}, []string{"r-1"}},
	} {
		r := runWith(context.Background(), newConsole(), "", environ, append([]string{"withdraw"}, c.args...)...)
		r.want(t, exitFailed, c.want...)
		if strings.Contains(r.err, "127.0.0.1") {
			t.Errorf("%v: the brokers were asked: %s", c.args, r.err)
		}
	}
}

func TestWithdrawalThatCannotBeToldSaysWhatToDo(t *testing.T) {
	b := newSteered(t)
	b.cluster = streamtest.Start(t, streamtest.Topics(shards, event.TopicLedger))
	r := b.run("withdraw", "--request", "r-1")
	r.want(t, exitFailed, event.TopicSignals)
	if n := len(b.records(event.TopicLedger)); n != 0 {
		t.Errorf("%d records were written", n)
	}
}
