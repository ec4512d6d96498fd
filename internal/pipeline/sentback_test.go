package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

func TestSentBackFailureIsTriedAgainAndNothingElseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(c vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		back := func() {
			rec := w.topics.logs["requests/0"][0]
			rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte("1")}}
			w.topics.append(rec)
			settle(time.Minute)
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Minute)
		back()
		got := w.results()
		if len(got) != 2 || got[0].Outcome != event.Failed || got[1].Outcome != event.Approved || got[1].Revision != 2 {
			t.Fatalf("results %+v", got)
		}
		back() // approved now
		if len(w.results()) != 2 || len(v.called()) != 2 {
			t.Errorf("%d results, %d calls after an approved request was sent back", len(w.results()), len(v.called()))
		}
		w.shut()
	})
}

func TestSentBackBeforeTheFailuresResultIsNotSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(_ vendors.Call, nth int) (vendors.Verdict, error) {
			if nth == 1 {
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}
		w := join(t, newFakeTopics(), v, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		synctest.Wait()
		held := make(chan struct{})
		w.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				<-held
			}
			return nil
		}
		w.send(0, "r-1", "sub-1")
		settle(time.Second)
		rec := w.topics.logs["requests/0"][0]
		rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte("1")}}
		w.topics.append(rec)
		settle(time.Minute)
		close(held)
		settle(time.Minute)
		got := w.results()
		if len(got) != 2 || got[0].Outcome != event.Failed || got[1].Outcome != event.Approved || w.next(0) != 2 {
			t.Errorf("next %d, results %+v", w.next(0), got)
		}
		w.shut()
	})
}

// Two people may send the same dead letter back. The copy that comes second is no word
// on the failure of the first: its result would have that one's id.
func TestSecondCopyOfWhatWasSentBackIsADuplicate(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint("moved ", moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := true
				v := &fakeVendor{}
				v.answer = func(vendors.Call, int) (vendors.Verdict, error) {
					if failing {
						return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
					}
					return vendors.Verdict{Outcome: event.Approved}, nil
				}
				w, other := pair(t, v, nil)
				back := func(redrives string) {
					rec := w.topics.logs["requests/0"][0]
					rec.Headers = []event.Header{{Key: event.HeaderRedrive, Value: []byte(redrives)}}
					w.topics.append(rec)
					settle(time.Minute)
				}
				w.send(0, "r-1", "sub-1")
				settle(time.Minute)
				back("1")
				if moved {
					w.commit()
					w.kill()
					w, other = other, nil
					w.assign([]int{0, 1, 2}, nil, nil)
					settle(time.Minute)
				}
				failing = false
				back("1")
				if n := len(w.results()); n != 2 {
					t.Errorf("%d results after the second copy", n)
				}
				back("2") // this one is about the second failure
				got := w.results()
				if len(got) != 3 || got[2].Outcome != event.Approved || got[2].Revision != 3 {
					t.Errorf("results %+v", got)
				}
				w.shut()
				if other != nil {
					other.shut()
				}
			})
		})
	}
}
