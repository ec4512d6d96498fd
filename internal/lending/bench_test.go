package lending

import (
	"testing"
	"time"

	"reauth/internal/vendors"
)

// BenchmarkTrade is what a round trip costs that lends 20 slots and borrows 20:
// a tenth of a second of a pace of 400 a second.
func BenchmarkTrade(b *testing.B) {
	s := startRedis(b)
	r := OpenRedis(RedisConfig{Addresses: []string{s.address}, Prefix: "reauth"})
	defer r.Close()
	p := r.Pool("group", "argos")
	tr := vendors.Trade{Timetable: timetable, Lent: make([]int64, 20), Want: 20, Last: first * 2}
	next := int64(first)
	for b.Loop() {
		for i := range tr.Lent {
			tr.Lent[i] = next
			next++
		}
		if _, err := p.trade(b.Context(), tr); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep is what a lender does beside the round trip, for a lane of 400 a
// second that lends all it has.
func BenchmarkStep(b *testing.B) {
	r := newReplica(&vendor{}, 400, &memory{})
	r.lane.SetShards([]int{0, 1}, 3)
	now := time.Now()
	for b.Loop() {
		now = now.Add(busy)
		if t := r.lane.Trade(now, true); len(t.Lent) > vendors.MaxTrade {
			b.Fatal("too many")
		}
	}
}
