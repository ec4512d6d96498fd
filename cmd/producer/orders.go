package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/ledger"
)

// ordersOptions are the flags of orders.
type ordersOptions struct {
	allPartitions bool
	output        string
}

func newOrders(s *settings) *cobra.Command {
	var o ordersOptions
	cmd := &cobra.Command{
		Use:   "orders",
		Short: "List the orders that are in force",
		Long: `orders lists what was ordered by pause, rate and weight and not taken back, and what
was withdrawn within kafka.retention.requests, as the ledger has it. It reads one
partition of the ledger, over ledger.window, in which consumers write all of them
again: every shard has all orders, but for the seconds in which consumers pass one
on that was broken off in the middle. --all-partitions reads them all.`,
		Example: `  producer orders
  producer orders --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.read(event.Vendors(), "kafka", "ledger")
			if err != nil {
				return err
			}
			return o.run(cmd, c)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.allPartitions, "all-partitions", false, "read all partitions of the ledger")
	f.StringVar(&o.output, "output", outputTable, "table or json")
	return cmd
}

// run lists the orders.
func (o *ordersOptions) run(cmd *cobra.Command, c config.Config) (err error) {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	topic := c.Kafka.Topics.Ledger
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	sc := scanner{client, partitions, cmd.ErrOrStderr()}
	places := sc.places(topic)
	if !o.allPartitions {
		places = places[:1]
	}
	inForce, err := sc.orders(cmd.Context(), places, c.Ledger.Window, c.Kafka.Retention.Requests)
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	return writeOrders(cmd.OutOrStdout(), o.output, inForce)
}

// orders returns the orders in force in places of the ledger, as they were
// written within the window, sorted by what they are about.
func (s scanner) orders(ctx context.Context, places []place, window, requestsKept time.Duration) ([]ledger.Order, error) {
	now := time.Now()
	spans, err := s.spans(ctx, places, now.Add(-window))
	if err != nil {
		return nil, err
	}
	newest, strange := map[string]ledger.Order{}, 0
	err = s.scanMetered(ctx, spans, func(rec event.Record) error {
		if !ledger.IsOrder(rec.Key) {
			return nil
		}
		r, err := ledger.Decode(rec.Value)
		if err != nil || r.Step != ledger.Ordered {
			strange++
			return nil
		}
		if lasts := r.Order.Lasts(window, requestsKept); lasts > 0 && now.Sub(r.Order.IssuedAt) > lasts {
			return nil // it has had its time, though this record came late
		}
		if known, ok := newest[r.Order.Subject()]; !ok || r.Order.Newer(known) {
			newest[r.Order.Subject()] = *r.Order
		}
		return nil
	})
	if strange > 0 {
		fmt.Fprintf(s.messages, "%s passed over as no orders that this version knows\n", count(strange, "record"))
	}
	inForce := []ledger.Order{}
	for _, o := range newest {
		if o.InForce() {
			inForce = append(inForce, o)
		}
	}
	slices.SortFunc(inForce, func(a, b ledger.Order) int { return strings.Compare(a.Subject(), b.Subject()) })
	return inForce, err
}

func writeOrders(w io.Writer, form string, orders []ledger.Order) error {
	if form == outputJSON {
		return writeJSON(w, struct {
			Orders []ledger.Order `json:"orders"`
		}{orders})
	}
	if len(orders) == 0 {
		fmt.Fprintln(w, "no orders are in force")
		return nil
	}
	rows := []string{"about\torder\tissued\tby\treason"}
	for _, o := range orders {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", aboutWords(o), orderWords(o), seconds(o.IssuedAt), cell(o.By), cell(o.Reason)))
	}
	return table(w, rows...)
}
