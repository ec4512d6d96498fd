package campaign

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"reauth/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules enable every vendor; Argos is the default.
var rules = event.Rules{DefaultVendor: event.Argos, Vendors: event.Vendors(), Buckets: []string{"selfies"}}

// readAll returns every row of a manifest.
func readAll(t *testing.T, text string, edits ...func(*Options)) []Row {
	t.Helper()
	o := Options{Campaign: "camp", Rules: rules}
	for _, edit := range edits {
		edit(&o)
	}
	m, err := NewReader(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	var all []Row
	for {
		row, err := m.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
}
