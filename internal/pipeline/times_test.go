package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// errTimestamp stands for a broker's InvalidTimestamp, which stops the process.
var errTimestamp = errors.New("the record's time is out of the range that the broker takes")

// strict has every write refused whose time is more than an hour off, as brokers may
// (message.timestamp.after.max.ms, an hour by default in Kafka 4.0, and
// message.timestamp.before.max.ms).
func strict(f *fakeTopics) {
	f.write = func(recs []event.Record) error {
		for _, r := range recs {
			if off := time.Since(r.Time).Abs(); !r.Time.IsZero() && off > time.Hour {
				return fmt.Errorf("%s: %w", r.Topic, errTimestamp)
			}
		}
		return nil
	}
}

// Whatever time a record of upstream's has, what is written for it has the time of the
// writing: a refusal would stop each owner of its shard.
func TestRecordsOfAnyTimeAreAnsweredInOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		strict(topics)
		w := join(t, topics, &fakeVendor{answer: func(c vendors.Call, n int) (vendors.Verdict, error) {
			switch {
			case c.SubmissionID == "refused":
				return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
			case n == 1: // parked with its record
				return vendors.Verdict{}, transient()
			}
			return vendors.Verdict{Outcome: event.Approved}, nil
		}}, nil)
		w.assign([]int{0, 1, 2}, nil, nil)
		times := []time.Time{
			time.UnixMilli(-1), time.UnixMilli(0), time.Now().AddDate(-20, 0, 0), time.Now().AddDate(5, 0, 0),
			time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC),
		}
		for i, at := range times {
			for j, value := range []string{
				fmt.Sprintf(`{"request_id":"parked-%d","submission_id":"s-%d","selfie_key":"k"}`, i, i),
				fmt.Sprintf(`{"request_id":"dead-%d","submission_id":"refused","selfie_key":"k"}`, i),
				"no request",
			} {
				topics.add(event.Record{Topic: "requests", Partition: j, Key: fmt.Append(nil, i), Value: []byte(value), Time: at})
			}
		}
		settle(2 * time.Hour) // checkpoints and what is kept in the window among it
		if got, want := len(w.results()), 2*len(times); got != want {
			t.Errorf("%d results, want %d", got, want)
		}
		if got, want := len(topics.written("dead")), 2*len(times); got != want {
			t.Errorf("%d dead letters, want %d", got, want)
		}
		if err := w.shut(); err != nil {
			t.Error(err)
		}

		// And whoever takes over.
		next := join(t, topics, &fakeVendor{}, nil)
		next.assign([]int{0, 1, 2}, nil, nil)
		next.send(0, "r-1", "sub-1")
		settle(10 * time.Minute)
		if err := next.shut(); err != nil {
			t.Error(err)
		}
		if got, want := len(next.results()), 2*len(times)+1; got != want {
			t.Errorf("%d results after a takeover, want %d", got, want)
		}
	})
}
