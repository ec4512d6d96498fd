package config

import "time"

// Limiter is how the replicas share a vendor's limits, beyond their own shares.
type Limiter struct {
	Redis Redis
}

// Redis is where replicas lend each other slots.
type Redis struct {
	// Address is empty for none.
	Address  []string
	Username string
	Password Secret
	TLS      bool
	// CAFile is empty for the system's authorities.
	CAFile  string
	Prefix  string
	Timeout time.Duration
}

func (l *Limiter) describe(g group) {
	g.group("redis", `A Redis or Valkey through which replicas with little work lend their part of the limits to those with
		much: of use where the work lies on few partitions. The limits hold without it and whatever becomes of it; nothing
		waits for it, and it need not keep anything. Give it to all replicas of a group or to none.`, l.Redis.describe)
}

func (r *Redis) describe(g group) {
	many(g, &r.Address, texts, "address", "",
		`Where it is. One address: a server, or what leads to the primary. Several: nodes of a Redis Cluster. Empty: not
		used. Redis 5 or later; never one with several primaries for the same key (active-active).`,
		items[string](0, 100), hostPort)
	one(g, &r.Username, texts, "username", "",
		`User name, with ACLs: one that may EVAL, INFO, EXISTS, SET, PEXPIRE, ZADD, ZREM, ZRANGEBYSCORE and
		ZREMRANGEBYSCORE, on the keys that begin with prefix. Empty: the default user.`)
	secret(g, &r.Password, "password", `Password. Empty: no log-in.`, anyText)
	one(g, &r.TLS, switches, "tls", "false", `Speak TLS. The certificate is always verified.`)
	one(g, &r.CAFile, texts, "ca_file", "",
		`PEM file of the authorities to trust. Empty: those of the system.`, optional(readableFile))
	one(g, &r.Prefix, texts, "prefix", "reauth", `What all keys begin with.`, kafkaName)
	one(g, &r.Timeout, durations, "timeout", "50ms",
		`Longest round trip. A slower one costs no call any time, only the slots that were to be lent by it; then nothing is
		lent until it answers again.`, between(5*time.Millisecond, time.Second))
}

// Used says whether there is one.
func (r *Redis) Used() bool { return len(r.Address) > 0 }

func (r *Redis) doubts(rep *report) {
	switch {
	case !r.Used():
		if r.TLS || r.CAFile != "" || r.Username != "" || r.Password.IsSet() {
			rep.fault("limiter.redis.address", "the settings of limiter.redis have no effect", "name one")
		}
	case r.TLS:
	case r.CAFile != "":
		rep.fault("limiter.redis.tls", "limiter.redis.ca_file has no effect", "give true")
	case r.Password.IsSet():
		rep.fault("limiter.redis.tls", "the password crosses the network in the clear", "give true")
	}
}
