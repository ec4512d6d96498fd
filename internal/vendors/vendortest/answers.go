package vendortest

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

// discard is the log of servers whose clients break off on purpose.
var discard = log.New(io.Discard, "", 0)

// Reply is an answer with a JSON body.
func Reply(status int, body string) http.HandlerFunc {
	return reply(status, "application/json", body, nil)
}

func reply(status int, contentType, body string, header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// html is what a proxy in front of the vendor says.
const html = "<html><head><title>error</title></head><body><h1>Something went wrong</h1></body></html>"

// hang answers nothing until the caller goes away or the check ends.
func (s *stage) hang(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.release:
	}
}

// reset breaks the connection off without an answer.
func reset(w http.ResponseWriter, _ *http.Request) {
	hijack(w, func(c net.Conn) {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset instead of an orderly end
		}
	})
}

// hangUp ends the connection in order, without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) { hijack(w, func(net.Conn) {}) }

// raw writes bytes that need not be HTTP and ends the connection.
func raw(format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, func(c net.Conn) { _, _ = fmt.Fprintf(c, format, args...) })
	}
}

// truncated promises more than it sends.
var truncated = raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{\"message\":")

func hijack(w http.ResponseWriter, last func(net.Conn)) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	last(c)
	_ = c.Close()
}

// endlessBytes is far more than any answer, and more than what the buffers of
// both sides hold.
const endlessBytes = 32 << 20

// endless sends blanks, which a JSON decoder skips for ever, and says on taken
// whether the caller took them all.
func endless(taken chan<- bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		blanks := make([]byte, 64<<10)
		for i := range blanks {
			blanks[i] = ' '
		}
		out := bufio.NewWriterSize(w, len(blanks))
		for range endlessBytes / len(blanks) {
			if _, err := out.Write(blanks); err != nil {
				taken <- false
				return
			}
		}
		taken <- out.Flush() == nil
	}
}
