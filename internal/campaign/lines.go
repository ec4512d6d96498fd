package campaign

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// line is one line of a manifest, without its end.
type line struct {
	number int // from 1
	text   []byte
	// long tells that the line was longer than allowed: text is its
	// beginning, the rest was skipped.
	long bool
}

// lines reads a manifest line by line and keeps no more than one of them, so
// that a file without any line end cannot fill the memory.
type lines struct {
	r        *bufio.Reader
	maxBytes int
	number   int
	again    []line // given back, to be read once more, first one first
}

// next returns the next line; its text is the caller's to keep. The error is
// io.EOF after the last, or the reader's.
func (l *lines) next() (line, error) {
	if len(l.again) > 0 {
		first := l.again[0]
		l.again = l.again[1:]
		return first, nil
	}
	var text []byte
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		text = append(text, part...)
		// Two more for the line end, which is not counted.
		if len(text) > l.maxBytes+2 {
			text, long = text[:l.maxBytes], true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(text) > 0 || long):
		case err != nil:
			return line{}, err
		}
		break
	}
	l.number++
	if !long {
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	}
	if len(text) > l.maxBytes {
		text, long = text[:l.maxBytes], true
	}
	return line{number: l.number, text: text, long: long}, nil
}

// giveBack has the lines read once more.
func (l *lines) giveBack(taken []line) {
	l.again = append(taken[:len(taken):len(taken)], l.again...)
}
