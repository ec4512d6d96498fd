package stream_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// keep is for how long a suspended handler needs its shards yet.
const keep = 800 * time.Millisecond

func TestNobodyGainsAShardThatASuspendedHandlerNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		a.keep = keep
		eventually(t, []*owner{a}, settled(6, a))
		time.Sleep(10 * time.Second)
		began := len(a.allSuspensions())

		b := join(t, kafka)
		eventually(t, []*owner{a, b}, settled(6, a, b))
		gained, suspended := b.assignedAt[0], a.allSuspensions()[began].at
		if waited := gained.Sub(suspended); waited < keep || waited > keep+2*time.Second {
			t.Errorf("the new owner has its shards %v after the former one was suspended, want %v and a little", waited, keep)
		}
	})
}

func TestWhoLeavesStaysForAsLongAsItsHandlerNeedsTheShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka := startGroup(t)
		a := join(t, kafka)
		a.keep = keep
		eventually(t, []*owner{a}, settled(6, a))
		a.finish(a.shards()[0], 3)
		time.Sleep(10 * time.Second)

		began := time.Now()
		if err := a.leave(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < keep {
			t.Errorf("the only member left after %v, want %v at least", took, keep)
		}
	})
}
