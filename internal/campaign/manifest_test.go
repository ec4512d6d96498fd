package campaign

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// told is what the tables compare: one text for each row.
func told(rows []Row) []string {
	var all []string
	for _, r := range rows {
		if len(r.Faults) == 0 {
			all = append(all, fmt.Sprintf("row %d line %d: %s %s", r.Number, r.Line, r.Request.RequestID, r.Request.SelfieKey))
		}
		for _, f := range r.Faults {
			all = append(all, fmt.Sprintf("row %d line %d: fault at %d in %q: %s", r.Number, r.Line, f.Line, f.Field, f.Code))
		}
	}
	return all
}

// TestManifestsNameReferences: the pictures to compare with, for a vendor that
// keeps none.
func TestManifestsNameReferences(t *testing.T) {
	want := event.Request{
		RequestID: "r1", Vendor: event.Rekognition, SubmissionID: "s1", SelfieKey: "a.jpg", SelfieBucket: "selfies",
		ReferenceKey: "p/1.jpg", ReferenceBucket: "selfies", ReferenceVersion: "v7",
	}
	for name, text := range map[string]string{
		"CSV":    "request_id,vendor,submission_id,selfie_key,selfie_bucket,reference_key,reference_bucket,reference_version\nr1,rekognition,s1,a.jpg,selfies,p/1.jpg,selfies,v7\nr2,rekognition,s2,b.jpg,,,other,\n",
		"NDJSON": `{"request_id":"r1","vendor":"rekognition","submission_id":"s1","selfie_key":"a.jpg","selfie_bucket":"selfies","reference_key":"p/1.jpg","reference_bucket":"selfies","reference_version":"v7"}` + "\n" + `{"request_id":"r2","vendor":"rekognition","submission_id":"s2","selfie_key":"b.jpg","reference_bucket":"other"}` + "\n",
	} {
		rows := readAll(t, text)
		got := rows[0].Request
		got.CampaignID, got.RequestedAt = "", time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		var faults []string
		for _, f := range rows[1].Faults {
			faults = append(faults, f.Field+" "+string(f.Code))
		}
		if diff := cmp.Diff([]string{"reference_key missing", "reference_bucket bucket_not_allowed"}, faults); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", name, diff)
		}
	}
}

func TestCSVRowsAreRequestsOrFaultsWithTheirLine(t *testing.T) {
	const header = "request_id,submission_id,selfie_key\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"plain", header + "r1,s1,a.jpg\nr2,s2,b.jpg\n", []string{"row 1 line 2: r1 a.jpg", "row 2 line 3: r2 b.jpg"}},
		{"no line end at the end", header + "r1,s1,a.jpg", []string{"row 1 line 2: r1 a.jpg"}},
		{"byte order mark", "\xEF\xBB\xBF" + header + "r1,s1,a.jpg\n", []string{"row 1 line 2: r1 a.jpg"}},
		{"CRLF", strings.ReplaceAll(header+"r1,s1,a.jpg\nr2,s2,b.jpg\n", "\n", "\r\n"), []string{"row 1 line 2: r1 a.jpg", "row 2 line 3: r2 b.jpg"}},
		{"empty lines are no rows", "\n\n" + header + "\nr1,s1,a.jpg\n\n\nr2,s2,b.jpg\n\n", []string{"row 1 line 5: r1 a.jpg", "row 2 line 8: r2 b.jpg"}},
		{"quoted fields", header + `"r1","s1","a,b ""c"".jpg"` + "\n", []string{`row 1 line 2: r1 a,b "c".jpg`}},
		{"quoted header", `"request_id","submission_id",selfie_key` + "\nr1,s1,a.jpg\n", []string{"row 1 line 2: r1 a.jpg"}},
		{"a quoted field over two lines", "request_id,submission_id,cf1,selfie_key\nr1,s1,\"one\ntwo\",a.jpg\nr2,s2,,b.jpg\n",
			[]string{"row 1 line 2: r1 a.jpg", "row 2 line 4: r2 b.jpg"}},
		{"too few and too many columns", header + "r1,s1\nr2,s2,b.jpg,\nr3,s3,c.jpg\n",
			[]string{`row 1 line 2: fault at 2 in "": wrong_column_count`, `row 2 line 3: fault at 3 in "": wrong_column_count`, "row 3 line 4: r3 c.jpg"}},
		{"a quote in a plain field", header + "r1,s\"1,a.jpg\nr2,s2,b.jpg\n", []string{`row 1 line 2: fault at 2 in "": bad_quote`, "row 2 line 3: r2 b.jpg"}},
		{"text behind a quoted field", header + "r1,\"s1\"x,a.jpg\nr2,s2,b.jpg\n", []string{`row 1 line 2: fault at 2 in "": bad_quote`, "row 2 line 3: r2 b.jpg"}},
		{"a quote that is never closed spoils one row", header + "r1,\"s1,a.jpg\nr2,s2,b.jpg\nr3,s3,c.jpg\n",
			[]string{`row 1 line 2: fault at 2 in "": bad_quote`, "row 2 line 3: r2 b.jpg", "row 3 line 4: r3 c.jpg"}},
		{"not UTF-8", header + "r1,s1,a\xff.jpg\nr2,s2,b.jpg\n", []string{`row 1 line 2: fault at 2 in "selfie_key": not_utf8`, "row 2 line 3: r2 b.jpg"}},
		{"a line over 64 KiB", header + "r1,s1," + strings.Repeat("x", 200_000) + "\nr2,s2,b.jpg\n",
			[]string{`row 1 line 2: fault at 2 in "": too_large`, "row 2 line 3: r2 b.jpg"}},
		{"a quoted field over 64 KiB", header + "r1,s1,\"" + strings.Repeat("x\n", 40_000) + "\"\nr2,s2,b.jpg\n", nil},
		{"all faults of a row", header + "r 1,,../a.jpg\n",
			[]string{`row 1 line 2: fault at 2 in "request_id": bad_format`, `row 1 line 2: fault at 2 in "submission_id": missing`, `row 1 line 2: fault at 2 in "selfie_key": path_trick`}},
		{"a request id for the second time", header + "r1,s1,a.jpg\nr2,s2,b.jpg\nr1,s3,c.jpg\n",
			[]string{"row 1 line 2: r1 a.jpg", "row 2 line 3: r2 b.jpg", `row 3 line 4: fault at 4 in "request_id": duplicate_request_id`}},
		{"the id of a faulty row", header + "r1,s1,\nr1,s1,a.jpg\n",
			[]string{`row 1 line 2: fault at 2 in "selfie_key": missing`, `row 2 line 3: fault at 3 in "request_id": duplicate_request_id`}},
		{"another campaign", "request_id,submission_id,selfie_key,campaign_id\nr1,s1,a.jpg,camp\nr2,s2,b.jpg,other\nr3,s3,c.jpg,\n",
			[]string{"row 1 line 2: r1 a.jpg", `row 2 line 3: fault at 3 in "campaign_id": other_campaign`, "row 3 line 4: r3 c.jpg"}},
		{"header only", header, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(readAll(t, c.text))
			if c.name == "a quoted field over 64 KiB" {
				// Its lines are rows of their own then, all of them faulty.
				if first, last := got[0], got[len(got)-1]; first != `row 1 line 2: fault at 2 in "": bad_quote` || last != "row 40002 line 40003: r2 b.jpg" {
					t.Errorf("first %q, last %q", first, last)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNDJSONRowsAreRequestsOrFaultsWithTheirLine(t *testing.T) {
	const good = `{"request_id":"r9","submission_id":"s9","selfie_key":"z.jpg"}` + "\n"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"plain", good, []string{"row 1 line 1: r9 z.jpg"}},
		{"byte order mark, CRLF and blank lines", "\xEF\xBB\xBF\r\n  \r\n" + strings.ReplaceAll(good, "\n", "\r\n") + "\r\n", []string{"row 1 line 3: r9 z.jpg"}},
		{"null and empty are absent", `{"request_id":"r1","submission_id":"s1","selfie_key":"a.jpg","applicant_id":null,"cf1":""}`, []string{"row 1 line 1: r1 a.jpg"}},
		{"a name twice", `{"request_id":"r1","submission_id":"s1","submission_id":"s2","selfie_key":"a.jpg"}` + "\n" + good,
			[]string{`row 1 line 1: fault at 1 in "submission_id": duplicate_key`, "row 2 line 2: r9 z.jpg"}},
		{"a name in capitals", `{"Submission_ID":"s1","selfie_key":"a.jpg"}`, []string{`row 1 line 1: fault at 1 in "submission_id": case_variant_key`}},
		{"not an object", good + `["r1"]` + "\n7\n", []string{"row 1 line 1: r9 z.jpg", `row 2 line 2: fault at 2 in "": not_an_object`, `row 3 line 3: fault at 3 in "": not_an_object`}},
		{"broken", good + `{"request_id":` + "\n", []string{"row 1 line 1: r9 z.jpg", `row 2 line 2: fault at 2 in "": malformed_json`}},
		{"two objects on a line", `{"submission_id":"s1","selfie_key":"a.jpg"} {}`, []string{`row 1 line 1: fault at 1 in "": trailing_data`}},
		{"a number for text", `{"request_id":1,"submission_id":"s1","selfie_key":"a.jpg"}`, []string{`row 1 line 1: fault at 1 in "request_id": wrong_type`}},
		{"not UTF-8", `{"submission_id":"s1","selfie_key":"a` + "\xff" + `.jpg"}`, []string{`row 1 line 1: fault at 1 in "": not_utf8`}},
		{"half a character", `{"submission_id":"s1","selfie_key":"\ud800"}`, []string{`row 1 line 1: fault at 1 in "selfie_key": lone_surrogate`}},
		{"an unknown field", `{"submission_id":"s1","selfie_key":"a.jpg","not_afer":"2026-01-01T00:00:00Z"}`, []string{`row 1 line 1: fault at 1 in "": unknown_field`}},
		{"a line over 64 KiB", `{"cf1":"` + strings.Repeat("x", 1<<20) + `"}` + "\n" + good, []string{`row 1 line 1: fault at 1 in "": too_large`, "row 2 line 2: r9 z.jpg"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(readAll(t, c.text, func(o *Options) { o.Format = NDJSON }))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatIsFoundByTheFirstCharacter(t *testing.T) {
	for _, text := range []string{
		"submission_id,selfie_key\ns1,a.jpg\n",
		"\xEF\xBB\xBF\n{\"submission_id\":\"s1\",\"selfie_key\":\"a.jpg\"}\n",
	} {
		rows := readAll(t, text)
		if len(rows) != 1 || rows[0].Request.SelfieKey != "a.jpg" {
			t.Errorf("%q gave %v", text, told(rows))
		}
	}
}

func TestWhatIsNoManifestIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "empty"},
		{"blank lines", "\n\r\n\n", "empty"},
		{"only a byte order mark", "\xEF\xBB\xBF", "empty"},
		{"UTF-16", "\xFF\xFEs\x00u\x00", "UTF-16"},
		{"a JSON array", "[{}]", "one object on each line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(strings.NewReader(c.text), Options{Campaign: "camp"})
			if !errors.Is(err, ErrNoManifest) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want ErrNoManifest with %q", err, c.want)
			}
		})
	}
}

func TestHeaderFaultsComeAllAtOnce(t *testing.T) {
	_, err := NewReader(strings.NewReader("submission_id,Selfie_Key,submission_id,selfie\ns1,a,b,c\n"), Options{Campaign: "camp"})
	var header *HeaderError
	if !errors.As(err, &header) {
		t.Fatalf("error %v, want a HeaderError", err)
	}
	want := []Fault{
		{Line: 1, Code: UnknownField, Detail: `no request has a field "Selfie_Key": write selfie_key`},
		{Line: 1, Field: "submission_id", Code: event.DuplicateKey, Detail: "keep one column of this name"},
		{Line: 1, Code: UnknownField, Detail: `no request has a field "selfie": leave it out, or give --ignore-unknown`},
	}
	if diff := cmp.Diff(want, header.Faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	_, err = NewReader(strings.NewReader("submission_id;selfie_key\n"), Options{Campaign: "camp"})
	if err == nil || !strings.Contains(err.Error(), "commas") {
		t.Errorf("error %v does not tell to use commas", err)
	}
}

func TestUnknownColumnsAndFieldsCanBeIgnored(t *testing.T) {
	ignore := func(o *Options) { o.IgnoreUnknown = true }
	for _, text := range []string{
		"submission_id,note,selfie_key\ns1,\xff,a.jpg\n",
		`{"submission_id":"s1","note":{"a":1},"selfie_key":"a.jpg"}`,
	} {
		rows := readAll(t, text, ignore)
		if len(rows) != 1 || len(rows[0].Faults) > 0 {
			t.Errorf("%q gave %v", text, told(rows))
		}
	}
}

func TestDefaultsFillAbsentFieldsOnly(t *testing.T) {
	deadline := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	own := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := readAll(t, `{"applicant_id":"aplt_a","redirect_url":"https://app.example/"}
{"vendor":"argos","submission_id":"s1","selfie_key":"a.jpg","not_after":"2027-01-01T00:00:00Z","requested_at":"2026-11-01T00:00:00Z"}`,
		func(o *Options) { o.Vendor, o.NotAfter = event.Checkout, deadline })
	if len(rows) != 2 || len(rows[0].Faults)+len(rows[1].Faults) > 0 {
		t.Fatalf("rows: %v", told(rows))
	}
	first, second := rows[0].Request, rows[1].Request
	if first.Vendor != event.Checkout || !first.NotAfter.Equal(deadline) || first.CampaignID != "camp" || !first.RequestedAt.IsZero() {
		t.Errorf("first row: %+v", first)
	}
	if second.Vendor != event.Argos || !second.NotAfter.Equal(own) || second.RequestedAt.IsZero() {
		t.Errorf("second row: %+v", second)
	}
}

func TestARowWithoutAVendorLeavesItToTheConsumer(t *testing.T) {
	rows := readAll(t, "submission_id,selfie_key\ns1,a.jpg\n")
	if got := rows[0].Request.Vendor; got != "" {
		t.Errorf("vendor %q, want none", got)
	}
}

func TestReadErrorsAreNotTheEnd(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, head := range []string{"submission_id,selfie_key\ns1,a.jpg\n", "submission_id,selfie_key\ns1,\"a.jpg\n"} {
		m, err := NewReader(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), Options{Campaign: "camp", Rules: rules, Format: CSV})
		for err == nil {
			_, err = m.Next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %q: error %v, want the reader's", head, err)
		}
	}
}
