package sandbox

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
	"reauth/internal/sandbox/checkoutsim"
)

var update = flag.Bool("update", false, "rewrite testdata/demo")

const demoDir = "../../testdata/demo"

// demoKind is a kind of row.
type demoKind struct {
	vendor event.Vendor
	// script is what the submission (Argos), the applicant (Checkout.com) or the
	// face in the selfie (FACEKI, Amazon Rekognition) meets.
	script string
	rows   int
	// selfie is what the selfie's name ends with, empty for a usual size.
	selfie string
	// reference is how the picture to compare with differs from a good one.
	reference string
	// notAfter is when a row of the kind is too late.
	notAfter time.Time
}

// stranger in place of a script: the face is not the expected person's.
const stranger = "stranger"

var (
	lastYear  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	farFuture = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// The campaign is so many rows for each vendor, with plain approvals up to that
// number. A record that cannot be decoded makes up the round number.
var demoVendors = []struct {
	name    event.Vendor
	rows    int
	approve string
	kinds   []demoKind
}{
	{event.Argos, 1199, "approve", argosKinds},
	{event.Faceki, 700, "", facekiKinds},
	{event.Checkout, 700, "approve", checkoutKinds},
	{event.Rekognition, 400, "", rekognitionKinds},
}

const demoRows = 2999

// undecodable is a request that the demo publishes raw: it stops in the middle.
const undecodable = `{"request_id":"demo-3000","submission_id":"sub-approve-3000","selfie_key":"selfies/30`

// demo makes the campaign, the same each time.
func demo() []event.Request {
	var kinds []demoKind
	for _, v := range demoVendors {
		plain := v.rows
		for _, k := range v.kinds {
			k.vendor = v.name
			kinds = append(kinds, slices.Repeat([]demoKind{k}, k.rows)...)
			plain -= k.rows
		}
		kinds = append(kinds, slices.Repeat([]demoKind{{vendor: v.name, script: v.approve}}, plain)...)
	}
	random := rand.New(rand.NewPCG(2024, 1))
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	rows := make([]event.Request, len(kinds))
	for i, k := range kinds {
		rows[i] = k.row(fmt.Sprintf("%04d", i+1), random)
	}
	return rows
}

// row makes the row of a number, which nothing in it shares with another's.
func (k demoKind) row(number string, random *rand.Rand) event.Request {
	r := event.Request{RequestID: "demo-" + number, Vendor: k.vendor, UserID: "user-" + number, NotAfter: k.notAfter}
	person, size := randomHex(random), []string{"40KB.jpg", "60KB.jpg", "80KB.jpg", "120KB.jpg"}[random.IntN(4)]
	if k.selfie != "" {
		size = k.selfie
	}
	// face is the key of a picture of somebody, with a script.
	face := func(person, script, rest string) string {
		if script != "" {
			script = "-" + script
		}
		return "selfies/face-" + person + script + "-" + rest
	}
	switch k.vendor {
	case event.Argos:
		r.SubmissionID, r.SelfieKey = "sub-"+k.script+"-"+number, "selfies/"+number+"-"+size
	case event.Checkout:
		r.ApplicantID, r.RedirectURL = "aplt_"+k.script+"_"+number, "https://app.example/reauth/"+number
	case event.Faceki:
		r.SubmissionID, r.SelfieKey = person, face(person, k.script, number+"-"+size)
	case event.Rekognition:
		r.SubmissionID, r.SelfieKey = "customer-"+number, face(person, k.script, number+"-"+size)
		r.ReferenceKey = face(person, k.reference, number+"-enrolled.jpg")
		if k.script == stranger {
			r.SelfieKey = face(randomHex(random), "", number+"-"+size)
		}
	}
	return r
}

// randomHex is a name as FACEKI gives them: 32 hexadecimal digits.
func randomHex(random *rand.Rand) string {
	var b [16]byte
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return hex.EncodeToString(b[:])
}

// demoEnd is ExpectRequest, and knows of not_after and of audits.
func demoEnd(r event.Request) Expectation {
	if r.NotAfter.Equal(lastYear) {
		return Expectation{Outcome: event.Expired, Reasons: []event.Reason{event.NotAfterPassed}}
	}
	e := ExpectRequest(r)
	if !audited(r) {
		return e
	}
	if e.Outcome == event.Approved {
		return Expectation{event.Rejected, []event.Reason{event.KnownFraud}, e.Charges}
	}
	return Expectation{Outcome: event.Approved, Charges: e.Charges}
}

// audited reports whether the vendor changes its verdict later.
func audited(r event.Request) bool {
	return r.Vendor == event.Checkout && checkoutsim.ParseScript(r.ApplicantID).Audit
}

var demoColumns = []string{
	"request_id", "vendor", "submission_id", "applicant_id", "selfie_key", "reference_key", "redirect_url", "user_id", "not_after",
}

func manifestOf(rows []event.Request) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(demoColumns)
	for _, r := range rows {
		notAfter := ""
		if !r.NotAfter.IsZero() {
			notAfter = r.NotAfter.Format(time.RFC3339)
		}
		w.Write([]string{
			r.RequestID, string(r.Vendor), r.SubmissionID, r.ApplicantID, r.SelfieKey, r.ReferenceKey, r.RedirectURL, r.UserID, notAfter,
		})
	}
	w.Flush()
	return out.Bytes()
}

func TestDemoFilesAreUpToDate(t *testing.T) {
	rows := demo()
	for name, want := range map[string][]byte{
		"manifest.csv": manifestOf(rows), "README.md": readmeOf(rows), "undecodable.txt": []byte(undecodable),
	} {
		path := filepath.Join(demoDir, name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the test makes; run with -update (-want +got):\n%s", name, diff)
		}
	}
}

func TestDemoRowsAreValidRequestsAndTheBrokenOneIsNot(t *testing.T) {
	rules := event.Rules{DefaultVendor: event.Argos, Vendors: event.Vendors(), Buckets: []string{"selfies"}}
	seen := map[string]bool{"": true}
	for _, r := range demo() {
		value, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := event.Decode(event.Record{Value: value}, rules); err != nil {
			t.Errorf("%s: %v", r.RequestID, err)
		}
		for _, id := range []string{r.RequestID, r.SubmissionID + r.ApplicantID, r.SelfieKey + r.RedirectURL} {
			if seen[id] {
				t.Errorf("%s has %q, and is not the only one", r.RequestID, id)
			}
			seen[id] = true
		}
	}
	if r, err := event.Decode(event.Record{Value: []byte(undecodable)}, rules); err == nil {
		t.Errorf("the broken record decodes to %+v", r)
	}
}
