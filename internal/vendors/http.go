package vendors

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// HTTPOptions are what differs between the HTTP clients of the vendors.
type HTTPOptions struct {
	// MaxInFlight is the lane's cap of calls in flight; as many connections
	// are kept open between calls, so that none is opened per call. 0 means
	// 64. It does not limit calls: a call that queued inside the client
	// would queue after its slot and its claim.
	MaxInFlight int
	// RootCAs are trusted instead of the system's, nil for the system's.
	RootCAs *x509.CertPool
}

const (
	defaultInFlight = 64
	connectTimeout  = 10 * time.Second
	// idleTimeout is shorter than the 60 s for which cloud gateways
	// commonly keep an idle connection: a connection that the vendor closes
	// while we send on it makes a call's outcome unknown.
	idleTimeout = 45 * time.Second
	// pingAfter of silence an HTTP/2 connection is asked whether it is
	// alive, and given up pingWait later. Without it one dead connection
	// takes every call with it until the kernel gives up, some 15 minutes.
	pingAfter, pingWait = 15 * time.Second, 10 * time.Second
	maxHeaderBytes      = 64 << 10
	// sessionsKept is how many hosts a client resumes TLS sessions with: the
	// vendor's, and perhaps one that gives it tokens.
	sessionsKept = 8
)

// NewHTTPClient returns a client for one vendor: TLS 1.2 or newer, HTTP/2 where
// the vendor offers it, proxies from the environment, no redirects, no cookies,
// no Expect: 100-continue, no compression (answers are small, and a decoder
// less reads outside bytes). It has no timeout but for connecting and the TLS
// handshake, 10 s each: a call's deadline is its context's.
//
// Over HTTP/2 a vendor says how many calls a connection takes at once; for each
// beyond that net/http dials. Until a new connection has said so it takes 100, the
// least that RFC 9113 recommends: a vendor that allows fewer makes calls wait
// inside the client (net/http of Go 1.26).
//
// The caller closes its idle connections with CloseIdleConnections.
func NewHTTPClient(o HTTPOptions) *http.Client {
	kept := o.MaxInFlight
	if kept <= 0 {
		kept = defaultInFlight
	}
	return SingleRequest(&http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        tlsConfig(o.RootCAs),
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait},
		MaxIdleConns:           kept,
		MaxIdleConnsPerHost:    kept,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}})
}

// tlsConfig resumes sessions, which net/http does not by itself: when a vendor's
// gateway closes its idle connections, or restarts, all calls open theirs anew at
// once, and a full handshake costs a signature and a chain of certificates each.
func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            roots,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessionsKept),
	}
}

// SingleRequest returns a copy of c, with the same transport, that follows no
// redirect and keeps no cookie. A redirect would carry the key elsewhere:
// net/http drops Authorization when the host changes, but not x-api-key.
func SingleRequest(c *http.Client) *http.Client {
	single := *c
	single.Jar = nil
	single.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &single
}
