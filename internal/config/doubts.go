package config

import (
	"fmt"

	"reauth/internal/event"
)

// doubts reports what works, but most often is not meant.
func (c *Config) doubts(r *report) {
	c.Kafka.doubts(r)
	if inTheClear(c.Selfies.Endpoint) {
		r.fault("selfies.endpoint", "selfies cross the network in the clear", "use https")
	}
	for _, n := range c.Vendors.all() {
		if !n.settings.Enabled {
			continue
		}
		timeout := n.settings.Timeout
		if c.Shutdown.Grace < timeout {
			r.fault("shutdown.grace", fmt.Sprintf("%s is shorter than %s, %s: a stop cuts calls off, which may be charged again",
				showDuration(c.Shutdown.Grace), n.key("timeout"), showDuration(timeout)), "give at least that")
		}
		if c.Breaker.SlowCall > timeout {
			r.fault("breaker.slow_call", fmt.Sprintf("%s is never reached, as %s is %s",
				showDuration(c.Breaker.SlowCall), n.key("timeout"), showDuration(timeout)), "give less than that")
		}
		n.settings.Limits.doubts(r, n.key("limits"))
	}
	if k := c.Vendors.Rekognition; k.Enabled && c.Selfies.Endpoint != "" && k.BaseURL == "" {
		r.fault("vendors.rekognition.enabled", "Amazon reads references from its own S3, not from selfies.endpoint", "keep the references there")
	}
	if checkout := &c.Vendors.Checkout; checkout.Enabled {
		checkout.FollowUps.doubts(r, c, named{name: event.Checkout}.key)
	}
	c.Spend.doubts(r, c)
	c.Limiter.Redis.doubts(r)
	if c.Ops.PProf {
		r.fault("ops.pprof", "profiles are served to whoever can reach ops.listen", "switch it off when done")
	}
}

func (k *Kafka) doubts(r *report) {
	if !k.TLS.Enabled {
		if k.TLS.CAFile != "" || k.TLS.CertFile != "" || k.TLS.ServerName != "" {
			r.fault("kafka.tls.enabled", "the settings of kafka.tls have no effect", "give true")
		}
		if k.SASL.Mechanism != MechanismNone {
			r.fault("kafka.tls.enabled", "the log-in at the brokers crosses the network in the clear", "give true")
		}
	}
	if k.SASL.Mechanism == MechanismNone && (k.SASL.Username != "" || k.SASL.Password.IsSet()) {
		r.fault("kafka.sasl.mechanism", "user name and password have no effect", "name a mechanism")
	}
}

// doubts reports rates that can never be what holds a call back.
func (l Limits) doubts(r *report, key string) {
	for _, long := range l.Rates {
		for _, short := range l.Rates {
			if short.Per >= long.Per {
				continue
			}
			if short.allows(long.Per) <= float64(long.Count) {
				r.fault(key, fmt.Sprintf("%s is never reached, as %s comes first", long, short), "leave it out or correct it")
			}
			if long.Count <= short.Count {
				r.fault(key, fmt.Sprintf("%s is never reached, as %s comes first", short, long), "leave it out or correct it")
			}
		}
	}
}
