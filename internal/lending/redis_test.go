package lending

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
)

var timetable = vendors.Timetable{MicroRate: 49e6, Shards: 12}

// replication is what a primary says of itself.
const replication = "# Replication\r\nrole:master\r\nmaster_replid:9d0b2e4c4f7a\r\n"

// newMiniredis returns a simulated server that says info of its replication.
func newMiniredis(t *testing.T, info *atomic.Value) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	m.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
		if cmd != "INFO" {
			return false
		}
		c.WriteBulk(info.Load().(string))
		return true
	})
	return m
}

func open(t *testing.T, address string) *Redis {
	t.Helper()
	r := OpenRedis(RedisConfig{Addresses: []string{address}, Prefix: "reauth"})
	t.Cleanup(func() { r.Close() })
	return r
}

// both runs a test against the simulated server and the real one.
func both(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("miniredis", func(t *testing.T) {
		var info atomic.Value
		info.Store(replication)
		test(t, newMiniredis(t, &info).Addr())
	})
	t.Run("redis-server", func(t *testing.T) { test(t, startRedis(t).address) })
}

// trade trades, and meets the server first if it is unknown.
func trade(t *testing.T, p *RedisPool, trade vendors.Trade) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	trade.Timetable = timetable
	a, err := p.trade(ctx, trade)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// meet makes the pool know its server.
func meet(t *testing.T, p *RedisPool) { t.Helper(); trade(t, p, vendors.Trade{}) }

// slot numbers as large as those of today, which a float of Lua's would round.
const first = 88_000_000_000_001

func TestLentSlotIsTakenOnceAndInOrder(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		r := open(t, address)
		owner, borrower := r.Pool("group", "argos"), r.Pool("group", "argos")
		meet(t, owner)
		meet(t, borrower)
		trade(t, owner, vendors.Trade{Lent: []int64{first + 4, first, first + 2, first + 9}})
		want := vendors.Trade{Want: 2, First: first, Last: first + 5}
		if diff := cmp.Diff([]int64{first, first + 2}, trade(t, borrower, want).taken); diff != "" {
			t.Errorf("first take (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int64{first + 4}, trade(t, owner, want).taken); diff != "" {
			t.Errorf("the owner's take, up to the last wanted (-want +got):\n%s", diff)
		}
		if got := trade(t, borrower, want).taken; len(got) > 0 {
			t.Errorf("%v taken of nothing", got)
		}
		if a := trade(t, borrower, vendors.Trade{Passed: first + 10}); a.lapsed != 1 {
			t.Errorf("%d slots lapsed, want 1", a.lapsed)
		}
	})
}

func TestSlotsAreLentWithinOneTimetableGroupAndVendor(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		r := open(t, address)
		owner := r.Pool("group", "argos")
		meet(t, owner)
		trade(t, owner, vendors.Trade{Lent: []int64{first}})
		all := vendors.Trade{Want: 9, First: first, Last: first}
		for name, p := range map[string]*RedisPool{"group": r.Pool("other", "argos"), "vendor": r.Pool("group", "faceki")} {
			meet(t, p)
			if got := trade(t, p, all).taken; len(got) > 0 {
				t.Errorf("another %s took %v", name, got)
			}
		}
		for _, other := range []vendors.Timetable{{MicroRate: 48e6, Shards: 12}, {MicroRate: 49e6, Shards: 13}} {
			all.Timetable = other
			a, err := owner.trade(t.Context(), all)
			if err != nil || len(a.taken) > 0 {
				t.Errorf("in timetable %v, %v was taken (%v)", other, a.taken, err)
			}
		}
	})
}

func TestWishIsHeardForAWhile(t *testing.T) {
	var info atomic.Value
	info.Store(replication)
	m := newMiniredis(t, &info)
	p := open(t, m.Addr()).Pool("group", "argos")
	meet(t, p)
	if trade(t, p, vendors.Trade{}).wanted {
		t.Error("wanted before anybody wanted")
	}
	trade(t, p, vendors.Trade{Want: 1, First: first, Last: first})
	if !trade(t, p, vendors.Trade{}).wanted {
		t.Error("nobody heard the wish")
	}
	m.FastForward(wishLasts)
	if trade(t, p, vendors.Trade{}).wanted {
		t.Error("the wish is heard for ever")
	}
	trade(t, p, vendors.Trade{Lent: []int64{first}})
	m.FastForward(poolLasts)
	if keys := m.Keys(); len(keys) > 0 {
		t.Errorf("%v stay for ever", keys)
	}
}

// Many who take at once get each slot once.
func TestNoSlotIsTakenTwiceByMany(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		const slots, takers = 400, 8
		r := open(t, address)
		var mu sync.Mutex
		taken := map[int64]int{}
		var all sync.WaitGroup
		for i := range takers {
			p := r.Pool("group", "argos")
			meet(t, p)
			all.Go(func() {
				for n := range slots / takers {
					tr := vendors.Trade{Lent: []int64{first + int64(i*slots/takers+n)}, Want: 3, First: first, Last: first + slots, Timetable: timetable}
					a, err := p.trade(context.Background(), tr)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, s := range a.taken {
						taken[s]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for s, n := range taken {
			if n > 1 {
				t.Errorf("slot %d was taken %d times", s, n)
			}
		}
		if len(taken) != slots {
			t.Errorf("%d of %d slots taken", len(taken), slots)
		}
	})
}

func TestServerOfAnotherLifeStartsEmpty(t *testing.T) {
	var info atomic.Value
	info.Store(replication)
	m := newMiniredis(t, &info)
	p := open(t, m.Addr()).Pool("group", "argos")
	meet(t, p)
	trade(t, p, vendors.Trade{Lent: []int64{first}})
	info.Store(strings.ReplaceAll(replication, "9d0b", "aaaa"))
	take := vendors.Trade{Want: 1, First: first, Last: first}
	for range 2 {
		if got := trade(t, p, take).taken; len(got) > 0 {
			t.Fatalf("%v taken from a former life", got)
		}
	}
	trade(t, p, vendors.Trade{Lent: []int64{first + 1}})
	take.Last++
	if diff := cmp.Diff([]int64{first + 1}, trade(t, p, take).taken); diff != "" {
		t.Errorf("in the new life (-want +got):\n%s", diff)
	}
}

func TestServerThatMayNotBeThePrimaryIsNotUsed(t *testing.T) {
	for name, text := range map[string]string{
		"replica":           strings.ReplaceAll(replication, "master\r", "slave\r"),
		"no replication id": "# Replication\r\nrole:master\r\n",
	} {
		var info atomic.Value
		info.Store(text)
		r := open(t, newMiniredis(t, &info).Addr())
		if err := r.Check(t.Context()); !errors.Is(err, errNoLife) {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
}

func TestCheckTriesWhatAPoolNeeds(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		r := open(t, address)
		for range 2 {
			if err := r.Check(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := open(t, l.Addr().String()).Check(t.Context()); err == nil {
		t.Error("Check finds nothing wrong with a server that is not there")
	}
}

func TestPasswordIsAskedAndNeverTold(t *testing.T) {
	var info atomic.Value
	info.Store(replication)
	m := newMiniredis(t, &info)
	m.RequireUserAuth("reauth", "the-right-one")
	password := "the-wrong-one"
	r := OpenRedis(RedisConfig{Addresses: []string{m.Addr()}, Username: "reauth", Password: func() string { return password }, Prefix: "reauth"})
	defer r.Close()
	if err := r.Check(t.Context()); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("Check says %v", err)
	}
	password = "the-right-one"
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A trade whose answer is lost was perhaps done. Sent again it could lend a slot
// again that was taken meanwhile.
func TestTradeIsNeverSentTwice(t *testing.T) {
	m := miniredis.RunT(t)
	for name, addresses := range map[string][]string{"one server": {m.Addr()}, "cluster": {m.Addr(), m.Addr()}} {
		var sent atomic.Int64
		m.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
			if cmd == "EVAL" {
				sent.Add(1)
				c.Close() // cut off after it arrived
			}
			return cmd == "EVAL"
		})
		r := OpenRedis(RedisConfig{Addresses: addresses, Prefix: "reauth"})
		if _, err := r.Pool("group", "argos").trade(t.Context(), vendors.Trade{Timetable: timetable}); err == nil {
			t.Errorf("%s: a lost answer is no error", name)
		}
		r.Close()
		if sent.Load() != 1 {
			t.Errorf("%s: the trade was sent %d times", name, sent.Load())
		}
	}
}
