package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reauth/internal/event"
)

func TestDeadLettersAreListedAsTheFiltersSay(t *testing.T) {
	concurrently(t)
	w := deadWorld(t)
	w.startWorking(1)
	w.ask(approved(20)...)
	w.askFailing(event.AttemptsExhausted, inCampaign("autumn", 100, 3, failsTwice)...)
	w.askFailing(event.RequestRefused, inCampaign("autumn", 200, 2, isRefused)...)
	w.askInvalid(notEnabled("autumn", 300, 2)...)
	w.publishInvalid("not JSON", "key-canary", "user-canary")
	w.awaitDead(8)
	between := time.Now().UTC()
	w.askFailing(event.AttemptsExhausted, inCampaign("winter", 110, 2, failsTwice)...)
	w.askFailing(event.RequestRefused, inCampaign("winter", 210, 1, isRefused)...)
	w.askInvalid(notEnabled("winter", 310, 1)...)
	w.awaitDead(12)

	line := func(id, campaign string, v event.Vendor, stage event.Stage, reason event.Reason, tries int) deadLine {
		d := deadLine{RequestID: id, CampaignID: campaign, Vendor: v, Stage: stage, Reason: reason, DeliveryCount: tries, Group: w.group}
		d.Origin = w.sourceOf(id)
		return d
	}
	exhausted := func(id, campaign string) deadLine {
		return line(id, campaign, event.Argos, event.StageVendor, event.AttemptsExhausted, maxAttempts)
	}
	refused := func(id, campaign string) deadLine {
		return line(id, campaign, event.Argos, event.StageVendor, event.RequestRefused, 1)
	}
	off := func(id, campaign string) deadLine {
		return line(id, campaign, event.Faceki, event.StageValidate, event.Reason(event.VendorDisabled), 1)
	}
	noJSON := line("key-canary", "", "", event.StageDecode, event.Reason(event.MalformedJSON), 1)
	noJSON.RequestID = ""
	all := map[string]deadLine{
		"a1": exhausted("r-00100", "autumn"), "a2": exhausted("r-00101", "autumn"), "a3": exhausted("r-00102", "autumn"),
		"b1": refused("r-00200", "autumn"), "b2": refused("r-00201", "autumn"),
		"c1": off("r-00300", "autumn"), "c2": off("r-00301", "autumn"), "j": noJSON,
		"A1": exhausted("r-00110", "winter"), "A2": exhausted("r-00111", "winter"), "B": refused("r-00210", "winter"), "C": off("r-00310", "winter"),
	}
	cut := between.Format(time.RFC3339Nano)
	for filter, want := range map[string]string{
		"":                            "a1 a2 a3 b1 b2 c1 c2 j A1 A2 B C",
		"--reason attempts_exhausted": "a1 a2 a3 A1 A2",
		"--reason request_refused,malformed_json": "b1 b2 j B",
		"--class invalid":                         "c1 c2 j C",
		"--stage validate":                        "c1 c2 C",
		"--vendor faceki":                         "c1 c2 C",
		"--vendor argos --campaign winter":        "A1 A2 B",
		"--vendor argos,faceki":                   "a1 a2 a3 b1 b2 c1 c2 A1 A2 B C",
		"--campaign winter":                       "A1 A2 B C",
		"--campaign summer":                       "",
		"--request r-00101 --request r-00310":     "a2 C",
		"--since " + cut:                          "A1 A2 B C",
		"--until " + cut:                          "a1 a2 a3 b1 b2 c1 c2 j",
		"--since 1h --until " + cut + " --reason request_refused":  "b1 b2",
		"--since " + cut + " --campaign winter --stage vendor":     "A1 A2 B",
		"--since " + between.Add(time.Hour).Format(time.RFC3339):   "",
		"--until " + between.Add(-time.Hour).Format(time.RFC3339):  "",
		"--reason attempts_exhausted --campaign autumn --vendor x": "!",
	} {
		args := append([]string{"dead", "list"}, strings.Fields(filter)...)
		if want == "!" {
			if r := w.tryProducer(args...); r.code == 0 || !strings.Contains(r.err, "--vendor") {
				t.Errorf("%s: exit code %d: %s", filter, r.code, r.err)
			}
			continue
		}
		var lines []deadLine
		for _, name := range strings.Fields(want) {
			lines = append(lines, all[name])
		}
		w.wantListed(filter, lines, w.producer(append(args, "--output", "ndjson")...).deadLines())
		w.wantTable(filter, lines, w.producer(args...).out)
	}
	if r := w.producer("dead", "list", "--limit", "3"); strings.Count(r.out, "r-00") > 3 || !strings.Contains(r.out, "and 9 more") {
		t.Errorf("with --limit 3:\n%s", r.out)
	}
	for _, form := range []string{"table", "ndjson"} {
		if r := w.producer("dead", "list", "--output", form); strings.Contains(r.out+r.err, "canary") {
			t.Errorf("the %s holds what may be personal:\n%s", form, r.out)
		}
	}
	w.audit()
}

// wantListed compares dead letters, in any order. Those of the vendor have the
// times of the consumer's clock.
func (w *world) wantListed(filter string, want, got []deadLine) {
	w.t.Helper()
	for _, d := range got {
		if d.FailedAt.IsZero() {
			w.t.Errorf("%s: a dead letter without the time of its failure: %+v", filter, d)
		}
	}
	byOrigin := cmpopts.SortSlices(func(a, b deadLine) bool { return fmt.Sprint(a.Origin) < fmt.Sprint(b.Origin) })
	if diff := cmp.Diff(want, got, byOrigin, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(deadLine{}, "FailedAt")); diff != "" {
		w.t.Errorf("dead list %s (-want +got):\n%s", filter, diff)
	}
}

// wantTable compares the rows of a table by request, reason and origin, and its
// totals by reason.
func (w *world) wantTable(filter string, want []deadLine, table string) {
	w.t.Helper()
	var rows, totals []string
	counts := map[event.Reason]int{}
	for _, d := range want {
		id := d.RequestID
		if id == "" {
			id = "-"
		}
		rows = append(rows, fmt.Sprintf("%s %s %s/%d/%d", id, d.Reason, d.Origin.Topic, d.Origin.Partition, d.Origin.Offset))
		counts[d.Reason]++
	}
	for reason, n := range counts {
		totals = append(totals, fmt.Sprint(reason, " ", n))
	}
	totals = append(totals, fmt.Sprint("total ", len(want)))
	var gotRows, gotTotals []string
	for text := range strings.Lines(table) {
		cells := strings.Fields(text)
		switch {
		case len(cells) >= 9 && cells[0] != "request":
			gotRows = append(gotRows, strings.Join([]string{cells[0], cells[1], cells[7]}, " "))
		case len(cells) == 2 && cells[0] != "reason":
			gotTotals = append(gotTotals, strings.Join(cells, " "))
		}
	}
	for _, l := range []([]string){rows, totals, gotRows, gotTotals} {
		slices.Sort(l)
	}
	if !slices.Equal(rows, gotRows) || !slices.Equal(totals, gotTotals) {
		w.t.Errorf("dead list %s: want\n%q\n%q, got\n%s", filter, rows, totals, table)
	}
}
