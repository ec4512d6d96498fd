package storage

import (
	"errors"
	"io"
	"net/http"
)

// directBody is the body of an answer that direct has brought. Read to its end, it
// gives the connection back.
type directBody struct {
	answer     io.Reader
	connection *connection // nil once it is given back or closed
	err        error       // of all reads from then on
	// release ends the watch over the request's context, false if that has ended.
	release func() bool
	// keep: the connection may be used again.
	keep bool
	pool *direct
}

func (b *directBody) Read(p []byte) (n int, err error) {
	if b.connection == nil {
		return 0, b.err
	}
	n, err = b.answer.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

func (b *directBody) Close() error {
	b.end(http.ErrBodyReadAfterClose)
	return nil
}

// end lets go of the connection, for the reason that reads get from now on.
func (b *directBody) end(why error) {
	c := b.connection
	if c == nil {
		return
	}
	b.connection, b.err = nil, why
	inTime := b.release()
	// What follows the answer unasked would be taken for the next one.
	if errors.Is(why, io.EOF) && inTime && b.keep && c.drained() {
		b.pool.put(c)
		return
	}
	_ = c.Close()
}
