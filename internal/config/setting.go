package config

import (
	"fmt"
	"strings"
)

// Setting describes one setting.
type Setting struct {
	// Key is its path in the file: "kafka.session_timeout".
	Key string
	// Variable is its name in the environment.
	Variable string
	// Type is the kind of value, for people: "duration", "list of text".
	Type string
	// Default is as one would write it in the environment; for a secret it
	// is empty.
	Default string
	// Bounds is what is accepted beyond the type; empty when all is.
	Bounds string
	// Doc is the setting's manual.
	Doc string
	// List: the value is a list.
	List bool
	// Secret: the value must not be shown.
	Secret bool
}

// Settings returns every setting in the order of the reference file. Settings
// of one group stand together, those of a group before its inner groups.
func Settings() []Setting {
	var c Config
	t := c.tree()
	all := make([]Setting, len(t.leaves))
	for i, l := range t.leaves {
		all[i] = l.Setting
	}
	return all
}

// prefix begins the name of every variable of ours.
const prefix = "REAUTH_"

// variable returns the environment's name of key.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// misfit says why a value does not fit its setting.
type misfit struct{ problem, remedy string }

// leaf is a setting bound to a field of one Config.
type leaf struct {
	Setting
	order int
	// set parses a value into the field. A list gets its items, any other
	// setting exactly one.
	set func(given []string) *misfit
	// check holds the field against the bounds.
	check func() *misfit
}

// tree is the settings of one Config.
type tree struct {
	leaves []*leaf
	byKey  map[string]*leaf
	groups map[string]string // manual by path; the root is ""
}

// group is a place in the tree to which settings are added.
type group struct {
	tree *tree
	path string
}

// group adds an inner group and lets describe fill it.
func (g group) group(name, doc string, describe func(group)) {
	inner := group{g.tree, g.key(name)}
	g.tree.groups[inner.path] = tidy(doc)
	describe(inner)
}

func (g group) key(name string) string {
	if g.path == "" {
		return name
	}
	return g.path + "." + name
}

func (g group) add(l *leaf) {
	l.Key = g.key(l.Key)
	l.Variable = variable(l.Key)
	l.Doc = tidy(l.Doc)
	l.order = len(g.tree.leaves)
	g.tree.leaves = append(g.tree.leaves, l)
	g.tree.byKey[l.Key] = l
}

// tidy joins the lines of a manual written over several lines of source.
func tidy(doc string) string { return strings.Join(strings.Fields(doc), " ") }

// one adds a setting with a single value.
func one[T any](g group, field *T, k kind[T], name, byDefault, doc string, rules ...rule[T]) {
	g.add(&leaf{
		Setting: Setting{Key: name, Type: k.name, Default: byDefault, Bounds: bounds(rules), Doc: doc},
		set: func(given []string) *misfit {
			v, err := k.parse(given[0])
			if err != nil {
				return &misfit{k.quote(given[0]) + " " + err.Error(), k.like}
			}
			*field = v
			return nil
		},
		check: func() *misfit { return broken(k, *field, rules) },
	})
}

// many adds a setting with a list of values. The rules hold for each of them.
func many[T any](g group, field *[]T, k kind[T], name, byDefault, doc string, length rule[[]T], rules ...rule[T]) {
	g.add(&leaf{
		Setting: Setting{
			Key: name, Type: "list of " + k.name, Default: byDefault, Doc: doc, List: true,
			Bounds: strings.TrimSuffix(length.bounds+", each "+bounds(rules), ", each "),
		},
		set: func(given []string) *misfit {
			values := make([]T, len(given))
			for i, text := range given {
				v, err := k.parse(text)
				if err != nil {
					return &misfit{k.quote(text) + " " + err.Error(), k.like}
				}
				values[i] = v
			}
			*field = values
			return nil
		},
		check: func() *misfit {
			if !length.fits(*field) {
				return &misfit{fmt.Sprintf("a list of %d is not accepted", len(*field)), "give " + length.bounds}
			}
			for _, v := range *field {
				if m := broken(k, v, rules); m != nil {
					return m
				}
			}
			return nil
		},
	})
}

// bounds joins the rules' bounds for the manual.
func bounds[T any](rules []rule[T]) string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.bounds
	}
	return strings.Join(all, "; ")
}

// broken returns the first rule that v breaks, nil when there is none.
func broken[T any](k kind[T], v T, rules []rule[T]) *misfit {
	for _, r := range rules {
		if r.fits(v) {
			continue
		}
		quoted := "the value"
		if !k.quiet {
			quoted = show(v)
		}
		return &misfit{quoted + " is not accepted", "give " + r.bounds}
	}
	return nil
}

// quote returns text for a fault, unless it may hold a credential.
func (k kind[T]) quote(text string) string {
	if k.quiet {
		return "the value"
	}
	return fmt.Sprintf("%q", shorten(text))
}
