package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/vendors"
)

// group is replicas that join, die and hand shards over.
type group struct {
	t        *testing.T
	topics   *fakeTopics
	vendor   vendors.Adapter
	change   func(*Config, *vendors.LaneConfig)
	replicas []*world
	owners   [3]*world
}

// grow lets a replica join.
func (g *group) grow() {
	g.replicas = append(g.replicas, join(g.t, g.topics, g.vendor, g.change))
}

// rebalance gives each shard the owner that is named; nil keeps the former one.
func (g *group) rebalance(owners [3]*world) {
	gained, kept, lost := map[*world][]int{}, map[*world][]int{}, map[*world][]int{}
	for id, to := range owners {
		switch from := g.owners[id]; {
		case from == to:
			kept[to] = append(kept[to], id)
		default:
			gained[to] = append(gained[to], id)
			if from != nil {
				from.commit()
				lost[from] = append(lost[from], id)
			}
		}
	}
	for _, w := range g.replicas { // as in a group, all leave before any gains
		if len(lost[w]) > 0 {
			w.assign(nil, kept[w], lost[w])
			kept[w] = slices.Clone(kept[w])
		}
	}
	for _, w := range g.replicas {
		if len(gained[w]) > 0 {
			w.assign(gained[w], kept[w], nil)
		}
	}
	g.owners = owners
}

// commit commits what is done. Offsets are never so old as the ledger's window.
func (g *group) commit() {
	for _, w := range g.replicas {
		w.commit()
	}
}

// die kills a replica, and the others take its shards over.
func (g *group) die(r *rand.Rand) {
	victim := r.IntN(len(g.replicas))
	dead := g.replicas[victim]
	if r.IntN(2) == 0 {
		dead.commit()
	}
	dead.kill()
	g.replicas = slices.Delete(g.replicas, victim, victim+1)
	if len(g.replicas) < 2 {
		g.grow()
	}
	owners := g.owners
	for id := range owners {
		if owners[id] == dead {
			owners[id] = g.replicas[r.IntN(len(g.replicas))]
			g.owners[id] = nil
		}
	}
	g.rebalance(owners)
}

// move gives shards other owners.
func (g *group) move(r *rand.Rand) {
	owners := g.owners
	for id := range owners {
		owners[id] = g.replicas[r.IntN(len(g.replicas))]
	}
	g.rebalance(owners)
}

// The vendor's own count of what it charged never passes a cap, whatever befalls
// the replicas; and nothing is lost by it.
func TestCapsAreNeverExceeded(t *testing.T) {
	const perDay, perCampaign, requests = 330 * cents, 250 * cents, 150
	for seed := range uint64(4) {
		finds := seed%2 == 0
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 7))
				v := newTill(3 * time.Second)
				g := &group{t: t, topics: newFakeTopics(), vendor: v, change: cappedAt(perDay, perCampaign)}
				if finds {
					g.vendor = findingTill{v}
				}
				g.grow()
				g.grow()
				g.move(r)
				time.Sleep(24*time.Hour - 5*time.Minute) // near midnight
				for i := range requests {
					g.replicas[0].send(i%3, fmt.Sprint("r-", i), fmt.Sprint("sub-", i), of(fmt.Sprint("c-", i%2)))
					if r.IntN(6) > 0 {
						continue
					}
					time.Sleep(time.Duration(r.Int64N(int64(20 * time.Second))))
					switch r.IntN(4) {
					case 0:
						g.die(r)
					case 1:
						g.move(r)
					}
				}
				for range 3 {
					time.Sleep(time.Duration(r.Int64N(int64(9 * time.Hour))))
					g.commit()
					g.die(r)
				}
				settle(time.Hour)
				g.commit()
				byDay, byCampaign := v.charged()
				if most(byDay) > perDay || most(byCampaign) > perCampaign {
					t.Errorf("%v were spent on a day of 3.30, %v on a campaign of 2.50", byDay, byCampaign)
				}
				if sum := most(byCampaign); sum < perCampaign-3*30*cents {
					t.Errorf("only %s of 2.50 were spent", sum)
				}
				for _, w := range g.replicas {
					w.kill()
				}
				last := join(t, g.topics, g.vendor, cappedAt(0, 0))
				last.assign([]int{0, 1, 2}, nil, nil)
				settle(time.Hour)
				wantOncePerRequest(t, last, requests)
				last.shut()
			})
		})
	}
}
