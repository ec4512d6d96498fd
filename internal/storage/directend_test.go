package storage

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStoreThatHungUp closes idle connections, or the one that a GET was just sent on:
// neither is an error.
func TestStoreThatHungUp(t *testing.T) {
	for name, late := range map[string]bool{"while idle": false, "as the GET came": true} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			store := newRawStore(t, func(nth int64, c net.Conn, requests *bufio.Reader) {
				for answered := int64(0); ; answered++ {
					if nth == 1 && answered == 1 && !late {
						c.Close()
						close(closed)
						return
					}
					if _, err := http.ReadRequest(requests); err != nil || nth == 1 && answered == 1 {
						return
					}
					io.WriteString(c, whole("selfie"))
				}
			})
			d := openDirect(t)
			mustGet(t, d, store.url, "selfie")
			if !late {
				<-closed
			}
			mustGet(t, d, store.url, "selfie")
			if n := store.connected.Load(); n != 2 {
				t.Errorf("%d connections, want a new one", n)
			}
		})
	}
}

// TestStoreThatHangsUpAtOnce is not asked for ever.
func TestStoreThatHangsUpAtOnce(t *testing.T) {
	store := newRawStore(t, func(_ int64, _ net.Conn, requests *bufio.Reader) { _, _ = http.ReadRequest(requests) })
	if body, err := get(t.Context(), openDirect(t), store.url); !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", body, err)
	}
	if n := store.connected.Load(); n != 1 {
		t.Errorf("%d connections, want one: it was a new one", n)
	}
}

// TestGetEndsWithItsContext wherever it is, and its connection with it.
func TestGetEndsWithItsContext(t *testing.T) {
	for name, sent := range map[string]string{"no answer": "", "half a header": "HTTP/1.1 200 OK\r\n", "half a body": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsel"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan struct{})
			store := newRawStore(t, func(_ int64, c net.Conn, requests *bufio.Reader) {
				if _, err := http.ReadRequest(requests); err == nil {
					io.WriteString(c, sent)
					time.AfterFunc(20*time.Millisecond, cancel)
					_, _ = requests.ReadByte()
					close(gone)
				}
			})
			d := openDirect(t)
			if body, err := get(ctx, d, store.url); err == nil {
				t.Errorf("got %q", body)
			}
			<-gone
			if _, err := get(ctx, d, store.url); !errors.Is(err, context.Canceled) || store.connected.Load() != 1 {
				t.Errorf("with a context that has ended: %v, %d connections", err, store.connected.Load())
			}
		})
	}
}

// TestAnswerLeftUnreadEndsItsConnection: the rest of it would be the next answer.
func TestAnswerLeftUnreadEndsItsConnection(t *testing.T) {
	store := newRawStore(t, answering(func(r *http.Request) string { return whole(r.URL.Path) }))
	d := openDirect(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, store.url+"/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if _, err := answer.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("a read after the close: %v", err)
	}
	mustGet(t, d, store.url+"/2", "/2")
}

// closing is a connection of which only the end matters.
type closing struct {
	net.Conn
	closed *atomic.Int64
}

func (c closing) Close() error { c.closed.Add(1); return nil }

// TestIdleConnectionsAreBounded in number and in time, and those of other places left alone.
func TestIdleConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int64
		d := &direct{Transport: newTransport(3)}
		idle := func(host string) *connection {
			return &connection{Conn: closing{closed: &closed}, scheme: "https", host: host, silent: func() bool { return true }}
		}
		want := func(idle int, ended int64, why string) {
			t.Helper()
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.idle) != idle || closed.Load() != ended || (d.sweep != nil) != (idle > 0) {
				t.Errorf("%d idle, %d closed; want %d and %d: %s", len(d.idle), closed.Load(), idle, ended, why)
			}
		}
		a := idle("a")
		d.put(a)
		time.Sleep(time.Minute)
		d.put(idle("b"))
		if got := d.take(&url.URL{Scheme: "https", Host: "a"}); got != a {
			t.Errorf("took %v", got)
		}
		if got := d.take(&url.URL{Scheme: "http", Host: "b"}); got != nil {
			t.Errorf("took %v for another scheme", got)
		}
		d.put(a)
		d.put(idle("a"))
		d.put(idle("a"))
		want(3, 1, "the oldest made room")
		time.Sleep(d.IdleConnTimeout - time.Second)
		d.put(idle("c"))
		want(3, 2, "the oldest made room")
		time.Sleep(time.Second)
		want(1, 4, "one was used a second ago")
		time.Sleep(d.IdleConnTimeout)
		want(0, 5, "all are old")
		d.put(idle("a"))
		d.CloseIdleConnections()
		want(0, 6, "the store is closed")
	})
}

// TestConnectionOfTLSIsUsedAgain, whatever the lengths of its records.
func TestConnectionOfTLSIsUsedAgain(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, strings.Repeat("s", len(r.URL.Path)*5000-5000))
			}))
			server.TLS = &tls.Config{MaxVersion: version}
			var connected atomic.Int64
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connected.Add(1)
				}
			}
			server.StartTLS()
			t.Cleanup(server.Close)
			d := openDirect(t)
			d.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			for i := range 30 {
				mustGet(t, d, server.URL+"/"+strings.Repeat("a", i), strings.Repeat("s", 5000*i))
			}
			if n := connected.Load(); n != 1 {
				t.Errorf("%d connections for GETs one after the other", n)
			}
		})
	}
}

// together is a connection that collects what is written while it holds.
type together struct {
	net.Conn
	holds bool
	held  []byte
}

func (c *together) Write(p []byte) (int, error) {
	if !c.holds {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// TestHalfAnAnswerBehindAnotherInTLS: of a record that nobody asked for, some has come
// with the answer before it, and the rest comes once the next GET is sent.
func TestHalfAnAnswerBehindAnotherInTLS(t *testing.T) {
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	unasked := whole("another's")
	for name, rest := range map[string]int{"all but its last byte": 1, "half of its header": 3 + len(unasked) + 17} {
		t.Run(name, func(t *testing.T) {
			store := newRawStore(t, func(nth int64, raw net.Conn, _ *bufio.Reader) {
				collected := &together{Conn: raw}
				c := tls.Server(collected, certified.TLS)
				for requests := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(requests)
					held := collected.held
					switch {
					case err != nil:
						return
					case nth > 1:
						io.WriteString(c, whole(r.URL.Path))
					case collected.holds:
						raw.Write(held[len(held)-rest:])
					default:
						collected.holds = true
						io.WriteString(c, whole(r.URL.Path))
						io.WriteString(c, unasked)
						raw.Write(collected.held[:len(collected.held)-rest])
					}
				}
			})
			d := openDirect(t)
			d.TLSClientConfig = certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			url := strings.Replace(store.url, "http:", "https:", 1)
			mustGet(t, d, url+"/1", "/1")
			mustGet(t, d, url+"/2", "/2")
		})
	}
}
