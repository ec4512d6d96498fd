package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// maxRequestBytes bounds a request of several batches.
const maxRequestBytes = 4 << 20

// manyRecords at once are worth another BatchWait for more to come.
const manyRecords = 6

// post puts letters into their partitions' outboxes.
func (w *Writer) post(wr *write, letters []letter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.aborted.Err() != nil {
		wr.stop(ErrClosed)
		return
	}
	for i := range letters {
		l := &letters[i]
		o := w.boxes[l.to]
		if o == nil {
			o = &outbox{to: l.to}
			w.boxes[l.to] = o
		}
		l.of = wr
		o.waiting = append(o.waiting, l)
		w.pending[o] = struct{}{}
		w.wakeFor(o)
	}
}

// wakeFor sets the alarm for an outbox, if it is not set for an earlier time.
func (w *Writer) wakeFor(o *outbox) {
	at, ok := o.due()
	if at.Before(w.next) {
		at = w.next
	}
	switch {
	case !ok, w.closed, !w.alarmAt.IsZero() && !at.Before(w.alarmAt):
	case w.alarm == nil:
		w.alarmAt = at
		w.alarm = time.AfterFunc(time.Until(at), w.flush)
	default:
		w.alarmAt = at
		w.alarm.Reset(time.Until(at))
	}
}

// flush sends what is due, in a request to each leader.
func (w *Writer) flush() {
	due := w.takeDue()
	if len(due) == 0 {
		return
	}
	defer w.flushing.Done()
	ctx, cancel := context.WithTimeout(w.aborted, w.config.TryTimeout)
	defer cancel()
	for _, boxes := range w.leaders.group(ctx, due) {
		w.flushing.Go(func() { w.send(boxes) })
	}
}

// takeDue loads the outboxes that have something to be sent, and sets the alarm
// for those that have failed and are to wait. If it returns any, a flush is
// counted.
func (w *Writer) takeDue() (due []*outbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.alarmAt = time.Time{}
	now, records := time.Now(), 0
	for o := range w.pending {
		switch at, ok := o.due(); {
		case !ok:
		case at.After(now):
			w.wakeFor(o)
		case o.load(w.config):
			o.out = true
			due = append(due, o)
			records += len(o.batch.letters)
		}
		if o.empty() {
			delete(w.pending, o)
		}
	}
	if len(due) > 0 {
		w.flushing.Add(1)
		w.next = now.Add(w.config.BatchWait * time.Duration(min(4, 1+records/manyRecords)))
	}
	return due
}

// send sends the batches of outboxes, which have one leader, and takes in what
// becomes of each.
func (w *Writer) send(boxes []*outbox) {
	boxes = w.permit(boxes)
	if len(boxes) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(w.aborted, w.config.TryTimeout)
	defer cancel()
	outcomes, err := w.produce(ctx, boxes)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range boxes {
		fault := err
		if err == nil {
			var answered bool
			if fault, answered = outcomes[o.to]; !answered {
				fault = kafka.UnknownTopicOrPartition
			}
		}
		w.settle(o, fault)
	}
}

// permit asks whether the batches may be written, and returns those that may.
func (w *Writer) permit(boxes []*outbox) []*outbox {
	answers := make(map[*write]error)
	for _, o := range boxes {
		for _, l := range o.batch.letters {
			if _, asked := answers[l.of]; !asked && !l.of.ended() {
				answers[l.of] = l.of.may()
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for wr, err := range answers {
		if err != nil {
			wr.end(err)
		}
	}
	permitted := boxes[:0]
	for _, o := range boxes {
		if o.permitted(answers) {
			permitted = append(permitted, o)
			continue
		}
		w.back(o)
	}
	return permitted
}

// settle takes in what became of an outbox's batch.
func (w *Writer) settle(o *outbox, err error) {
	n := len(o.batch.letters)
	if again := o.sent(err); again != nil {
		w.leaders.forget()
		w.client.metrics.writeRetries.WithLabelValues(o.to.topic).Add(float64(n))
		if bits.OnesCount(uint(o.tries)) == 1 { // ever more rarely
			w.log.Warn("writing again", slog.String("topic", o.to.topic), slog.Int("partition", o.to.partition), slog.Int("records", n),
				slog.Int("attempt", o.tries), slog.String("reason", errorCode(again)), slog.Any("error", again))
		}
	}
	w.back(o)
}

// back takes an outbox back from the sender.
func (w *Writer) back(o *outbox) {
	o.out = false
	if o.empty() {
		delete(w.pending, o)
		return
	}
	w.wakeFor(o)
}

// produce sends one request and returns what the leader said of each batch.
func (w *Writer) produce(ctx context.Context, boxes []*outbox) (map[place]error, error) {
	id, err := w.numbers.id(ctx)
	if err != nil {
		return nil, err
	}
	request := &rawproduce.Request{
		Acks: int16(kafka.RequireAll),
		// The leader's word that it took too long comes before we give up.
		Timeout: int32((w.config.TryTimeout * 3 / 4).Milliseconds()),
	}
	topics := make(map[string]int)
	for _, o := range boxes {
		o.encode(id)
		i, ok := topics[o.to.topic]
		if !ok {
			i = len(request.Topics)
			topics[o.to.topic] = i
			request.Topics = append(request.Topics, rawproduce.RequestTopic{Topic: o.to.topic})
		}
		t := &request.Topics[i]
		t.Partitions = append(t.Partitions, rawproduce.RequestPartition{
			Partition: int32(o.to.partition), RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(o.batch.raw)},
		})
	}
	answer, err := w.client.transport.RoundTrip(ctx, w.client.kafka.Addr, request)
	if err != nil {
		return nil, fmt.Errorf("producing: %w", placed(err))
	}
	outcomes := make(map[place]error)
	for _, t := range answer.(*produce.Response).Topics {
		for _, p := range t.Partitions {
			outcomes[place{t.Topic, int(p.Partition)}] = codeError(p.ErrorCode, p.ErrorMessage)
		}
	}
	return outcomes, nil
}

// placed gives the transport's word that it knows no such partition, or no
// leader of it, the code that brokers have for it.
func placed(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return fmt.Errorf("%w: %w", kafka.UnknownTopicOrPartition, err)
	case errors.Is(err, protocol.ErrNoLeader):
		return fmt.Errorf("%w: %w", kafka.LeaderNotAvailable, err)
	}
	return err
}

// codeError is an error code of a broker's answer as an error, nil if it is none.
func codeError(code int16, message string) error {
	switch {
	case code == 0:
		return nil
	case message == "":
		return kafka.Error(code)
	}
	return fmt.Errorf("%w: %s", kafka.Error(code), message)
}
