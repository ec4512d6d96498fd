package app

import (
	"testing"
	"time"

	"reauth/internal/stream"
)

// TestStopTakesNoLongerThanAnnounced: the manual of shutdown.grace and the files
// in deploy/ give a stop 25 s beside the grace time.
func TestStopTakesNoLongerThanAnnounced(t *testing.T) {
	if beside := stream.MaxHandover + flushTime; beside > 25*time.Second {
		t.Errorf("a stop may take %s beside the grace time", beside)
	}
}
