package jsonobject_test

import (
	"math"
	"testing"
	"time"

	"reauth/internal/event/jsonobject"
)

// That all else is as encoding/json writes it, the tests of its users hold.

func TestNoJSONIsAnError(t *testing.T) {
	for name, add := range map[string]func(*jsonobject.Writer){
		"not a number": func(w *jsonobject.Writer) { w.Numbers("n", map[string]float64{"a": math.NaN()}) },
		"no end":       func(w *jsonobject.Writer) { w.Numbers("n", map[string]float64{"a": math.Inf(-1)}) },
		"year 10000":   func(w *jsonobject.Writer) { w.Time("t", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"a channel":    func(w *jsonobject.Writer) { w.Value("v", make(chan int)) },
	} {
		w := jsonobject.New(64)
		add(w)
		w.Text("last", "fine")
		if text, err := w.End(); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}
