package vendors

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However often and far the wall clock is set, forward or back, and however bursty the
// requests are: no span of real time holds more calls than on a steady clock, and the
// lane does not stand still.
func TestClockThatIsSetExceedsNoWindow(t *testing.T) {
	sooner := 0
	rapid.Check(t, func(t *rapid.T) {
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		w := Window{rapid.IntRange(2, 100).Draw(t, "count"), rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 2 * time.Second}).Draw(t, "per")}
		windows := []Window{w}
		if counted := rapid.Bool().Draw(t, "counted"); counted {
			windows = append(windows, Window{12 * w.Count, 40 * max(time.Second, w.Per)})
		}
		total := rapid.IntRange(1, 12).Draw(t, "total")
		var owned []int
		for s := range total {
			if s == 0 || rapid.Bool().Draw(t, "owned") {
				owned = append(owned, s)
			}
		}
		q := newQuota(newLimits(windows, 0), nil)
		q.setShards(owned, total, noon)
		for _, c := range q.shards {
			c.restored = true
		}
		// real is the time that the monotonic clock shows, ahead how far the wall
		// clock is ahead of it.
		real, ahead := noon.Add(time.Second), time.Duration(0)
		var made []time.Time
		idle, set := real, real // since when
		for waiting := 0; real.Before(noon.Add(30 * time.Second)); real = real.Add(time.Duration(chance.Int64N(int64(10 * time.Millisecond)))) {
			if chance.IntN(300) == 0 {
				by := time.Duration((chance.Float64() - .5) * float64([]time.Duration{
					20 * time.Millisecond, 200 * time.Millisecond, 3 * time.Second, 100 * time.Hour}[chance.IntN(4)]))
				ahead += by
				q.set(by, real.Add(ahead))
				set = real
			}
			if chance.IntN(30) == 0 {
				waiting = int(w.perSecond()*chance.ExpFloat64()) / 2
			}
			now := real.Add(ahead)
			q.keep(now.Add(time.Duration(chance.Int64N(int64(2*time.Second)))), now)
			if waiting == 0 {
				idle = real
			}
			for ; waiting > 0; waiting-- {
				s, _, ok := q.next(now, 0)
				if !ok || s.begin.After(now.Add(q.reach(s))) || !s.sooner && s.begin.After(now.Add(soonest)) {
					break
				}
				shard, calls, _ := q.roomiest(s.begin)
				if calls == 0 {
					idle = real
					break
				}
				q.take(s, shard, now)
				at := s.begin.Add(-ahead)
				if s.sooner {
					sooner++
					at = real
				}
				made, idle = append(made, at), real
			}
			// A round of the slots, and the pause before it.
			round := time.Duration(float64(total) / w.perSecond() * float64(time.Second))
			if since := latest(idle, set); real.Sub(since) > 2*round+farthest+soonest {
				t.Fatalf("no call for %v, %v after the clock was set, where %v is a round", real.Sub(since), real.Sub(set), round)
			}
		}
		slices.SortFunc(made, time.Time.Compare)
		windows[0].Count = mostOwned(owned, total, w.Count)
		for _, w := range windows {
			for i := w.Count; i < len(made); i++ {
				if within := made[i].Sub(made[i-w.Count]); within < w.Per {
					t.Fatalf("%d calls within %v, of %v", w.Count+1, within, windows)
				}
			}
		}
	})
	if sooner < 1000 {
		t.Errorf("%d calls went sooner in all", sooner)
	}
}

// mostOwned returns how many of so many slots in a row are owned at most.
func mostOwned(owned []int, total, slots int) (most int) {
	for first := range total {
		n := 0
		for s := range slots {
			if slices.Contains(owned, (first+s)%total) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
