package campaign

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// records reads all records with csvRows; ok is false after a fault.
func records(text string) (all [][]string, ok bool) {
	c := csvRows{lines: &lines{r: bufio.NewReaderSize(strings.NewReader(text), 16), maxBytes: 1 << 10}}
	for {
		values, _, fault, err := c.record()
		if errors.Is(err, io.EOF) {
			return all, true
		}
		if fault != nil {
			return nil, false
		}
		all = append(all, values)
	}
}

// Whatever encoding/csv reads we read alike, and what it refuses we refuse.
func TestCSVIsReadAsTheStandardLibraryReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\",\n\r é")), 0, 60, -1).Draw(t, "text")
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		got, ok := records(text)
		if ok != (err == nil) {
			t.Fatalf("%q: accepted %v, and encoding/csv says %v", text, ok, err)
		}
		if err == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q (-want +got):\n%s", text, diff)
			}
		}
	})
}
