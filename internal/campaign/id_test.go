package campaign

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func ids(rows []Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Request.RequestID)
	}
	return all
}

func TestTheSameManifestGetsTheSameIDs(t *testing.T) {
	const text = "submission_id,selfie_key\ns1,a.jpg\ns2,b.jpg\n"
	first := ids(readAll(t, text))
	// These are in use: a change of them makes repeated publications paid ones.
	want := []string{"036b6afa-85ca-5280-a5d4-71fb5a39391a", "edf7ba67-8571-565e-8f4d-7a705bfd221b"}
	for i, id := range first {
		if id != want[i] {
			t.Errorf("row %d has id %s, want %s", i+1, id, want[i])
		}
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 5 {
			t.Errorf("%s is not a UUID of version 5", id)
		}
	}
	for name, other := range map[string]string{
		"empty lines and CRLF":                     "submission_id,selfie_key\r\n\r\ns1,a.jpg\r\n\r\ns2,b.jpg",
		"columns in another order, and empty ones": "cf1,selfie_key,submission_id\n,a.jpg,s1\n,b.jpg,s2\n",
		"NDJSON":                   `{"selfie_key":"a.jpg","submission_id":"s1"}` + "\n" + `{"submission_id":"s2","selfie_key":"\u0062.jpg"}`,
		"the campaign in a column": "submission_id,selfie_key,campaign_id\ns1,a.jpg,camp\ns2,b.jpg,\n",
	} {
		if got := ids(readAll(t, other)); strings.Join(got, " ") != strings.Join(first, " ") {
			t.Errorf("%s: ids %v, want %v", name, got, first)
		}
	}
	withFlags := ids(readAll(t, text, func(o *Options) { o.Vendor = "faceki" }))
	if strings.Join(withFlags, " ") != strings.Join(first, " ") {
		t.Error("another default vendor gave other ids")
	}
}

func TestOtherRowsGetOtherIDs(t *testing.T) {
	base := ids(readAll(t, "submission_id,selfie_key\ns1,a.jpg\ns2,b.jpg\n"))
	corrected := ids(readAll(t, "submission_id,selfie_key\ns1,a2.jpg\ns2,b.jpg\n"))
	if corrected[0] == base[0] || corrected[1] != base[1] {
		t.Errorf("correcting the first row: ids %v, were %v", corrected, base)
	}
	twins := ids(readAll(t, "submission_id,selfie_key\ns1,a.jpg\ns1,a.jpg\n"))
	if twins[0] == twins[1] {
		t.Error("two equal rows share an id")
	}
	elsewhere := ids(readAll(t, "submission_id,selfie_key\ns1,a.jpg\n", func(o *Options) { o.Campaign = "other" }))
	if elsewhere[0] == base[0] {
		t.Error("two campaigns share an id")
	}
}

func TestDefaultCampaignFollowsFromNameAndContent(t *testing.T) {
	for _, c := range []struct{ file, content, want string }{
		{"/data/autumn.csv", "a", "autumn-ca978112ca1b"},
		{"autumn.csv", "b", "autumn-3e23e8160039"},
		{"Größe 1 (neu).v2.csv", "a", "Gr-e-1-neu-.v2-ca978112ca1b"},
		{"stdin", "a", "stdin-ca978112ca1b"},
		{"…", "a", "manifest-ca978112ca1b"},
		{strings.Repeat("x", 300) + ".csv", "a", strings.Repeat("x", 80) + "-ca978112ca1b"},
	} {
		got, err := DefaultID(c.file, strings.NewReader(c.content))
		if err != nil || got != c.want || CheckID(got) != nil {
			t.Errorf("%s: %q, %v, want %q", c.file, got, err, c.want)
		}
	}
}

func TestCampaignIDsAreChecked(t *testing.T) {
	for _, id := range []string{"", "a b", "ä", strings.Repeat("x", 129), "a\n"} {
		if CheckID(id) == nil {
			t.Errorf("%q passed", id)
		}
	}
	if err := CheckID("2026.autumn_wave:1-b"); err != nil {
		t.Error(err)
	}
}
