package argos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"reauth/internal/vendors"
)

// TestFindEndsWhereTheListHasPassedSince, and reads on wherever what it has seen
// does not show that.
func TestFindEndsWhereTheListHasPassedSince(t *testing.T) {
	noon := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	hours := func(from, to, step int) (all []time.Time) {
		for h := from; h != to; h += step {
			all = append(all, noon.Add(time.Duration(h)*time.Hour))
		}
		return all
	}
	newestFirst := hours(0, -10, -1)
	same := func(t time.Time) []time.Time { return slices.Repeat([]time.Time{t}, 10) }
	lastKey := func(rows []time.Time) string { return stamp(rows[len(rows)-1]) }
	for name, c := range map[string]struct {
		pages [][]time.Time
		key   func(rows []time.Time) string
		since time.Time
		want  int // pages read
	}{
		"newest first":              {[][]time.Time{newestFirst, hours(-10, -20, -1), hours(-20, -30, -1)}, lastKey, noon.Add(-3 * time.Hour), 1},
		"not there yet":             {[][]time.Time{newestFirst, hours(-10, -20, -1), hours(-20, -30, -1)}, lastKey, noon.Add(-12 * time.Hour), 2},
		"within the margin":         {[][]time.Time{newestFirst, hours(-10, -20, -1)}, lastKey, noon.Add(-9*time.Hour + 5*time.Second), 2},
		"oldest first":              {[][]time.Time{hours(-30, -20, 1), hours(-20, -10, 1), hours(-10, 0, 1)}, lastKey, noon.Add(-3 * time.Hour), 3},
		"mixed":                     {[][]time.Time{append(hours(-5, -10, -1), hours(-4, -9, -1)...), hours(-1, -11, -1)}, lastKey, noon.Add(-3 * time.Hour), 2},
		"mixed on an earlier page":  {[][]time.Time{{noon.Add(-4 * time.Hour), noon.Add(-2 * time.Hour)}, hours(-3, -10, -1), hours(-10, -12, -1)}, lastKey, noon.Add(-3 * time.Hour), 3},
		"all at one time":           {[][]time.Time{same(noon.Add(-9 * time.Hour)), hours(0, -3, -1)}, lastKey, noon.Add(-3 * time.Hour), 2},
		"a row without a time":      {[][]time.Time{append(newestFirst[:9:9], time.Time{}), hours(-10, -20, -1)}, lastKey, noon.Add(-3 * time.Hour), 2},
		"a key of another row":      {[][]time.Time{newestFirst, hours(-10, -20, -1)}, func(rows []time.Time) string { return stamp(rows[0]) }, noon.Add(-3 * time.Hour), 2},
		"a key that is not a time":  {[][]time.Time{newestFirst, hours(-10, -20, -1)}, func([]time.Time) string { return "next" }, noon.Add(-3 * time.Hour), 2},
		"the last page, all passed": {[][]time.Time{newestFirst}, lastKey, noon.Add(-3 * time.Hour), 1},
	} {
		read := 0
		a := serve(t, func(w http.ResponseWriter, r *http.Request) {
			rows := c.pages[read]
			var items []string
			for i, at := range rows {
				items = append(items, fmt.Sprintf(`{"auth_id":"a-%d-%d","auth_status":"approved","create_time":%q,"kyc_submission_id":"sub-2"}`, read, i, stamp(at)))
			}
			next := ""
			if read++; read < len(c.pages) {
				next = fmt.Sprintf(`,"nextPage_key":{"authId":"k-%d","createTime":%q}`, read, c.key(rows))
			}
			say(w, 200, `[{"data":[`+strings.Join(items, ",")+`]`+next+`}]`)
		})
		if found, err := find(t, a, vendors.Call{SubmissionID: "sub-1"}, c.since); err != nil || len(found) != 0 {
			t.Errorf("%s: found %v and %v", name, found, err)
		}
		if read != c.want {
			t.Errorf("%s: %d pages were read, want %d", name, read, c.want)
		}
	}
}

// stamp is a time as the vendor writes it, empty for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format("2006-01-02T15:04:05.000Z")
}
