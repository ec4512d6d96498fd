package campaign

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func resultRecord(t testing.TB, r event.Result) event.Record {
	t.Helper()
	r.CompletedAt = at
	rec, err := r.Record(event.TopicResults, "/test")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// result is an approval after one call.
func result(id string) event.Result {
	return event.Result{RequestID: id, CampaignID: "camp", Vendor: event.Argos, Outcome: event.Approved,
		Liveness: event.LivenessNone, Calls: 1, Revision: 1, Final: true}
}

func requestRecord(t testing.TB, id, campaign string) event.Record {
	t.Helper()
	rec, err := event.Request{RequestID: id, SubmissionID: "s", SelfieKey: "a.jpg", CampaignID: campaign}.Record(event.TopicRequests)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func deadRecord(d event.DeadLetter, original event.Record) event.Record {
	return d.Record(event.TopicDead, original)
}

func TestACampaignIsCompleteWhenEveryRequestHasEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		await func(p *Progress)
	}{
		{"by number", func(p *Progress) { p.Expect(2) }},
		{"by manifest", func(p *Progress) { p.Await("r1"); p.Await("r2") }},
		{"by counting", func(p *Progress) {
			p.SeeRequest(requestRecord(t, "r1", "camp"))
			p.SeeRequest(requestRecord(t, "r2", "camp"))
			p.SeeRequest(requestRecord(t, "r3", "other"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewProgress("camp")
			if p.Complete() {
				t.Error("complete before anything is known")
			}
			c.await(p)
			p.SeeResult(resultRecord(t, result("r1")))
			p.SeeResult(resultRecord(t, result("r1")))
			if p.Complete() || p.Ended() != 1 || p.Awaited() != 2 {
				t.Errorf("%d of %d ended, complete %v", p.Ended(), p.Awaited(), p.Complete())
			}
			p.SeeResult(resultRecord(t, result("r2")))
			if !p.Complete() {
				t.Errorf("%d of %d ended, and not complete", p.Ended(), p.Awaited())
			}
		})
	}
}

func TestOtherCampaignsDoNotCount(t *testing.T) {
	p := NewProgress("camp")
	p.Expect(1)
	other := result("r1")
	other.CampaignID = "camp2"
	p.SeeResult(resultRecord(t, other))
	p.SeeDead(deadRecord(event.DeadLetter{Stage: event.StageDecode, RequestID: "r1", CampaignID: "camp2"}, event.Record{Topic: "t"}))
	if r := p.Report(); r.Answered+r.Refused+r.DeadLetters != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestAnUnreadableRecordBelongsToTheCampaignInItsHeader(t *testing.T) {
	p := NewProgress("camp")
	p.Expect(1)
	unreadable := func(campaign string) event.Record {
		return event.Record{Topic: event.TopicRequests, Offset: 9, Value: []byte("{"),
			Headers: []event.Header{{Key: event.HeaderCampaign, Value: []byte(campaign)}}}
	}
	letter := event.DeadLetter{Class: "invalid", Stage: event.StageDecode}
	p.SeeDead(deadRecord(letter, unreadable("camp2")))
	if r := p.Report(); r.Refused != 0 {
		t.Errorf("another campaign's record was counted: %+v", r)
	}
	p.SeeRequest(unreadable("camp"))
	p.SeeDead(deadRecord(letter, unreadable("camp")))
	if r := p.Report(); !r.Complete || r.Refused != 1 || r.Total != 1 {
		t.Errorf("report %+v", r)
	}
}

func TestARefusedRecordEndsWithItsDeadLetter(t *testing.T) {
	p := NewProgress("camp")
	bad := event.Record{Topic: event.TopicRequests, Partition: 3, Offset: 7,
		Value: []byte(`{"request_id":"not good","campaign_id":"camp"}`)}
	named := event.Record{Topic: event.TopicRequests, Value: []byte(`{"request_id":"r1","campaign_id":"camp"}`)}
	p.SeeRequest(bad)
	p.SeeRequest(named)
	if p.Awaited() != 2 {
		t.Fatalf("%d awaited, want 2", p.Awaited())
	}
	p.SeeDead(deadRecord(event.DeadLetter{Stage: event.StageValidate, CampaignID: "camp"}, bad))
	p.SeeDead(deadRecord(event.DeadLetter{Stage: event.StageValidate, CampaignID: "camp", RequestID: "r1"}, named))
	r := p.Report()
	if !r.Complete || r.Refused != 2 || r.DeadLetters != 2 || r.Total != 2 {
		t.Errorf("report %+v", r)
	}
	p.SeeResult(resultRecord(t, result("r1")))
	if r := p.Report(); r.Refused != 1 || r.Answered != 1 || r.Total != 2 {
		t.Errorf("after a redrive: report %+v", r)
	}
}

func TestADeadLetterOfARequestWaitsForItsResult(t *testing.T) {
	p := NewProgress("camp")
	p.Expect(1)
	p.SeeDead(deadRecord(event.DeadLetter{Stage: event.StageVendor, CampaignID: "camp", RequestID: "r1"}, requestRecord(t, "r1", "camp")))
	if p.Complete() {
		t.Error("complete without a result")
	}
	failed := result("r1")
	failed.Outcome, failed.Reasons = event.Failed, []event.Reason{event.AttemptsExhausted}
	p.SeeResult(resultRecord(t, failed))
	if r := p.Report(); !r.Complete || r.Refused != 0 || r.DeadLetters != 1 {
		t.Errorf("report %+v", r)
	}
}

func TestTheHighestRevisionCounts(t *testing.T) {
	first, second := result("r1"), result("r1")
	first.Final, first.TimingsMS.Total = false, 10
	second.Revision, second.Outcome, second.Reasons, second.Calls, second.TimingsMS.Total = 2, event.Rejected, []event.Reason{event.KnownFraud}, 3, 99
	for _, order := range [][]event.Result{{first, second}, {second, first}} {
		p := NewProgress("camp")
		for _, r := range order {
			p.SeeResult(resultRecord(t, r))
		}
		got := p.Report()
		if got.Repeats != 0 || got.Corrected != 1 || got.NotFinal != 0 || got.Calls != 3 || got.CalledAgain != 1 || got.Latency.Max != 99 {
			t.Errorf("report %+v", got)
		}
		want := []OutcomeReport{{event.Rejected, 1, []ReasonReport{{"known_fraud", 1}}}}
		if diff := cmp.Diff(want, got.Outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	}
}

func TestWhoWaitsForThePersonIsCounted(t *testing.T) {
	p := NewProgress("camp")
	p.Expect(2)
	for _, id := range []string{"r1", "r2"} {
		rec, err := event.Pending{RequestID: id, CampaignID: "camp", Vendor: event.Checkout, ApplicantID: "aplt_1",
			VerificationURL: "https://v.example/", ExpiresAt: at, Attempt: 1, AnnouncedAt: at}.Record(event.TopicResults, "/test")
		if err != nil {
			t.Fatal(err)
		}
		p.SeeResult(rec)
	}
	p.SeeResult(resultRecord(t, result("r1")))
	if r := p.Report(); r.Waiting != 1 || r.Missing != 1 {
		t.Errorf("report %+v", r)
	}
}

func TestUnreadableEventsAndForeignTextAreKeptOut(t *testing.T) {
	p := NewProgress("camp")
	broken := resultRecord(t, result("r1"))
	broken.Value = []byte("{")
	p.SeeResult(broken)
	p.SeeResult(event.Record{Value: []byte("anything")})
	hostile := result("r2")
	hostile.Outcome, hostile.Reasons = "\x1b[2J", []event.Reason{"\x07", "new_reason"}
	p.SeeResult(resultRecord(t, hostile))
	r := p.Report()
	if r.Unreadable != 1 {
		t.Errorf("%d unreadable, want 1", r.Unreadable)
	}
	if diff := cmp.Diff([]OutcomeReport{{"unreadable", 1, []ReasonReport{{"unreadable+new_reason", 1}}}}, r.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	p := NewProgress("camp")
	for i := 1; i <= 200; i++ {
		r := result(fmt.Sprint("r", i))
		r.TimingsMS.Total = int64(i)
		p.SeeResult(resultRecord(t, r))
	}
	if diff := cmp.Diff(&Latency{100, 180, 190, 198, 200}, p.Report().Latency); diff != "" {
		t.Errorf("latency (-want +got):\n%s", diff)
	}
}

// naive is the account as one would keep it without minding memory.
type naive struct {
	asked   map[string]bool
	refused map[string]bool
	results map[string]map[int]int // by id and revision: how often
	last    map[string]event.Result
}

func (n naive) report(expected int, strict bool) Report {
	r := Report{Campaign: "camp"}
	endedAsked, missing := 0, 0
	everyone := make(map[string]bool)
	for _, m := range []map[string]bool{n.asked, n.refused} {
		for id := range m {
			everyone[id] = true
		}
	}
	for id := range n.results {
		everyone[id] = true
	}
	for id := range everyone {
		_, answered := n.last[id]
		switch {
		case answered:
			r.Answered++
		case n.refused[id]:
			r.Refused++
		default:
			missing++
		}
		if n.asked[id] && (answered || n.refused[id]) {
			endedAsked++
		}
	}
	ended := r.Answered + r.Refused
	switch {
	case expected > 0:
		r.Missing, r.Unexpected = max(0, expected-ended), max(0, ended-expected)
	case strict:
		r.Missing, r.Unexpected = missing, ended-endedAsked
	default:
		r.Missing = missing
	}
	r.Total = r.Answered + r.Refused + r.Missing
	r.Complete = r.Missing == 0 && r.Total-r.Unexpected > 0
	for id, revisions := range n.results {
		again := false
		for _, times := range revisions {
			r.Repeats += times - 1
			again = again || times > 1
		}
		if again {
			r.Repeated++
		}
		if len(revisions) > 1 {
			r.Corrected++
		}
		r.Calls += int64(n.last[id].Calls)
		if n.last[id].Calls > 1 {
			r.CalledAgain++
		}
	}
	return r
}

// Whatever comes in whatever order and however often, the totals add up and are
// those of the naive account.
func TestTotalsAddUpInAnyOrder(t *testing.T) {
	outcomes := []event.Outcome{event.Approved, event.Rejected, event.Failed}
	rapid.Check(t, func(rt *rapid.T) {
		p := NewProgress("camp")
		n := naive{map[string]bool{}, map[string]bool{}, map[string]map[int]int{}, map[string]event.Result{}}
		mode := rapid.SampledFrom([]string{"expect", "manifest", "count"}).Draw(rt, "mode")
		expected := 0
		if mode == "expect" {
			expected = rapid.IntRange(1, 12).Draw(rt, "expected")
			p.Expect(expected)
		}
		ids := rapid.SampledFrom(strings.Split("a b c d e f g h", " "))
		strict := false
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			id := ids.Draw(rt, "id")
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				switch mode {
				case "manifest":
					p.Await(id)
					n.asked[id], strict = true, true
				case "count":
					p.SeeRequest(requestRecord(t, id, "camp"))
					n.asked[id] = true
				}
			case 1:
				p.SeeDead(deadRecord(event.DeadLetter{Stage: event.StageValidate, RequestID: id, CampaignID: "camp"}, event.Record{Topic: "t"}))
				n.refused[id] = true
			default:
				revision := rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(rt, "revision")
				r := result(id)
				r.Vendor = event.Vendors()[int(id[0])%2]
				// A repeat of a result is always the same one.
				r.Revision, r.Calls, r.Outcome = revision, (revision+len(id)+int(id[0]))%4, outcomes[(revision+int(id[0]))%3]
				p.SeeResult(resultRecord(t, r))
				if n.results[id] == nil {
					n.results[id] = map[int]int{}
				}
				n.results[id][revision]++
				if revision > n.last[id].Revision {
					n.last[id] = r
				}
			}
		}
		got := p.Report()
		sum := 0
		for _, o := range got.Outcomes {
			reasons := 0
			for _, reason := range o.Reasons {
				reasons += reason.Requests
			}
			if reasons != o.Requests {
				rt.Fatalf("reasons of %s add up to %d, not %d", o.Outcome, reasons, o.Requests)
			}
			sum += o.Requests
		}
		if sum != got.Answered || got.Answered+got.Refused+got.Missing != got.Total {
			rt.Fatalf("outcomes add up to %d: %+v", sum, got)
		}
		if !slices.IsSortedFunc(got.Outcomes, func(a, b OutcomeReport) int {
			return slices.Index(event.Outcomes(), a.Outcome) - slices.Index(event.Outcomes(), b.Outcome)
		}) {
			rt.Fatalf("outcomes are out of order: %+v", got.Outcomes)
		}
		byVendor := 0
		for _, v := range got.Vendors {
			byOutcome := 0
			for _, o := range v.Outcomes {
				byOutcome += o.Requests
			}
			if byOutcome != v.Requests {
				rt.Fatalf("outcomes of %s add up to %d, not %d", v.Vendor, byOutcome, v.Requests)
			}
			byVendor += v.Requests
		}
		if byVendor != got.Answered {
			rt.Fatalf("vendors add up to %d: %+v", byVendor, got)
		}
		got.Outcomes, got.Vendors, got.Latency, got.DeadLetters = nil, nil, nil, 0
		if diff := cmp.Diff(n.report(expected, strict), got); diff != "" {
			rt.Fatalf("report (-want +got):\n%s", diff)
		}
	})
}

func TestARequestTakesLessThanAHundredBytes(t *testing.T) {
	const requests = 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	p := NewProgress("camp")
	for i := range requests {
		id := fmt.Sprintf("a-request-with-a-rather-long-id-%064d", i)
		p.Await(id)
		p.answer(result(id))
	}
	if each := (heap() - before) / requests; each > 100 {
		t.Errorf("%d bytes for each request", each)
	}
	if r := p.Report(); !r.Complete || r.Answered != requests {
		t.Errorf("report %+v", r)
	}
}
