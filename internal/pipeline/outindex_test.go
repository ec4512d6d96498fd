package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
)

func TestWhatIsOutIsReadOnlyAsFarBackAsIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		s := w.shards[1]
		write := func(n int) {
			for i := range n {
				w.topics.append(event.Record{Topic: "results", Partition: 1, Headers: []event.Header{{Key: "ce_id", Value: fmt.Append(nil, "r-", i)}}})
				time.Sleep(time.Second)
			}
		}
		asked := func(id string, since time.Time, want bool) {
			t.Helper()
			if out, err := w.published(t.Context(), s, id, since); err != nil || out != want {
				t.Errorf("%s is out: %v and %v, want %v", id, out, err, want)
			}
		}
		began := time.Now()
		write(1)
		asked("r-0", began, true)
		write(1000)
		recent := time.Now()
		write(3)
		asked("r-2", recent, true)
		asked("r-700", recent, false)
		if n := len(s.out.ids); n != 3 {
			t.Errorf("%d ids are kept, want the 3 that may be asked for", n)
		}
		write(5)
		asked("r-4", recent, true)
		asked("r-700", began, true) // further back than anybody asked
		w.shut()
	})
}
