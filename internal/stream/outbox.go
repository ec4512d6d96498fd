package stream

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// outbox is what is on its way to one partition: a batch at most, and what waits
// to be in the next. The writer's mutex guards it, but for the batch while it is
// out, which is the sender's.
//
// A batch is numbered by the writer's producer id, an epoch and the sequence of
// its first record, and is repeated as it is until the partition's leader has
// answered for it: the leader drops what it has. A batch that nobody waits for
// any more is given up by beginning another epoch, in which sequences start
// anew; what was sent in the former is refused from then on (Kafka 2.5 and newer,
// KIP-360), so that it cannot appear behind what was written later.
type outbox struct {
	to       place
	waiting  []*letter
	batch    *batch
	out      bool // the batch is being sent
	epoch    int16
	sequence int32 // of the next record
	tries    int   // that the batch has failed
	notYet   time.Time
}

// batch is a number of letters that are sent and repeated together.
type batch struct {
	letters []*letter
	raw     []byte // encoded and numbered; nil before the first try
}

// size returns the batch's bytes, or a few more.
func (b *batch) size() int {
	size := 0
	for _, l := range b.letters {
		size += l.size
	}
	return size
}

// load puts what waits into a batch, unless there is one, and returns false if
// there is nothing.
func (o *outbox) load(config WriterConfig) bool {
	if o.batch != nil {
		return true
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(l *letter) bool { return l.of.ended() })
	n, size := 0, 0
	for _, l := range o.waiting {
		if n > 0 && (n == config.BatchRecords || size+l.size > config.MaxBytes || l.alone || o.waiting[0].alone) {
			break
		}
		n, size = n+1, size+l.size
	}
	if n == 0 {
		return false
	}
	o.batch = &batch{letters: slices.Clone(o.waiting[:n])}
	o.waiting = slices.Delete(o.waiting, 0, n)
	return true
}

// due tells whether there is something to be sent, and not before when: zero, if
// nothing has failed.
func (o *outbox) due() (notBefore time.Time, ok bool) {
	switch {
	case o.out || o.empty():
		return time.Time{}, false
	case o.tries > 0:
		return o.notYet, true
	}
	return time.Time{}, true
}

func (o *outbox) empty() bool { return o.batch == nil && len(o.waiting) == 0 }

// permitted asks whether the batch may still be written, and leaves out what may
// not. False says that nothing is left. A write that has ended stays in a batch
// that was sent before, as long as another waits for that one: it could not be
// repeated without it.
func (o *outbox) permitted(allowed map[*write]error) bool {
	wanted := false
	kept := slices.DeleteFunc(slices.Clone(o.batch.letters), func(l *letter) bool {
		if !l.of.ended() && allowed[l.of] == nil {
			wanted = true
		}
		return allowed[l.of] != nil
	})
	switch {
	case !wanted:
		o.drop()
	case len(kept) < len(o.batch.letters):
		o.renumber()
		o.batch.letters = kept
	}
	return wanted
}

// drop gives the batch up.
func (o *outbox) drop() {
	o.renumber()
	o.batch, o.tries = nil, 0
}

// renumber makes the batch another one than that which may have been sent.
func (o *outbox) renumber() {
	if o.batch.raw == nil {
		return
	}
	if o.epoch != unnumbered {
		o.epoch, o.sequence = nextEpoch(o.epoch), 0
	}
	o.batch.raw = nil
}

// nextEpoch counts up. A partition that has given up as many batches as there are
// epochs goes on without numbers.
func nextEpoch(epoch int16) int16 {
	if epoch == math.MaxInt16 {
		return unnumbered
	}
	return epoch + 1
}

// sent takes in the leader's word on the batch. It returns the error with which
// to try again.
func (o *outbox) sent(err error) error {
	b := o.batch
	switch {
	case err == nil, anyCode(err, kafka.DuplicateSequenceNumber):
		o.sequence = (o.sequence + int32(len(b.letters))) & math.MaxInt32
		for _, l := range b.letters {
			l.of.written()
		}
		o.batch, o.tries = nil, 0
		return nil
	case anyCode(err, kafka.MessageSizeTooLarge, kafka.RecordListTooLarge):
		o.split(err)
		return nil
	case refused(err):
		for _, l := range b.letters {
			l.of.end(err)
		}
		o.batch, o.tries = nil, 0 // it was not taken: its sequence is free
		return nil
	case anyCode(err, kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId, kafka.InvalidProducerEpoch, kafka.InvalidProducerIDMapping):
		// The partition has forgotten us, by a loss of data or an operator's hand.
		o.renumber()
	}
	for _, l := range b.letters {
		l.of.fault = err
	}
	o.tries++
	o.notYet = time.Now().Add(backoff(o.tries - 1))
	return err
}

// split takes apart a batch that was too large. Was it this record?
func (o *outbox) split(err error) {
	b := o.batch
	o.batch, o.tries = nil, 0
	if l := b.letters[0]; len(b.letters) == 1 {
		l.of.end(fmt.Errorf("%w: %d bytes with headers: %w", ErrTooLarge, l.size, err))
		return
	}
	for _, l := range b.letters {
		l.alone = true
	}
	o.waiting = append(b.letters, o.waiting...)
}

// refused tells whether writing again must fail the same way.
func refused(err error) bool {
	return forbidden(err) || anyCode(err,
		kafka.InvalidTopic, kafka.InvalidTimestamp, kafka.PolicyViolation,
		kafka.UnsupportedForMessageFormat, kafka.InvalidRecord)
}
