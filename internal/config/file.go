package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds what is read from the settings file.
const maxFileBytes = MiB

// file is what a settings file says: the text of each setting, just as it
// stands there. Values are not left to the YAML library to convert, because to
// it 0123 is an octal number and no is a word, whatever the setting is.
type file struct {
	tree   *tree
	name   string
	given  map[string]any // string or []string by key
	lines  map[string]int
	faults []*Fault
}

// readFile reads the file at path against the settings of t. Everything that
// is wrong with it is in the result's faults.
func readFile(path string, t *tree) *file {
	f := &file{tree: t, name: path, given: make(map[string]any), lines: make(map[string]int)}
	content, err := readAtMost(path, maxFileBytes)
	if err != nil {
		f.fault(0, "", "the file cannot be read: "+err.Error(), "give a readable YAML file")
		return f
	}
	f.document(content)
	return f
}

// readAtMost returns the content of the file at path, if it is limit bytes or
// fewer. Its errors do not name the path.
func readAtMost(path string, limit Size) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if Size(len(content)) > limit {
		return nil, fmt.Errorf("it holds more than %s", limit)
	}
	return content, nil
}

// withoutPath returns the cause of a file system's error.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

func (f *file) fault(line int, key, problem, remedy string) {
	f.faults = append(f.faults, &Fault{
		Key: key, Origin: Origin{File: f.name, Line: line}, Problem: problem, Remedy: remedy,
	})
}

// document reads the one document of the file; none at all is fine.
func (f *file) document(content []byte) {
	d := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		f.syntax(content, err)
		return
	}
	var second yaml.Node
	switch err := d.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		f.syntax(content, err)
	default:
		f.fault(second.Line, "", "a second document begins here", "keep one document in the file")
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		f.mapping(root, "")
	case root.ShortTag() != "!!null":
		f.fault(root.Line, "", "the file does not hold settings", "write key: value")
	}
}

// syntax reports that the content is not YAML.
func (f *file) syntax(content []byte, err error) {
	remedy := "correct the YAML"
	for i, line := range bytes.Split(content, []byte("\n")) {
		if indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]; bytes.Contains(indent, []byte("\t")) {
			remedy = fmt.Sprintf("line %d is indented with a tab, which YAML refuses: use spaces", i+1)
			break
		}
	}
	f.fault(0, "", strings.TrimPrefix(err.Error(), "yaml: "), remedy)
}

// mapping reads the settings of the group at path.
func (f *file) mapping(n *yaml.Node, path string) {
	for _, p := range f.pairs(n, path, nil) {
		key := group{path: path}.key(p.key.Value)
		value := resolve(p.value)
		l, isSetting := f.tree.byKey[key]
		_, isGroup := f.tree.groups[key]
		switch {
		case value.ShortTag() == "!!null" && (isSetting || isGroup):
		case isSetting:
			f.setting(l, p.key.Line, value)
		case !isGroup:
			f.fault(p.key.Line, key, "there is no such setting", f.tree.suggest(key))
		case value.Kind != yaml.MappingNode:
			f.fault(p.key.Line, key, "this is a group of settings, not a value", "write its settings below it, indented")
		default:
			f.mapping(value, key)
		}
	}
}

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// pairs returns what n, at path, says: its own keys first, then those that it
// merges in (<<) and has not itself. outer are the mappings that are being merged into
// it, to end a circle of merges.
func (f *file) pairs(n *yaml.Node, path string, outer []*yaml.Node) []pair {
	var own, merged []pair
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		switch first, repeated := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			f.fault(key.Line, "", "a key must be a word", "write key: value")
		case key.ShortTag() == "!!merge":
			merged = append(merged, f.merge(value, path, append(slices.Clone(outer), n))...)
		case repeated:
			f.fault(n.Content[i].Line, group{path: path}.key(key.Value),
				fmt.Sprintf("this key stands in line %d already", first), "keep one of them")
		default:
			lines[key.Value] = n.Content[i].Line
			own = append(own, pair{n.Content[i], value})
		}
	}
	for _, p := range merged {
		key := resolve(p.key).Value
		if _, ok := lines[key]; !ok {
			lines[key] = p.key.Line
			own = append(own, p)
		}
	}
	return own
}

// merge returns the pairs that << brings in from a mapping or a list of them.
func (f *file) merge(value *yaml.Node, path string, outer []*yaml.Node) []pair {
	value = resolve(value)
	switch {
	case slices.Contains(outer, value):
		f.fault(value.Line, "", "this group merges itself", "remove the <<")
		return nil
	case value.Kind == yaml.MappingNode:
		return f.pairs(value, path, outer)
	case value.Kind == yaml.SequenceNode:
		var all []pair
		for _, item := range value.Content {
			if item = resolve(item); item.Kind == yaml.MappingNode {
				all = append(all, f.merge(item, path, outer)...)
				continue
			}
			f.fault(item.Line, "", "<< takes groups of settings only", "name an anchor of a group")
		}
		return all
	}
	f.fault(value.Line, "", "<< takes groups of settings only", "name an anchor of a group")
	return nil
}

// setting takes the text of one setting.
func (f *file) setting(l *leaf, line int, value *yaml.Node) {
	f.lines[l.Key] = line
	switch {
	case value.Kind == yaml.ScalarNode && plain(value):
		f.given[l.Key] = value.Value
		if l.List {
			f.given[l.Key] = splitList(value.Value)
		}
	case value.Kind == yaml.SequenceNode && l.List:
		list := make([]string, 0, len(value.Content))
		for _, item := range value.Content {
			item = resolve(item)
			if item.Kind != yaml.ScalarNode || !plain(item) || item.ShortTag() == "!!null" {
				f.fault(item.Line, l.Key, "this item is not a plain value", "give a "+l.Type)
				return
			}
			list = append(list, item.Value)
		}
		f.given[l.Key] = list
	case value.Kind == yaml.SequenceNode:
		f.fault(line, l.Key, "this setting takes one value, not a list", "give a "+l.Type)
	default:
		f.fault(line, l.Key, "this setting takes a plain value", "give a "+l.Type)
	}
}

// plain tells whether a scalar is what it looks like: no !!binary, no tag of
// somebody's own.
func plain(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
		return true
	}
	return false
}

// resolve returns the node that an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// splitList splits a list written in one text.
func splitList(s string) []string {
	if strings.TrimSpace(s) == "" {
		return []string{}
	}
	items := strings.Split(s, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}
