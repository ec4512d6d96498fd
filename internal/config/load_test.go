package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

const apiKey = "REAUTH_VENDORS__ARGOS__API_KEY=k"

// source returns a source with the file's content, the one required value and
// the variables given.
func source(t *testing.T, content string, environ ...string) Source {
	t.Helper()
	return Source{
		File:    write(t, content),
		Environ: append([]string{apiKey}, environ...),
		Vendors: []event.Vendor{event.Argos},
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, src Source) Config {
	t.Helper()
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faultsOf returns the lines of err without the directory of the file.
func faultsOf(t *testing.T, src Source, err error) []string {
	t.Helper()
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Fatalf("the error is %v, not *Faults", err)
	}
	var lines []string
	for _, f := range faults.List {
		lines = append(lines, strings.ReplaceAll(f.Error(), src.File, "config.yaml"))
	}
	return lines
}

func TestLaterSourceWins(t *testing.T) {
	src := source(t, "kafka: {group: file, client_id: file, partitions: 3}\n",
		"REAUTH_KAFKA__GROUP=environment", "REAUTH_KAFKA__CLIENT_ID=environment")
	src.Overrides = map[string]string{"kafka.group": "override"}
	c := load(t, src)
	got := []any{c.Kafka.Group, c.Kafka.ClientID, c.Kafka.Partitions, c.Kafka.Replication}
	if diff := cmp.Diff([]any{"override", "environment", 3, 3}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryKindFromFileAndEnvironment(t *testing.T) {
	want := Default()
	want.Vendors.Argos.APIKey = NewSecret("k")
	want.Kafka.Brokers = []string{"a:1", "b:2"}
	want.Selfies.PathStyle = true
	want.Selfies.MaxBytes = 2 * MiB
	want.Selfies.AllowedBuckets = []string{"one", "two"}
	want.Vendors.Argos.Limits = Limits{Rates: []Rate{{10, time.Second}, {5000, 24 * time.Hour}}}
	want.Vendors.Argos.Headroom = 0.05
	want.Retry.Initial = 1500 * time.Millisecond
	want.Log.Level = slog.LevelDebug
	want.DefaultVendor = ""

	fromFile := load(t, source(t, `
default_vendor: ""
kafka:
  brokers: [a:1, "b:2"]
selfies: {path_style: true, max_bytes: 2097152, allowed_buckets: "one, two"}
vendors:
  argos:
    limits: [10/s, 5000/day]
    headroom: 5%
retry: {initial: 1.5s}
log: {level: debug}
`))
	if diff := cmp.Diff(want, fromFile, compareSecrets); diff != "" {
		t.Errorf("from the file (-want +got):\n%s", diff)
	}
	fromEnvironment := load(t, source(t, "", "REAUTH_DEFAULT_VENDOR=", "REAUTH_KAFKA__BROKERS=a:1,b:2",
		"REAUTH_SELFIES__PATH_STYLE=true", "REAUTH_SELFIES__MAX_BYTES=2MiB", "REAUTH_SELFIES__ALLOWED_BUCKETS=one,two",
		"REAUTH_VENDORS__ARGOS__LIMITS=10/s, 5000/day", "REAUTH_VENDORS__ARGOS__HEADROOM=0.05",
		"REAUTH_RETRY__INITIAL=1500ms", "REAUTH_LOG__LEVEL=debug"))
	if diff := cmp.Diff(want, fromEnvironment, compareSecrets); diff != "" {
		t.Errorf("from the environment (-want +got):\n%s", diff)
	}
}

func TestListFromEnvironmentReplacesTheFiles(t *testing.T) {
	c := load(t, source(t, "kafka: {brokers: [a:1, b:2]}", "REAUTH_KAFKA__BROKERS=c:3"))
	if diff := cmp.Diff([]string{"c:3"}, c.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
}

func TestTextStaysAsWritten(t *testing.T) {
	c := load(t, source(t, "kafka: {group: 0123, client_id: no}\n"))
	if c.Kafka.Group != "0123" || c.Kafka.ClientID != "no" {
		t.Errorf("got group %q and client id %q", c.Kafka.Group, c.Kafka.ClientID)
	}
}

func TestFilesThatSayNothing(t *testing.T) {
	want := load(t, source(t, ""))
	for name, content := range map[string]string{
		"comment": "# nothing\n", "separator": "---\n", "null": "~\n", "empty groups": "kafka:\nvendors:\n  argos:\n",
		"setting without a value": "kafka:\n  group:\n",
	} {
		if diff := cmp.Diff(want, load(t, source(t, content)), compareSecrets); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestNoFileAtAll(t *testing.T) {
	c := load(t, Source{Environ: []string{apiKey, "HOME=/root"}, Vendors: []event.Vendor{event.Argos}})
	if c.Kafka.Group != "faceauth" {
		t.Errorf("got group %q, want the default", c.Kafka.Group)
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	c := load(t, source(t, `
vendors:
  argos: &lane
    timeout: &long 7s
    limits: [10/s]
  faceki:
    <<: *lane
    limits: [20/s]
breaker: {slow_call: *long}
`))
	v := c.Vendors.Faceki
	if v.Timeout != 7*time.Second || v.Limits.String() != "20/s" || c.Breaker.SlowCall != 7*time.Second {
		t.Errorf("got timeout %s, limits %s, slow call %s", v.Timeout, v.Limits, c.Breaker.SlowCall)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	src := source(t, `kafka:
  brokrs: [localhost:9092]
  group: "with space"
  partitions: many
  topics: {requests: same, results: same}
selfies:
  max_bytes: 5 parsecs
  max_memory: [1GiB]
kafka:
  group: again
vendors:
  argos:
    base_url: http://user:hunter2@vendor.example
    limits: [10/fortnight]
    timeout: 30
  faceki:
    enabled: true
colour: blue
`, "REAUTH_KAFKA_GROUP=x", "REAUTH_RETRY__MAX=10ms", "REAUTH_LEDGER__WINDOW=soon")
	src.Environ = src.Environ[1:] // no API key
	src.Overrides = map[string]string{"ops.listn": ":1", "log.level": "loud"}

	_, err := Load(src)
	want := []string{
		`config.yaml:2: kafka.brokrs: there is no such setting; did you mean kafka.brokers?`,
		`config.yaml:3: kafka.group: "with space" is not accepted; give 1 to 249 of letters, digits, . _ -`,
		`config.yaml:4: kafka.partitions: "many" is not a whole number; write a whole number, such as 12`,
		`config.yaml:5: kafka.topics.results: "same" is the topic of kafka.topics.requests too, as brokers do not tell . and _ apart; give a name of its own`,
		`config.yaml:7: selfies.max_bytes: "5 parsecs" has no unit of size; write bytes or a number and a unit, such as 5MiB or 500kB`,
		`config.yaml:8: selfies.max_memory: this setting takes one value, not a list; give a size`,
		`config.yaml:9: kafka: this key stands in line 1 already; keep one of them`,
		`config.yaml:13: vendors.argos.base_url: the value is not accepted; give an absolute https URL (http only for a loopback host) without user, query or fragment`,
		`config.yaml:14: vendors.argos.limits: "10/fortnight" does not end in a window of time; write a count and a window, such as 50/s, 300/min, 200000/day or 5/10s; or the word none, alone`,
		`config.yaml:15: vendors.argos.timeout: "30" has no unit; write a number and a unit, such as 500ms, 30s, 10m or 24h`,
		`config.yaml:17: vendors.faceki.enabled: faceki is not available in this build; give false`,
		`config.yaml:18: colour: there is no such setting; remove it`,
		`REAUTH_KAFKA_GROUP: there is no such setting; did you mean REAUTH_KAFKA__GROUP?`,
		`REAUTH_LEDGER__WINDOW: ledger.window: "soon" is not a duration; write a number and a unit, such as 500ms, 30s, 10m or 24h`,
		`REAUTH_RETRY__MAX: retry.max: 10ms is shorter than retry.initial, 1s; give at least that`,
		`command line: ops.listn: there is no such setting; did you mean ops.listen?`,
		`command line: log.level: "loud" is not a log level; write debug, info, warn or error`,
		`vendors.argos.api_key: required when the vendor is enabled; give it, vendors.argos.api_key_file or REAUTH_VENDORS__ARGOS__API_KEY`,
	}
	got := faultsOf(t, src, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(err.Error(), "18 faults in the settings:\n  ") || strings.Count(err.Error(), "\n") != 18 {
		t.Errorf("the error is not a line for each fault:\n%s", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes a password:\n%s", err)
	}
}

func TestFileFaults(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"tab", "kafka:\n\tgroup: x\n", `config.yaml: line 2: found character that cannot start any token; line 2 is indented with a tab, which YAML refuses: use spaces`},
		{"not YAML", "kafka: [", `config.yaml: line 1: did not find expected node content; correct the YAML`},
		{"two documents", "kafka:\n---\nkafka:\n", `config.yaml:2: a second document begins here; keep one document in the file`},
		{"a list", "- kafka\n", `config.yaml:1: the file does not hold settings; write key: value`},
		{"a word", "kafka\n", `config.yaml:1: the file does not hold settings; write key: value`},
		{"group as value", "\nkafka: localhost:9092\n", `config.yaml:2: kafka: this is a group of settings, not a value; write its settings below it, indented`},
		{"value as group", "kafka:\n  group: {name: x}\n", `config.yaml:2: kafka.group: this setting takes a plain value; give a text`},
		{"group in list", "kafka:\n  brokers:\n  - {host: x}\n", `config.yaml:3: kafka.brokers: this item is not a plain value; give a list of text`},
		{"binary", "kafka:\n  group: !!binary aGVsbG8=\n", `config.yaml:2: kafka.group: this setting takes a plain value; give a text`},
		{"repeated key", "kafka:\n  group: a\n  group: b\n", `config.yaml:3: kafka.group: this key stands in line 2 already; keep one of them`},
		{"key that is no word", "? [a]\n: b\n", `config.yaml:1: a key must be a word; write key: value`},
		{"merge of a value", "kafka:\n  <<: x\n", `config.yaml:2: << takes groups of settings only; name an anchor of a group`},
		{"circle of merges", "kafka: &k\n  <<: *k\n", `config.yaml:1: this group merges itself; remove the <<`},
		{"unknown anchor", "kafka: *k\n", `config.yaml: unknown anchor 'k' referenced; correct the YAML`},
		{"group of another name", "vendor: {argos: {}}\n", `config.yaml:1: vendor: there is no such setting; did you mean vendors?`},
		{"setting of another group", "kafka: {hedge: x}\n", `config.yaml:1: kafka.hedge: there is no such setting; did you mean selfies.hedge?`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := source(t, tc.content)
			_, err := Load(src)
			if diff := cmp.Diff([]string{tc.want}, faultsOf(t, src, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	src := source(t, "")
	src.File = filepath.Join(t.TempDir(), "absent.yaml")
	_, err := Load(src)
	want := []string{"config.yaml: the file cannot be read: no such file or directory; give a readable YAML file"}
	if diff := cmp.Diff(want, faultsOf(t, src, err)); diff != "" {
		t.Error(diff)
	}
	src = source(t, strings.Repeat("# filler\n", 1<<17))
	_, err = Load(src)
	want = []string{"config.yaml: the file cannot be read: it holds more than 1MiB; give a readable YAML file"}
	if diff := cmp.Diff(want, faultsOf(t, src, err)); diff != "" {
		t.Error(diff)
	}
}

func TestVariableFaults(t *testing.T) {
	for _, tc := range []struct{ variable, want string }{
		{"REAUTH_KAFKA__GRUOP=x", `REAUTH_KAFKA__GRUOP: there is no such setting; did you mean REAUTH_KAFKA__GROUP?`},
		{"REAUTH_RETRY__MXA=x", `REAUTH_RETRY__MXA: there is no such setting; did you mean REAUTH_RETRY__MAX?`},
		{"REAUTH_kafka__group=x", `REAUTH_kafka__group: there is no such setting; did you mean REAUTH_KAFKA__GROUP?`},
		{"REAUTH_KAFKA=x", `REAUTH_KAFKA: this is a group of settings, not a value; set its settings one by one`},
		{"REAUTH_PURPLE_ELEPHANT=s3cr3t", `REAUTH_PURPLE_ELEPHANT: there is no such setting; unset it`},
		{"REAUTH_KAFKA__BROKERS=", `REAUTH_KAFKA__BROKERS: kafka.brokers: a list of 0 is not accepted; give 1 to 100 items`},
		{"REAUTH_KAFKA__BROKERS=a:1,,b:2", `REAUTH_KAFKA__BROKERS: kafka.brokers: "" is not accepted; give host:port`},
		{"REAUTH_OPS__PPROF=yes", `REAUTH_OPS__PPROF: ops.pprof: "yes" is neither true nor false; write true or false`},
	} {
		src := source(t, "", tc.variable)
		_, err := Load(src)
		if diff := cmp.Diff([]string{tc.want}, faultsOf(t, src, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.variable, diff)
		}
	}
}

func TestVariablesOfKubernetesAreNotSettings(t *testing.T) {
	load(t, source(t, "", "REAUTH_SERVICE_HOST=10.0.0.1", "REAUTH_SERVICE_PORT=8080", "REAUTH_SERVICE_PORT_HTTP=8080",
		"REAUTH_PORT=tcp://10.0.0.1:8080", "REAUTH_PORT_8080_TCP=tcp://10.0.0.1:8080", "REAUTH_PORT_8080_TCP_PROTO=tcp",
		"REAUTH_CONSUMER_SERVICE_HOST=10.0.0.1", "REAUTH_CONSUMER_PORT_8080_TCP_ADDR=10.0.0.1"))
}

// TestUnreadableValueIsNotCompared loads a file in which only a value that
// cannot be read contradicts another; its default, which it has for the time
// being, is nobody's fault.
func TestUnreadableValueIsNotCompared(t *testing.T) {
	src := source(t, "selfies:\n  max_bytes: 100MiB\n  max_memory: plenty\n")
	_, err := Load(src)
	want := []string{`config.yaml:3: selfies.max_memory: "plenty" is not a size; write bytes or a number and a unit, such as 5MiB or 500kB`}
	if diff := cmp.Diff(want, faultsOf(t, src, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultsCanBeFoundByErrorsAs(t *testing.T) {
	src := source(t, "kafka: {partitions: 0}\n")
	_, err := Load(src)
	var f *Fault
	if !errors.As(err, &f) || f.Key != "kafka.partitions" || f.Origin != (Origin{File: src.File, Line: 1}) {
		t.Errorf("got %+v", f)
	}
}

// FuzzFile asserts that whatever a file holds, what is taken from it are
// settings, each with a line to blame, and that reading it ends.
func FuzzFile(f *testing.F) {
	f.Add("kafka: {group: x}")
	f.Add("vendors:\n  argos: &a\n    limits: [1/s]\n  faceki: {<<: *a}\n")
	f.Add("a: &a [*a]\n<<: [*a, *a]\n")
	f.Add("kafka: &k {<<: [*k, {tls: *k}]}\n")
	f.Add("kafka: &k {<<: [*k, *k, *k]}\n")
	f.Fuzz(func(t *testing.T, content string) {
		c := Default()
		in := &file{tree: c.tree(), given: make(map[string]any), lines: make(map[string]int)}
		in.document([]byte(content))
		for key, given := range in.given {
			text, ok := given.(string)
			if !ok {
				text = strings.Join(given.([]string), ",")
			}
			if in.tree.byKey[key] == nil || in.lines[key] == 0 {
				t.Errorf("%s = %q is no setting, or has no line", key, text)
			}
		}
	})
}
