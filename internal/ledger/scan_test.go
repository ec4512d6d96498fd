package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// A claim that is scanned is read as Decode reads it; one that is not is left
// to Decode.
func FuzzScanClaim(f *testing.F) {
	plain := claim(1, "host/id", noon)
	more := supersede(claim(12, "a", noon.Add(time.Nanosecond)))
	more.Attempts, more.Calls = 3, 2
	bare := plain
	bare.Called, bare.Source, bare.Vendor = nil, Source{}, ""
	former := plain
	former.Vendor = ""
	for _, r := range []Record{plain, more, bare, former, with(plain, selfie(1)), with(more, Selfie{SHA256: Digest{1}}), parking(2, noon), reserving(1, "c", 100, 0), reserving(2, "", 0, 1)} {
		f.Add(r.Encode())
	}
	f.Add([]byte(`{"step":"claimed","claim":01,"owner":"a","until":"2026-03-01T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		got, ok := (&scanner{names: &names{}, spent: &spent{}}).claim(value)
		if !ok {
			return
		}
		want, err := Decode(value)
		if err != nil {
			t.Fatalf("scanned what Decode refuses: %v", err)
		}
		want.Owner = "" // not needed, and not kept
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOurOwnClaimsAreScanned(t *testing.T) {
	unnamed := claim(1, "a", noon)
	unnamed.Vendor = ""
	for _, r := range []Record{claim(1, "host/id", noon.Add(time.Nanosecond)), supersede(claim(2, "a", noon)), unnamed, with(supersede(claim(2, "a", noon)), selfie(1)), with(unnamed, Selfie{SHA256: Digest{1}, Bytes: 1})} {
		if _, ok := (&scanner{names: &names{}, spent: &spent{}}).claim(r.Encode()); !ok {
			t.Errorf("%s is left to Decode", r.Encode())
		}
	}
}

// Whoever counts calls must hear of every claim in the log, and of none twice.
func TestEveryClaimInTheLogIsToldOf(t *testing.T) {
	later := noon.Add(time.Minute)
	former, unscanned := claim(2, "a", later), claim(1, "é", later)
	former.Vendor, former.Called = "", nil
	called := noon.Add(time.Hour)
	unscanned.Vendor, unscanned.Called = event.Faceki, &called
	s := NewShard(24 * time.Hour)
	var told []string
	s.OnClaim(func(vendor event.Vendor, called time.Time) {
		told = append(told, fmt.Sprint(vendor, "+", called.Sub(noon)))
	})
	apply(t, s, "r", claim(1, "a", later), former, claim(1, "b", later), parking(2, later), answer(2, event.Approved), claim(3, "late", later))
	apply(t, s, "q", unscanned)
	ours := claim(2, "us", later)
	s.Note("q", ours, ours.Encode(), noon)
	want := []string{"argos+0s", "+1s", "argos+0s", "argos+0s", "faceki+1h0m0s"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// What a vendor is asked beside calls is told of, and is no request that anybody
// would have to look after.
func TestClaimOfNoRequestIsOnlyToldOf(t *testing.T) {
	s := NewShard(24 * time.Hour)
	told := 0
	s.OnClaim(func(event.Vendor, time.Time) { told++ })
	until := noon.Add(time.Hour)
	r := Record{Step: Claimed, Claim: 1, Owner: "a", Until: &until, Called: &noon, Vendor: event.Argos}
	for range 2 {
		if err := s.Apply(AskedKey(event.Argos), r.Encode(), noon); err != nil {
			t.Fatal(err)
		}
	}
	if open, _ := s.Len(); told != 2 || open != 0 || !s.ClaimedUntil().IsZero() {
		t.Errorf("told of %d, %d requests open, claimed until %s", told, open, s.ClaimedUntil())
	}
}

// A claim of before vendors were written is read as ever, and a reader of
// before then reads the claims of now.
func TestClaimOnTheWire(t *testing.T) {
	const now = `{"step":"claimed","claim":1,"source":{"topic":"requests","offset":7},"owner":"a","until":"2026-03-01T12:01:00Z","called":"2026-03-01T12:00:00Z","vendor":"argos"}`
	r := claim(1, "a", noon.Add(time.Minute))
	if got := string(r.Encode()); got != now {
		t.Errorf("a claim is written as\n%s, want\n%s", got, now)
	}
	r.Vendor = ""
	former := strings.Replace(now, `,"vendor":"argos"`, "", 1)
	if got := string(r.Encode()); got != former {
		t.Errorf("a claim without a vendor is written as\n%s, want\n%s", got, former)
	}
	if s := replay(t, "r", r); s.open[IDOf("r")].Step != Claimed {
		t.Error("a claim without a vendor counts for nothing")
	}
	selfie := `,"selfie":{"sha256":"` + strings.Repeat("0", 62) + `0a","bytes":5,"version":"v-7"}}`
	r.Selfie = Selfie{SHA256: Digest{31: 10}, Bytes: 5, Version: "v-7"}
	if got := string(r.Encode()); got != strings.TrimSuffix(former, "}")+selfie {
		t.Errorf("a claim for a call with a selfie is written as\n%s", got)
	}
}

func TestClaimsAreAppliedWithoutAllocating(t *testing.T) {
	s := NewShard(24 * time.Hour)
	calls := 0
	s.OnClaim(func(event.Vendor, time.Time) { calls++ })
	key, value := []byte("request-1"), with(claim(1, "host/id", noon), selfie(1)).Encode()
	if allocs := testing.AllocsPerRun(1000, func() {
		if err := s.Apply(key, value, noon); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 || calls != 1001 {
		t.Errorf("%v allocations for each of %d claims", allocs, calls)
	}
}

func TestReferenceOfAnAnswer(t *testing.T) {
	r := answer(1, event.Approved)
	if got := ReferenceOf(r.Encode()); got != "" {
		t.Errorf("reference %q where there is none", got)
	}
	r.Answer.Codes, r.Answer.Reference = []string{`"reference":"x"`}, "auth-1"
	if got := ReferenceOf(r.Encode()); got != "auth-1" {
		t.Errorf("reference %q", got)
	}
	if got := ReferenceOf(claim(1, "a", noon).Encode()); got != "" {
		t.Errorf("reference %q of a claim", got)
	}
}

func BenchmarkApplyClaim(b *testing.B) {
	value := with(claim(1, "host/0b3b2b3e-6f1d-4c0e-9a86-0d2b7c41e935", noon.Add(time.Millisecond)), selfie(1)).Encode()
	s := NewShard(24 * time.Hour)
	s.OnClaim(func(event.Vendor, time.Time) {})
	key := []byte("request-1")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Apply(key, value, noon); err != nil {
			b.Fatal(err)
		}
	}
}
