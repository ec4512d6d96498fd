package config

import "reauth/internal/event"

// Config is every setting of the service. Its groups are those of the file;
// what a field means, its unit and its bounds stand where it is declared, in
// the describe method of its group.
//
// A Config is read once and not changed after; only the secrets that come from
// files follow their files.
type Config struct {
	Kafka   Kafka
	Selfies Selfies
	// DefaultVendor is asked when a request names none; empty when every
	// request must name one.
	DefaultVendor event.Vendor
	Vendors       Vendors
	Retry         Retry
	Breaker       Breaker
	Ledger        Ledger
	Spend         Spend
	Limiter       Limiter
	Pipeline      Pipeline
	Ops           Ops
	Shutdown      Shutdown
	Log           Log
}

// Default returns a Config with every setting at its default. It is not valid
// as it stands: the default vendor has no key yet.
func Default() Config {
	var c Config
	for _, l := range c.tree().leaves {
		given := []string{l.Default}
		if l.List {
			given = splitList(l.Default)
		}
		if m := l.set(given); m != nil {
			panic("config: default of " + l.Key + ": " + m.problem)
		}
	}
	return c
}

// Validate holds every setting against its bounds and against the others, and
// returns all that is wrong as a *[Faults], nil when nothing is. vendors are
// the ones that this build has an adapter for.
func (c *Config) Validate(vendors ...event.Vendor) error {
	return joined(c.faults(vendors, nil))
}

// Warnings returns what is allowed but most often not meant. Every field but
// Origin is set.
func (c *Config) Warnings() []*Fault {
	r := &report{tree: c.tree()}
	c.doubts(r)
	return r.faults
}

// faults returns what is wrong. Settings in unread could not be read: they
// hold their defaults, about which there is nothing to say.
func (c *Config) faults(vendors []event.Vendor, unread map[string]bool) []*Fault {
	r := &report{tree: c.tree()}
	for _, l := range r.tree.leaves {
		if m := l.check(); m != nil {
			r.fault(l.Key, m.problem, m.remedy)
		}
	}
	// What is out of bounds already is not compared with anything else.
	r.skip = make(map[string]bool, len(unread)+len(r.faults))
	for key := range unread {
		r.skip[key] = true
	}
	for _, f := range r.faults {
		r.skip[f.Key] = true
	}
	c.contradictions(r, vendors)
	return r.faults
}

func names(vendors []event.Vendor) []string {
	texts := make([]string, len(vendors))
	for i, v := range vendors {
		texts[i] = string(v)
	}
	return texts
}

// tree binds the settings to the fields of c.
func (c *Config) tree() *tree {
	t := &tree{byKey: make(map[string]*leaf), groups: make(map[string]string)}
	root := group{tree: t}
	one(root, (*string)(&c.DefaultVendor), texts, "default_vendor", "argos",
		`Vendor of the requests that name none. Empty: every request must name one.`,
		optional(oneOf(names(event.Vendors())...)))
	root.group("kafka", `How the Kafka cluster is reached, and what it holds.`, c.Kafka.describe)
	root.group("selfies", `Where the selfies lie. Credentials come from the AWS SDK's usual chain: environment,
		shared files, web identity, instance role.`, c.Selfies.describe)
	root.group("vendors", `The identity vendors.`, c.Vendors.describe)
	root.group("retry", `What happens after an error that may pass. Verdicts are never retried.`, c.Retry.describe)
	root.group("breaker", `When a vendor is left alone for a while. Timeouts, broken connections, 5xx answers and
		slow calls count against it; verdicts do not. One breaker for each vendor.`, c.Breaker.describe)
	root.group("ledger", `The record of what was claimed and answered, so that no call is paid for twice.`, c.Ledger.describe)
	root.group("spend", `How much calls may cost. Nothing is counted without the prices of a vendor.`, c.Spend.describe)
	root.group("limiter", `How replicas share a vendor's limits. By themselves, each has the share of the partitions that it
		owns.`, c.Limiter.describe)
	root.group("pipeline", `How much work is taken on at a time.`, c.Pipeline.describe)
	root.group("ops", `The listener for probes and metrics.`, c.Ops.describe)
	root.group("shutdown", `How the service stops.`, c.Shutdown.describe)
	root.group("log", `What is logged.`, c.Log.describe)
	return t
}
