package stream

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestSilenceIsBoundedHoweverOldTheConnectionIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		conn := &patientConn{Conn: ours, silence: 10 * time.Second}
		defer conn.Close()
		if err := conn.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		for name, wait := range map[string]func([]byte) (int, error){"read": conn.Read, "write": conn.Write} {
			began := time.Now()
			if _, err := wait(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("%s: waited %s", name, took)
			}
		}

		// A deadline that the user sets counts, however long.
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, _ = conn.Read(make([]byte, 1))
		if took := time.Since(began); took != time.Minute {
			t.Errorf("waited %s", took)
		}
	})
}
