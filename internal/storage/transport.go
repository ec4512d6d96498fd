package storage

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// sessionsKept is how many hosts TLS sessions are resumed with; in virtual-hosted
// style each bucket is one.
const sessionsKept = 64

// newTransport returns a transport that keeps as many connections as there are
// fetches at once: with net/http's two, or the SDK's ten, all others would dial
// for each selfie. A connection that the store closed while it was idle costs a
// fetch nothing but the next one: net/http repeats a GET by itself on another,
// with a TLS session that is resumed.
//
// It speaks HTTP/1.1 only, as S3 does: over HTTP/2 a hedge would share the
// connection of the GET that it is to overtake.
func newTransport(idle int) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(sessionsKept)},
		TLSHandshakeTimeout: 5 * time.Second,
		// Bytes are wanted as they are stored: they are counted and hashed.
		DisableCompression:  true,
		MaxIdleConns:        idle,
		MaxIdleConnsPerHost: idle,
		IdleConnTimeout:     90 * time.Second,
		// S3's metadata is at most 2 KB; the default of 10 MB would be
		// memory that nobody counts.
		MaxResponseHeaderBytes: 64 << 10,
	}
}
