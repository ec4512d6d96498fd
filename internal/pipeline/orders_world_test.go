package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
)

// orderCount numbers the orders of this process.
var orderCount int

// orderOf returns an order that is given now: one with the value given about a
// campaign, or about Argos if none is named.
func orderOf(kind ledger.OrderKind, campaign string, value float64) ledger.Order {
	orderCount++
	o := ledger.Order{ID: fmt.Sprint("o-", orderCount), Kind: kind, Campaign: campaign, Value: value, IssuedAt: time.Now().UTC()}
	if campaign == "" {
		o.Vendor = event.Argos
	}
	return o
}

// inLedgers writes an order to the ledgers of shards, as the command does.
func (f *fakeTopics) inLedgers(o ledger.Order, shards ...int) {
	for _, shard := range shards {
		f.append(event.Record{Topic: "ledger", Partition: shard, Key: []byte(o.Key()), Value: o.Record().Encode()})
	}
}

// inSignals is the command's signal.
func (f *fakeTopics) inSignals(o ledger.Order) {
	value, err := json.Marshal(signal{Kind: orderKind, Order: &o})
	if err != nil {
		panic(err)
	}
	f.append(event.Record{Topic: "signals", Value: value})
}

// give gives an order to the whole group.
func (f *fakeTopics) give(o ledger.Order) {
	f.inLedgers(o, 0, 1, 2)
	f.inSignals(o)
}

func ofCamp(campaign string) func(*event.Request) {
	return func(r *event.Request) { r.CampaignID = campaign }
}

// deaf hears no signals, as if they were lost.
func deaf(topics *fakeTopics) { topics.holdTopic("signals/0") }
