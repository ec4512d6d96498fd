package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reauth/internal/sandbox/argossim"
)

func TestWrongKeyPausesTheLaneUntilItsFileIsRewritten(t *testing.T) {
	concurrently(t)
	file := filepath.Join(t.TempDir(), "api-key")
	write := func(key string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const oldKey, newKey = "key-before-the-rotation", "key-after-the-rotation"
	write(oldKey)
	w := newWorld(t, setting{sandbox: vendor(200*time.Millisecond, 0)})
	w.turn(func(k *argossim.Knobs) { k.APIKeys = []string{oldKey} })
	w.environ = append(without(w.environ, "REAUTH_VENDORS__ARGOS__API_KEY="),
		"REAUTH_VENDORS__ARGOS__API_KEY_FILE="+file, "REAUTH_VENDORS__ARGOS__LIMITS=30/s")
	w.ask(mixed(sized(600, 250))...)
	c := w.startWorking(1)[0]
	w.eventuallyCounts(30*time.Second, 60)

	w.turn(func(k *argossim.Knobs) { k.APIKeys = []string{newKey} })
	w.eventually(20*time.Second, "the lane paused, by metrics and readiness", func() bool {
		status, body := c.ask("/readyz")
		return c.metric("reauth_lane_paused") == 1 && status != 0 && bytes.Contains(body, []byte("paused"))
	})
	status, body := c.ask("/readyz")
	t.Logf("/readyz while paused: %d %s", status, bytes.Join(bytes.Fields(body), []byte(" ")))
	if livez, _ := c.ask("/livez"); livez != http.StatusOK {
		t.Errorf("/livez is %d while the lane is paused", livez)
	}
	w.pass(sized(10*time.Second, 2*time.Second))
	forbidden := w.Argos.Stats().Forbidden
	settled := w.results()

	write(newKey)
	rewritten := time.Now()
	w.eventually(time.Minute, "results again", func() bool { return w.results() > settled+30 })
	t.Logf("%d calls with the wrong key; results again %s after its file was rewritten", forbidden, time.Since(rewritten).Round(time.Millisecond))
	w.eventually(10*time.Second, "the lane open", func() bool {
		status, _ := c.ask("/readyz")
		return c.metric("reauth_lane_paused") == 0 && status == http.StatusOK
	})
	w.awaitResults(time.Minute)
	w.audit()
	for _, key := range []string{oldKey, newKey} {
		if bytes.Contains(c.log.bytes(), []byte(key)) {
			t.Errorf("the log holds the key %q", key)
		}
	}
}

// without leaves out the settings that begin with prefix.
func without(environ []string, prefix string) (kept []string) {
	for _, v := range environ {
		if len(v) < len(prefix) || v[:len(prefix)] != prefix {
			kept = append(kept, v)
		}
	}
	return kept
}
