package pipeline

import "container/heap"

// fair shares turns among campaigns by their weights: while two have something
// ready, one of three times the weight gets three times as many. Within a
// campaign the shards take turns.
//
// It is stride scheduling: each turn moves its campaign on by 1/weight in virtual
// time, and the next turn is whose campaign is least far. A campaign that begins
// anew starts at the present, so that it can neither save turns up nor be made to
// wait for those that others had. One with nothing ready is forgotten when its
// time has come: sooner, and it could get ahead by coming and going.
//
// A turn costs O(log n) for n campaigns. A fair is for one goroutine.
type fair struct {
	weight func(campaign string) float64 // more than 0
	flows  map[string]*flow
	turns  flowHeap
	now    float64 // virtual: that of the last turn
	ready  int     // requests, those of frozen campaigns included
}

// flow is what is ready of one campaign.
type flow struct {
	rota
	campaign string
	// last and due are the virtual times of the last turn and the next.
	last, due float64
	index     int // in the heap; notInHeap while frozen
}

// notInHeap is the index of a frozen flow.
const notInHeap = -1

func newFair(weight func(campaign string) float64) *fair {
	return &fair{weight: weight, flows: map[string]*flow{}}
}

func (f *fair) len() int { return f.ready }

func (f *fair) push(it *item) {
	fl := f.flow(it.request.CampaignID)
	fl.push(it)
	f.ready++
}

// flow returns the campaign's flow, which may be new.
func (f *fair) flow(campaign string) *flow {
	fl := f.flows[campaign]
	if fl == nil {
		fl = &flow{campaign: campaign, last: f.now, due: f.now}
		f.flows[campaign] = fl
		heap.Push(&f.turns, fl)
	}
	return fl
}

// pop returns whose turn it is, nil if nothing is ready.
func (f *fair) pop() *item {
	for len(f.turns) > 0 {
		fl := f.turns[0]
		it := fl.pop()
		if it == nil {
			heap.Pop(&f.turns)
			delete(f.flows, fl.campaign)
			continue
		}
		f.ready--
		f.now, fl.last = fl.due, fl.due
		fl.due += 1 / f.weight(fl.campaign)
		heap.Fix(&f.turns, 0)
		return it
	}
	if len(f.flows) == 0 {
		f.now = 0 // before it has lost precision, if ever
	}
	return nil
}

// freeze gives a campaign no more turns until it is thawed.
func (f *fair) freeze(campaign string) {
	if fl := f.flow(campaign); fl.index != notInHeap {
		heap.Remove(&f.turns, fl.index)
	}
}

// thaw gives all campaigns turns again.
func (f *fair) thaw() {
	for _, fl := range f.flows {
		if fl.index == notInHeap {
			fl.due = max(fl.due, f.now)
			heap.Push(&f.turns, fl)
		}
	}
}

// reweigh follows a change of weights, which else would wait for the next turns.
func (f *fair) reweigh() {
	for _, fl := range f.flows {
		if fl.due > fl.last { // it has had a turn
			fl.due = max(f.now, fl.last+1/f.weight(fl.campaign))
		}
	}
	heap.Init(&f.turns)
}

// remove takes out the requests that match and returns them.
func (f *fair) remove(match func(*item) bool) (removed []*item) {
	for _, fl := range f.flows {
		removed = append(removed, fl.remove(match)...)
	}
	f.ready -= len(removed)
	return removed
}

// flowHeap orders flows by due time. Those of the same time go by name, so that
// what happens does not depend on the heap.
type flowHeap []*flow

func (h flowHeap) Len() int { return len(h) }
func (h flowHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].campaign < h[j].campaign
}
func (h flowHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *flowHeap) Push(x any) {
	fl := x.(*flow)
	fl.index = len(*h)
	*h = append(*h, fl)
}

func (h *flowHeap) Pop() any {
	old := *h
	fl := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	fl.index = notInHeap
	return fl
}
