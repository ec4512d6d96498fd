package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// valid returns settings without a fault.
func valid() Config {
	c := Default()
	c.Vendors.Argos.APIKey = NewSecret("k")
	return c
}

func TestSettingsDescribeThemselves(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range Settings() {
		if seen[s.Key] || seen[s.Variable] {
			t.Errorf("%s is there twice", s.Key)
		}
		seen[s.Key], seen[s.Variable] = true, true
		if !strings.HasSuffix(s.Doc, ".") || s.Type == "" {
			t.Errorf("%s has no manual: %+v", s.Key, s)
		}
		if s.Secret && s.Default != "" {
			t.Errorf("%s is a secret with a default", s.Key)
		}
	}
	if !seen["vendors.argos.api_key_file"] || !seen["REAUTH_VENDORS__CHECKOUT__WEBHOOK__SIGNATURE_KEY"] {
		t.Error("settings are missing")
	}
}

func TestDefaultLacksTheKeyOnly(t *testing.T) {
	c := Default()
	err := c.Validate(event.Argos)
	want := "1 fault in the settings:\n  vendors.argos.api_key: required when the vendor is enabled; " +
		"give it, vendors.argos.api_key_file or REAUTH_VENDORS__ARGOS__API_KEY"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	c = valid()
	if err := c.Validate(event.Argos); err != nil {
		t.Error(err)
	}
}

// TestBounds gives every bounded setting a value just inside and one outside.
func TestBounds(t *testing.T) {
	for key, values := range map[string]struct{ inside, outside string }{
		"default_vendor":                     {"argos", "acme"},
		"kafka.brokers":                      {"[::1]:9092", "localhost"},
		"kafka.group":                        {strings.Repeat("g", 249), strings.Repeat("g", 250)},
		"kafka.client_id":                    {"a.b_c-d", ".."},
		"kafka.partitions":                   {"10000", "0"},
		"kafka.replication":                  {"1", "16"},
		"kafka.session_timeout":              {"45s", "31m"},
		"kafka.heartbeat":                    {"9s", "99ms"},
		"kafka.rebalance_timeout":            {"30m", "30m1s"},
		"kafka.commit_interval":              {"50ms", "0s"},
		"kafka.tls.server_name":              {"kafka.example", "kafka example"},
		"kafka.sasl.mechanism":               {"none", "gssapi"},
		"kafka.topics.requests":              {"r", "r/s"},
		"kafka.topics.priority":              {"", "p!"},
		"kafka.retention.signals":            {"1m", "1s"},
		"selfies.endpoint":                   {"http://minio:9000", "https://user:word@minio:9000"},
		"selfies.region":                     {"eu-central-1", ""},
		"selfies.bucket":                     {"a.b-c", "Selfies"},
		"selfies.allowed_buckets":            {"abc,def", "ab"},
		"selfies.max_bytes":                  {"1KiB", "1023"},
		"selfies.max_memory":                 {"1TiB", "2TiB"},
		"selfies.max_pixels":                 {"1", "0"},
		"selfies.timeout":                    {"10ms", "1us"},
		"selfies.after_verdict.approved":     {"tag", "burn"},
		"selfies.after_verdict.tag_key":      {"team:reauth/outcome", "aws:outcome"},
		"selfies.after_verdict.hold_tag":     {"", "legal hold"},
		"vendors.argos.base_url":             {"http://127.0.0.1:1/v3", "http://vendor.example"},
		"vendors.argos.limits":               {"none", "10/s,20/s"},
		"vendors.argos.headroom":             {"0", "51%"},
		"vendors.argos.timeout":              {"10m", "-1s"},
		"vendors.argos.max_in_flight":        {"1", "0"},
		"vendors.checkout.token_url":         {"https://x/y", "https://x/y?z"},
		"vendors.checkout.client_id":         {"id", "i d"},
		"vendors.checkout.webhook.listen":    {"127.0.0.1:0", "8080"},
		"vendors.checkout.webhook.path":      {"/a/b", "a"},
		"vendors.rekognition.base_url":       {"", "http://vendor.example"},
		"vendors.rekognition.threshold":      {"99.5", "49.9"},
		"vendors.rekognition.quality_filter": {"auto", "AUTO"},
		"retry.max_attempts":                 {"1", "0"},
		"retry.initial":                      {"1ms", "2h"},
		"retry.max":                          {"24h", "25h"},
		"retry.budget":                       {"100%", "1.1"},
		"breaker.ratio":                      {"1", "0"},
		"breaker.min_calls":                  {"1", "0"},
		"breaker.window":                     {"100ms", "99ms"},
		"breaker.slow_call":                  {"1ms", "0s"},
		"breaker.open":                       {"10ms", "2h"},
		"breaker.probes":                     {"1", "0"},
		"ledger.window":                      {"1m", "59s"},
		"ledger.on_unknown":                  {"hold", "ask"},
		"spend.currency":                     {"USD", "Euro"},
		"spend.per_day":                      {"", "0.0000001"},
		"spend.per_campaign":                 {"0", "-1"},
		"vendors.argos.prices":               {"approved=0.10, rejected=1", "approved=1,approved=2"},
		"vendors.faceki.prices":              {"", "aproved=0.10"},
		"vendors.checkout.prices":            {"approved=1000000", "approved=1000000.01"},
		"limiter.redis.address":              {"redis:6379", "redis"},
		"limiter.redis.prefix":               {"reauth", "re auth"},
		"limiter.redis.timeout":              {"5ms", "2s"},
		"pipeline.max_in_shard":              {"1", "0"},
		"ops.listen":                         {"localhost:65535", "localhost:65536"},
		"shutdown.grace":                     {"0", "2h"},
		"log.format":                         {"text", "xml"},
	} {
		t.Run(key, func(t *testing.T) {
			src := source(t, "")
			src.Overrides = map[string]string{key: values.inside}
			load(t, src)
			src.Overrides = map[string]string{key: values.outside}
			_, err := Load(src)
			lines := faultsOf(t, src, err)
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "command line: "+key+": ") {
				t.Errorf("%q gives %q", values.outside, lines)
			}
		})
	}
}

func TestKeysAndSelfiesGoToHTTPSOrThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"https://vendor.example": true, "https://vendor.example:8443/v3/": true,
		"http://localhost:80": true, "http://vendor.localhost": true, "http://127.8.0.1": true, "http://[::1]:1/x": true,
		"http://vendor.example": false, "http://10.0.0.1": false, "http://localhost.example": false, "http://127.0.0.1.example": false,
		"https://": false, "https:vendor": false, "//vendor.example": false, "ftp://localhost": false, "": false,
		"https://user@vendor.example": false, "https://vendor.example?key=x": false, "https://vendor.example?": false,
		"https://vendor.example#x": false, "https://vendor.example:port": false,
	} {
		if got := secureAddress.fits(address); got != want {
			t.Errorf("%q: got %v", address, got)
		}
	}
}

func TestContradictions(t *testing.T) {
	certificate := write(t, "pem")
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"heartbeat too rare", func(c *Config) { c.Kafka.Heartbeat = 11e9 },
			[]string{"kafka.heartbeat: 11s is more than a third of kafka.session_timeout, 30s; give at most that"}},
		{"short session", func(c *Config) { c.Kafka.SessionTimeout = 17e9 },
			[]string{"kafka.session_timeout: 17s is not longer than 17s, which may pass before a replica that is cut off notices: " +
				"another could have its partitions by then; give more, or less to kafka.heartbeat and kafka.commit_interval"}},
		{"rare commits", func(c *Config) { c.Kafka.CommitInterval = 10e9 },
			[]string{"kafka.session_timeout: 30s is not longer than 31s, which may pass before a replica that is cut off notices: " +
				"another could have its partitions by then; give more, or less to kafka.heartbeat and kafka.commit_interval"}},
		{"short rebalance", func(c *Config) { c.Kafka.RebalanceTimeout = 29e9 },
			[]string{"kafka.rebalance_timeout: 29s is shorter than kafka.session_timeout, 30s; give at least that"}},
		{"certificate without key", func(c *Config) { c.Kafka.TLS.CertFile = certificate },
			[]string{"kafka.tls.key_file: required with kafka.tls.cert_file; give it here or as REAUTH_KAFKA__TLS__KEY_FILE"}},
		{"key without certificate", func(c *Config) { c.Kafka.TLS.KeyFile = certificate },
			[]string{"kafka.tls.cert_file: required with kafka.tls.key_file; give it here or as REAUTH_KAFKA__TLS__CERT_FILE"}},
		{"absent certificate", func(c *Config) { c.Kafka.TLS.CAFile = certificate + "x" },
			[]string{`kafka.tls.ca_file: ` + show(certificate+"x") + ` is not accepted; give the path of a file that can be read, or nothing`}},
		{"log-in without credentials", func(c *Config) { c.Kafka.SASL.Mechanism = MechanismPlain },
			[]string{
				"kafka.sasl.username: required with kafka.sasl.mechanism plain; give it here or as REAUTH_KAFKA__SASL__USERNAME",
				"kafka.sasl.password: required with kafka.sasl.mechanism plain; give it, kafka.sasl.password_file or REAUTH_KAFKA__SASL__PASSWORD",
			}},
		{"topics that brokers do not tell apart", func(c *Config) { c.Kafka.Topics.Priority = "faceauth_requests" },
			[]string{`kafka.topics.priority: "faceauth_requests" is the topic of kafka.topics.requests too, as brokers do not tell . and _ apart; give a name of its own`}},
		{"ledger forgets", func(c *Config) { c.Kafka.Retention.Ledger = c.Ledger.Window },
			[]string{"kafka.retention.ledger: 24h is not longer than ledger.window, 24h; give more, or 0s for as much longer as requests are kept"}},
		{"results forget", func(c *Config) { c.Kafka.Retention.Results = 23 * 3600e9 },
			[]string{"kafka.retention.results: 23h is shorter than ledger.window, 24h; give at least that"}},
		{"no room for a selfie", func(c *Config) { c.Selfies.MaxMemory = 4 * MiB },
			[]string{"selfies.max_memory: 4MiB cannot hold one selfie of selfies.max_bytes, 5MiB; give at least that"}},
		{"no room, but out of bounds already", func(c *Config) { c.Selfies.MaxBytes = 200 * MiB },
			[]string{"selfies.max_bytes: 200MiB is not accepted; give 1KiB to 100MiB"}},
		{"default vendor off", func(c *Config) { c.DefaultVendor = event.Checkout },
			[]string{"default_vendor: checkout is not enabled; enable it, or name another vendor"}},
		{"no vendor", func(c *Config) { c.Vendors.Argos.Enabled = false },
			[]string{"vendors.argos.enabled: no vendor is enabled; enable one"}},
		{"no limits", func(c *Config) { c.Vendors.Argos.Limits = Limits{} },
			[]string{"vendors.argos.limits: required when the vendor is enabled; give it here or as REAUTH_VENDORS__ARGOS__LIMITS"}},
		{"retry.max", func(c *Config) { c.Retry.Max = 1e6 },
			[]string{"retry.max: 1ms is shorter than retry.initial, 1s; give at least that"}},
		{"FACEKI without credentials", func(c *Config) { c.Vendors.Faceki.Enabled = true },
			[]string{
				"vendors.faceki.limits: required when the vendor is enabled; give it here or as REAUTH_VENDORS__FACEKI__LIMITS",
				"vendors.faceki.client_id: required when the vendor is enabled; give it here or as REAUTH_VENDORS__FACEKI__CLIENT_ID",
				"vendors.faceki.client_secret: required when the vendor is enabled; give it, vendors.faceki.client_secret_file or REAUTH_VENDORS__FACEKI__CLIENT_SECRET",
			}},
		{"Checkout.com without credentials", func(c *Config) {
			c.Vendors.Checkout.Enabled, c.Vendors.Checkout.Limits.None = true, true
			c.Vendors.Checkout.Webhook.Listen = ":9000"
		},
			[]string{
				"vendors.checkout.secret_key: required when the vendor is enabled; give it, vendors.checkout.secret_key_file or REAUTH_VENDORS__CHECKOUT__SECRET_KEY",
				"vendors.checkout.user_journey_id: required when the vendor is enabled; give it here or as REAUTH_VENDORS__CHECKOUT__USER_JOURNEY_ID",
				"vendors.checkout.webhook.signature_key: required with vendors.checkout.webhook.listen; give it, vendors.checkout.webhook.signature_key_file or REAUTH_VENDORS__CHECKOUT__WEBHOOK__SIGNATURE_KEY",
			}},
		{"half an OAuth client", func(c *Config) {
			c.Vendors.Checkout.Enabled, c.Vendors.Checkout.Limits.None = true, true
			c.Vendors.Checkout.UserJourneyID, c.Vendors.Checkout.ClientID = "usj", "id"
		},
			[]string{"vendors.checkout.client_secret: required when the vendor is enabled; give it, vendors.checkout.client_secret_file or REAUTH_VENDORS__CHECKOUT__CLIENT_SECRET"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := valid()
			tc.change(&c)
			got := faultsOf(t, Source{File: "config.yaml"}, c.Validate(event.Argos, event.Faceki, event.Checkout))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestVendorWithoutAdapterCannotBeEnabled(t *testing.T) {
	c := valid()
	c.Vendors.Faceki.Enabled = true
	got := faultsOf(t, Source{File: "config.yaml"}, c.Validate(event.Argos))
	if diff := cmp.Diff([]string{"vendors.faceki.enabled: faceki is not available in this build; give false"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"short grace", func(c *Config) { c.Shutdown.Grace = 5e9 },
			"shutdown.grace: 5s is shorter than vendors.argos.timeout, 30s: a stop cuts calls off, which may be charged again; give at least that"},
		{"slow call above the timeout", func(c *Config) { c.Vendors.Argos.Timeout = 5e9 },
			"breaker.slow_call: 20s is never reached, as vendors.argos.timeout is 5s; give less than that"},
		{"long window never reached", func(c *Config) { c.Vendors.Argos.Limits.Rates = []Rate{{10, 1e9}, {600, 60e9}} },
			"vendors.argos.limits: 600/min is never reached, as 10/s comes first; leave it out or correct it"},
		{"short window never reached", func(c *Config) { c.Vendors.Argos.Limits.Rates = []Rate{{10, 1e9}, {10, 60e9}} },
			"vendors.argos.limits: 10/s is never reached, as 10/min comes first; leave it out or correct it"},
		{"log-in in the clear", func(c *Config) {
			c.Kafka.SASL = KafkaSASL{Mechanism: MechanismPlain, Username: "u", Password: NewSecret("p")}
		}, "kafka.tls.enabled: the log-in at the brokers crosses the network in the clear; give true"},
		{"TLS left off", func(c *Config) { c.Kafka.TLS.ServerName = "x" },
			"kafka.tls.enabled: the settings of kafka.tls have no effect; give true"},
		{"log-in left off", func(c *Config) { c.Kafka.SASL.Username = "u" },
			"kafka.sasl.mechanism: user name and password have no effect; name a mechanism"},
		{"selfies in the clear", func(c *Config) { c.Selfies.Endpoint = "http://minio:9000" },
			"selfies.endpoint: selfies cross the network in the clear; use https"},
		{"references that Amazon cannot read", func(c *Config) {
			c.Selfies.Endpoint = "http://127.0.0.1:9000"
			c.Vendors.Rekognition.Enabled, c.Vendors.Rekognition.Limits.None = true, true
		}, "vendors.rekognition.enabled: Amazon reads references from its own S3, not from selfies.endpoint; keep the references there"},
		{"password of the limiter in the clear", func(c *Config) {
			c.Limiter.Redis.Address, c.Limiter.Redis.Password = []string{"redis:6379"}, NewSecret("p")
		}, "limiter.redis.tls: the password crosses the network in the clear; give true"},
		{"limiter without an address", func(c *Config) { c.Limiter.Redis.TLS = true },
			"limiter.redis.address: the settings of limiter.redis have no effect; name one"},
		{"authorities of the limiter left off", func(c *Config) {
			c.Limiter.Redis.Address, c.Limiter.Redis.CAFile = []string{"redis:6379"}, "reference_test.go"
		}, "limiter.redis.tls: limiter.redis.ca_file has no effect; give true"},
		{"profiles", func(c *Config) { c.Ops.PProf = true },
			"ops.pprof: profiles are served to whoever can reach ops.listen; switch it off when done"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := valid()
			tc.change(&c)
			if err := c.Validate(event.Vendors()...); err != nil {
				t.Fatalf("a warning must not be a fault: %v", err)
			}
			var got []string
			for _, f := range c.Warnings() {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBucketsHoldTheDefaultOnce(t *testing.T) {
	s := Selfies{Bucket: "selfies", AllowedBuckets: []string{"other", "selfies", "other"}}
	if diff := cmp.Diff([]string{"selfies", "other"}, s.Buckets()); diff != "" {
		t.Error(diff)
	}
}

func TestLedgerOutlivesAStandstillOfAsLongAsRequestsAreKeptUnlessTold(t *testing.T) {
	c := valid()
	if got := c.LedgerRetention(); got != c.Ledger.Window+c.Kafka.Retention.Requests || got < 8*24*3600e9 {
		t.Errorf("got %s", got)
	}
	c.Kafka.Retention.Ledger = 72 * 3600e9
	if got := c.LedgerRetention(); got != 72*3600e9 {
		t.Errorf("got %s", got)
	}
}
