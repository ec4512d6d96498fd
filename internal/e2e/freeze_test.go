package e2e

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A process that stands still for longer than its session, as in a machine that is
// moved, has lost its shards when it goes on, and hears of that only when the
// coordinator answers.
func TestFrozenConsumerMakesNoCallForWhatItHasLost(t *testing.T) {
	long(t)
	concurrently(t)
	w := newWorld(t, setting{proxied: true, sandbox: vendor(200*time.Millisecond, 60)})
	brokers, coordinator := w.proxyBrokers(), w.coordinator()
	w.ask(approved(6000)...)
	both := w.startWorking(2)
	w.pass(15 * time.Second) // until they read nothing more of former owners
	frozen, other := both[0], both[1]
	frozen.signal(syscall.SIGSTOP)
	w.eventually(time.Minute, "the other has all shards", func() bool { return other.metric("reauth_shards_owned") == shards })
	w.pass(5 * time.Second)
	for _, b := range brokers {
		if strings.HasSuffix(b.p.Listen, coordinator) {
			defer b.poison("slow", `"type":"latency","attributes":{"latency":2000}`)()
		}
	}
	answered := len(frozen.log.said("request answered"))
	frozen.signal(syscall.SIGCONT)
	w.eventually(time.Minute, "it knows what it has lost", func() bool {
		return len(frozen.log.said("generation ended; working on")) > 0
	})
	w.pass(3 * time.Second)
	stats := w.Argos.Stats()
	t.Logf("%d calls, %d charged, %d duplicates; %d answers since it went on", stats.Calls, stats.Charged, stats.Duplicates,
		len(frozen.log.said("request answered"))-answered)
	// One that was leaving when the process stopped cannot be called back.
	if stats.Duplicates > 1 {
		t.Errorf("%d calls were made twice", stats.Duplicates)
	}
}

func (c *consumer) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("sending %s to %s: %v", s, c.name, err)
	}
}

// coordinator returns how the address of the group's coordinator ends.
func (w *world) coordinator() string {
	w.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(w.Brokers(), ",")...), kgo.Dialer(dialPastProxy))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.CoordinatorKeys = []string{w.group}
	answer, err := r.RequestWith(w.ctx, c)
	if err != nil || len(answer.Coordinators) != 1 {
		w.t.Fatalf("looking for the coordinator: %v", err)
	}
	return ":" + strconv.Itoa(int(answer.Coordinators[0].Port))
}
