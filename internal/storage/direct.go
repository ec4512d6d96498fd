package storage

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

// direct makes GETs over HTTP/1.1 in the goroutine that wants their answers.
// net/http's transport has two more for each connection, and hands request and
// answer from one to the next: a third of the CPU time of a GET of 100 KB (31 µs and
// 23 µs, in turn, Go 1.26.8). Requests and answers are written and parsed by
// net/http all the same, and connections made as its transport says.
//
// A GET is repeated as net/http would: on another connection, when the store closed
// the one that it was sent on before a byte of the answer had come.
type direct struct {
	*http.Transport

	mu sync.Mutex
	// idle are the connections that no GET uses, the last used last. They are kept
	// as long, and as many, as the transport says.
	idle  []*connection
	sweep *time.Timer // nil while none is idle
}

// connection is one to the store. It serves one GET at a time.
type connection struct {
	net.Conn
	scheme, host string
	// silent tells whether nothing has come while it was idle.
	silent func() bool
	// records are those of TLS, nil without it.
	records *records
	reader  *bufio.Reader
	writer  *bufio.Writer
	// left is how many more bytes may be read.
	left int64
	// since is when it became idle.
	since time.Time
}

// errHeaderTooLong is that of an answer whose header is longer than the transport's
// MaxResponseHeaderBytes.
var errHeaderTooLong = errors.New("header of the answer is too long")

// maxInformed is the most answers of 1xx before the one to a request, as net/http has it.
const maxInformed = 5

// RoundTrip implements http.RoundTripper.
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if !d.takes(r) {
		return d.Transport.RoundTrip(r)
	}
	for {
		if r.Context().Err() != nil {
			return nil, context.Cause(r.Context())
		}
		c := d.take(r.URL)
		reused := c != nil
		if !reused {
			var err error
			if c, err = d.dial(r.Context(), r.URL); err != nil {
				return nil, err
			}
		}
		answer, begun, err := d.exchange(c, r)
		if err == nil || begun || !reused {
			return answer, err
		}
	}
}

// takes tells whether a request can be made here. A proxy is net/http's to speak to.
func (d *direct) takes(r *http.Request) bool {
	if r.Method != http.MethodGet || r.Body != nil || !looks {
		return false
	}
	if d.Proxy == nil {
		return true
	}
	proxy, err := d.Proxy(r)
	return err == nil && proxy == nil
}

// exchange sends a request on a connection, which is its own from now on. begun says
// whether any of the answer has come.
func (d *direct) exchange(c *connection, r *http.Request) (answer *http.Response, begun bool, err error) {
	release := context.AfterFunc(r.Context(), func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if err != nil {
			release()
			_ = c.Close()
		}
	}()
	if err = r.Write(c.writer); err != nil {
		return nil, false, err
	}
	if err = c.writer.Flush(); err != nil {
		return nil, false, err
	}
	c.left = d.MaxResponseHeaderBytes
	if _, err = c.reader.Peek(1); err != nil {
		return nil, false, err
	}
	for informed := 0; ; informed++ {
		if answer, err = http.ReadResponse(c.reader, r); err != nil {
			return nil, true, err
		}
		if answer.StatusCode >= http.StatusOK || answer.StatusCode == http.StatusSwitchingProtocols {
			break
		}
		if informed == maxInformed {
			return nil, true, errors.New("too many answers of 1xx")
		}
	}
	c.left = math.MaxInt64
	answer.Body = &directBody{answer: answer.Body, connection: c, release: release, keep: !answer.Close, pool: d}
	return answer, true, nil
}

// Read implements io.Reader, for the connection's reader.
func (c *connection) Read(p []byte) (n int, err error) {
	if c.left <= 0 {
		return 0, errHeaderTooLong
	}
	n, err = c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// drained tells whether nothing that came with an answer is left behind it: neither
// here nor, decrypted or not, in TLS, of which a read in no time does not wait for the
// system's connection, nor as a part of a record, of which the read says nothing.
func (c *connection) drained() bool {
	if c.reader.Buffered() > 0 {
		return false
	}
	if c.records == nil {
		return true
	}
	if c.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var one [1]byte
	_, err := c.Conn.Read(one[:])
	return errors.Is(err, os.ErrDeadlineExceeded) && c.records.whole() && c.SetReadDeadline(time.Time{}) == nil
}

// dial opens a connection to where u points.
func (d *direct) dial(ctx context.Context, u *url.URL) (*connection, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: raw, scheme: u.Scheme, host: u.Host, silent: silence(raw)}
	if u.Scheme == "https" {
		c.records = &records{Conn: raw}
		if c.Conn, err = d.secure(ctx, c.records, u.Hostname()); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	c.reader, c.writer = bufio.NewReader(c), bufio.NewWriter(c)
	return c, nil
}

func (d *direct) secure(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	settings := d.TLSClientConfig.Clone()
	if settings.ServerName == "" {
		settings.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, d.TLSHandshakeTimeout)
	defer cancel()
	secured := tls.Client(raw, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}

// take returns an idle connection to where u points, nil if there is none. One on
// which the store has closed, or has sent what nobody asked for, is closed.
func (d *direct) take(u *url.URL) *connection {
	for {
		c := d.last(u)
		if c == nil || c.silent() {
			return c
		}
		_ = c.Close()
	}
}

// last removes the connection to where u points that was used last.
func (d *direct) last(u *url.URL) *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.idle) - 1; i >= 0; i-- {
		if c := d.idle[i]; c.host == u.Host && c.scheme == u.Scheme {
			d.idle = slices.Delete(d.idle, i, i+1)
			return c
		}
	}
	return nil
}

// put keeps a connection for the next GET.
func (d *direct) put(c *connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.since = time.Now()
	d.idle = append(d.idle, c)
	if len(d.idle) > d.MaxIdleConns {
		d.closeFirst(1)
	}
	if d.sweep == nil {
		d.sweep = time.AfterFunc(d.IdleConnTimeout, d.closeOld)
	}
}

// closeOld closes the connections that were idle for too long.
func (d *direct) closeOld() {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := 0
	for old < len(d.idle) && time.Since(d.idle[old].since) >= d.IdleConnTimeout {
		old++
	}
	d.closeFirst(old)
	if d.sweep = nil; len(d.idle) > 0 {
		d.sweep = time.AfterFunc(d.IdleConnTimeout-time.Since(d.idle[0].since), d.closeOld)
	}
}

// CloseIdleConnections closes the connections that no request uses.
func (d *direct) CloseIdleConnections() {
	d.Transport.CloseIdleConnections()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closeFirst(len(d.idle))
	if d.sweep != nil {
		d.sweep.Stop()
		d.sweep = nil
	}
}

func (d *direct) closeFirst(n int) {
	for _, c := range d.idle[:n] {
		_ = c.Close()
	}
	d.idle = slices.Delete(d.idle, 0, n)
}
