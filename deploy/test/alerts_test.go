package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAlertsAreAboutMetricsThatExist: promtool cannot know that an alert whose
// metric was renamed will never fire.
func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	rules := string(read(t, "deploy/prometheus/alerts.yaml"))
	names := regexp.MustCompile(`reauth_[a-z_]+`).FindAllString(rules, -1)
	if len(names) < 10 {
		t.Fatalf("only %d metrics in the alerts", len(names))
	}
	code := sources(t, filepath.Join(root, "internal"))
	for _, name := range names {
		if !strings.Contains(code, `"`+name+`"`) {
			t.Errorf("no metric is called %s", name)
		}
	}
}

// sources returns the Go files of a folder, tests apart, one after the other.
func sources(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
