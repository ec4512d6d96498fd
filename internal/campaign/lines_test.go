package campaign

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestALineWithoutAnEndDoesNotFillTheMemory(t *testing.T) {
	for _, head := range []string{"submission_id,selfie_key\n", "submission_id,selfie_key\n\"", `{"submission_id":"`} {
		m, err := NewReader(io.MultiReader(strings.NewReader(head), io.LimitReader(endless{}, 16<<20)), Options{Campaign: "camp", Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for faulty := 0; ; faulty++ {
			row, err := m.Next()
			if errors.Is(err, io.EOF) {
				if faulty == 0 {
					t.Errorf("%q: no fault", head)
				}
				break
			}
			if err != nil || len(row.Faults) == 0 {
				t.Fatalf("%q: row %+v, %v", head, row, err)
			}
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
			t.Errorf("%q: %d bytes allocated", head, used)
		}
	}
}
