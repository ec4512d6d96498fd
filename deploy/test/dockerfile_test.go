package deploy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// instruction is one instruction of a Dockerfile: "RUN", "go build …".
type instruction struct{ name, arguments string }

// stage is a build stage: its base, its name and what follows.
type stage struct {
	base, name   string
	instructions []instruction
}

func TestImageRunsAsANumericUserWithoutRights(t *testing.T) {
	for _, s := range dockerfile(t) {
		if s.base != "scratch" {
			continue
		}
		if slices.Contains(userOf(t, s), 0) {
			t.Errorf("stage %s runs as root: USER %s", s.name, s.last("USER"))
		}
	}
}

// userOf returns the user and group of a stage. They are numbers, because only
// of a number can a cluster prove that it is not root.
func userOf(t *testing.T, s stage) []int64 {
	t.Helper()
	user, group, _ := strings.Cut(s.last("USER"), ":")
	uid, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		t.Fatalf("stage %s: user %q is not a number", s.name, user)
	}
	gid, err := strconv.ParseInt(group, 10, 64)
	if err != nil {
		t.Fatalf("stage %s: group %q is not a number", s.name, group)
	}
	return []int64{uid, gid}
}

func TestProductionImageIsTheDefaultAndHoldsTwoBinaries(t *testing.T) {
	stages := dockerfile(t)
	production := stages[len(stages)-1]
	if production.name != "production" || production.base != "scratch" {
		t.Fatalf("the last stage is %s from %s; a build without --target must make production from scratch", production.name, production.base)
	}
	for _, copied := range production.all("COPY") {
		for source := range strings.FieldsSeq(copied) {
			if !strings.HasPrefix(source, "/out/") {
				continue
			}
			if source != "/out/consumer" && source != "/out/producer" {
				t.Errorf("production copies %s", source)
			}
		}
		if !strings.HasPrefix(copied, "--from=build ") {
			t.Errorf("production copies from elsewhere than the build: COPY %s", copied)
		}
	}
	if !slices.ContainsFunc(production.all("COPY"), func(c string) bool { return strings.Contains(c, "ca-certificates.crt") }) {
		t.Error("production has no CA certificates: every TLS connection would fail")
	}
	for _, form := range []string{production.last("ENTRYPOINT"), production.last("CMD")} {
		if !strings.HasPrefix(form, "[") {
			t.Errorf("%s needs a shell, and would keep SIGTERM from the consumer", form)
		}
	}
}

// A tag with a full version is the least that makes a build repeatable; a
// digest may follow it.
var pinnedImage = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$`)

func TestBaseImagesArePinned(t *testing.T) {
	stages := dockerfile(t)
	for i, s := range stages {
		ofOurs := slices.ContainsFunc(stages[:i], func(earlier stage) bool { return earlier.name == s.base })
		if s.base != "scratch" && !ofOurs && !pinnedImage.MatchString(s.base) {
			t.Errorf("stage %s is built from %s, which may change under the same name", s.name, s.base)
		}
	}
}

// TestImageIsBuiltWithTheTestedGo: what the tests run with is what ships.
func TestImageIsBuiltWithTheTestedGo(t *testing.T) {
	image := dockerfile(t)[0].base
	workflow := string(read(t, ".github/workflows/ci.yml"))
	version := strings.TrimPrefix(strings.SplitN(image, "-", 2)[0], "golang:")
	for _, m := range regexp.MustCompile(`go-version: "([^"]+)"`).FindAllStringSubmatch(workflow, -1) {
		if m[1] != version {
			t.Errorf("the image is built with Go %s, CI tests with Go %s", version, m[1])
		}
	}
}

// dockerfile returns the stages of deploy/Dockerfile.
func dockerfile(t *testing.T) []stage {
	t.Helper()
	var stages []stage
	for _, i := range instructions(string(read(t, "deploy/Dockerfile"))) {
		if i.name != "FROM" {
			if len(stages) > 0 {
				last := &stages[len(stages)-1]
				last.instructions = append(last.instructions, i)
			}
			continue
		}
		words := slices.DeleteFunc(strings.Fields(i.arguments), func(w string) bool { return strings.HasPrefix(w, "--") })
		if len(words) != 3 || words[1] != "AS" {
			t.Fatalf("FROM %s: each stage has a name here", i.arguments)
		}
		stages = append(stages, stage{base: words[0], name: words[2]})
	}
	return stages
}

// instructions splits a Dockerfile; comments go, continued lines are joined.
func instructions(text string) []instruction {
	var all []instruction
	var pending string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if head, continued := strings.CutSuffix(line, `\`); continued {
			pending += head
			continue
		}
		name, arguments, _ := strings.Cut(pending+line, " ")
		all = append(all, instruction{name, strings.TrimSpace(arguments)})
		pending = ""
	}
	return all
}

// all returns the arguments of every instruction called name.
func (s stage) all(name string) []string {
	var found []string
	for _, i := range s.instructions {
		if i.name == name {
			found = append(found, i.arguments)
		}
	}
	return found
}

// last returns the arguments of the last instruction called name, which is the
// one that counts; empty when there is none.
func (s stage) last(name string) string {
	found := s.all(name)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}
