package pipeline

import "time"

// stalls keeps the requests of shards that have used up their share of a limit,
// where they hold no worker and no selfie. It is part of a queue, whose lock
// guards it; nil stalls keep none.
type stalls struct {
	// room says how many calls a shard may make soon, and if none, when to ask
	// again (vendors.Lane.Room).
	room func(shard int) (calls int, again time.Time)
	// preparing are the requests on their way to a permit, which will take room
	// yet.
	preparing map[int]int
	// kept are shared among campaigns as what is ready is: while room comes in
	// drops, it is here that turns are given.
	kept   map[int]*[ranks]*fair
	weight func(campaign string) float64
	again  time.Time // when some of kept may have room
}

func newStalls(room func(shard int) (int, time.Time), weight func(campaign string) float64) *stalls {
	return &stalls{room: room, weight: weight, preparing: map[int]int{}, kept: map[int]*[ranks]*fair{}}
}

// free returns how many more requests of a shard may be prepared.
func (s *stalls) free(shard int, now time.Time) int {
	calls, again := s.room(shard)
	if calls == 0 && (s.again.IsZero() || again.Before(s.again)) {
		s.again = latest(again, now.Add(time.Millisecond))
	}
	return calls - s.preparing[shard]
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stall keeps a request whose shard has no room. What is to be settled may need
// no call.
func (s *stalls) stall(it *item, now time.Time) bool {
	if s == nil || it.unsettled || s.free(it.shard.id, now) > 0 {
		return false
	}
	kept := s.kept[it.shard.id]
	if kept == nil {
		kept = &[ranks]*fair{}
		for rank := range kept {
			kept[rank] = newFair(s.weight)
		}
		s.kept[it.shard.id] = kept
	}
	kept[it.rank()].push(it)
	return true
}

// resume hands the requests out that there is room for again, to push.
func (s *stalls) resume(now time.Time, push func(*item)) {
	if s == nil || len(s.kept) == 0 {
		return
	}
	s.again = time.Time{}
	for shard, kept := range s.kept {
		free, left := s.free(shard, now), 0
		for rank := ranks - 1; rank >= 0; rank-- {
			for ; free > 0 && kept[rank].len() > 0; free-- {
				push(kept[rank].pop())
			}
			left += kept[rank].len()
		}
		if left == 0 {
			delete(s.kept, shard)
		}
	}
}

// reweigh follows a change of weights.
func (s *stalls) reweigh() {
	if s == nil {
		return
	}
	for _, kept := range s.kept {
		for _, f := range kept {
			f.reweigh()
		}
	}
}

// due returns when resume may hand something out that it does not now, zero if
// nothing is kept.
func (s *stalls) due() time.Time {
	if s == nil || len(s.kept) == 0 {
		return time.Time{}
	}
	return s.again
}

func (s *stalls) len() (n int) {
	if s == nil {
		return 0
	}
	for _, kept := range s.kept {
		for rank := range kept {
			n += kept[rank].len()
		}
	}
	return n
}

// remove takes out the requests that match and returns them.
func (s *stalls) remove(match func(*item) bool) (removed []*item) {
	if s == nil {
		return nil
	}
	for _, kept := range s.kept {
		for rank := range kept {
			removed = append(removed, kept[rank].remove(match)...)
		}
	}
	return removed
}
