package storage

import (
	"net"
	"net/http"
	"time"
)

// newTransport returns a transport that keeps as many connections as there are
// fetches at once: with net/http's two, or the SDK's ten, all others would dial
// for each selfie.
func newTransport(idle int) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
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
