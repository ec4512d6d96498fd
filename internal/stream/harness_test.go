package stream_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/stream"
	"reauth/internal/stream/streamtest"
)

const group = "faceauth"

var topics = []string{"requests", "priority"}

// suspension is one call of Suspend, and when it came.
type suspension struct {
	at, until time.Time
	cause     error
}

// commit is one try to commit, and when it was answered.
type commit struct {
	at      time.Time
	offsets map[string]map[int]int64
	err     error
}

// owner is a Handler that does as it is told and remembers what it was told.
type owner struct {
	client  *stream.Client
	links   *links
	onFence func()        // called when calls must stop at once; nil: nothing
	keep    time.Duration // for how long nobody else may own the shards after a Suspend

	mu          sync.Mutex // guards all below
	assignments []stream.Assignment
	assignedAt  []time.Time
	suspensions []suspension // since the last Assign
	history     []suspension // all
	commits     []commit
	sustained   time.Time
	next        map[string]map[int]int64

	stop       context.CancelFunc
	handedOver <-chan struct{}
	done       chan error // Run's result
}

func (o *owner) Assign(a stream.Assignment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.assignments = append(o.assignments, a)
	o.assignedAt = append(o.assignedAt, time.Now())
	o.suspensions, o.sustained = nil, a.Until
}

func (o *owner) Suspend(until time.Time, cause error) time.Duration {
	s := suspension{at: time.Now(), until: until, cause: cause}
	o.mu.Lock()
	o.suspensions = append(o.suspensions, s)
	o.history = append(o.history, s)
	o.mu.Unlock()
	if fence := o.onFence; fence != nil && !until.After(s.at) {
		fence()
	}
	return o.keep
}

func (o *owner) Sustain(until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sustained = until
}

func (o *owner) sustainedUntil() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sustained
}

func (o *owner) Next() map[string]map[int]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := make(map[string]map[int]int64)
	for topic, partitions := range o.next {
		next[topic] = maps.Clone(partitions)
	}
	return next
}

func (o *owner) Committed(offsets map[string]map[int]int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.commits = append(o.commits, commit{at: time.Now(), offsets: offsets, err: err})
}

// finish has everything before next done, on a shard of the requests topic.
func (o *owner) finish(shard int, next int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		o.next = map[string]map[int]int64{"requests": {}}
	}
	o.next["requests"][shard] = next
}

// shards are those owned, ascending; nil before the first Assign.
func (o *owner) shards() []int { return o.last().Shards }

func (o *owner) last() stream.Assignment {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.assignments) == 0 {
		return stream.Assignment{}
	}
	return o.assignments[len(o.assignments)-1]
}

func (o *owner) generations() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.assignments)
}

func (o *owner) allSuspensions() []suspension {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.history)
}

func (o *owner) allCommits() []commit {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.commits)
}

// mayCall tells for which shards a call may start now.
func (o *owner) mayCall() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.suspensions); n > 0 && !time.Now().Before(o.suspensions[n-1].until) {
		return nil
	}
	if len(o.assignments) == 0 || !o.sustained.IsZero() && !time.Now().Before(o.sustained) {
		return nil
	}
	return o.assignments[len(o.assignments)-1].Shards
}

// join starts a member; edits may change how. It stops with the test.
func join(t *testing.T, kafka *streamtest.Cluster, edits ...func(*stream.GroupConfig)) *owner {
	t.Helper()
	o := &owner{links: &links{}, done: make(chan error, 1)}
	o.client = kafka.Client(t, func(c *stream.Config) { c.Dial = o.links.over(c.Dial) })
	config := stream.GroupConfig{Group: group, Topics: topics}
	for _, edit := range edits {
		edit(&config)
	}
	member, err := o.client.NewMember(config, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.stop, o.handedOver = cancel, member.HandedOver()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.done <- member.Run(ctx)
	}()
	t.Cleanup(func() {
		o.links.heal()
		cancel()
		<-ended
	})
	return o
}

// leave stops the member and returns Run's result.
func (o *owner) leave() error {
	o.stop()
	return <-o.done
}

// exclusive fails the test if two of the owners may call for one shard.
func exclusive(t *testing.T, owners ...*owner) {
	t.Helper()
	by := make(map[int]int)
	for i, o := range owners {
		for _, shard := range o.mayCall() {
			if rival, taken := by[shard]; taken {
				t.Fatalf("members %d and %d may both call for shard %d", rival, i, shard)
			}
			by[shard] = i
		}
	}
}

// eventually lets the bubble's time pass until the condition holds, for at most
// two minutes, in steps small enough to see two owners of one shard.
func eventually(t *testing.T, owners []*owner, condition func() bool) {
	t.Helper()
	for range 2 * 60 * 100 {
		synctest.Wait()
		exclusive(t, owners...)
		if condition() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never came to that")
}

// idleUntil is eventually, and returns how much was not used meanwhile: the sum
// over the shards of the time in which nobody might call for them.
func idleUntil(t *testing.T, owners []*owner, total int, condition func() bool) (idle time.Duration) {
	t.Helper()
	last := time.Now()
	eventually(t, owners, func() bool {
		used := 0
		for _, o := range owners {
			used += len(o.mayCall())
		}
		idle += time.Duration(total-used) * time.Since(last)
		last = time.Now()
		return condition()
	})
	return idle
}

// settled tells whether the owners have all shards among them, each its share.
func settled(total int, owners ...*owner) func() bool {
	return func() bool {
		var all []int
		for _, o := range owners {
			n := len(o.mayCall())
			if n < total/len(owners) || n > (total+len(owners)-1)/len(owners) {
				return false
			}
			all = append(all, o.mayCall()...)
		}
		slices.Sort(all)
		return len(slices.Compact(all)) == total
	}
}

// links are connections that can misbehave.
type links struct {
	mu     sync.Mutex // guards the fields below
	conns  []net.Conn
	frozen chan struct{} // closed when thawed; nil: flowing
	delay  time.Duration // of whatever is received
	down   bool
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

var errDown = errors.New("network is down")

func (l *links) over(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		l.mu.Lock()
		frozen, down := l.frozen, l.down
		l.mu.Unlock()
		if down {
			return nil, errDown
		}
		if frozen != nil {
			select {
			case <-frozen:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, conn)
		return &link{Conn: conn, of: l}, nil
	}
}

// freeze swallows what is sent and received from now on, and lets no connection
// be made: as if the cable were out.
func (l *links) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = make(chan struct{})
}

// heal undoes freeze, and cuts what was open.
func (l *links) heal() {
	l.mu.Lock()
	if l.frozen != nil {
		close(l.frozen)
		l.frozen = nil
	}
	l.down, l.delay = false, 0
	l.mu.Unlock()
	l.cut()
}

// cut closes all connections that are open.
func (l *links) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

func (l *links) slow(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = by
}

type link struct {
	net.Conn
	of *links
}

func (l *link) state() (frozen bool, delay time.Duration) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.of.frozen != nil, l.of.delay
}

func (l *link) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		frozen, delay := l.state()
		if !frozen || err != nil {
			time.Sleep(delay)
			return n, err
		}
	}
}

func (l *link) Write(p []byte) (int, error) {
	if frozen, _ := l.state(); frozen {
		return len(p), nil
	}
	return l.Conn.Write(p)
}
