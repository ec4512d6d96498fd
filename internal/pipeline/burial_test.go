package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// bad puts a record that is no request on a shard.
func (w *world) bad(shard int, value string, headers ...event.Header) {
	w.topics.append(event.Record{Topic: "requests", Partition: shard, Key: []byte("k"), Value: []byte(value), Headers: headers})
}

// graveCounts counts dead letters by their original's value.
func graveCounts(w *world) map[string]int {
	n := map[string]int{}
	for _, rec := range w.topics.written("dead") {
		n[string(rec.Value)]++
	}
	return n
}

func wantBuriedOnce(t *testing.T, w *world, records int) {
	t.Helper()
	wantOnceEach(t, "dead letters", graveCounts(w), records)
}

// looks returns how often a shard's dead letters were read, and asked about.
func looks(w *world, shard int) (read, asked int) {
	w.topics.mu.Lock()
	defer w.topics.mu.Unlock()
	name := logName("dead", shard)
	return w.topics.opened[name], w.topics.asked[name]
}

func TestDeadLettersOfAKilledOwnerAreNotWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		const records = 200
		for i := range records {
			a.bad(0, fmt.Sprint("bad ", i))
			time.Sleep(time.Second)
		}
		settle(time.Hour)
		wantBuriedOnce(t, a, records)
		a.kill() // nothing was committed
		readBefore, askedBefore := looks(a, 0)
		a.bad(0, "after the kill")
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		wantBuriedOnce(t, b, records+1)
		if n := b.next(0); n != records+1 {
			t.Errorf("next is %d", n)
		}
		// What the owner before may have written is read once for all.
		read, asked := looks(b, 0)
		if read, asked := read-readBefore, asked-askedBefore; read != 1 || asked != 2 {
			t.Errorf("the dead letters were read %d times, and their positions asked for %d times", read, asked)
		}
		b.shut()
	})
}

func TestTakeoverWithoutBadRecordsDoesNotLookForDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{delay: time.Second}, nil)
		for i := range 30 {
			a.send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i))
		}
		settle(time.Second)
		a.commit()
		a.kill()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		b.bad(0, "nobody before can have read this")
		settle(time.Second)
		wantOncePerRequest(t, b, 30)
		wantBuriedOnce(t, b, 1)
		for shard := range 3 {
			if read, asked := looks(b, shard); read != 0 || asked != 0 {
				t.Errorf("shard %d: the dead letters were read %d times, and their positions asked for %d times", shard, read, asked)
			}
		}
		b.shut()
	})
}

// With a MaxOpen of ten the first look is for ten records only, and each that
// follows is older.
func TestRecordsWithTimesInDisorderTakeTwoReadingsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, func(c *Config, _ *vendors.LaneConfig) { c.MaxOpen = 10 })
		start := time.Now()
		const records = 100
		for i := range records {
			a.topics.add(event.Record{Topic: "requests", Value: []byte(fmt.Sprint("bad ", i)), Time: start.Add(-time.Duration(i) * time.Hour)})
		}
		settle(time.Minute)
		a.kill()
		before, _ := looks(a, 0)
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		wantBuriedOnce(t, b, records)
		if read, _ := looks(b, 0); read-before > 2 {
			t.Errorf("the dead letters were read %d times", read-before)
		}
		b.shut()
	})
}

func TestGivenUpAndNotPublishedHasOneDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &fakeVendor{answer: func(vendors.Call, int) (vendors.Verdict, error) {
			return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
		}}
		a, b := pair(t, v, nil)
		a.topics.write = func(recs []event.Record) error {
			if recs[0].Topic == "results" {
				return errors.New("out of reach")
			}
			return nil
		}
		a.send(0, "r-1", "sub-1")
		<-a.ended
		wantBuriedOnce(t, a, 1)
		a.topics.mu.Lock()
		a.topics.write = nil
		a.topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(2 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantBuriedOnce(t, b, 1)
		b.shut()
	})
}

func TestDeadLetterGivenUpWithTheLeaseIsNoSecondDeadLetter(t *testing.T) {
	for _, reached := range []bool{true, false} {
		t.Run(fmt.Sprint("reached ", reached), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := setup(t, nil)
				w.vendor.answer = func(vendors.Call, int) (vendors.Verdict, error) {
					return vendors.Verdict{}, &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused}
				}
				tried := map[string]bool{}
				w.topics.write = func(recs []event.Record) error {
					value := string(recs[0].Value)
					if recs[0].Topic != "dead" || tried[value] {
						return nil
					}
					tried[value] = true
					return w.loseLease(recs, reached)
				}
				w.bad(0, "bad")
				settle(5 * time.Minute)
				w.assign(nil, []int{0, 1, 2}, nil)
				settle(time.Minute)
				w.send(0, "r-1", "sub-1")
				settle(5 * time.Minute)
				w.assign(nil, []int{0, 1, 2}, nil)
				settle(time.Minute)
				wantBuriedOnce(t, w, 2)
				if n := w.next(0); n != 2 {
					t.Errorf("next is %d, want both done", n)
				}
				w.shut()
			})
		})
	}
}

// lateWriter is a writer that takes its time with dead letters.
type lateWriter struct {
	*fakeTopics
	held chan struct{}
}

func (l lateWriter) WriteWhile(ctx context.Context, may func() error, recs ...event.Record) error {
	if recs[0].Topic == "dead" {
		<-l.held
	}
	return l.fakeTopics.WriteWhile(ctx, may, recs...)
}

// The look of the new owner is worth nothing if the former one goes on.
func TestOwnerThatLostTheShardWritesNoDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		a, b := join(t, topics, v, nil), join(t, topics, v, nil)
		late := lateWriter{topics, make(chan struct{})}
		a.parts.Writer = late
		a.assign([]int{0, 1, 2}, nil, nil)
		a.send(0, "r-1", "sub-1")
		settle(10 * time.Second)
		a.bad(0, "bad")
		settle(10 * time.Second)
		a.assign(nil, []int{1, 2}, []int{0})
		b.assign([]int{0}, nil, nil)
		settle(10 * time.Second)
		wantBuriedOnce(t, b, 1)
		close(late.held)
		settle(time.Minute)
		wantBuriedOnce(t, b, 1)
		if n := b.next(0); n != 2 {
			t.Errorf("next is %d", n)
		}
		a.shut()
		b.shut()
	})
}

// Headers may come from upstream, or from whoever sent a dead letter back: one
// origin does not make one record.
func TestRecordsThatClaimOneOriginHaveADeadLetterEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		origin := []event.Header{
			{Key: "__dlq.errors.topic", Value: []byte("requests")},
			{Key: "__dlq.errors.partition", Value: []byte("0")},
			{Key: "__dlq.errors.offset", Value: []byte("7")},
		}
		again := func(n string) []event.Header {
			return append(origin[:3:3], event.Header{Key: event.HeaderRedrive, Value: []byte(n)})
		}
		a.bad(0, "bad", again("1")...)
		settle(time.Minute)
		a.kill()
		if n := graveCounts(a)["bad"]; n != 1 {
			t.Fatalf("%d dead letters of the first record", n)
		}
		a.bad(0, "bad", again("2")...)   // failed, and was sent back once more
		a.bad(0, "worse", again("1")...) // other bytes
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Minute)
		if got := graveCounts(b); got["bad"] != 2 || got["worse"] != 1 {
			t.Errorf("dead letters by value: %v", got)
		}
		b.shut()
	})
}

// The second five follow the first: the shard's patience ends once, not once for
// each record.
func TestDeadLettersThatCannotBeLookedForAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, func(c *Config, _ *vendors.LaneConfig) { c.MaxOpen = 5 })
		a.kill() // before it can write any
		for i := range 10 {
			a.bad(0, fmt.Sprint("bad ", i))
		}
		b.topics.mu.Lock()
		b.topics.fault = func(topic string) error {
			if topic == "dead" {
				return errors.New("not allowed")
			}
			return nil
		}
		b.topics.mu.Unlock()
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(lookPatience / 2)
		if n := len(b.topics.written("dead")); n != 0 {
			t.Errorf("%d dead letters before the patience ended", n)
		}
		settle(lookPatience)
		wantBuriedOnce(t, b, 10)
		if n := b.next(0); n != 10 {
			t.Errorf("next is %d", n)
		}
		b.shut()
	})
}
