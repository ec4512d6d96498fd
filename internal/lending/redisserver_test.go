package lending

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"reauth/internal/vendors"
)

// realServer is a redis-server process.
type realServer struct {
	t       testing.TB
	dir     string
	address string
	port    string
	options []string
	process *exec.Cmd
}

// startRedis starts a redis-server of its own, or skips the test.
func startRedis(t testing.TB, options ...string) *realServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on the PATH: only the simulated one was tried")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := &realServer{t: t, dir: t.TempDir(), address: l.Addr().String(), port: port, options: options}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *realServer) start() {
	s.t.Helper()
	s.process = exec.Command("redis-server", append([]string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--enable-debug-command", "local", "--repl-diskless-sync-delay", "0"}, s.options...)...)
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer client.Close()
	await(s.t, func() bool { return client.Ping(context.Background()).Err() == nil })
}

// await asks until it is so.
func await(t testing.TB, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func (s *realServer) signal(sig syscall.Signal) { _ = s.process.Process.Signal(sig) }

func (s *realServer) kill() {
	s.signal(syscall.SIGKILL)
	_ = s.process.Wait()
}

// do has the server execute a command.
func (s *realServer) do(args ...any) {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer client.Close()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		s.t.Fatal(err)
	}
}

func TestClusterIsSpokenTo(t *testing.T) {
	s := startRedis(t, "--cluster-enabled", "yes")
	s.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	r := OpenRedis(RedisConfig{Addresses: []string{s.address, s.address}, Prefix: "reauth"})
	defer r.Close()
	await(t, func() bool { return r.Check(t.Context()) == nil })
	p := r.Pool("group", "argos")
	meet(t, p)
	trade(t, p, vendors.Trade{Lent: []int64{first}})
	if got := trade(t, p, vendors.Trade{Want: 1, First: first, Last: first}).taken; !slices.Equal(got, []int64{first}) {
		t.Errorf("%v taken", got)
	}
}

// A server that crashes and starts from a snapshot remembers slots that were
// taken since.
func TestSlotsOfASnapshotAreNotTakenAgain(t *testing.T) {
	s := startRedis(t)
	p := open(t, s.address).Pool("group", "argos")
	meet(t, p)
	trade(t, p, vendors.Trade{Lent: []int64{first}})
	s.do("SAVE")
	take := vendors.Trade{Want: 1, First: first, Last: first}
	if got := trade(t, p, take).taken; !slices.Equal(got, []int64{first}) {
		t.Fatalf("%v taken", got)
	}
	s.kill()
	s.start()
	_, _ = p.trade(t.Context(), vendors.Trade{Timetable: timetable}) // may find the connection broken
	for range 2 {
		if got := trade(t, p, take).taken; len(got) > 0 {
			t.Fatalf("%v taken again from the snapshot", got)
		}
	}
}

// A replica that is promoted may not have heard of every take.
func TestSlotsOfAPromotedReplicaAreNotTakenAgain(t *testing.T) {
	primary, replica := startRedis(t), startRedis(t)
	replica.do("REPLICAOF", "127.0.0.1", primary.port)
	client := redis.NewClient(&redis.Options{Addr: replica.address})
	defer client.Close()
	await(t, func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	p := open(t, primary.address).Pool("group", "argos")
	meet(t, p)
	trade(t, p, vendors.Trade{Lent: []int64{first}})
	await(t, func() bool { return client.DBSize(t.Context()).Val() > 0 })
	q := open(t, replica.address).Pool("group", "argos")
	if _, err := q.trade(t.Context(), vendors.Trade{Timetable: timetable}); !errors.Is(err, errNoLife) {
		t.Errorf("trading at a replica: %v", err)
	}
	replica.signal(syscall.SIGSTOP) // so it does not hear of the take
	if got := trade(t, p, vendors.Trade{Want: 1, First: first, Last: first}).taken; len(got) != 1 {
		t.Fatalf("%v taken", got)
	}
	primary.kill()
	replica.signal(syscall.SIGCONT)
	replica.do("REPLICAOF", "NO", "ONE")
	for _, name := range []*RedisPool{p, q} {
		name.client = q.client // the failover
		for range 2 {
			if got := trade(t, name, vendors.Trade{Want: 1, First: first, Last: first}).taken; len(got) > 0 {
				t.Fatalf("%v taken again from the replica", got)
			}
		}
	}
}
