package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// arrows names, for each tree of packages, the trees of ours that its
// production code may import besides itself. A tree that is missing here may
// import nothing of ours, so a new package has to be placed on purpose.
var arrows = map[string][]string{
	"reauth/internal/event":    {},
	"reauth/internal/config":   {"reauth/internal/event"},
	"reauth/internal/campaign": {"reauth/internal/event"},
	"reauth/internal/stream":   {"reauth/internal/event"},
	"reauth/internal/ledger":   {"reauth/internal/event"},
	"reauth/internal/vendors":  {"reauth/internal/event"},
	"reauth/internal/storage":  {"reauth/internal/event"},
	"reauth/internal/lending":  {"reauth/internal/event", "reauth/internal/vendors"},
	"reauth/internal/ops":      {},
	"reauth/internal/pipeline": {
		"reauth/internal/event", "reauth/internal/stream", "reauth/internal/ledger",
		"reauth/internal/vendors", "reauth/internal/storage",
	},
	"reauth/internal/sandbox": {"reauth/internal/event", "reauth/internal/storage/storagetest"},
	"reauth/internal/tools":   {},
	"reauth/internal/connect": {"reauth/internal/config", "reauth/internal/event", "reauth/internal/stream"},
	// The whole, measured and tried from outside.
	"reauth/internal/bench": {"reauth/internal"},
	"reauth/internal/e2e":   {"reauth/internal"},
	// app puts the service together, so it may know all of it.
	"reauth/internal/app": {"reauth/internal"},
	"reauth/cmd/consumer": {"reauth/internal"},
	"reauth/cmd/producer": {"reauth/internal"},
	"reauth/cmd/sandbox":  {"reauth/internal"},
}

// homes names, for each library that has one home, the only trees whose
// production code may import it. Packages of test helpers may import any.
var homes = map[string][]string{
	"github.com/segmentio/kafka-go":     {"reauth/internal/stream"},
	"github.com/aws/aws-sdk-go-v2":      {"reauth/internal/storage"},
	"github.com/sony/gobreaker":         {"reauth/internal/vendors"},
	"golang.org/x/time":                 {"reauth/internal/vendors"},
	"github.com/redis/go-redis":         {"reauth/internal/lending"},
	"github.com/alicebob/miniredis":     {},
	"github.com/twmb/franz-go":          {"reauth/internal/sandbox"},
	"github.com/johannesboyne/gofakes3": {"reauth/internal/sandbox"},
	"github.com/Shopify/toxiproxy":      {},
	"reauth/internal/sandbox":           {"reauth/internal/sandbox", "reauth/internal/bench", "reauth/cmd/sandbox"},
	"reauth/internal/config":            {"reauth/internal/config", "reauth/internal/app", "reauth/internal/connect", "reauth/cmd"},
}

// listed is what the go command says about one package.
type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range packages(t) {
		tree := treeOf(p.ImportPath)
		if tree == "" {
			t.Errorf("%s has no place in the architecture: add it to arrows", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if within(imported, "reauth") && !within(imported, tree) && !anyWithin(imported, arrows[tree]) {
				t.Errorf("%s imports %s: no arrow points there", p.ImportPath, imported)
			}
		}
	}
}

func TestLibrariesStayAtHome(t *testing.T) {
	for _, p := range packages(t) {
		if isKit(p.ImportPath) {
			continue
		}
		for _, imported := range p.Imports {
			for library, trees := range homes {
				if within(imported, library) && !anyWithin(p.ImportPath, trees) {
					t.Errorf("%s imports %s, whose only home is %v", p.ImportPath, imported, trees)
				}
			}
		}
	}
}

// TestKitsServeTestsAndSimulatorsOnly: production code imports neither a
// package named …test, of ours or of the standard library, nor testing itself.
func TestKitsServeTestsAndSimulatorsOnly(t *testing.T) {
	for _, p := range packages(t) {
		if isKit(p.ImportPath) || anyWithin(p.ImportPath, homes["reauth/internal/sandbox"]) {
			continue
		}
		for _, imported := range p.Imports {
			if isKit(imported) || within(imported, "testing") {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, imported)
			}
		}
	}
}

// isKit tells whether path is a package of test helpers.
func isKit(path string) bool {
	return strings.HasSuffix(path, "test") && path != "reauth/internal/tools/gotest"
}

func packages(t *testing.T) []listed {
	t.Helper()
	var all []listed
	decoder := json.NewDecoder(bytes.NewReader(goCommand(t, "list", "-json=ImportPath,Imports", "./...")))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func treeOf(path string) string {
	for tree := range arrows {
		if within(path, tree) {
			return tree
		}
	}
	return ""
}

func anyWithin(path string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) })
}
