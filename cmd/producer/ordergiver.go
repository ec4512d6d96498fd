package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/stream"
)

// orderGiver writes orders: to the ledger of every shard first, where they last,
// and then as a signal, which the running consumers act on.
type orderGiver struct {
	scanner
	ledger, signals string // topics
}

// orderSignal is a signal of the consumers that carries an order.
type orderSignal struct {
	Kind  string       `json:"kind"`
	From  string       `json:"from"`
	Order ledger.Order `json:"order"`
}

const (
	orderSignalKind = "order"
	signalSender    = "producer"
)

// give writes orders, one after another. It issues each later than any other about
// the same.
func (g orderGiver) give(ctx context.Context, orders ...*ledger.Order) (err error) {
	for _, o := range orders {
		if len(o.Requests) > 0 {
			continue // no other is about the same
		}
		if err := g.issueLast(ctx, o); err != nil {
			return err
		}
	}
	writer := g.client.NewWriter(stream.WriterConfig{MaxBytes: connect.MaxRecordBytes})
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		err = errors.Join(err, writer.Close(closing))
	}()
	for _, o := range orders {
		if err := g.write(ctx, writer, o); err != nil {
			return err
		}
	}
	return nil
}

// write writes one order.
func (g orderGiver) write(ctx context.Context, writer *stream.Writer, order *ledger.Order) error {
	again := "give it again, or take it back"
	if order.Kind == ledger.Withdraw {
		again = "give it again"
	}
	signal, err := json.Marshal(orderSignal{orderSignalKind, signalSender, *order})
	if err != nil {
		return fmt.Errorf("encoding the order: %w", err)
	}
	value := order.Record().Encode()
	var records []event.Record
	for shard := range g.partitions[g.ledger] {
		records = append(records, event.Record{Topic: g.ledger, Partition: shard, Key: []byte(order.Key()), Value: value})
	}
	if err := writer.Write(ctx, records...); err != nil {
		return fmt.Errorf("writing the order to the ledger: %w\nsome shards may know of it: %s", err, again)
	}
	if err := writer.Write(ctx, event.Record{Topic: g.signals, Value: signal}); err != nil {
		return fmt.Errorf("telling the consumers of the order: %w\nthey will follow it as they take shards over: %s", err, again)
	}
	return nil
}

// issuedBack is for how long before now orders are looked for that may have been
// issued later than now, by a clock that is ahead of ours.
const issuedBack = time.Hour

// issueLast moves an order's time past that of any other about the same, or it
// would not hold: the other one may come from a clock ahead of ours.
func (g orderGiver) issueLast(ctx context.Context, order *ledger.Order) error {
	spans, err := g.spans(ctx, g.places(g.signals), order.IssuedAt.Add(-issuedBack))
	if err != nil {
		return fmt.Errorf("reading the signals: %w", err)
	}
	latest := order.IssuedAt
	err = g.scanAll(ctx, spans, func(rec event.Record) error {
		var s orderSignal
		if json.Unmarshal(rec.Value, &s) == nil && s.Kind == orderSignalKind && s.Order.Subject() == order.Subject() &&
			!s.Order.IssuedAt.Before(latest) {
			latest = s.Order.IssuedAt.Add(time.Millisecond)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the signals: %w", err)
	}
	if latest.After(order.IssuedAt) {
		fmt.Fprintf(g.messages, "an earlier order about the same was issued at %s, by a clock ahead of this one: this order is issued right after it\n",
			latest.Add(-time.Millisecond).Format(momentTime))
		order.IssuedAt = latest
	}
	return nil
}
