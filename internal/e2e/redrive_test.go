package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
)

// finalResults returns the results of a request in the order of their revisions.
func (w *world) finalResults(id string) (all []event.Result) {
	w.t.Helper()
	for _, rec := range w.of(w.topics.Results) {
		if string(rec.Key) != id {
			continue
		}
		var r event.Result
		if err := json.Unmarshal(rec.Value, &r); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b event.Result) int { return a.Revision - b.Revision })
	return all
}

// outcomes returns the outcomes of all requests, in the order of their revisions.
func (w *world) outcomes() map[string]string {
	w.t.Helper()
	if err := w.catchUp(w.ctx, w.topics.Results); err != nil {
		w.t.Fatal(err)
	}
	found := map[string]string{}
	for id := range w.campaign.asked {
		var words []string
		for i, r := range w.finalResults(id) {
			if r.Revision != i+1 {
				w.t.Errorf("result %d of %s has the revision %d", i+1, id, r.Revision)
			}
			words = append(words, string(r.Outcome))
		}
		found[id] = strings.Join(words, " ")
	}
	return found
}

// sentBack returns the records of requests that were sent back.
func (w *world) sentBack() (records []*kgo.Record) {
	w.t.Helper()
	if err := w.catchUp(w.ctx, w.topics.Requests); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range w.of(w.topics.Requests) {
		if header(r, event.HeaderRedrive) != "" {
			records = append(records, r)
		}
	}
	return records
}

func TestRedriveGivesWhatFailedANewResultAndNobodyElse(t *testing.T) {
	concurrently(t)
	w := deadWorld(t)
	w.startWorking(1)
	w.ask(approved(20)...)
	w.askFailing(event.AttemptsExhausted, inCampaign("autumn", 100, 6, failsTwice)...)
	w.askFailing(event.AttemptsExhausted, inCampaign("winter", 110, 2, failsTwice)...)
	w.askFailing(event.RequestRefused, inCampaign("autumn", 200, 1, isRefused)...)
	w.askInvalid(notEnabled("autumn", 300, 1)...)
	w.publishInvalid("not JSON", "key-canary", "user-canary")
	w.awaitDead(11)
	before := w.outcomes()

	// It must be said what to send back, and that it is meant.
	for _, args := range []string{"--yes", "--campaign autumn"} {
		if r := w.tryProducer(append([]string{"dead", "redrive"}, strings.Fields(args)...)...); r.code == 0 {
			t.Errorf("dead redrive %s: exit code 0: %s", args, r.out)
		}
	}
	choice := []string{"--campaign", "autumn", "--reason", "attempts_exhausted"}
	if r := w.redrive(append(choice, "--dry-run")...); !r.DryRun || r.Chosen != 6 || r.Planned != 6 || r.Sent != 0 {
		t.Errorf("dry run: %+v", r)
	}
	if n := len(w.sentBack()); n != 0 {
		t.Fatalf("%d records were sent back by what was refused and dry", n)
	}

	const perSecond = 4
	r := w.redrive(append(choice, "--rate", fmt.Sprint(perSecond, "/s"), "--yes")...)
	if r.Chosen != 6 || r.Sent != 6 || len(r.Hindered) != 0 {
		t.Errorf("redrive: %+v", r)
	}
	back := w.sentBack()
	w.wantPaced(back, perSecond)
	w.wantUntouched(back)

	after := maps.Clone(before)
	for i := range 6 {
		after[fmt.Sprintf("r-%05d", 100+i)] = "failed approved"
	}
	w.eventually(30*time.Second, "a new result for each that was sent back", func() bool { return w.results() >= len(before)+6 })
	w.awaitCommitted(30 * time.Second)
	if diff := cmp.Diff(after, w.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}

	// The same command again leaves out what was sent.
	if r := w.redrive(append(choice, "--yes")...); r.Sent != 0 || r.Hindered["sent_back"] != 6 {
		t.Errorf("redrive once more: %+v", r)
	}
	// What was refused as no request is left out but when it is asked for.
	if r := w.redrive("--all", "--dry-run"); r.Planned != 3 || r.Hindered["no_request"] != 2 || r.Hindered["sent_back"] != 6 {
		t.Errorf("redrive of all: %+v", r)
	}
	if n := len(w.sentBack()); n != 6 {
		t.Errorf("%d records were sent back, want 6", n)
	}
	w.wantChargedOnce(26)
	w.wantHistory("r-00100", "requested claimed parked claimed answered dead_letter result redriven claimed answered result")
	w.wantHistory("r-00110", "requested claimed parked claimed answered dead_letter result")
	w.wantHistory("r-00300", "requested dead_letter")
	w.wantHistory("r-00000", "requested claimed answered result")
	if r := w.tryProducer("show", "r-99999"); r.code == 0 || !strings.Contains(r.err, "nothing found") {
		t.Errorf("show of nobody: exit code %d: %s", r.code, r.err)
	}
}

// wantPaced tells whether records were written no faster than they should, by
// their times.
func (w *world) wantPaced(records []*kgo.Record, perSecond int) {
	w.t.Helper()
	first, last := records[0].Timestamp, records[0].Timestamp
	for _, r := range records {
		if r.Timestamp.Before(first) {
			first = r.Timestamp
		}
		if r.Timestamp.After(last) {
			last = r.Timestamp
		}
	}
	least := time.Duration(len(records)-1) * time.Second / time.Duration(perSecond)
	if took := last.Sub(first); took < least*9/10 {
		w.t.Errorf("%d records were sent back in %s, want %s at least", len(records), took, least)
	}
}

// wantUntouched tells whether records are those that they were first, in the same
// partition, and say so.
func (w *world) wantUntouched(records []*kgo.Record) {
	w.t.Helper()
	first := map[string]*kgo.Record{}
	for _, r := range w.of(w.topics.Requests) {
		if header(r, event.HeaderRedrive) == "" {
			first[string(r.Key)] = r
		}
	}
	for _, r := range records {
		original := first[string(r.Key)]
		if original == nil || string(original.Value) != string(r.Value) || original.Partition != r.Partition {
			w.t.Errorf("what was sent back as %s is not its original", r.Key)
			continue
		}
		if at, err := originOf(r); err != nil || at != positionOf(original) {
			w.t.Errorf("%s says that it was first read at %v (%v), want %v", r.Key, at, err, positionOf(original))
		}
	}
}

// wantChargedOnce tells whether so many subjects were charged, once each.
func (w *world) wantChargedOnce(subjects int) {
	w.t.Helper()
	charges := map[string]int{}
	for _, a := range w.Argos.Charged("") {
		charges[a.SubmissionID]++
	}
	for subject, n := range charges {
		if n != 1 {
			w.t.Errorf("%s was charged %d times", subject, n)
		}
	}
	if len(charges) != subjects {
		w.t.Errorf("%d subjects were charged, want %d", len(charges), subjects)
	}
}

// wantHistory compares the kinds of a request's moments, in the order of time.
func (w *world) wantHistory(id, kinds string) {
	w.t.Helper()
	var got []string
	var last time.Time
	for _, m := range w.show(id) {
		if m.Time.Before(last) {
			w.t.Errorf("history of %s: %s at %s follows on %s", id, m.Kind, m.Time, last)
		}
		last, got = m.Time, append(got, m.Kind)
	}
	if want := strings.Fields(kinds); !slices.Equal(got, want) {
		w.t.Errorf("history of %s:\n%v, want\n%v", id, got, want)
	}
}

func TestRedriveStopsAtItsBound(t *testing.T) {
	concurrently(t)
	w := deadWorld(t)
	w.startWorking(1)
	w.ask(approved(5)...)
	w.askFailing(event.RequestRefused, inCampaign("autumn", 200, 2, isRefused)...)
	w.askInvalid(notEnabled("autumn", 300, 1)...)
	w.awaitDead(3)
	const bound = 2
	args := []string{"--campaign", "autumn", "--include-invalid", "--max-redrives", fmt.Sprint(bound), "--yes"}
	for n := range bound {
		if r := w.redrive(args...); r.Sent != 3 {
			t.Fatalf("redrive no. %d: %+v", n+1, r)
		}
		w.awaitDead(3 * (n + 2)) // a dead letter for each time
	}
	for range 2 {
		if r := w.redrive(args...); r.Sent != 0 || r.Hindered["at_bound"] != 3 || r.Hindered["sent_back"] != 3*bound {
			t.Errorf("redrive past the bound: %+v", r)
		}
	}
	if n := len(w.sentBack()); n != 3*bound {
		t.Errorf("%d records were sent back, want %d", n, 3*bound)
	}
	redrives := map[string][]int{}
	for _, d := range w.producer("dead", "list", "--output", "ndjson").deadLines() {
		redrives[d.RequestID] = append(redrives[d.RequestID], d.Redrives)
	}
	for id, n := range redrives {
		slices.Sort(n)
		if !slices.Equal(n, []int{0, 1, 2}) {
			t.Errorf("the dead letters of %s were sent back %v times", id, n)
		}
	}
	want := map[string]string{"r-00200": "failed failed failed", "r-00201": "failed failed failed"}
	for _, r := range approved(5) {
		want[r.RequestID] = "approved"
	}
	if diff := cmp.Diff(want, w.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.wantHistory("r-00200", "requested claimed answered dead_letter result"+strings.Repeat(" redriven claimed answered dead_letter result", bound))
	w.wantHistory("r-00300", "requested dead_letter"+strings.Repeat(" redriven dead_letter", bound))
}
