package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reauth/internal/event"
)

// paid is an answer that costs something.
func paid(n int, campaign string, cost event.Amount) Record {
	r := answer(n, event.Approved)
	r.Spend = &Spend{Campaign: campaign, Day: DayOf(noon), Cost: cost}
	return r
}

// reserving is a claim that reserves something.
func reserving(n int, campaign string, amount, lost event.Amount) Record {
	r := claim(n, "a", noon.Add(time.Minute))
	r.Spend = &Spend{Campaign: campaign, Day: DayOf(noon), Reserved: amount, Lost: lost}
	return r
}

func TestDays(t *testing.T) {
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := DayOf(midnight)
	if DayOf(midnight.Add(-1)) != day-1 || DayOf(midnight.Add(24*time.Hour-1)) != day || !day.End().Equal(midnight.Add(24*time.Hour)) {
		t.Errorf("day %d ends at %s", day, day.End())
	}
	if DayOf(time.Unix(-1, 0)) != -1 || DayOf(midnight.In(time.FixedZone("", 3600))) != day {
		t.Error("a day is not that of UTC")
	}
}

func TestReservationLastsUntilTheAnswer(t *testing.T) {
	unknown := parking(1, noon)
	unknown.Spend = &Spend{Campaign: "c", Day: DayOf(noon), Reserved: 100}
	for name, tc := range map[string]struct {
		log               []Record
		charged, reserved event.Amount
	}{
		"claimed":                        {[]Record{reserving(1, "c", 100, 0)}, 0, 100},
		"claimed by two":                 {[]Record{reserving(1, "c", 100, 0), reserving(1, "c", 100, 0)}, 0, 100},
		"claimed again":                  {[]Record{reserving(1, "c", 100, 0), reserving(2, "c", 100, 100)}, 0, 200},
		"answered":                       {[]Record{reserving(1, "c", 100, 0), paid(1, "c", 70)}, 70, 0},
		"answered twice":                 {[]Record{reserving(1, "c", 100, 0), paid(1, "c", 70), paid(1, "c", 70)}, 70, 0},
		"answered, and claimed late":     {[]Record{paid(1, "c", 70), reserving(1, "c", 100, 0)}, 70, 0},
		"of unknown outcome":             {[]Record{reserving(1, "c", 100, 0), unknown}, 0, 100},
		"not made":                       {[]Record{reserving(1, "c", 100, 0), parking(1, noon)}, 0, 0},
		"not made, parked by its former": {[]Record{reserving(2, "c", 100, 0), parking(1, noon)}, 0, 100},
		"without prices":                 {[]Record{claim(1, "a", noon), answer(1, event.Approved)}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := replay(t, "r", tc.log...)
			if charged, reserved := s.SpentFor("c"); charged != tc.charged || reserved != tc.reserved {
				t.Errorf("%d charged and %d reserved of the campaign, want %d and %d", charged, reserved, tc.charged, tc.reserved)
			}
			if charged, reserved := s.SpentOn(DayOf(noon)); charged != tc.charged || reserved != tc.reserved {
				t.Errorf("%d charged and %d reserved of the day, want %d and %d", charged, reserved, tc.charged, tc.reserved)
			}
			if got := s.MostSpent(); got != tc.charged+tc.reserved {
				t.Errorf("most is %d", got)
			}
		})
	}
}

func TestReservationOfADoneRequestGoesWithIt(t *testing.T) {
	s := replay(t, "r", reserving(1, "c", 100, 0))
	s.Restored(map[string]int64{"requests": 8})
	if _, reserved := s.SpentFor("c"); reserved != 0 {
		t.Errorf("%d reserved", reserved)
	}
}

// What the owner has set is newer than a record of its own that it reads back.
func TestRecordReadBackDoesNotChangeAReservation(t *testing.T) {
	waiting := parking(1, noon)
	s := replay(t, "r", waiting)
	e := s.open[IDOf("r")]
	v := Spend{Campaign: "c", Day: DayOf(noon), Reserved: 100}
	s.Reserve(e, v)
	apply(t, s, "r", waiting)
	if _, reserved := s.SpentFor("c"); reserved != 100 || e.Spend() != v {
		t.Errorf("%d reserved", reserved)
	}
	_, value := e.Parking()
	if r, err := Decode(value); err != nil || *r.Spend != v {
		t.Errorf("the parking is written again as %s (%v)", value, err)
	}
	s.Reserve(e, Spend{})
	if _, reserved := s.SpentFor("c"); reserved != 0 {
		t.Errorf("%d reserved after all was given back", reserved)
	}
}

// However the log is cut, and wherever summaries stand in it, a restore finds
// what was spent in all: nothing counted twice, nothing lost.
func TestSummariesAndLaterAnswersMakeTheTotals(t *testing.T) {
	type logged struct {
		key, value []byte
		at         time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		var log []logged
		s := NewShard(24 * time.Hour)
		write := func(key string, r Record, at time.Time) {
			l := logged{[]byte(key), r.Encode(), at}
			log = append(log, l)
			s.Note(key, r, l.value, at)
		}
		now, firstNeeded := noon, 0
		want := map[string]event.Amount{}
		under := map[string]time.Time{} // answers on their way, with their times
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "pause")) * time.Second)
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1: // an answer is begun
				id := fmt.Sprint("r-", i)
				_, e := s.Admit(id, source(int64(i)), 1)
				s.Answering(e, now)
				under[id] = now
			case 2: // and reaches the log, in any order
				for id, at := range under {
					campaign := rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "campaign")
					cost := event.Amount(rapid.IntRange(0, 5).Draw(t, "cost"))
					want[campaign] += cost
					write(id, paid(1, campaign, cost), at)
					delete(under, id)
					break
				}
			case 3:
				if r, due := s.Summary(now.Add(-20*time.Second), time.Minute, time.Hour); due {
					write("", r, now)
					if rapid.Bool().Draw(t, "cut") {
						firstNeeded = len(log) - 1
						for j := len(log) - 1; j >= 0; j-- { // what is later than it may stand before it
							if log[j].at.After(r.Spent.Through) {
								firstNeeded = j
							}
						}
					}
				}
			}
		}
		restored := NewShard(24 * time.Hour)
		for _, l := range log[firstNeeded:] {
			if err := restored.Apply(l.key, l.value, l.at); err != nil {
				t.Fatal(err)
			}
		}
		for _, campaign := range []string{"a", "b"} {
			for who, shard := range map[string]*Shard{"the owner": s, "a restore": restored} {
				if got, _ := shard.SpentFor(campaign); got != want[campaign] {
					t.Errorf("%s finds %d spent for %s, want %d", who, got, campaign, want[campaign])
				}
			}
		}
		if got, _ := restored.SpentOn(DayOf(noon)); got != want["a"]+want["b"]+want[""] {
			t.Errorf("a restore finds %d spent on the day, want %d", got, want["a"]+want["b"]+want[""])
		}
	})
}

func TestSummaryIsDue(t *testing.T) {
	s := NewShard(24 * time.Hour)
	due := func(through time.Time) bool {
		r, due := s.Summary(through, 3*time.Minute, 8*time.Hour)
		if due {
			s.Note("", r, r.Encode(), through)
		}
		return due
	}
	at := noon.Add(time.Hour)
	if due(at) {
		t.Error("a summary of nothing is due")
	}
	apply(t, s, "r", paid(1, "c", 70))
	if !due(at) || due(at.Add(time.Hour)) {
		t.Error("a summary is due once after something was spent")
	}
	if due(at.Add(7*time.Hour)) || !due(at.Add(8*time.Hour)) {
		t.Error("a summary is due again before it leaves the window")
	}
	if charged, _ := s.SpentFor("c"); charged != 70 {
		t.Errorf("%d charged", charged)
	}
}

func TestSpentCampaignsAreForgottenInTheEnd(t *testing.T) {
	s := NewShard(24 * time.Hour)
	apply(t, s, "old", paid(1, "old", 70))
	now := noon.Add((campaignDays - 1) * 24 * time.Hour)
	s.Forget(now)
	if charged, _ := s.SpentFor("old"); charged != 70 {
		t.Error("a campaign was forgotten within its time")
	}
	for i := range maxCampaigns {
		r := paid(1, fmt.Sprint("c-", i), 1)
		r.Spend.Day = DayOf(now)
		apply(t, s, fmt.Sprint("r-", i), r)
	}
	s.Forget(now)
	if charged, _ := s.SpentFor("old"); charged != 0 || len(s.spent.campaigns) != maxCampaigns {
		t.Errorf("%d campaigns, %d of the oldest", len(s.spent.campaigns), charged)
	}
	s.Forget(now.Add(2 * campaignDays * 24 * time.Hour))
	if n := len(s.spent.campaigns) + len(s.spent.days); n != 0 {
		t.Errorf("%d totals are kept for ever", n)
	}
}

func TestSpendOnTheWire(t *testing.T) {
	sum := Record{Step: Summed, Spent: &Spent{Through: noon, Days: map[Day]event.Amount{20513: 70},
		Campaigns: map[string]CampaignSpent{"c": {Spent: 70, Day: 20513}}}}
	for _, tc := range []struct {
		record Record
		want   string
	}{
		{reserving(1, "c", 100, 50), `{"step":"claimed","spend":{"campaign":"c","day":20513,"reserved":100,"lost":50},"claim":1,` +
			`"source":{"topic":"requests","offset":7},"owner":"a","until":"2026-03-01T12:01:00Z","called":"2026-03-01T12:00:00Z","vendor":"argos"}`},
		{sum, `{"step":"spent","spent":{"through":"2026-03-01T12:00:00Z","days":{"20513":70},"campaigns":{"c":{"spent":70,"day":20513}}}}`},
	} {
		if diff := cmp.Diff(tc.want, string(tc.record.Encode())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		back, err := Decode([]byte(tc.want))
		if diff := cmp.Diff(tc.record, back); err != nil || diff != "" {
			t.Errorf("read back (%v):\n%s", err, diff)
		}
	}
	for _, value := range []string{
		`{"step":"claimed","spend":{"day":1,"reserved":-1},"claim":1,"owner":"a","until":"2026-03-01T12:01:00Z"}`,
		`{"step":"spent"}`, `{"step":"spent","spent":{}}`,
	} {
		if err := NewShard(time.Hour).Apply(nil, []byte(value), noon); err == nil {
			t.Errorf("%s is taken in", value)
		}
	}
}

func TestPaidRecordsAreAppliedWithoutAllocating(t *testing.T) {
	s := NewShard(24 * time.Hour)
	apply(t, s, "r", paid(1, "campaign", 70))
	key, value := []byte("request-1"), reserving(1, "campaign", 100, 0).Encode()
	apply(t, s, "request-1", reserving(1, "campaign", 100, 0))
	if allocs := testing.AllocsPerRun(1000, func() {
		if err := s.Apply(key, value, noon); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for a claim", allocs)
	}
}

func TestWithoutPricesARestoreCountsNothing(t *testing.T) {
	s := NewShard(24 * time.Hour)
	value := answer(1, event.Approved).Encode()
	if allocs := testing.AllocsPerRun(1000, func() {
		if v := s.scanner.answerSpend(value); v != nil {
			t.Fatalf("%+v", v)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for an answer", allocs)
	}
	apply(t, s, "r", claim(1, "a", noon), answer(1, event.Approved))
	if _, due := s.Summary(noon.Add(48*time.Hour), 0, 0); due || s.spent.recent != nil || s.spent.days != nil || s.spent.campaigns != nil {
		t.Errorf("%+v is kept", s.spent)
	}
}

// Without prices the answers of a restore cost what they did before there were
// any: nothing of them is decoded or kept but the id.
func BenchmarkApplyAnswer(b *testing.B) {
	for name, r := range map[string]Record{"free": answer(1, event.Approved), "paid": paid(1, "campaign", 100)} {
		b.Run(name, func(b *testing.B) {
			s, value := NewShard(24*time.Hour), r.Encode()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				id := ID{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
				s.open[id] = &Entry{ID: id, Step: Claimed}
				s.answered(id, value, noon)
				if i%1024 == 0 {
					s.confirm(noon)
				}
			}
		})
	}
}
