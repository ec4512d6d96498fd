package campaign

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"reauth/internal/event"
)

// Whatever the bytes, each row is a request that the consumer accepts as it was
// read, or a fault with the line that it is on, and lines never go back.
func FuzzReader(f *testing.F) {
	f.Add([]byte("request_id,submission_id,selfie_key\nr1,s1,a.jpg\nr1,\"s\n1\",\"b\n"), false, false)
	f.Add([]byte("\xEF\xBB\xBFvendor,applicant_id,redirect_url\r\ncheckout,aplt_1,https://a.example\r\n"), true, false)
	f.Add([]byte(`{"submission_id":"s1","selfie_key":"\u0061.jpg"}`+"\n{}\n[]\n"), false, true)
	f.Add([]byte("submission_id\n\"\"\"\n\xff\n"), true, false)
	f.Fuzz(func(t *testing.T, content []byte, ignoreUnknown, ndjson bool) {
		o := Options{Campaign: "camp", Rules: rules, IgnoreUnknown: ignoreUnknown}
		if ndjson {
			o.Format = NDJSON
		}
		m, err := NewReader(bytes.NewReader(content), o)
		var header *HeaderError
		if errors.As(err, &header) || errors.Is(err, ErrNoManifest) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		seen := make(map[string]bool)
		for number := 1; ; number++ {
			row, err := m.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Number != number || row.Line <= last {
				t.Fatalf("row %d is number %d on line %d, after line %d", number, row.Number, row.Line, last)
			}
			last = row.Line
			for _, fault := range row.Faults {
				if fault.Line != row.Line || fault.Code == "" || fault.Detail == "" {
					t.Fatalf("row on line %d has the fault %+v", row.Line, fault)
				}
			}
			if len(row.Faults) > 0 {
				continue
			}
			if seen[row.Request.RequestID] {
				t.Fatalf("line %d repeats a request id", row.Line)
			}
			seen[row.Request.RequestID] = true
			record, err := row.Request.Record("t")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := event.Decode(record, rules); err != nil {
				t.Fatalf("line %d: %v", row.Line, err)
			}
		}
	})
}
