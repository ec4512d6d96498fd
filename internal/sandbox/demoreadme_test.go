package sandbox

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/vendorsim"
)

// ending is a line of the tables of what a campaign ends with.
type ending struct {
	vendor  event.Vendor // empty for all
	outcome event.Outcome
	reasons string // as the producer prints them
}

func endingOf(e Expectation) ending {
	var reasons []string
	for _, r := range e.Reasons {
		reasons = append(reasons, string(r))
	}
	return ending{outcome: e.Outcome, reasons: strings.Join(reasons, "+")}
}

// bill is what a vendor charges. Again is how many of the charges are for a call
// whose answer was lost at a vendor that cannot be asked for it.
type bill struct{ charged, again int }

// account is all that a campaign comes to.
type account struct {
	// endings are counted three times: by vendor and outcome, by outcome, and by
	// outcome and reasons.
	byVendor, byOutcome, byReasons map[ending]int
	bills                          map[event.Vendor]bill
	corrected, failed, leftBehind  int
}

func accountOf(rows []event.Request) account {
	a := account{map[ending]int{}, map[ending]int{}, map[ending]int{}, map[event.Vendor]bill{}, 0, 0, 0}
	for _, r := range rows {
		e := demoEnd(r)
		a.byVendor[ending{vendor: r.Vendor, outcome: e.Outcome}]++
		a.byOutcome[ending{outcome: e.Outcome}]++
		if end := endingOf(e); end.reasons != "" {
			a.byReasons[end]++
		}
		b := a.bills[r.Vendor]
		b.charged += e.Charges
		if r.Vendor != event.Checkout { // which charges each capture
			b.again += max(0, e.Charges-1)
		}
		a.bills[r.Vendor] = b
		if audited(r) {
			a.corrected++
		}
		if e.Outcome == event.Failed {
			a.failed++
		}
		if r.Vendor == event.Checkout && checkoutsim.ParseScript(r.ApplicantID).Mishaps[checkoutsim.CallCreate].Kind.Committed() {
			a.leftBehind++
		}
	}
	return a
}

// sorted returns the endings, those of each vendor in the order of the outcomes.
func sorted(counts map[ending]int) []ending {
	return slices.SortedFunc(maps.Keys(counts), func(a, b ending) int {
		rank := func(e ending) int { return slices.Index(event.Outcomes(), e.outcome) }
		return cmp.Or(cmp.Compare(a.vendor, b.vendor), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.reasons, b.reasons))
	})
}

// goesWrongFirst reports whether something goes wrong at the first call, and well later.
func (k demoKind) goesWrongFirst() bool {
	for word := range strings.FieldsFuncSeq(k.script, func(r rune) bool { return r == '-' || r == '_' }) {
		if _, ok := vendorsim.ParseMishap(word); ok {
			return true
		}
	}
	return strings.HasSuffix(k.script, "-once")
}

func readmeOf(rows []event.Request) []byte {
	a := accountOf(rows)
	var out bytes.Buffer
	fmt.Fprintf(&out, `# The demo campaign

%d valid rows for four vendors in `+"`manifest.csv`"+`, one broken record in `+"`undecodable.txt`"+`
to be published as it is. Selfies, submissions and applicants are scripts that
the sandbox plays: see `+"`go doc`"+` of the packages `+"`argossim`, `facekisim`, `checkoutsim`,\n"+
		"`rekognitionsim` and `s3sim` in `internal/sandbox`"+`.

Written by `+"`go test ./internal/sandbox -run Demo -update`"+`; do not edit. `+"`make demo`"+`
checks each number here against what it sees.

At a sandbox with its default knobs but for times, and a consumer with its default
limits, it ends with one result for each row, and with the broken record in the
dead-letter topic.

| vendor | outcome | rows |
|---|---|---|
`, len(rows))
	for _, e := range sorted(a.byVendor) {
		fmt.Fprintf(&out, "| %s | %s | %d |\n", e.vendor, e.outcome, a.byVendor[e])
	}
	fmt.Fprint(&out, "\n| outcome | rows |\n|---|---|\n")
	for _, e := range sorted(a.byOutcome) {
		fmt.Fprintf(&out, "| %s | %d |\n", e.outcome, a.byOutcome[e])
	}
	fmt.Fprint(&out, "\n| outcome | reasons | rows |\n|---|---|---|\n")
	for _, e := range sorted(a.byReasons) {
		fmt.Fprintf(&out, "| %s | %s | %d |\n", e.outcome, e.reasons, a.byReasons[e])
	}
	fmt.Fprintf(&out, `
Of the results, %d correct an earlier one: an audit of Checkout.com has changed the
verdict. The %d that failed are dead letters, too, beside the broken record.

| count | number |
|---|---|
| total | %d |
| refused | 1 |
| corrected | %d |
| dead letters | %d |
| repeated results | 0 |

## What is charged

FACEKI and Amazon Rekognition cannot be asked what became of a call whose answer
was lost. It is repeated (`+"`ledger.on_unknown`"+`), and so paid for again: some rows do that on
purpose. Argos is asked, and Checkout.com is where a step that was lost is found
again, so that nothing is paid for twice there; but %d face authentications, whose
creation was not answered, are left behind, unused and uncharged.

| vendor | charged | paid for again |
|---|---|---|
`, a.corrected, a.failed, len(rows)+1, a.corrected, a.failed+1, a.leftBehind)
	for _, v := range demoVendors {
		fmt.Fprintf(&out, "| %s | %d | %d |\n", v.name, a.bills[v.name].charged, a.bills[v.name].again)
	}
	fmt.Fprintf(&out, "\n| left behind at Checkout.com |\n|---|\n| %d |\n", a.leftBehind)
	fmt.Fprint(&out, "\n## What goes wrong first\n\nWhat these rows meet passes, and they end well:\n\n| vendor | script | rows |\n|---|---|---|\n")
	for _, v := range demoVendors {
		for _, k := range v.kinds {
			if k.goesWrongFirst() {
				fmt.Fprintf(&out, "| %s | %s | %d |\n", v.name, k.script, k.rows)
			}
		}
	}
	return out.Bytes()
}

// The numbers are written out here once more, by hand: they are what the demo
// shows.
func TestDemoHasTheOutcomesItShows(t *testing.T) {
	rows := demo()
	a := accountOf(rows)
	outcomes := map[event.Outcome]int{}
	for e, n := range a.byOutcome {
		outcomes[e.outcome] += n
	}
	want := map[event.Outcome]int{
		event.Approved: 2493, event.Rejected: 310, event.Unusable: 125, event.Ineligible: 44, event.Expired: 24, event.Failed: 3,
	}
	if diff := gocmp.Diff(want, outcomes); diff != "" || len(rows) != demoRows {
		t.Errorf("%d rows, outcomes (-want +got):\n%s", len(rows), diff)
	}
	bills := map[event.Vendor]bill{
		event.Argos: {1149, 0}, event.Faceki: {653, 6}, event.Checkout: {693, 0}, event.Rekognition: {371, 3},
	}
	if diff := gocmp.Diff(bills, a.bills, gocmp.AllowUnexported(bill{})); diff != "" {
		t.Errorf("bills (-want +got):\n%s", diff)
	}
	if a.corrected != 12 || a.failed != 3 || a.leftBehind != 3 {
		t.Errorf("%d corrected, %d failed, %d left behind", a.corrected, a.failed, a.leftBehind)
	}
}
