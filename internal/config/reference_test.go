package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"reauth/internal/event"
)

var update = flag.Bool("update", false, "write deploy/config.yaml and docs/settings.md anew")

var (
	referenceFile = filepath.Join("..", "..", "deploy", "config.yaml")
	manualFile    = filepath.Join("..", "..", "docs", "settings.md")
)

// TestReferenceFilesMatchTheSettings holds deploy/config.yaml and
// docs/settings.md against the declarations; -update rewrites them.
func TestReferenceFilesMatchTheSettings(t *testing.T) {
	var c Config
	tree := c.tree()
	for path, want := range map[string]string{referenceFile: reference(t, tree), manualFile: manual(tree)} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the settings say; run go test ./internal/config -update (-want +got):\n%s", path, diff)
		}
	}
}

// TestReferenceFileIsTheDefaults loads deploy/config.yaml as an operator would
// who has added the one value that has no default.
func TestReferenceFileIsTheDefaults(t *testing.T) {
	c, err := Load(Source{
		File:    referenceFile,
		Environ: []string{"REAUTH_VENDORS__ARGOS__API_KEY=k"},
		Vendors: []event.Vendor{event.Argos},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Vendors.Argos.APIKey = NewSecret("k")
	if diff := cmp.Diff(want, c, compareSecrets); diff != "" {
		t.Errorf("the reference file differs from the defaults (-default +file):\n%s", diff)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("the defaults are doubtful: %v", w)
	}
}

var compareSecrets = cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() })

func TestReferenceFileNamesEverySettingOnce(t *testing.T) {
	content, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	var c Config
	f := &file{tree: c.tree(), given: make(map[string]any), lines: make(map[string]int)}
	f.document(content)
	if err := joined(f.faults); err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if f.lines[s.Key] == 0 {
			t.Errorf("%s is not in %s", s.Key, referenceFile)
		}
	}
}

// reference writes the settings as a commented YAML file.
func reference(t *testing.T, tree *tree) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Every setting of reauth with its default. Written by go test ./internal/config -update;
# docs/settings.md is the same as a table.
#
# A file needs only what differs from here, and what is marked as required. Every setting can also come
# from the environment, under the name given with it (lists separated by commas), which wins over the
# file. A secret is best kept out of here: use its variable, or a file named under its _file key.
`)
	open := ""
	for _, l := range tree.leaves {
		path := parent(l.Key)
		for _, opened := range newlyOpened(open, path) {
			indent := indentOf(opened)
			b.WriteString("\n")
			comment(&b, indent, tree.groups[opened])
			fmt.Fprintf(&b, "%s%s:\n", indent, last(opened))
		}
		open = path
		indent := indentOf(l.Key)
		if path == "" {
			b.WriteString("\n")
		}
		comment(&b, indent, l.Doc)
		comment(&b, indent, describeType(l.Setting)+". "+l.Variable)
		fmt.Fprintf(&b, "%s%s: %s\n", indent, last(l.Key), yamlValue(t, l.Setting))
	}
	return b.String()
}

func parent(key string) string {
	if i := strings.LastIndex(key, "."); i >= 0 {
		return key[:i]
	}
	return ""
}

func indentOf(key string) string { return strings.Repeat("  ", strings.Count(key, ".")) }

// newlyOpened returns the groups of path that are not open yet, outermost
// first.
func newlyOpened(open, path string) []string {
	var opened []string
	for p := path; p != "" && p != open && !strings.HasPrefix(open, p+"."); p = parent(p) {
		opened = append(opened, p)
	}
	slices.Reverse(opened)
	return opened
}

func describeType(s Setting) string {
	text := strings.ToUpper(s.Type[:1]) + s.Type[1:]
	if s.Bounds != "" {
		text += ": " + s.Bounds
	}
	return text
}

// comment writes text as comment lines of at most 110 columns.
func comment(b *strings.Builder, indent, text string) {
	line := indent + "#"
	for _, w := range strings.Fields(text) {
		if len(line)+1+len(w) > 110 {
			b.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + w
	}
	b.WriteString(line + "\n")
}

// yamlValue returns the default as it stands behind the key.
func yamlValue(t *testing.T, s Setting) string {
	t.Helper()
	if !s.List {
		return yamlScalar(t, s.Default, s.Type)
	}
	items := splitList(s.Default)
	for i, item := range items {
		items[i] = yamlScalar(t, item, s.Type)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func yamlScalar(t *testing.T, value, kind string) string {
	t.Helper()
	if kind == counts.name || kind == switches.name || kind == ratios.name {
		return value
	}
	b, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}

// manual writes the settings as Markdown.
func manual(tree *tree) string {
	var b strings.Builder
	b.WriteString(`# Settings

Written by ` + "`go test ./internal/config -update`" + ` from the declarations in ` + "`internal/config`" + `; the same as a
file to start from is [deploy/config.yaml](../deploy/config.yaml).

A setting is looked for in the YAML file (` + "`--config`" + `) and in the environment, which wins: ` + "`REAUTH_`" + ` and the key in
capitals, levels joined by two underscores, lists separated by commas. A list given later replaces the earlier one.
Unknown keys and variables, values out of bounds and contradictions are reported all at once, each with its line or
variable, before anything starts.

- **duration**: a number and a unit, such as ` + "`500ms`, `30s`, `10m`, `24h`" + `.
- **size**: bytes, or a number and a unit, such as ` + "`5MiB`, `5Mi`, `500kB`" + `.
- **ratio**: a fraction, ` + "`0.2`, or a percentage, `20%`" + `.
- **rate**: a count and a window, such as ` + "`50/s`, `300/min`, `200000/day`, `5/10s`" + `.
- **secret**: never printed or logged. Best given through its variable, or through the file named under its ` + "`_file`" + ` key,
  which may be rewritten while the service runs. Giving both is refused.

Kubernetes sets variables such as ` + "`REAUTH_SERVICE_HOST`" + ` where a Service is called reauth; these are not taken for settings.
`)
	section := "-"
	for _, l := range tree.leaves {
		if path := parent(l.Key); path != section {
			section = path
			title, doc := "`"+path+"`", tree.groups[path]
			if path == "" {
				title, doc = "Top level", "Settings outside any group."
			}
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| key | default | type and bounds | meaning |\n|---|---|---|---|\n", title, doc)
		}
		value := "`" + l.Default + "`"
		if l.Default == "" {
			value = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", last(l.Key), value,
			strings.ReplaceAll(describeType(l.Setting), "|", `\|`), strings.ReplaceAll(l.Doc, "|", `\|`))
	}
	return b.String()
}
