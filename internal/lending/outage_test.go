package lending

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Real replicas on real time lend to each other through a real server, which
// meanwhile is frozen, slow, emptied, killed and started again. No slot is used
// twice, and whenever the server is well, more than a replica's own are.
func TestSlotsAreUsedOnceWhateverBefallsTheServer(t *testing.T) {
	s := startRedis(t)
	const perSecond = 200
	const recovery = 30 * time.Second // a second or two, unless other processes take the processors
	v := &vendor{delay: 5 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range 3 {
		r := newReplica(v, perSecond, open(t, s.address).Pool("group", "argos"))
		r.lane.SetShards([]int{i, i + 3, i + 6}, 9)
		callers := 0
		if i == 0 {
			callers = 80
		}
		r.start(ctx, &all, v, callers, 0)
	}
	span := func(d time.Duration) (share float64) {
		from := time.Now()
		timer := time.NewTimer(d)
		defer timer.Stop()
		<-timer.C
		return float64(v.between(from, time.Now())) / (perSecond * .98 * time.Since(from).Seconds())
	}
	span(1500 * time.Millisecond) // handover, and the first trades
	for _, befalls := range []struct {
		name  string
		do    func()
		lasts time.Duration
		undo  func()
	}{
		{"nothing", func() {}, 1500 * time.Millisecond, func() {}},
		{"frozen", func() { s.signal(syscall.SIGSTOP) }, time.Second, func() { s.signal(syscall.SIGCONT) }},
		{"emptied", func() { s.do("FLUSHALL") }, 200 * time.Millisecond, func() {}},
		{"slow", func() { go s.do("DEBUG", "SLEEP", "0.3") }, 400 * time.Millisecond, func() {}},
		{"killed", s.kill, 500 * time.Millisecond, s.start},
	} {
		befalls.do()
		during := span(befalls.lasts)
		befalls.undo()
		after := 0.0
		for deadline := time.Now().Add(recovery); after < .6 && time.Now().Before(deadline); {
			after = span(500 * time.Millisecond)
		}
		t.Logf("%s: %.0f %% of the limit used meanwhile, %.0f %% after", befalls.name, 100*during, 100*after)
		if after < .6 {
			t.Errorf("%s: %.2f of the limit used %v after", befalls.name, after, recovery)
		}
	}
	cancel()
	all.Wait()
	v.hold(t, perSecond)
}
