package stream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"reauth/internal/stream"
)

func TestOffsetsOfAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startReading(t)
		began := time.Now()
		for i := range 6 {
			r.write(t, i, 1)
			time.Sleep(time.Hour)
		}
		if err := r.kafka.DeleteRecords("requests", 0, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := r.client.End(t.Context(), "requests", 0); err != nil {
			t.Fatal(err)
		}
		moveLeader(t, r.kafka, "requests") // what the client knows is old now
		for name, tt := range map[string]struct {
			look func() (int64, error)
			want int64
		}{
			"first": {func() (int64, error) { return r.client.First(t.Context(), "requests", 0) }, 2},
			"end":   {func() (int64, error) { return r.client.End(t.Context(), "requests", 0) }, 6},
			"two hours back": {func() (int64, error) {
				return r.client.OffsetAt(t.Context(), "requests", 0, began.Add(3*time.Hour+time.Minute))
			}, 4},
			"before the first": {func() (int64, error) { return r.client.OffsetAt(t.Context(), "requests", 0, began.Add(-time.Hour)) }, 2},
			"after the last":   {func() (int64, error) { return r.client.OffsetAt(t.Context(), "requests", 0, time.Now()) }, 6},
		} {
			if got, err := tt.look(); err != nil || got != tt.want {
				t.Errorf("%s: got %d and %v, want %d", name, got, err, tt.want)
			}
		}
		if _, err := r.client.End(t.Context(), "requests", 7); !errors.Is(err, kerrCode(kerr.UnknownTopicOrPartition)) {
			t.Errorf("a partition that is not there: %v", err)
		}
	})
}

func TestNothingIsWrittenBeforeThePositionOfATime(t *testing.T) {
	const endOf = -1 // as a timestamp
	for name, late := range map[string]func(timestamp int64) bool{
		"end":  func(timestamp int64) bool { return timestamp == endOf },
		"time": func(timestamp int64) bool { return timestamp != endOf },
	} {
		t.Run("a record comes before the answer about the "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startReading(t)
				r.kafka.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
					if !late(request.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp) {
						return nil, nil, false
					}
					r.kafka.DropControl()
					r.kafka.SleepControl(func() {
						time.Sleep(time.Second) // the other question is answered
						r.write(t, 0, 1)
					})
					return nil, nil, false
				})
				if got, err := r.client.OffsetAt(t.Context(), "requests", 0, time.Now().Add(-time.Hour)); err != nil || got != 0 {
					t.Errorf("got %d and %v, but there is a record at 0", got, err)
				}
			})
		})
	}
}

func TestCommittedOffsetsAreThoseOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(4, 17)
		time.Sleep(2 * time.Second)
		got, err := kafka.Client(t).CommittedOffsets(t.Context(), group, topics...)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[int]int64{"requests": {4: 17}, "priority": {}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := a.client.CommittedOffsets(t.Context(), group, "nowhere"); !errors.Is(err, stream.ErrUnknownTopic) {
			t.Errorf("got %v", err)
		}
	})
}
