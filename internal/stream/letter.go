package stream

import (
	"errors"
	"time"

	"reauth/internal/event"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int
}

// write is a call of Write. The writer's mutex guards it.
type write struct {
	may  func() error
	left int // letters that are not written yet
	done chan struct{}
	// err is how it ended; fault is why the last try failed.
	err, fault error
}

// ended tells whether nobody waits for it any more.
func (wr *write) ended() bool {
	select {
	case <-wr.done:
		return true
	default:
		return false
	}
}

// end ends it, if it has not ended.
func (wr *write) end(err error) {
	if !wr.ended() {
		wr.err = err
		close(wr.done)
	}
}

// stop ends it, if it has not ended, before it is written.
func (wr *write) stop(cause error) { wr.end(errors.Join(cause, wr.fault)) }

// written takes one letter off.
func (wr *write) written() {
	if wr.left--; wr.left == 0 {
		wr.end(nil)
	}
}

// letter is a record on its way.
type letter struct {
	of     *write
	to     place
	record event.Record
	size   int
	// alone: the batch that it was in was too large.
	alone bool
}

// What a record takes in a batch beside its bytes, at most: lengths, the
// differences in time and offset, and for each header two lengths.
const (
	recordOverhead = 36
	headerOverhead = 10
	batchOverhead  = 61
)

func newLetter(record event.Record) letter {
	l := letter{
		to:     place{record.Topic, record.Partition},
		record: record,
		size:   batchOverhead + recordOverhead + len(record.Key) + len(record.Value),
	}
	if record.Time.IsZero() {
		l.record.Time = time.Now()
	}
	for _, header := range record.Headers {
		l.size += headerOverhead + len(header.Key) + len(header.Value)
	}
	return l
}
