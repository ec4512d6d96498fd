package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
)

// audit asks the questions of the package comment. Everything that was published
// must have had time to end.
func (w *world) audit() {
	w.t.Helper()
	w.awaitCommitted(30 * time.Second)
	w.samples.stop()
	all := []string{w.topics.Requests, w.topics.Results, w.topics.Ledger, w.topics.Dead}
	if err := w.catchUp(w.ctx, all...); err != nil {
		w.t.Fatalf("reading what is in the topics: %v", err)
	}
	w.auditResults()
	w.auditCharges()
	w.auditDeadLetters()
	w.auditCommits()
}

// few reports faults, the first of many.
type few struct {
	t    *testing.T
	seen int
}

func (f *few) errorf(format string, args ...any) {
	f.t.Helper()
	const most = 10
	if f.seen++; f.seen <= most {
		f.t.Errorf(format, args...)
	} else if f.seen == most+1 {
		f.t.Error("… and more of the kind")
	}
}

// auditResults: one event for each request, and the right one.
func (w *world) auditResults() {
	w.t.Helper()
	faults := &few{t: w.t}
	results := w.resultsByID()
	for id, a := range w.campaign.asked {
		found := results[id]
		delete(results, id)
		if len(found) != 1 {
			faults.errorf("%s has %d result events, the same to the byte: %t", id, len(found), same(found))
			continue
		}
		if a.expect.Outcome == "" {
			faults.errorf("%s was not to end, and did", id)
			continue
		}
		var r event.Result
		if err := json.Unmarshal(found[0].Value, &r); err != nil {
			faults.errorf("result of %s: %v", id, err)
			continue
		}
		if r.Outcome != a.expect.Outcome || !slices.Equal(r.Reasons, a.expect.Reasons) {
			faults.errorf("%s ended as %s %v, want %s %v", id, r.Outcome, r.Reasons, a.expect.Outcome, a.expect.Reasons)
		}
		if r.SubmissionID != a.SubmissionID || r.ApplicantID != a.ApplicantID || r.UserID != a.UserID || r.CampaignID != a.CampaignID || r.Revision != 1 || !r.Final {
			faults.errorf("result of %s is about another request, or not the only one: %s", id, found[0].Value)
		}
		if want := event.ResultID(id, 1); header(found[0], "ce_id") != want {
			faults.errorf("result of %s has ce_id %q, want %q", id, header(found[0], "ce_id"), want)
		}
	}
	for id, found := range results {
		if w.campaign.foreign[id] {
			continue
		}
		faults.errorf("%d result events of %q, which nobody asked for", len(found), id)
	}
}

// same tells whether records are the same event, to the byte.
func same(records []*kgo.Record) bool {
	for _, r := range records[1:] {
		if string(r.Value) != string(records[0].Value) || header(r, "ce_id") != header(records[0], "ce_id") {
			return false
		}
	}
	return true
}

// auditCharges: what was to be charged was, once.
func (w *world) auditCharges() {
	w.t.Helper()
	charges := map[string]int{}
	for _, a := range w.Argos.Charged("") {
		charges[a.SubmissionID]++
	}
	if w.Checkout != nil {
		for _, c := range w.Checkout.Charged("") {
			charges[c.ApplicantID]++
		}
	}
	faults := &few{t: w.t}
	for id, a := range w.campaign.asked {
		if a.Vendor == event.Faceki {
			continue // it cannot be asked what it did, so that a kill may cost a second call
		}
		subject := a.SubmissionID + a.ApplicantID
		if n := charges[subject]; n != a.expect.Charges {
			faults.errorf("%s was charged %d times, want %d", id, n, a.expect.Charges)
		}
		delete(charges, subject)
	}
	for subject, n := range charges {
		faults.errorf("%s was charged %d times, and nobody asked for it", subject, n)
	}
}

// auditDeadLetters: what belongs there is there once, untouched, and nothing else.
func (w *world) auditDeadLetters() {
	w.t.Helper()
	want, have := map[string]int{}, map[string]int{}
	for _, what := range w.campaign.dead {
		want[what]++
	}
	for id, a := range w.campaign.asked {
		if a.expect.Outcome == event.Failed {
			want[id]++
		}
	}
	originals := map[position]*kgo.Record{}
	for _, r := range w.of(w.topics.Requests) {
		originals[positionOf(r)] = r
	}
	faults := &few{t: w.t}
	for _, r := range w.of(w.topics.Dead) {
		at, err := originOf(r)
		if err != nil {
			faults.errorf("dead letter: %v", err)
			continue
		}
		what := w.campaign.dead[at]
		if what == "" {
			what = w.campaign.positions[at]
		}
		have[what]++
		if original := originals[at]; original == nil || string(original.Value) != string(r.Value) || string(original.Key) != string(r.Key) {
			faults.errorf("dead letter of %q is not its original", what)
		}
		if want[what] == 0 {
			faults.errorf("dead letter of %q: %s", what, header(r, "__dlq.errors.message"))
		}
	}
	if diff := cmp.Diff(want, have); diff != "" && faults.seen == 0 {
		w.t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// auditCommits: as often as it was looked, nothing was committed that was not
// done: by a result, a dead letter, or a parked record in the ledger.
func (w *world) auditCommits() {
	w.t.Helper()
	// When a request was done first, by its partition: the offsets of the
	// records that say so.
	type mark struct {
		topic  string
		offset int64
	}
	done := map[string][]mark{}
	for _, r := range w.of(w.topics.Results) {
		done[string(r.Key)] = append(done[string(r.Key)], mark{r.Topic, r.Offset})
	}
	for _, r := range w.of(w.topics.Ledger) {
		var step struct {
			Step string `json:"step"`
		}
		if json.Unmarshal(r.Value, &step) == nil && step.Step == "parked" {
			done[string(r.Key)] = append(done[string(r.Key)], mark{r.Topic, r.Offset})
		}
	}
	buried := map[position]mark{}
	for _, r := range w.of(w.topics.Dead) {
		if at, err := originOf(r); err == nil {
			buried[at] = mark{r.Topic, r.Offset}
		}
	}
	faults := &few{t: w.t}
	for _, s := range w.samples.taken() {
		there := func(m mark, partition int) bool { return m.offset < s.ends[m.topic][partition] }
		for at, id := range w.campaign.positions {
			if at.offset >= s.committed[at.topic][at.partition] {
				continue
			}
			if !slices.ContainsFunc(done[id], func(m mark) bool { return there(m, at.partition) }) {
				faults.errorf("%s at partition %d offset %d was committed by %s and not done", id, at.partition, at.offset, s.at.Format(time.TimeOnly))
			}
		}
		for at, what := range w.campaign.dead {
			if m, ok := buried[at]; at.offset < s.committed[at.topic][at.partition] && (!ok || !there(m, at.partition)) {
				faults.errorf("%q at partition %d offset %d was committed and not dead-lettered", what, at.partition, at.offset)
			}
		}
	}
}

// awaitCommitted waits until the group has committed all that was published.
func (w *world) awaitCommitted(within time.Duration) {
	w.t.Helper()
	var last, ends offsets
	var err error
	all := func() bool {
		if last, err = w.committed(w.ctx, w.group); err != nil {
			return false
		}
		// Asked for each time: the marker of a transaction comes late.
		if ends, err = w.ends(w.ctx, w.topics.Requests); err != nil {
			return false
		}
		for partition, end := range ends[w.topics.Requests] {
			if end > 0 && last[w.topics.Requests][partition] != end {
				return false
			}
		}
		return true
	}
	defer func() {
		if w.t.Failed() {
			w.t.Logf("committed %v (%v)\nof        %v", last[w.topics.Requests], err, ends[w.topics.Requests])
		}
	}()
	w.eventually(within, "everything committed", all)
}

// samples are taken all through a scenario.
type samples struct {
	end   context.CancelFunc
	ended chan struct{}

	mu  sync.Mutex // guards all
	all []sample
}

// sampleEvery is how often the group's commits are looked at.
const sampleEvery = 300 * time.Millisecond

func (w *world) sampleOften() *samples {
	ctx, cancel := context.WithCancel(w.ctx)
	s := &samples{end: cancel, ended: make(chan struct{})}
	w.t.Cleanup(s.stop)
	go func() {
		defer close(s.ended)
		ticker := time.NewTicker(sampleEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			// Kafka may be out of reach: that is what the scenario is about.
			if one, err := w.sample(ctx, w.group, w.topics.Results, w.topics.Ledger, w.topics.Dead); err == nil {
				s.mu.Lock()
				s.all = append(s.all, one)
				s.mu.Unlock()
			}
		}
	}()
	return s
}

func (s *samples) stop() {
	s.end()
	<-s.ended
}

func (s *samples) taken() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}
