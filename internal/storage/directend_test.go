package storage

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
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
