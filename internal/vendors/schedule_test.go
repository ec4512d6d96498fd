package vendors

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func berlin(t interface{ Fatal(...any) }) *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestScheduledPace(t *testing.T) {
	const h, day = time.Hour, 24 * time.Hour
	b := berlin(t)
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("Mon 2006-01-02 15:04:05", s, b)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	night := Period{From: 22 * h, To: 6 * h, Location: b, PerSecond: 10}
	weekend := Period{Days: []time.Weekday{time.Saturday, time.Sunday}, To: day, Location: b, PerSecond: 5}
	friday := Period{Days: []time.Weekday{time.Friday}, From: 20 * h, To: 4 * h, Location: b}
	for _, c := range []struct {
		name string
		s    Schedule
		at   time.Time
		want float64
	}{
		{"none", nil, at("Mon 2026-03-02 23:00:00"), 50},
		{"before it begins", Schedule{night}, at("Mon 2026-03-02 21:59:59"), 50},
		{"as it begins", Schedule{night}, at("Mon 2026-03-02 22:00:00"), 10},
		{"past midnight", Schedule{night}, at("Tue 2026-03-03 05:59:59"), 10},
		{"as it ends", Schedule{night}, at("Tue 2026-03-03 06:00:00"), 50},
		{"in another zone", Schedule{night}, time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC), 10},
		{"in summer", Schedule{night}, time.Date(2026, 7, 2, 20, 0, 0, 0, time.UTC), 10},
		{"in winter", Schedule{night}, time.Date(2026, 1, 2, 20, 59, 59, 0, time.UTC), 50},
		{"on its day", Schedule{weekend}, at("Sun 2026-03-01 23:59:59"), 5},
		{"not on its day", Schedule{weekend}, at("Mon 2026-03-02 00:00:00"), 50},
		{"the first holds", Schedule{weekend, night}, at("Sun 2026-03-01 23:00:00"), 5},
		{"begun the day before", Schedule{friday}, at("Sat 2026-02-28 03:59:59"), 0},
		{"not begun the day before", Schedule{friday}, at("Fri 2026-02-27 03:00:00"), 50},
		{"never above the limits", Schedule{{To: day, Location: b, PerSecond: 500}}, noon, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.perSecond(c.at, 50); got != c.want {
				t.Errorf("%v calls a second, want %v", got, c.want)
			}
		})
	}
}

// Every window up to a slot holds at most what the pace at that slot allows, and
// apart from the pause at each change all slots are there.
func TestChangeOfPaceExceedsNoSlidingWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := berlin(t)
		var s Schedule
		minute := func() time.Duration { return time.Duration(rapid.IntRange(0, 4).Draw(t, "minute")) * time.Minute }
		for range rapid.IntRange(1, 3).Draw(t, "periods") {
			s = append(s, Period{From: 13*time.Hour + minute(), To: 13*time.Hour + minute(), Location: b,
				PerSecond: rapid.SampledFrom([]float64{0, .2, 1, 10, 49, 50, 80}).Draw(t, "rate")})
		}
		const full = 50.0
		over := time.Duration(rapid.SampledFrom([]int{1, 1, 5, 90}).Draw(t, "over")) * time.Second
		tt := &timetable{pace: pace{perSecond: full, over: over, schedule: s}}
		tt.setShards([]int{0}, 1, noon.Add(-time.Hour))
		slots := tt.slots(noon, noon.Add(6*time.Minute))
		first := 0
		for i, slot := range slots {
			for !slots[first].begin.After(slot.begin.Add(-over)) {
				first++
			}
			most := s.perSecond(slot.begin, full) * over.Seconds()
			if n := i - first + 1; n > int(math.Ceil(most-1e-6)) {
				t.Fatalf("%d slots in the %v up to %v, at %v/s", n, over, slot.begin, s.perSecond(slot.begin, full))
			}
		}
		want := 0.0
		for at := noon; at.Before(noon.Add(6 * time.Minute)); at = at.Add(time.Second) {
			want += s.perSecond(at, full)
		}
		if got, lost := float64(len(slots)), 6*(full*over.Seconds()+1); got < want-lost || got > want+1 {
			t.Fatalf("%v slots, the schedule has %v", got, want)
		}
	})
}

// Every replica has the same slots, whenever it began to look, also when the
// clock is put forward or back.
func TestScheduledSlotsAreTheSameForAll(t *testing.T) {
	b := berlin(t)
	s := Schedule{{From: 2*time.Hour + 30*time.Minute, To: 3 * time.Hour, Location: b, PerSecond: .2}, {From: 4 * time.Hour, To: 4*time.Hour + time.Minute, Location: b}}
	for _, day := range []time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, b), time.Date(2026, 10, 25, 0, 0, 0, 0, b)} {
		of := func(begun time.Time) []slot {
			tt := &timetable{pace: pace{perSecond: .5, over: time.Second, schedule: s}}
			tt.setShards([]int{0}, 1, noon.AddDate(-1, 0, 0))
			return tt.slots(begun, day.Add(6*time.Hour))
		}
		all := of(day.Add(-25 * time.Hour))
		for _, begun := range []time.Duration{0, time.Hour, 2*time.Hour + 45*time.Minute, 3 * time.Hour, 4*time.Hour + 30*time.Second, 5 * time.Hour} {
			some := of(day.Add(begun))
			if !slices.Equal(some, all[len(all)-len(some):]) || len(some) == 0 {
				t.Errorf("%v: whoever begins %v after midnight has other slots", day, begun)
			}
		}
	}
}

func TestLaneFollowsItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fake time begins at midnight UTC
		a := &fakeAdapter{}
		cfg := config()
		cfg.Schedule = Schedule{
			{From: time.Minute, To: 2 * time.Minute, Location: time.UTC, PerSecond: 10},
			{From: 2 * time.Minute, To: 3 * time.Minute, Location: time.UTC},
		}
		l := NewLane(a, cfg)
		l.SetShards([]int{0}, 1)
		midnight := time.Now()
		drive(l, 10, 4*time.Minute)
		var per [5]int // the last one ends with what was reserved
		for _, at := range a.made() {
			per[int(at.Sub(midnight)/time.Minute)]++
		}
		for i, want := range []float64{49 * 60, 9.8 * 60, 0, 49 * 60} {
			if got := float64(per[i]); got > want || got < want*.98 {
				t.Errorf("%v calls in minute %d, want about %v", got, i, want)
			}
		}
	})
}
