package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

func anyFollowUp() FollowUp {
	return FollowUp{
		Vendor: event.Checkout, Reference: "fav_1", Answered: noon, Revision: 1, Outcome: event.Approved,
		Archive: noon.Add(5 * time.Second), Audits: []time.Time{noon.Add(time.Hour), noon.Add(24 * time.Hour)}, Anonymise: noon.Add(720 * time.Hour),
	}
}

// followedAnswer is the answer of a request that is followed up.
func followedAnswer(f FollowUp) Record {
	r := answer(1, f.Outcome)
	r.Answer.Reference, r.Answer.Revisable, r.Revision, r.FollowUp = f.Reference, true, 1, &f
	return r
}

func TestFollowUpIsBornWithItsAnswer(t *testing.T) {
	f := anyFollowUp()
	unrevisable := followedAnswer(f)
	unrevisable.Answer.Revisable, unrevisable.Revision = false, 0 // such an answer is not decoded
	for name, r := range map[string]Record{"decoded": followedAnswer(f), "scanned": unrevisable} {
		s := replay(t, "r-1", claim(1, "a", noon), r)
		got, ok := s.FollowUp("fav_1")
		if diff := cmp.Diff(f, got); !ok || diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		apply(t, s, "r-1", r)
		if s.FollowUps() != 1 {
			t.Errorf("%s: %d follow-ups after the same answer came again", name, s.FollowUps())
		}
	}
	noted := NewShard(24 * time.Hour)
	r := followedAnswer(f)
	noted.Note("r-1", r, r.Encode(), noon)
	if id, _, ok := noted.TakeFollowUp(noon.Add(time.Minute)); !ok || id != "r-1" {
		t.Errorf("an answer of our own is followed up for request %q", id)
	}
	if plain := replay(t, "r-1", claim(1, "a", noon), answer(1, event.Approved)); plain.FollowUps() != 0 {
		t.Error("an answer without one has a follow-up")
	}
}

func TestTasksComeInOrder(t *testing.T) {
	s := replay(t, "r-1", followedAnswer(anyFollowUp()))
	var done []string
	for range 4 {
		due, ok := s.FollowUpDue()
		if !ok {
			t.Fatal("nothing is due")
		}
		if _, _, early := s.TakeFollowUp(due.Add(-time.Millisecond)); early {
			t.Error("taken before it is due")
		}
		_, f, _ := s.TakeFollowUp(due)
		task, _ := f.Next()
		done = append(done, string(task)+" "+due.Sub(noon).String())
		if _, again := s.FollowUpDue(); again {
			t.Error("what is taken is due again")
		}
		f.Done(task)
		f.Number++
		apply(t, s, "r-1", f.Record())
	}
	if diff := cmp.Diff([]string{"archive 5s", "audit 1h0m0s", "audit 24h0m0s", "anonymise 720h0m0s"}, done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.FollowUps() != 0 {
		t.Errorf("%d left when all is done", s.FollowUps())
	}
}

func TestNothingIsAnonymisedBeforeItIsArchived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFollowUp()
		hour := func(name string) time.Time {
			return noon.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, name)) * time.Hour)
		}
		f.Archive, f.Anonymise = hour("archive"), hour("anonymise")
		for {
			task, _ := f.Next()
			switch {
			case task == "":
				return
			case task == AnonymiseTask && !f.Archive.IsZero():
				t.Fatal("anonymise comes next, and archive is to be done")
			case rapid.Bool().Draw(t, "fails"):
				if f.Failed(task) > 3 {
					f.Done(task)
				} else {
					f.Postpone(task, hour("again"))
				}
			default:
				f.Done(task)
			}
		}
	})
}

func TestLateRecordOfAFollowUpIsIgnored(t *testing.T) {
	first := anyFollowUp()
	second := first
	second.Done(ArchiveTask)
	second.Number = 2
	late := first
	late.Number, late.Tries = 1, 1
	s := replay(t, "r-1", followedAnswer(first), second.Record(), late.Record())
	if f, _ := s.FollowUp("fav_1"); !f.Archive.IsZero() {
		t.Error("a late record has what was archived archived again")
	}
}

func TestRevisionIsKnownToTheFollowUpAndNeverGoesBack(t *testing.T) {
	revised := Record{Step: Revised, Revision: 2, Answer: &Answer{Outcome: event.Rejected, Reference: "fav_1", CompletedAt: noon}}
	before := anyFollowUp()
	before.Number = 1 // made before the revision was known, and written after
	s := replay(t, "r-1", followedAnswer(anyFollowUp()), revised, before.Record())
	if f, _ := s.FollowUp("fav_1"); f.Revision != 2 || f.Outcome != event.Rejected {
		t.Errorf("revision %d, %s", f.Revision, f.Outcome)
	}
}

func TestFollowUpThatIsPutBackWaits(t *testing.T) {
	s := replay(t, "r-1", followedAnswer(anyFollowUp()))
	s.TakeFollowUp(noon.Add(time.Minute))
	s.PutBack("fav_1", noon.Add(10*time.Minute))
	if due, _ := s.FollowUpDue(); !due.Equal(noon.Add(10 * time.Minute)) {
		t.Errorf("due %s", due)
	}
	s.PutBack("fav_1", noon) // it is not taken
	if due, _ := s.FollowUpDue(); !due.Equal(noon.Add(10 * time.Minute)) {
		t.Errorf("due %s after it was put back twice", due)
	}
}

// TestRewrittenFollowUpsOutliveTheWindow: an owner writes what is stale, and who
// restores only the window knows the same.
func TestRewrittenFollowUpsOutliveTheWindow(t *testing.T) {
	s := replay(t, "r-1", followedAnswer(anyFollowUp()))
	if stale := s.StaleFollowUps(noon); len(stale) != 0 {
		t.Fatalf("%d stale at once", len(stale))
	}
	at := noon.Add(13 * time.Hour)
	stale := s.StaleFollowUps(at.Add(-12 * time.Hour))
	if len(stale) != 1 || stale[0].RequestID != "r-1" {
		t.Fatalf("stale %+v", stale)
	}
	next := NewShard(24 * time.Hour)
	if err := next.Apply([]byte(stale[0].RequestID), stale[0].Record.Encode(), at); err != nil {
		t.Fatal(err)
	}
	want, _ := s.FollowUp("fav_1")
	if got, _ := next.FollowUp("fav_1"); !cmp.Equal(want, got) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
	s.Rewritten(stale[0], at)
	for name, shard := range map[string]*Shard{"who wrote it": s, "who restored it": next} {
		if again := shard.StaleFollowUps(at); len(again) != 0 {
			t.Errorf("%s: stale again at once", name)
		}
		if again := shard.StaleFollowUps(at.Add(time.Second)); len(again) != 1 {
			t.Errorf("%s: %d stale half a window later", name, len(again))
		}
	}
}

func TestAuditThatIsPutOffToTheNextIsLeftToIt(t *testing.T) {
	f := anyFollowUp()
	f.Failed(AuditTask)
	f.Postpone(AuditTask, noon.Add(2*time.Hour))
	if len(f.Audits) != 2 || !f.Audits[0].Equal(noon.Add(2*time.Hour)) || f.AuditTries != 1 {
		t.Errorf("put off: %+v", f)
	}
	f.Postpone(AuditTask, noon.Add(24*time.Hour))
	if len(f.Audits) != 1 || !f.Audits[0].Equal(noon.Add(24*time.Hour)) || f.AuditTries != 0 {
		t.Errorf("put off to the next: %+v", f)
	}
}

func TestFollowUpsThatSayNothingAreUnreadable(t *testing.T) {
	for name, change := range map[string]func(*FollowUp){
		"no reference":    func(f *FollowUp) { f.Reference = "" },
		"unknown vendor":  func(f *FollowUp) { f.Vendor = "acme" },
		"unknown outcome": func(f *FollowUp) { f.Outcome = "perhaps" },
		"no time":         func(f *FollowUp) { f.Answered = time.Time{} },
		"too many audits": func(f *FollowUp) { f.Audits = make([]time.Time, MaxAudits+1) },
		"negative":        func(f *FollowUp) { f.Tries = -1 },
	} {
		f := anyFollowUp()
		change(&f)
		if _, err := Decode(f.Record().Encode()); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode([]byte(`{"step":"followed"}`)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("none at all: %v", err)
	}
}

func TestFollowUpOnTheWire(t *testing.T) {
	f := anyFollowUp()
	f.Number, f.Tries = 2, 1
	const want = `{"step":"followed","follow_up":{"number":2,"vendor":"checkout","reference":"fav_1","answered":"2026-03-01T12:00:00Z",` +
		`"revision":1,"outcome":"approved","archive":"2026-03-01T12:00:05Z","audits":["2026-03-01T13:00:00Z","2026-03-02T12:00:00Z"],` +
		`"anonymise":"2026-03-31T12:00:00Z","tries":1}}`
	if diff := cmp.Diff(want, string(f.Record().Encode())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMemoryOfAFollowUp(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap")
	}
	const n = 100_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s := NewShard(24 * time.Hour)
	for i := range n {
		f := anyFollowUp()
		f.Reference = fmt.Sprintf("fav_%s%05d", strings.Repeat("x", 21), i)
		if err := s.Apply(fmt.Appendf(nil, "0190b0f4-7c1a-7cc3-98c4-dc0c0c0%05d", i), f.Record().Encode(), noon); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(heap()-before) / n
	t.Logf("%.0f bytes each", each)
	if each > 320 {
		t.Errorf("%.0f bytes each: the settings say 320 at most", each)
	}
	runtime.KeepAlive(s)
}
