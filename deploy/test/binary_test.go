package deploy

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// neverShipped are packages that belong to tests and the sandbox.
var neverShipped = []string{
	"github.com/twmb/franz-go",
	"github.com/johannesboyne/gofakes3",
	"github.com/Shopify/toxiproxy",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
	"reauth/internal/sandbox",
	"testing",
}

func TestProductionLinksNoSimulator(t *testing.T) {
	for _, command := range []string{"./cmd/consumer", "./cmd/producer"} {
		deps := string(goCommand(t, "list", "-deps", command))
		for dep := range strings.FieldsSeq(deps) {
			if within(dep, "reauth") && isKit(dep) {
				t.Errorf("%s links %s", command, dep)
			}
			for _, tree := range neverShipped {
				if within(dep, tree) {
					t.Errorf("%s links %s", command, dep)
				}
			}
		}
	}
}

// TestImageBinaries runs the very build line of the Dockerfile and looks at
// what comes out.
func TestImageBinaries(t *testing.T) {
	if testing.Short() {
		t.Skip("links the whole service")
	}
	folder := buildLikeTheImage(t)
	for _, name := range []string{"consumer", "producer"} {
		path := filepath.Join(folder, name)
		t.Run(name+" is static", func(t *testing.T) { needsNoLoader(t, path) })
		t.Run(name+" is built as intended", func(t *testing.T) { builtAsIntended(t, path) })
		t.Run(name+" knows its version", func(t *testing.T) {
			out, err := exec.Command(path, "--version").CombinedOutput()
			if err != nil || !strings.Contains(string(out), imageVersion) {
				t.Errorf("--version: %v\n%s", err, out)
			}
		})
	}
}

// needsNoLoader: with no C library in the image, a binary that asks for a
// loader or a library can't start.
func needsNoLoader(t *testing.T, path string) {
	binary, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("needs a dynamic loader")
		}
	}
	if libraries, err := binary.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("needs %v", libraries)
	}
}

// builtAsIntended reads what go version -m prints.
func builtAsIntended(t *testing.T, path string) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" {
		t.Errorf("built with CGO_ENABLED=%s -trimpath=%s", settings["CGO_ENABLED"], settings["-trimpath"])
	}
	for _, module := range info.Deps {
		for _, tree := range neverShipped {
			if within(module.Path, tree) {
				t.Errorf("links the module %s", module.Path)
			}
		}
	}
}

// imageVersion is passed as the build argument VERSION.
const imageVersion = "1.2.3-test"

var mountFlag = regexp.MustCompile(`--mount=\S+\s*`)

// buildLikeTheImage runs the RUN line that builds the production binaries and
// returns the folder that they are in.
func buildLikeTheImage(t *testing.T) string {
	t.Helper()
	build := dockerfile(t)[0]
	folder := t.TempDir() + "/"
	environment := append(os.Environ(), "TARGETOS=linux", "TARGETARCH=amd64", "VERSION="+imageVersion)
	for _, variables := range build.all("ENV") {
		environment = append(environment, strings.Fields(variables)...)
	}
	for _, line := range build.all("RUN") {
		if !strings.Contains(line, "go build") {
			continue
		}
		script := mountFlag.ReplaceAllString(line, "")
		cmd := exec.Command("sh", "-ec", strings.Replace(script, "-o /out/", "-o "+folder, 1))
		cmd.Dir, cmd.Env = root, environment
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return folder
	}
	t.Fatal("the Dockerfile builds nothing")
	return ""
}
