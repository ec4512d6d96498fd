package event_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// fields returns the sorted keys of m.
func fields[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// constants returns the values of all string constants of a type that the
// package's source declares.
func constants(t *testing.T, kind string) []string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name, ok := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if ok && isLiteral && name.Name == kind {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, text)
			}
			return true
		})
	}
	slices.Sort(values)
	return values
}

// node is part of a JSON or YAML document.
type node map[string]any

// at follows keys down.
func (n node) at(keys ...string) node {
	for _, k := range keys {
		next, _ := n[k].(map[string]any)
		n = next
	}
	return n
}

// texts returns the strings of the list under key, sorted; "" and null are
// left out.
func (n node) texts(key string) []string {
	var all []string
	list, _ := n[key].([]any)
	for _, v := range list {
		if s, _ := v.(string); s != "" {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

func schemaNode(t *testing.T, name string) node {
	t.Helper()
	text, err := event.Schemas.ReadFile("schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func texts[S ~string](values []S) []string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return all
}

func TestEnumsAreTheSameInCodeAndSchemas(t *testing.T) {
	request := schemaNode(t, "request.schema.json").at("properties")
	result := schemaNode(t, "result.schema.json").at("properties")
	pending := schemaNode(t, "pending.schema.json").at("properties")
	dead := asyncAPI(t).at("components", "messages", "deadLetter", "headers", "properties")
	for _, c := range []struct {
		name      string
		got, want []string
	}{
		{"reasons", result.at("reasons", "items").texts("enum"), constants(t, "Reason")},
		{"outcomes", result.at("outcome").texts("enum"), constants(t, "Outcome")},
		{"outcomes listed", texts(event.Outcomes()), constants(t, "Outcome")},
		{"liveness", result.at("liveness").texts("enum"), constants(t, "Liveness")},
		{"vendors of requests", request.at("vendor").texts("enum"), constants(t, "Vendor")},
		{"vendors of results", result.at("vendor").texts("enum"), constants(t, "Vendor")},
		{"vendors of pending events", pending.at("vendor").texts("enum"), constants(t, "Vendor")},
		{"vendors of dead letters", dead.at("reauth-vendor").texts("enum"), constants(t, "Vendor")},
		{"vendors listed", texts(event.Vendors()), constants(t, "Vendor")},
		{"stages of dead letters", dead.at("reauth-error-stage").texts("enum"), constants(t, "Stage")},
	} {
		if len(c.want) == 0 {
			t.Errorf("%s: found no constants", c.name)
		}
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-code +contract):\n%s", c.name, diff)
		}
	}
}

// jsonFields returns the JSON names of a struct's fields, and those that are
// always written.
func jsonFields(t reflect.Type) (all, always []string) {
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all = append(all, name)
		if options == "" {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}

func TestStructsHaveTheFieldsOfTheSchemas(t *testing.T) {
	result := schemaNode(t, "result.schema.json")
	pending := schemaNode(t, "pending.schema.json")
	for _, c := range []struct {
		name   string
		schema node
		value  any
	}{
		{"request", schemaNode(t, "request.schema.json"), event.Request{}},
		{"result", result, event.Result{}},
		{"result.timings_ms", result.at("properties", "timings_ms"), event.Timings{}},
		{"result.source", result.at("properties", "source"), event.Source{}},
		{"pending", pending, event.Pending{}},
		{"pending.source", pending.at("properties", "source"), event.Source{}},
	} {
		all, always := jsonFields(reflect.TypeOf(c.value))
		if diff := cmp.Diff(all, fields(c.schema.at("properties"))); diff != "" {
			t.Errorf("%s: fields (-code +schema):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(always, c.schema.texts("required")); diff != "" {
			t.Errorf("%s: fields that are always there (-code +schema):\n%s", c.name, diff)
		}
	}
}

func TestDescriptionsAreEverywhere(t *testing.T) {
	for _, name := range []string{"request", "result", "pending"} {
		s := schemaNode(t, name+".schema.json")
		for _, field := range fields(s.at("properties")) {
			if d, _ := s.at("properties", field)["description"].(string); d == "" {
				t.Errorf("%s: %s has no description", name, field)
			}
		}
	}
}
