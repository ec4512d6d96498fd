package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

func TestIDsAreForgottenAfterTheWindow(t *testing.T) {
	s := NewShard(8 * time.Hour)
	later := noon.Add(time.Minute)
	apply(t, s, "r", claim(1, "a", later), answer(1, event.Failed), Record{Step: Checkpoint, Published: &later})
	s.Forget(noon.Add(8 * time.Hour))
	if got, _ := s.Admit("r", source(9), 1); got != Duplicate {
		t.Error("an id was forgotten within the window")
	}
	s.Forget(noon.Add(10 * time.Hour))
	if got, _ := s.Admit("r", source(9), 1); got != New || len(s.failed) != 0 {
		t.Error("an id is remembered after the window")
	}
}

func TestUnreadableRecordsAreRefusedAndIgnored(t *testing.T) {
	for name, c := range map[string]struct{ key, value string }{
		"empty":                 {"r", ""},
		"not JSON":              {"r", "{"},
		"another object":        {"r", `{"a":1}`},
		"unknown step":          {"r", `{"step":"charged"}`},
		"claim without an end":  {"r", `{"step":"claimed","claim":1,"owner":"a"}`},
		"parking without a due": {"r", `{"step":"parked","claim":1}`},
		"answer without one":    {"r", `{"step":"answered"}`},
		"answer cut short":      {"r", `{"step":"answered","claim":1,"answer":{"outcome":"approved"`},
		"no key":                {"", `{"step":"claimed","claim":1,"owner":"a","until":"2026-01-01T00:00:00Z"}`},
		"wrong type":            {"r", `{"step":"claimed","claim":"1"}`},
		"checkpoint of nothing": {"", `{"step":"checkpoint"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewShard(time.Hour)
			if err := s.Apply([]byte(c.key), []byte(c.value), noon); !errors.Is(err, ErrUnreadable) {
				t.Errorf("error %v", err)
			}
			if open, answered := s.Len(); open+answered != 0 {
				t.Error("an unreadable record left a trace")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range []Record{claim(1, "a", noon), answer(1, event.Approved), parking(2, noon), {Step: Checkpoint, Published: &noon}} {
		f.Add(r.Encode())
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := Decode(value)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Decode(r.Encode())
		if err != nil {
			t.Fatalf("%s: %v", r.Encode(), err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatal(diff)
		}
		if stepOf(r.Encode()) != r.Step {
			t.Fatalf("step %q is not found in %s", r.Step, r.Encode())
		}
	})
}

func TestMemoryOfAnAnsweredID(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const ids = 200_000
	before := heap()
	s := newSeen(24 * time.Hour)
	for i := range ids {
		s.add(IDOf(fmt.Sprint(i)), noon.Add(time.Duration(i)*100*time.Millisecond))
	}
	each := (heap() - before) / ids
	runtime.KeepAlive(s)
	t.Logf("an answered id costs %d bytes", each)
	if each > 48 {
		t.Errorf("an answered id costs %d bytes", each)
	}
}

func TestRewrittenParkingSaysTheSame(t *testing.T) {
	called := noon.Add(time.Second)
	known := parking(2, noon.Add(time.Hour))
	unknown := known
	unknown.Unknown, unknown.Called, unknown.Why, unknown.Calls = true, &called, "unknown_outcome", 2
	unknown.Original = &Original{Key: []byte("k"), Value: `{"a":"<&>"}`, Headers: []event.Header{{Key: "h", Value: []byte{0, 255}}}, Time: noon}
	for _, r := range []Record{known, unknown, with(unknown, selfie(1))} {
		s := replay(t, "r-1", r)
		id, value := s.Restored(nil)[0].Parking()
		again, err := Decode(value)
		if err != nil || id != "r-1" {
			t.Fatalf("%s: %v", id, err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
	}
}

func BenchmarkSeen(b *testing.B) {
	for b.Loop() {
		s := newSeen(24 * time.Hour)
		for i := range 1_000_000 {
			var id ID
			id[0], id[1], id[2], id[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
			s.add(id, noon)
		}
	}
	b.ReportAllocs()
}
