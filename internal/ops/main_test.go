package ops

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(stoppable) != "" {
		waitForSignals()
		return
	}
	goleak.VerifyTestMain(m)
}
