package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"

	"reauth/internal/event"
)

// Source is where the settings are read from.
type Source struct {
	// File is the path of the YAML file; empty for none.
	File string
	// Environ is the environment, as os.Environ returns it; variables that
	// do not begin with REAUTH_ are not looked at.
	Environ []string
	// Overrides are settings by key, such as "kafka.group", in the form of
	// an environment variable. They win over everything else.
	Overrides map[string]string
	// Vendors are the ones that this build has an adapter for; to enable
	// another is a fault.
	Vendors []event.Vendor
	// Groups are the groups of settings that are needed, such as "kafka";
	// empty means all. Faults of settings in other groups are not reported,
	// and what is at fault there holds its default: a tool that only talks to
	// Kafka shall not ask for a vendor's key.
	Groups []string
}

// needs tells whether a fault of the setting key counts.
func (s Source) needs(key string) bool {
	group, _, grouped := strings.Cut(key, ".")
	return !grouped || len(s.Groups) == 0 || slices.Contains(s.Groups, group)
}

// Load reads the settings. Its error is a *[Faults] that holds everything that
// is wrong, and then the Config is empty. Load writes nothing, and reads the
// files of src and of the secrets only.
func Load(src Source) (Config, error) {
	c := Default()
	in := intake{
		tree:    c.tree(),
		merged:  koanf.New("."),
		origins: make(map[string]Origin),
	}
	in.file(src.File)
	in.environment(src.Environ)
	in.overrides(src.Overrides)
	in.decode()

	unread := make(map[string]bool)
	for _, f := range in.faults {
		unread[f.Key] = true
	}
	in.faults = slices.DeleteFunc(in.faults, func(f *Fault) bool { return !src.needs(f.Key) })
	for _, l := range in.tree.leaves {
		if !src.needs(l.Key) {
			unread[l.Key] = true
		}
	}
	faults := c.faults(src.Vendors, unread)
	for _, f := range faults {
		f.Origin = in.origins[f.Key]
	}
	if err := joined(append(in.faults, faults...)); err != nil {
		return Config{}, err
	}
	return c, nil
}

// intake brings the sources together.
type intake struct {
	tree    *tree
	merged  *koanf.Koanf // string or []string by key; the last source wins
	origins map[string]Origin
	faults  []*Fault
}

func (in *intake) file(path string) {
	if path == "" {
		return
	}
	f := readFile(path, in.tree)
	in.faults = append(in.faults, f.faults...)
	for key, line := range f.lines {
		in.origins[key] = Origin{File: path, Line: line}
	}
	for key, given := range f.given {
		in.put(key, given, in.origins[key])
	}
}

// put sets key to given, a string or []string.
func (in *intake) put(key string, given any, from Origin) {
	in.origins[key] = from
	if err := in.merged.Set(key, given); err != nil {
		in.fault(key, from, err.Error(), "")
	}
}

func (in *intake) fault(key string, from Origin, problem, remedy string) {
	f := &Fault{Key: key, Origin: from, Problem: problem, Remedy: remedy}
	if l := in.tree.byKey[key]; l != nil {
		f.order = l.order
	}
	in.faults = append(in.faults, f)
}

func (in *intake) environment(environ []string) {
	provider := env.Provider(".", env.Opt{
		Prefix:      prefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			l := in.named(name)
			if l == nil {
				return "", nil
			}
			in.origins[l.Key] = Origin{Variable: name}
			if l.List {
				return l.Key, splitList(value)
			}
			return l.Key, value
		},
	})
	if err := in.merged.Load(provider, nil); err != nil {
		in.fault("", Origin{}, "reading the environment: "+err.Error(), "")
	}
}

// named returns the setting of a variable. A variable without one is a fault,
// unless Kubernetes may have set it.
func (in *intake) named(name string) *leaf {
	key := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "__", "."))
	if l := in.tree.byKey[key]; l != nil && l.Variable == name {
		return l
	}
	if serviceLink.MatchString(name) {
		return nil
	}
	from := Origin{Variable: name}
	if _, isGroup := in.tree.groups[key]; isGroup {
		in.fault("", from, "this is a group of settings, not a value", "set its settings one by one")
		return nil
	}
	remedy := "unset it"
	if best := in.tree.nearest(key); best != "" {
		remedy = "did you mean " + variable(best) + "?"
	}
	in.fault("", from, "there is no such setting", remedy)
	return nil
}

// serviceLink matches the variables that Kubernetes sets in every pod of a
// namespace with a service called reauth, or reauth-something (Kubernetes
// documentation, Service: environment variables).
var serviceLink = regexp.MustCompile(
	`^REAUTH_([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

func (in *intake) overrides(overrides map[string]string) {
	from := Origin{Override: true}
	for _, key := range slices.Sorted(maps.Keys(overrides)) {
		l := in.tree.byKey[key]
		switch {
		case l == nil:
			in.fault(key, from, "there is no such setting", in.tree.suggest(key))
		case l.List:
			in.put(key, splitList(overrides[key]), from)
		default:
			in.put(key, overrides[key], from)
		}
	}
}

// decode parses what was given into the Config.
func (in *intake) decode() {
	for _, l := range in.tree.leaves {
		var given []string
		switch v := in.merged.Get(l.Key).(type) {
		case nil:
			continue
		case string:
			given = []string{v}
		case []string:
			given = v
		default:
			panic(fmt.Sprintf("config: %s was taken in as %T", l.Key, v))
		}
		if m := l.set(given); m != nil {
			in.fault(l.Key, in.origins[l.Key], m.problem, m.remedy)
		}
	}
}
