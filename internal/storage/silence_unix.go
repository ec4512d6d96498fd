//go:build unix

package storage

import (
	"errors"
	"net"
	"syscall"
)

// looks: a connection can be asked whether it is silent.
const looks = true

// silence returns a function that tells whether there is nothing to be read from an
// idle connection, neither bytes nor its end. It does not wait. Of a connection
// that is none of the system's it says no.
func silence(c net.Conn) func() bool {
	var nothing bool
	look := func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		nothing = errors.Is(err, syscall.EAGAIN)
		return true
	}
	system, ok := c.(syscall.Conn)
	if !ok {
		return func() bool { return false }
	}
	raw, err := system.SyscallConn()
	return func() bool {
		nothing = false
		return err == nil && raw.Read(look) == nil && nothing
	}
}
