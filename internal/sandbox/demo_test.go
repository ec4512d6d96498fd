package sandbox

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

var update = flag.Bool("update", false, "rewrite testdata/demo")

const demoDir = "../../testdata/demo"

// demoRow is one line of the manifest.
type demoRow struct{ requestID, submissionID, selfieKey, userID, notAfter string }

var demoColumns = []string{"request_id", "submission_id", "selfie_key", "user_id", "not_after"}

func (r demoRow) record() []string {
	return []string{r.requestID, r.submissionID, r.selfieKey, r.userID, r.notAfter}
}

// expect is Expect, and knows of not_after.
func (r demoRow) expect() Expectation {
	if r.notAfter != "" {
		return Expectation{Outcome: event.Expired, Reasons: []event.Reason{event.NotAfterPassed}}
	}
	return Expect(r.submissionID, r.selfieKey)
}

// The campaign: so many rows of each kind, and approvals up to demoRows.
const demoRows = 999

var demoSubmissions = []struct {
	script string
	rows   int
}{
	{"reject-similarity", 42},
	{"reject-occluded", 15},
	{"reject-cover", 8},
	{"reject-head", 8},
	{"reject-two", 10},
	{"reject-new", 2},
	{"unknown", 7},
	{"unapproved", 6},
	{"noface", 9},
	{"error-image_processing_error-once", 4},
	{"error-detection_server_error-once", 4},
	{"error-data_processing_error-once", 3},
	{"500-once", 4},
	{"502-once", 3},
	{"503-once", 3},
	{"429-once", 2},
	{"resetearly-once", 2},
	{"reset-once", 2},
	{"badjson-once", 1},
}

var demoSelfies = []struct {
	name string
	rows int
}{
	{"missing.jpg", 9},
	{"notimage.jpg", 4},
	{"empty.jpg", 3},
	{"truncated.jpg", 4},
	{"pngbomb.png", 2},
	{"huge.jpg", 2},
	{"90KB.png", 20},
}

// demo makes the campaign, the same each time.
func demo() []demoRow {
	rows := []demoRow{{submissionID: "approve", notAfter: "2024-01-01T00:00:00Z"}}
	for _, s := range demoSubmissions {
		rows = append(rows, slices.Repeat([]demoRow{{submissionID: s.script}}, s.rows)...)
	}
	for _, s := range demoSelfies {
		rows = append(rows, slices.Repeat([]demoRow{{submissionID: "approve", selfieKey: s.name}}, s.rows)...)
	}
	for len(rows) < demoRows {
		rows = append(rows, demoRow{submissionID: "approve"})
	}
	r := rand.New(rand.NewPCG(2024, 1))
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for i := range rows {
		row, number := &rows[i], fmt.Sprintf("%04d", i+1)
		if row.selfieKey == "" {
			row.selfieKey = []string{"40KB.jpg", "60KB.jpg", "80KB.jpg", "120KB.jpg"}[r.IntN(4)]
		}
		row.requestID = "demo-" + number
		row.submissionID = "sub-" + row.submissionID + "-" + number
		row.selfieKey = "selfies/" + number + "-" + row.selfieKey
		row.userID = "user-" + number
	}
	return rows
}

// undecodable is a request that the demo publishes raw: it stops in the middle.
const undecodable = `{"request_id":"demo-1000","submission_id":"sub-approve-1000","selfie_key":"selfies/10`

func manifestOf(rows []demoRow) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(demoColumns)
	for _, r := range rows {
		w.Write(r.record())
	}
	w.Flush()
	return out.Bytes()
}

// ending is a line of the table of what a campaign ends with.
type ending struct {
	outcome event.Outcome
	reasons string
}

func endingOf(e Expectation) ending {
	var reasons []string
	for _, r := range e.Reasons {
		reasons = append(reasons, string(r))
	}
	return ending{e.Outcome, strings.Join(reasons, ", ")}
}

func readmeOf(rows []demoRow) []byte {
	outcomes, endings, charges := map[event.Outcome]int{}, map[ending]int{}, 0
	for _, r := range rows {
		e := r.expect()
		outcomes[e.Outcome]++
		endings[endingOf(e)]++
		charges += e.Charges
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `# The demo campaign

%d valid rows in `+"`manifest.csv`"+`, one broken record in `+"`undecodable.txt`"+` to be
published as it is. Selfies and submissions are scripts that the sandbox plays:
`+"`go doc ./internal/sandbox/argossim`"+` and `+"`go doc ./internal/sandbox/s3sim`"+`.

Written by `+"`go test ./internal/sandbox -run Demo -update`"+`; do not edit.

At a sandbox with its default knobs, and a consumer with its default limits, it
ends with one result for each row, the broken record in the dead-letter topic,
and %d authentications charged, none of them twice.

| outcome | rows |
|---|---|
`, len(rows), charges)
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&out, "| %s | %d |\n", o, outcomes[o])
	}
	fmt.Fprint(&out, "\n| outcome | reasons | rows |\n|---|---|---|\n")
	sorted := slices.SortedFunc(maps.Keys(endings), func(a, b ending) int {
		return strings.Compare(string(a.outcome)+a.reasons, string(b.outcome)+b.reasons)
	})
	for _, e := range sorted {
		fmt.Fprintf(&out, "| %s | %s | %d |\n", e.outcome, e.reasons, endings[e])
	}
	fmt.Fprint(&out, "\nApproved only at the second call, or after asking what became of the first:\n\n| first call | rows |\n|---|---|\n")
	for _, s := range demoSubmissions {
		if what, ok := strings.CutSuffix(s.script, "-once"); ok {
			fmt.Fprintf(&out, "| %s | %d |\n", what, s.rows)
		}
	}
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

// The table is written out here once more, by hand: it is what the demo shows.
func TestDemoHasTheOutcomesItShows(t *testing.T) {
	outcomes, charges := map[event.Outcome]int{}, 0
	seen := map[string]bool{}
	for _, r := range demo() {
		e := r.expect()
		outcomes[e.Outcome]++
		charges += e.Charges
		if seen[r.requestID] || seen[r.submissionID] || seen[r.selfieKey] {
			t.Errorf("row %s is not unlike the others", r.requestID)
		}
		seen[r.requestID], seen[r.submissionID], seen[r.selfieKey] = true, true, true
	}
	want := map[event.Outcome]int{
		event.Approved: 867, event.Rejected: 85, event.Unusable: 33, event.Ineligible: 13, event.Expired: 1,
	}
	if diff := cmp.Diff(want, outcomes); diff != "" || charges != 867+85 {
		t.Errorf("charges %d, outcomes (-want +got):\n%s", charges, diff)
	}
}

func TestDemoRowsAreValidRequestsAndTheBrokenOneIsNot(t *testing.T) {
	rules := event.Rules{DefaultVendor: event.Argos, Vendors: []event.Vendor{event.Argos}, Buckets: []string{"selfies"}}
	for _, r := range demo() {
		fields := map[string]string{}
		for i, value := range r.record() {
			if value != "" {
				fields[demoColumns[i]] = value
			}
		}
		value, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := event.Decode(event.Record{Value: value}, rules); err != nil {
			t.Errorf("%s: %v", r.requestID, err)
		}
	}
	if r, err := event.Decode(event.Record{Value: []byte(undecodable)}, rules); err == nil {
		t.Errorf("the broken record decodes to %+v", r)
	}
}

// A plain caller plays every row against the simulators and must end where
// Expect says.
func TestExpectAgreesWithTheSimulators(t *testing.T) {
	s := setup(t, func(o *Options) { o.S3.AllowAnonymous = true })
	for _, r := range demo() {
		if r.notAfter != "" {
			continue
		}
		got, want := play(t, s, r), r.expect()
		if got != endingOf(want) || len(s.Argos.Charged(r.submissionID)) != want.Charges {
			t.Errorf("%s with %s: got %v, charged %d, want %v, %d", r.submissionID, r.selfieKey,
				got, len(s.Argos.Charged(r.submissionID)), endingOf(want), want.Charges)
		}
	}
}

// play is a caller that knows no more than it must: it looks at the selfie,
// calls until there is an answer, and asks what was charged after a lost one.
func play(t *testing.T, s *Sandbox, r demoRow) ending {
	t.Helper()
	selfie, fault := fetch(t, s, r.selfieKey)
	if fault != "" {
		return ending{event.Unusable, string(fault)}
	}
	for range 3 {
		_, body := submit(t, s, r.submissionID, selfie)
		var answer struct {
			Status  string   `json:"auth_status"`
			Fails   []string `json:"fail_code"`
			Error   string   `json:"errorCode"`
			Message string   `json:"message"`
		}
		if json.Unmarshal(body, &answer) != nil {
			if len(s.Argos.Charged(r.submissionID)) > 0 {
				return ending{event.Approved, ""}
			}
			continue
		}
		switch {
		case answer.Status == "approved":
			return ending{event.Approved, ""}
		case answer.Status == "rejected":
			return endingOf(Expectation{Outcome: event.Rejected, Reasons: reasonsOf(answer.Fails)})
		case strings.Contains(answer.Error+answer.Message, "Face is not detected"):
			return ending{event.Unusable, string(event.NoFace)}
		case strings.Contains(answer.Error+answer.Message, "find the submission"):
			return ending{event.Ineligible, string(event.SubjectUnknown)}
		case strings.Contains(answer.Error+answer.Message, "must be approved"):
			return ending{event.Ineligible, string(event.SubjectNotApproved)}
		}
	}
	return ending{event.Failed, string(event.AttemptsExhausted)}
}

func reasonsOf(failCodes []string) (reasons []event.Reason) {
	table := map[string]event.Reason{
		"face_compare_underscore": event.SimilarityBelowThreshold,
		"face_occluded_fail":      event.FaceOccluded,
		"face_cover_fail":         event.FaceProtectionMissing,
		"head_cover_fail":         event.HeadProtectionMissing,
		"face_mirror_fail":        event.OtherRejection,
	}
	for _, code := range failCodes {
		reasons = append(reasons, table[strings.ToLower(code)])
	}
	return reasons
}

// fetch gets a selfie from S3, or says what is wrong with it.
func fetch(t *testing.T, s *Sandbox, key string) ([]byte, event.Reason) {
	t.Helper()
	resp, err := http.Get(s.S3URL() + "/selfies/" + key)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	png := bytes.HasPrefix(body, []byte("\x89PNG"))
	switch {
	case err != nil:
		t.Fatal(err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, event.SelfieNotFound
	case len(body) == 0:
		return nil, event.SelfieEmpty
	case len(body) > 5<<20:
		return nil, event.SelfieTooLarge
	case png && body[16] == 0 && body[17] == 0 && body[18] > 0x20: // wider than 8192 pixels
		return nil, event.SelfiePixels
	case !png && !bytes.HasPrefix(body, []byte("\xff\xd8")):
		return nil, event.SelfieNotImage
	case !png && !bytes.HasSuffix(body, []byte("\xff\xd9")):
		return nil, event.SelfieTruncated
	}
	return body, ""
}

func TestExpectForWhatTheDemoLacks(t *testing.T) {
	for id, want := range map[string]Expectation{
		"sub-500-always-1":                            {event.Failed, []event.Reason{event.AttemptsExhausted}, 0},
		"sub-error-data_processing_error-always-1":    {event.Failed, []event.Reason{event.AttemptsExhausted}, 0},
		"sub-error-invalid_data_format-1":             {event.Failed, []event.Reason{event.RequestRefused}, 0},
		"sub-error-brand_new-1":                       {event.Failed, []event.Reason{event.RequestRefused}, 0},
		"sub-error-IMAGE_CONVERTING_ERROR-text-1":     {event.Unusable, []event.Reason{event.SelfieNotImage}, 0},
		"sub-error-Invalid_projectId-once-1":          {event.Approved, nil, 1},
		"sub-error-Invalid_projectId-always-1":        {},
		"sub-429-always-1":                            {},
		"sub-hang-once-1":                             {event.Approved, nil, 1},
		"sub-error-invalid_submission_status-twice-1": {event.Ineligible, []event.Reason{event.SubjectNotApproved}, 0},
	} {
		if diff := cmp.Diff(want, Expect(id, "selfies/1-60KB.jpg")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}
