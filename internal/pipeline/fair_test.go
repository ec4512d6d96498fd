package pipeline

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// ofCampaign makes a request of its own subject.
func ofCampaign(campaign string, n int) *item {
	it := queued(nil, fmt.Sprint(campaign, "-", n), false)
	it.request.CampaignID = campaign
	return it
}

// weigh returns the weights of a map, 1 for what is not in it.
func weigh(weights map[string]float64) func(string) float64 {
	return func(campaign string) float64 {
		if w, ok := weights[campaign]; ok {
			return w
		}
		return 1
	}
}

// Over any stretch in which the same campaigns have something ready, each gets
// its share to within one turn of its own and one of each other.
func TestSharesFollowWeightsOverAnyStretch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := map[string]float64{}
		campaigns := rapid.IntRange(2, 6).Draw(t, "campaigns")
		for c := range campaigns {
			weights[fmt.Sprint(c)] = float64(rapid.IntRange(1, 20).Draw(t, "weight"))
		}
		f := newFair(weigh(weights))
		const turns = 150
		for c := range weights {
			for n := range turns {
				f.push(ofCampaign(c, n))
			}
		}
		got, next := map[string]int{}, map[string]int{}
		from := rapid.IntRange(0, turns/2).Draw(t, "from")
		for turn := range turns {
			it := f.pop()
			c := it.request.CampaignID
			if it.request.SubmissionID != fmt.Sprint(c, "-", next[c]) {
				t.Fatalf("%s came when it was the turn of no. %d", it.request.SubmissionID, next[c])
			}
			next[c]++
			if turn >= from {
				got[c]++
			}
		}
		for a := range weights {
			for b := range weights {
				// In virtual time no two are further apart than their longest turns.
				apart := math.Abs(float64(got[a])/weights[a] - float64(got[b])/weights[b])
				if most := 2 * (1/weights[a] + 1/weights[b]); apart > most+1e-6 {
					t.Fatalf("%d turns for weight %v and %d for weight %v", got[a], weights[a], got[b], weights[b])
				}
			}
		}
	})
}

// Campaigns come, go, are frozen and get other weights; whoever has something
// ready waits for no more turns than the weights explain.
func TestNoCampaignStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const least, most = .1, 10.
		weights := map[string]float64{}
		f := newFair(weigh(weights))
		const campaigns = 5
		ready, frozen, waited := map[string]int{}, map[string]bool{}, map[string]int{}
		for n := range rapid.IntRange(1, 600).Draw(t, "steps") {
			c := fmt.Sprint(rapid.IntRange(0, campaigns-1).Draw(t, "campaign"))
			switch rapid.IntRange(0, 13).Draw(t, "step") {
			case 0, 1, 2, 3, 4:
				f.push(ofCampaign(c, n))
				ready[c]++
			case 5:
				f.freeze(c)
				frozen[c] = true
			case 6:
				f.thaw()
				clear(frozen)
			case 7:
				weights[c] = rapid.Float64Range(least, most).Draw(t, "weight")
				f.reweigh()
			default:
				it := f.pop()
				if it == nil {
					for c, n := range ready {
						if n > 0 && !frozen[c] {
							t.Fatalf("%d requests of %s are ready, and none comes", n, c)
						}
					}
					continue
				}
				got := it.request.CampaignID
				if frozen[got] {
					t.Fatalf("%s is frozen and got a turn", got)
				}
				ready[got]--
				for c := range ready {
					waited[c]++
					if c == got || ready[c] == 0 || frozen[c] {
						waited[c] = 0
					}
					// One turn of its own lasts as long as so many of the others.
					if float64(waited[c]) > campaigns*(most/least+1) {
						t.Fatalf("%s has waited for %d turns", c, waited[c])
					}
				}
			}
		}
		f.thaw()
		for c, n := range ready {
			for range n {
				if it := f.pop(); it == nil {
					t.Fatalf("requests of %s never come", c)
				}
			}
		}
		if f.pop() != nil || f.len() != 0 || len(f.flows) != 0 {
			t.Fatalf("%d requests and %d campaigns are left", f.len(), len(f.flows))
		}
	})
}

// A campaign whose next request comes only once its last was taken must not get
// more than its share by that.
func TestComingAndGoingGainsNothing(t *testing.T) {
	f := newFair(weigh(map[string]float64{"big": 3}))
	for n := range 500 {
		f.push(ofCampaign("big", n))
	}
	f.push(ofCampaign("small", 0))
	got := map[string]int{}
	for n := range 400 {
		c := f.pop().request.CampaignID
		got[c]++
		if c == "small" {
			f.push(ofCampaign("small", n+1))
		}
	}
	if got["small"] < 95 || got["small"] > 105 {
		t.Errorf("%d of 400 turns with a quarter of the weight", got["small"])
	}
}

// A campaign that was away, or was there before the others, is owed nothing.
func TestTurnsAreNotSavedUp(t *testing.T) {
	f := newFair(alike)
	for n := range 300 {
		f.push(ofCampaign("old", n))
	}
	for range 200 {
		f.pop()
	}
	for n := range 100 {
		f.push(ofCampaign("young", n))
	}
	got := map[string]int{}
	for range 50 {
		got[f.pop().request.CampaignID]++
	}
	if got["old"] < 24 || got["young"] < 24 {
		t.Errorf("turns %v, want the same for both", got)
	}
}

// Else a campaign of little weight would wait for the turn that it was given by
// its former weight.
func TestANewWeightHoldsAtOnce(t *testing.T) {
	weights := map[string]float64{"a": .01}
	f := newFair(weigh(weights))
	for n := range 300 {
		f.push(ofCampaign("a", n))
		f.push(ofCampaign("b", n))
	}
	for range 10 {
		f.pop()
	}
	weights["a"] = 1
	f.reweigh()
	got := map[string]int{}
	for range 40 {
		got[f.pop().request.CampaignID]++
	}
	if got["a"] < 18 || got["a"] > 22 {
		t.Errorf("turns %v, want the same for both", got)
	}
}
