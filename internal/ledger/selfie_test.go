package ledger

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

func selfie(n byte) Selfie {
	return Selfie{SHA256: Digest{31: n}, Bytes: 100_000, Version: "3HL4kqtJvjVBH40Nrjfkd-" + string('a'+rune(n))}
}

// with has a claim or a parking name a selfie.
func with(r Record, v Selfie) Record {
	r.Selfie = v
	return r
}

// inDoubt is a parking that says that nobody knows what became of a call.
func inDoubt(n int, due time.Time) Record {
	r := parking(n, due)
	r.Unknown, r.Called = true, &noon
	return r
}

// TestSelfieOfACallInDoubt is what whoever finds the call's verdict goes by.
func TestSelfieOfACallInDoubt(t *testing.T) {
	later := noon.Add(time.Hour)
	a, b := selfie(1), selfie(2)
	for name, c := range map[string]struct {
		log  []Record
		want Selfie
	}{
		"claimed":                             {[]Record{with(claim(1, "a", later), a)}, a},
		"claimed without a selfie":            {[]Record{claim(1, "a", later)}, Selfie{}},
		"claimed by a lower number since":     {[]Record{with(claim(2, "a", later), a), with(claim(1, "b", later), b)}, a},
		"claimed again for the same one":      {[]Record{with(claim(1, "a", later), a), with(claim(2, "b", later), a)}, a},
		"claimed again for another one":       {[]Record{with(claim(1, "a", later), a), with(claim(2, "b", later), b)}, Selfie{}},
		"claimed for another one and back":    {[]Record{with(claim(1, "a", later), a), with(claim(2, "b", later), b), with(claim(3, "b", later), b)}, Selfie{}},
		"claimed first by an earlier version": {[]Record{claim(1, "a", later), with(claim(2, "b", later), b)}, Selfie{}},
		"parked in doubt":                     {[]Record{with(claim(1, "a", later), a), with(inDoubt(1, later), a)}, a},
		"parked in doubt, its claim is lost":  {[]Record{with(inDoubt(1, later), a)}, a},
		"parked by an earlier version":        {[]Record{with(claim(1, "a", later), a), inDoubt(1, later)}, Selfie{}},
		"parked, not in doubt":                {[]Record{with(claim(1, "a", later), a), parking(1, later)}, Selfie{}},
		"claimed when no more in doubt":       {[]Record{with(claim(1, "a", later), a), parking(1, later), with(claim(2, "a", later), b)}, b},
		"claimed in doubt, the same one":      {[]Record{with(inDoubt(1, later), a), with(claim(2, "a", later), a)}, a},
		"claimed in doubt, another one":       {[]Record{with(inDoubt(1, later), a), with(claim(2, "a", later), b)}, Selfie{}},
		"answered":                            {[]Record{with(claim(1, "a", later), a), answer(1, event.Approved)}, Selfie{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := replay(t, "r", c.log...)
			e := s.open[IDOf("r")]
			if diff := cmp.Diff(c.want, e.Selfie()); diff != "" {
				t.Errorf("selfie (-want +got):\n%s", diff)
			}
			if c.want == (Selfie{}) && e.selfie != nil {
				t.Error("it takes memory all the same")
			}
			if e.original == nil || e.Step != Parked {
				return
			}
			_, value := e.Parking()
			if again := replay(t, "r", must(t, value)).open[IDOf("r")]; again.Selfie() != c.want {
				t.Errorf("written again it is %+v", again.Selfie())
			}
		})
	}
}

func must(t *testing.T, value []byte) Record {
	t.Helper()
	r, err := Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A claim that is ignored is paid for twice: for a digest none is.
func TestStrangeDigestIsOneThatIsNotKnown(t *testing.T) {
	known := with(claim(1, "a", noon), selfie(1))
	digits := selfie(1).SHA256.String()
	for name, c := range map[string]struct {
		text string
		want Digest
	}{
		"upper case": {strings.ToUpper(digits), selfie(1).SHA256},
		"short":      {digits[1:], Digest{}},
		"no digits":  {strings.Repeat("g", 64), Digest{}},
		"nothing":    {"", Digest{}},
	} {
		value := []byte(strings.Replace(string(known.Encode()), digits, c.text, 1))
		scanned, ok := (&scanner{names: &names{}, spent: &spent{}}).claim(value)
		if r := must(t, value); r.Selfie.SHA256 != c.want || r.Claim != 1 || !ok || scanned.Selfie != r.Selfie {
			t.Errorf("%s: read as %+v, scanned as %+v", name, r.Selfie, scanned.Selfie)
		}
	}
}

// An open request whose call is in doubt takes 65 bytes for its selfie, and those of its
// version id, measured on Go 1.26; one that is parked for another reason takes none.
func TestMemoryOfASelfieInDoubt(t *testing.T) {
	const requests = 20_000
	heap := func(r Record) int {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		entries := make([]Entry, requests)
		for i := range entries {
			entries[i].setSelfie(r.Selfie)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(entries)
		return int(after.HeapAlloc) - int(before.HeapAlloc)
	}
	none := heap(claim(1, "a", noon))
	each := (heap(with(claim(1, "a", noon), selfie(1))) - none) / requests
	t.Logf("a selfie in doubt costs %d bytes, and its version", each)
	if each > 72 {
		t.Errorf("a selfie in doubt costs %d bytes", each)
	}
}
