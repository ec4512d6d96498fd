package lending

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// RedisConfig says where Redis is.
type RedisConfig struct {
	// Addresses are host:port: one of a single server, or of whatever leads to the
	// primary; several are nodes of a Redis Cluster.
	Addresses []string
	// Username may be empty. Password is asked at each new connection; nil or
	// empty: no log-in.
	Username string
	Password func() string
	TLS      *tls.Config // nil: none
	// Prefix begins every key.
	Prefix string
}

// Redis is a connection to Redis, for any number of pools. It is safe for
// concurrent use.
type Redis struct {
	client redis.UniversalClient
	prefix string
}

// OpenRedis makes no connection yet.
func OpenRedis(c RedisConfig) *Redis {
	muteClient()
	credentials := func() (string, string) {
		if c.Password == nil {
			return c.Username, ""
		}
		return c.Username, c.Password()
	}
	return &Redis{prefix: c.Prefix, client: redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:               c.Addresses,
		CredentialsProvider: credentials,
		TLSConfig:           c.TLS,
		Protocol:            2,
		// One goroutine per vendor uses it.
		PoolSize: 8,
		// A trade that is done twice could lend a slot again that was taken; once
		// says so for clusters, where it is told apart from a redirection.
		MaxRetries:    -1,
		MaxRedirects:  3,
		DialerRetries: 1,
		// Deadlines are the Lender's.
		DialTimeout: probeTimeout, ReadTimeout: probeTimeout, WriteTimeout: probeTimeout,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// errNoLife says that the server is of no use to us.
var errNoLife = errors.New("the server does not tell its replication id")

// Check tries everything that a pool needs.
func (r *Redis) Check(ctx context.Context) error {
	p := r.Pool("check", "none")
	if _, err := p.trade(ctx, vendors.Trade{Timetable: vendors.Timetable{MicroRate: 1, Shards: 1}}); err != nil {
		return err
	}
	// A slot that passed long ago, which nobody looks for.
	_, err := p.trade(ctx, vendors.Trade{Timetable: vendors.Timetable{MicroRate: 1, Shards: 1}, Lent: []int64{1}, Want: 1, First: 1, Last: 1})
	return err
}

// Pool returns where the replicas of a consumer group lend slots of a vendor's
// limit to each other.
func (r *Redis) Pool(group string, vendor event.Vendor) *RedisPool {
	// The braces keep a pool's keys on one node of a cluster.
	return &RedisPool{client: r.client, key: fmt.Sprintf("%s:{%s:%s}:slots", r.prefix, group, vendor)}
}

// RedisPool is a pool in Redis. It is safe for concurrent use.
type RedisPool struct {
	client redis.UniversalClient
	key    string

	mu   sync.Mutex
	life string // of the server that was last met
}

//go:embed pool.lua
var script string

const (
	// poolLasts is how long a pool is kept that nobody adds to, longer than its
	// slots are of use. wishLasts is how long slots are lent to whoever wanted
	// some.
	poolLasts = 10 * time.Second
	wishLasts = time.Second
)

// trade meets a server that it does not know with nothing: what the trade lends
// lapses, and the next one is in the server's pool.
func (p *RedisPool) trade(ctx context.Context, t vendors.Trade) (answer, error) {
	p.mu.Lock()
	life := p.life
	p.mu.Unlock()
	key := fmt.Sprintf("%s:%d/%d:%s", p.key, t.Timetable.MicroRate, t.Timetable.Shards, life)
	args := []any{"EVAL", script, 2, key, key + ":wanted",
		life, t.Want, t.First, t.Last, t.Passed, poolLasts.Milliseconds(), wishLasts.Milliseconds()}
	for _, slot := range t.Lent {
		args = append(args, slot)
	}
	cmd := once{redis.NewCmd(ctx, args...)}
	if err := p.client.Process(ctx, cmd); err != nil {
		return answer{}, fmt.Errorf("trading slots: %w", err)
	}
	values, err := cmd.Slice()
	if err != nil {
		return answer{}, fmt.Errorf("trading slots: %w", err)
	}
	a, met, err := readAnswer(values)
	if err != nil {
		return answer{}, fmt.Errorf("trading slots: %w", err)
	}
	p.mu.Lock()
	p.life = met
	p.mu.Unlock()
	return a, nil
}

// readAnswer reads what the script returns.
func readAnswer(values []any) (a answer, life string, err error) {
	if len(values) == 0 {
		return answer{}, "", errAnswer
	}
	life, ok := values[0].(string)
	switch {
	case !ok:
		return answer{}, "", errAnswer
	case life == "":
		return answer{}, "", errNoLife
	case len(values) == 1:
		return answer{}, life, nil
	case len(values) < 3:
		return answer{}, "", errAnswer
	}
	lapsed, ok := values[1].(int64)
	wanted, ok2 := values[2].(int64)
	if !ok || !ok2 {
		return answer{}, "", errAnswer
	}
	a = answer{lapsed: int(lapsed), wanted: wanted > 0}
	for _, v := range values[3:] {
		text, _ := v.(string)
		slot, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return answer{}, "", errAnswer
		}
		a.taken = append(a.taken, slot)
	}
	return a, life, nil
}

// errAnswer says that something else than Redis answered.
var errAnswer = errors.New("the answer has an unknown form")

// once is a command that is not sent again when its answer is lost.
type once struct{ *redis.Cmd }

// NoRetry returns true.
func (once) NoRetry() bool { return true }

// muteClient silences the client's own log, which would go past ours: what goes
// wrong is in our errors.
var muteClient = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

// silence is a log that keeps nothing.
type silence struct{}

// Printf does nothing.
func (silence) Printf(context.Context, string, ...any) {}
