package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/ledger"
	"reauth/internal/sandbox"
)

// window is the least that ledger.window may be.
const window = time.Minute

// parked returns of how many requests of a campaign the ledger says that they are
// parked.
func (w *world) parked(campaign string) int {
	ids := map[string]bool{}
	for _, rec := range w.of(w.topics.Ledger) {
		var step struct {
			Step ledger.Step `json:"step"`
		}
		id := string(rec.Key)
		if json.Unmarshal(rec.Value, &step) == nil && step.Step == ledger.Parked && w.campaign.asked[id].CampaignID == campaign {
			ids[id] = true
		}
	}
	return len(ids)
}

// uncommitted returns how many requests with a result will be read again by whoever
// takes the shards over.
func (w *world) uncommitted() (n int) {
	w.t.Helper()
	committed, err := w.committed(w.ctx, w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	results := w.resultsByID()
	for at, id := range w.campaign.positions {
		if at.offset >= committed[at.topic][at.partition] && len(results[id]) > 0 {
			n++
		}
	}
	return n
}

// forgetSignals deletes all signals, as after a standstill for longer than they hold.
func (w *world) forgetSignals() {
	w.t.Helper()
	end := kmsg.NewDeleteRecordsRequestTopicPartition()
	end.Offset = -1
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = w.topics.Signals, append(topic.Partitions, end)
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.Topics, r.TimeoutMillis = append(r.Topics, topic), 5000
	answer, err := r.RequestWith(w.ctx, w.client)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		w.t.Fatalf("deleting the signals: %v", err)
	}
}

// Nobody runs for longer than the ledger remembers. What had ended and was not
// committed, what was at the vendor, and what lives in the ledger only, parked
// requests and orders, are as they were.
func TestStandstillLongerThanTheWindowForgetsNothing(t *testing.T) {
	if !realKafka {
		t.Skip("mostly waits, and the pipeline's tests do so on a fake clock: REAUTH_E2E_BROKERS")
	}
	concurrently(t)
	w := newWorld(t, setting{
		sandbox: func(o *sandbox.Options) {
			vendor(0, 40)(o)
			if err := o.Argos.Latency.Set("100ms-1500ms"); err != nil {
				t.Fatal(err)
			}
		},
		environ: []string{"REAUTH_LEDGER__WINDOW=" + window.String()},
	})
	held := inCampaign("winter", 5000, sized(300, 60), "approve")
	others := mixed(sized(800, 500))
	takenBack := inCampaign("late", 6000, 20, "approve")

	first := w.startWorking(1)[0]
	w.producer("pause", "--campaign", "winter")
	w.withdraw(takenBack)
	w.ask(held...)
	w.eventually(30*time.Second, "all of the paused campaign parked", func() bool { return w.parked("winter") == len(held) })
	w.awaitCommitted(30 * time.Second)
	w.ask(others...)
	w.eventuallyCounts(time.Minute, len(others)/4)
	w.eventually(30*time.Second, "results that are not committed, and calls under way", func() bool {
		return w.uncommitted() > 2 && w.Argos.Stats().InFlight > 2
	})
	first.kill()
	stopped := time.Now()
	t.Logf("killed with %d calls at the vendor, %d of %d results out, %d of them not committed, and %d requests held",
		w.Argos.Stats().InFlight, w.results(), len(others), w.uncommitted(), len(held))
	w.pass(window + 15*time.Second)
	w.forgetSignals()

	second := w.startWorking(1)[0]
	t.Logf("nobody worked for %s", time.Since(stopped).Round(time.Second))
	w.ask(takenBack...)
	w.expectWithdrawn(takenBack)
	ended := len(others) + len(takenBack)
	w.eventuallyCounts(time.Minute, ended)
	if n := len(second.log.said("nobody wrote to the ledger for a while: it is read from before that")); n == 0 {
		t.Error("no shard's ledger was read from before the standstill")
	}
	if n := w.results(); n != ended {
		t.Errorf("%d results of %d requests that nothing holds back", n, ended)
	}
	w.producer("resume", "--campaign", "winter")
	w.awaitResults(time.Minute)
	w.audit()
	stats := w.Argos.Stats()
	t.Logf("%d calls, %d charged, %d lists", stats.Calls, stats.Charged, stats.Lists)
	if stats.Lists == 0 {
		t.Error("no call's outcome was unknown: the kill came at a harmless moment")
	}
	second.stop()
}
