package config

import (
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// report gathers faults.
type report struct {
	tree *tree
	// skip are settings about which enough was said.
	skip   map[string]bool
	faults []*Fault
}

// fault reports a fault of key, unless something was said about it, or about
// one of the settings also, on which it depends.
func (r *report) fault(key, problem, remedy string, also ...string) {
	if slices.ContainsFunc(append(also, key), func(k string) bool { return r.skip[k] }) {
		return
	}
	f := &Fault{Key: key, Problem: problem, Remedy: remedy}
	if l := r.tree.byKey[key]; l != nil {
		f.order = l.order
	}
	r.faults = append(r.faults, f)
}

// missing reports that key has no value.
func (r *report) missing(key, why string) {
	if l := r.tree.byKey[key]; l.Secret {
		r.fault(key, "required "+why, "give it, "+key+"_file or "+l.Variable, key+"_file")
		return
	}
	r.fault(key, "required "+why, "give it here or as "+variable(key))
}

// contradictions reports what no setting alone can be blamed for.
func (c *Config) contradictions(r *report, vendors []event.Vendor) {
	c.Kafka.contradictions(r)
	c.Vendors.contradictions(r, vendors)
	c.Spend.contradictions(r, c)
	if checkout := &c.Vendors.Checkout; checkout.Enabled {
		checkout.FollowUps.contradictions(r, c, named{name: event.Checkout}.key)
	}

	if v := c.DefaultVendor; v != "" && len(c.Vendors.Enabled()) > 0 && !slices.Contains(c.Vendors.Enabled(), v) {
		enabled := "vendors." + string(v) + ".enabled"
		r.fault("default_vendor", string(v)+" is not enabled", "enable it, or name another vendor", enabled)
	}
	if s := c.Selfies; s.MaxMemory < s.MaxBytes {
		r.fault("selfies.max_memory", s.MaxMemory.String()+" cannot hold one selfie of selfies.max_bytes, "+
			s.MaxBytes.String(), "give at least that", "selfies.max_bytes")
	}
	if c.Retry.Max < c.Retry.Initial {
		r.fault("retry.max", showDuration(c.Retry.Max)+" is shorter than retry.initial, "+
			showDuration(c.Retry.Initial), "give at least that", "retry.initial")
	}
	for _, n := range c.Vendors.all() {
		// The ledger tells a new owner of a partition what was called before.
		if longest := n.settings.Limits.longest(); n.settings.Enabled && c.Ledger.Window < longest.Per {
			r.fault("ledger.window", showDuration(c.Ledger.Window)+" is shorter than the window of "+longest.String()+
				" in "+n.key("limits"), "give at least that", n.key("limits"))
		}
	}
	if c.LedgerRetention() <= c.Ledger.Window {
		r.fault("kafka.retention.ledger", showDuration(c.Kafka.Retention.Ledger)+" is not longer than ledger.window, "+
			showDuration(c.Ledger.Window), "give more, or 0s for as much longer as requests are kept", "ledger.window")
	}
	if c.Kafka.Retention.Results < c.Ledger.Window {
		r.fault("kafka.retention.results", showDuration(c.Kafka.Retention.Results)+" is shorter than ledger.window, "+
			showDuration(c.Ledger.Window), "give at least that", "ledger.window")
	}
}

func (k *Kafka) contradictions(r *report) {
	// Apache Kafka's documentation of heartbeat.interval.ms: no higher than
	// a third of the session timeout.
	if k.Heartbeat > k.SessionTimeout/3 {
		r.fault("kafka.heartbeat", showDuration(k.Heartbeat)+" is more than a third of kafka.session_timeout, "+
			showDuration(k.SessionTimeout), "give at most that", "kafka.session_timeout")
	} else if notice := k.notice(); k.SessionTimeout <= notice {
		r.fault("kafka.session_timeout", showDuration(k.SessionTimeout)+" is not longer than "+showDuration(notice)+
			", which may pass before a replica that is cut off notices: another could have its partitions by then",
			"give more, or less to kafka.heartbeat and kafka.commit_interval", "kafka.heartbeat", "kafka.commit_interval")
	}
	if k.RebalanceTimeout < k.SessionTimeout {
		r.fault("kafka.rebalance_timeout", showDuration(k.RebalanceTimeout)+" is shorter than kafka.session_timeout, "+
			showDuration(k.SessionTimeout), "give at least that", "kafka.session_timeout")
	}
	if k.TLS.CertFile != "" && k.TLS.KeyFile == "" {
		r.missing("kafka.tls.key_file", "with kafka.tls.cert_file")
	}
	if k.TLS.KeyFile != "" && k.TLS.CertFile == "" {
		r.missing("kafka.tls.cert_file", "with kafka.tls.key_file")
	}
	if k.SASL.Mechanism != MechanismNone {
		why := "with kafka.sasl.mechanism " + k.SASL.Mechanism
		if k.SASL.Username == "" && !r.skip["kafka.sasl.mechanism"] {
			r.missing("kafka.sasl.username", why)
		}
		if !k.SASL.Password.IsSet() && !r.skip["kafka.sasl.mechanism"] {
			r.missing("kafka.sasl.password", why)
		}
	}
	k.Topics.contradictions(r)
}

// notice is the shortest session that is too short: it must be longer than two
// signs of life, each with the 5 s within which the coordinator must answer, and
// a second more. internal/stream refuses what breaks the rule; it is said here
// again because the settings have names only here.
func (k *Kafka) notice() time.Duration {
	return 2*(max(k.Heartbeat, k.CommitInterval)+5*time.Second) + time.Second
}

// contradictions reports topics that share a name. Brokers take "." and "_"
// for the same in names, because their metrics do (Apache Kafka,
// Topic.hasCollision).
func (t *Topics) contradictions(r *report) {
	seen := make(map[string]string)
	for _, topic := range []struct{ key, name string }{
		{"kafka.topics.requests", t.Requests},
		{"kafka.topics.priority", t.Priority},
		{"kafka.topics.results", t.Results},
		{"kafka.topics.ledger", t.Ledger},
		{"kafka.topics.dead", t.Dead},
		{"kafka.topics.signals", t.Signals},
	} {
		if topic.name == "" {
			continue
		}
		metric := strings.ReplaceAll(topic.name, ".", "_")
		if first, ok := seen[metric]; ok {
			r.fault(topic.key, show(topic.name)+" is the topic of "+first+
				" too, as brokers do not tell . and _ apart", "give a name of its own", first)
			continue
		}
		seen[metric] = topic.key
	}
}

func (v *Vendors) contradictions(r *report, available []event.Vendor) {
	if len(v.Enabled()) == 0 {
		var enabled []string
		for _, n := range v.all() {
			enabled = append(enabled, n.key("enabled"))
		}
		r.fault(enabled[0], "no vendor is enabled", "enable one", enabled...)
		return
	}
	for _, n := range v.all() {
		if !n.settings.Enabled {
			continue
		}
		if !slices.Contains(available, n.name) {
			r.fault(n.key("enabled"), string(n.name)+" is not available in this build", "give false")
			continue
		}
		if !n.settings.Limits.stated() {
			r.missing(n.key("limits"), "when the vendor is enabled")
		}
		if n.settings.Limits.None && len(n.settings.Schedule) > 0 {
			r.fault(n.key("schedule"), "there is no limit to lower", "give "+n.key("limits"), n.key("limits"))
		}
		v.missing(r, n)
	}
}

// missing reports the credentials that an enabled vendor lacks.
func (v *Vendors) missing(r *report, n named) {
	const why = "when the vendor is enabled"
	need := func(setting string, given bool) {
		if !given {
			r.missing(n.key(setting), why)
		}
	}
	switch n.name {
	case event.Argos:
		need("api_key", v.Argos.APIKey.IsSet())
	case event.Faceki:
		need("client_id", v.Faceki.ClientID != "")
		need("client_secret", v.Faceki.ClientSecret.IsSet())
	case event.Checkout:
		c := &v.Checkout
		switch {
		case c.ClientID != "" || c.ClientSecret.IsSet():
			need("client_id", c.ClientID != "")
			need("client_secret", c.ClientSecret.IsSet())
		default:
			need("secret_key", c.SecretKey.IsSet())
		}
		need("user_journey_id", c.UserJourneyID != "")
		if c.PollMax < c.PollInitial {
			r.fault(n.key("poll_max"), showDuration(c.PollMax)+" is shorter than "+n.key("poll_initial")+", "+
				showDuration(c.PollInitial), "give at least that", n.key("poll_initial"))
		}
		if c.Webhook.Listen != "" && !c.Webhook.SignatureKey.IsSet() {
			r.missing(n.key("webhook.signature_key"), "with "+n.key("webhook.listen"))
		}
	}
}
