package vendors

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Window is a limit: at most Count calls in every sliding span of length Per.
type Window struct {
	Count int
	Per   time.Duration
}

// perSecond returns the even rate at which the window is never exceeded.
func (w Window) perSecond() float64 { return float64(w.Count) / w.Per.Seconds() }

// less returns the window without a share of its calls. What is left is rounded up to
// whole calls and the window is as much longer, so that nothing is lost to rounding: of
// 20 calls a minute, 2 % less are 20 in 61.2 s.
func (w Window) less(share float64) Window {
	left := float64(w.Count) * (1 - share)
	// The small term is for products that are whole, but for rounding.
	count := math.Ceil(left - 1e-9)
	return Window{int(count), max(w.Per, time.Duration(math.Ceil(float64(w.Per)*count/left)))}
}

// label returns the length as it stands in metric labels: 10s, 1m, 24h.
func (w Window) label() string {
	s := w.Per.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// limits are a vendor's windows, told apart by how they are kept. The short ones
// are kept by the pace alone: an even rate exceeds no sliding window. Where the
// longer ones allow less than that for long, calls are counted, so that they can
// be made at the full pace for as long as there is room.
type limits struct {
	// perSecond is the pace before headroom, 0 without a limit, and over the
	// length of the shortest window that it keeps.
	perSecond float64
	over      time.Duration
	headroom  float64
	// longer are the windows that the pace does not keep, shortest first; counted
	// are the same without the headroom.
	longer, counted []Window
}

// newLimits returns the limits that keep every window.
//
// A longer window whose count is lower than what the pace makes within over
// lowers the pace to that: it costs nothing in the long run, and without it the
// headroom of the window would not pay for clock skew (see quota).
func newLimits(windows []Window, headroom float64) limits {
	if len(windows) == 0 {
		return limits{over: time.Second, headroom: headroom}
	}
	windows = slices.Clone(windows)
	slices.SortFunc(windows, func(a, b Window) int { return int(a.Per - b.Per) })
	shortest := windows[0]
	short := max(time.Second, shortest.Per)
	l := limits{perSecond: shortest.perSecond(), over: shortest.Per, headroom: headroom}
	for _, w := range windows {
		if w.Per <= short {
			l.perSecond = min(l.perSecond, w.perSecond())
		} else {
			l.perSecond = min(l.perSecond, float64(w.Count)/l.over.Seconds())
		}
	}
	for _, w := range windows {
		if w.perSecond() < l.perSecond {
			l.longer, l.counted = append(l.longer, w), append(l.counted, w.less(headroom))
		}
	}
	return l
}

// plan says how the limits are kept by a number of shards.
type plan struct {
	total int
	// perSecond is the pace, headroom taken off.
	perSecond float64
	// units has an entry for each of the longer windows: how many calls there
	// are to share, or kept if the pace keeps the window.
	units []int
}

// kept stands for the share of a window that the pace keeps.
const kept = math.MaxInt

// plan shares the longer windows among shards. One that has less than a call for
// each of them lowers the pace to its even rate instead: a shard without a share
// would starve, and shares that went round would need a memory that goes round
// with them. Every slot of the timetable serves any shard of its owner.
func (l *limits) plan(total int) plan {
	p := plan{total: total, perSecond: l.perSecond, units: make([]int, len(l.longer))}
	for i, w := range l.longer {
		if p.units[i] = l.counted[i].Count; p.units[i] < total {
			p.perSecond = min(p.perSecond, w.perSecond())
		}
	}
	for i, w := range l.longer {
		if w.perSecond() >= p.perSecond {
			p.units[i] = kept
		}
	}
	p.perSecond *= 1 - l.headroom
	return p
}

// share returns how many of the window's calls are a shard's. The shares of all
// shards add up to the units, and each is at least 1.
func (p *plan) share(window, shard int) int {
	units := p.units[window]
	if units == kept {
		return kept
	}
	share := units / p.total
	if shard < units%p.total {
		share++
	}
	return share
}

// Pace returns the even rate, in calls per second and before headroom, at which
// calls are made within the windows while the longer ones have room; 0 if there
// are no windows.
func Pace(windows []Window) float64 { return newLimits(windows, 0).perSecond }
