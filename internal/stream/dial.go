package stream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// connectTimeout bounds the TCP connect, and again the TLS handshake. kafka-go
// tries bootstrap brokers one after the other, on each rejoin from the first,
// so one that swallows packets costs this much each time.
const connectTimeout = 3 * time.Second

// dialer opens connections for all of kafka-go: TLS is done here, so it is set
// up in one place, bounded, and closed when its handshake is refused.
type dialer struct {
	open    func(ctx context.Context, network, address string) (net.Conn, error)
	tls     *tls.Config // nil means plain
	silence time.Duration
}

func newDialer(config Config) *dialer {
	open := config.Dial
	if open == nil {
		open = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return &dialer{open: open, tls: config.TLS.Clone(), silence: config.Timeout}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.tls != nil {
		if conn, err = d.secure(ctx, conn, address); err != nil {
			return nil, err
		}
	}
	return &patientConn{Conn: conn, silence: d.silence}, nil
}

func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return d.open(ctx, network, address)
}

func (d *dialer) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	config := d.tls
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("reading broker address %q: %w", address, err)
		}
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return secured, nil
}

// patientConn gives a deadline to reads and writes that have none. kafka-go
// v0.4.51 authenticates and looks up partition leaders without one, so a broker
// that accepts a connection and then says nothing would hold a reader or a
// member for ever.
type patientConn struct {
	net.Conn
	silence time.Duration

	mu       sync.Mutex // guards the two below
	readSet  bool       // a read deadline was set by the user of the connection
	writeSet bool
}

func (c *patientConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if !c.readSet {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.silence))
	}
	c.mu.Unlock()
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.writeSet {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.silence))
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *patientConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *patientConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readSet = !t.IsZero()
	if !c.readSet {
		// A read may be waiting right now: it keeps a bound.
		t = time.Now().Add(c.silence)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *patientConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeSet = !t.IsZero()
	if !c.writeSet {
		t = time.Now().Add(c.silence)
	}
	return c.Conn.SetWriteDeadline(t)
}

// lines are connections that can be cut together. kafka-go's blocking calls
// take no context, and its Close methods wait for them: a join lasts as long as
// the group's rebalance timeout. Cutting the line ends the call.
type lines struct {
	open func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex // guards the two below
	conns   map[*line]struct{}
	severed bool // nothing may be opened any more
}

type line struct {
	net.Conn
	of *lines
}

func newLines(open func(ctx context.Context, network, address string) (net.Conn, error)) *lines {
	return &lines{open: open, conns: make(map[*line]struct{})}
}

func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.severed {
		_ = conn.Close()
		return nil, fmt.Errorf("dialing %s: %w", address, net.ErrClosed)
	}
	opened := &line{Conn: conn, of: l}
	l.conns[opened] = struct{}{}
	return opened, nil
}

// cut closes all connections and refuses new ones.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.severed = true
	for opened := range l.conns {
		_ = opened.Conn.Close()
	}
	clear(l.conns)
}

func (l *line) Close() error {
	l.of.mu.Lock()
	delete(l.of.conns, l)
	l.of.mu.Unlock()
	return l.Conn.Close()
}
