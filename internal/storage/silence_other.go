//go:build !unix

package storage

import "net"

// looks: a connection cannot be asked whether it is silent, and so net/http, which
// reads in the background, makes all requests.
const looks = false

func silence(net.Conn) func() bool { return func() bool { return false } }
