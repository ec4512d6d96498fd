package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
	"reauth/internal/stream"
)

// showOptions are the flags of show.
type showOptions struct {
	since         string
	allPartitions bool
	personal      bool
	output        string
}

func newShow(s *settings) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show REQUEST_ID",
		Short: "Show the history of one request",
		Long: `show prints what the topics of requests, the ledger, the results and the dead
letters say about one request, in the order of their times. Those are the times
of the records, from the clocks of whoever wrote them.

Everything about a request is on one partition number. show looks at the one
that a producer chooses for a record whose key is the request id, and, if there
is nothing, at all the others, since a record may have any key. A request that
was published under several keys can be on more than one: --all-partitions
looks everywhere.

Fields that are passed on about the person (user_id, cf1 to cf3, selfie_key,
redirect_url), and a record's key other than the request id, are shown only
with --personal. The link of a hosted capture is never shown.`,
		Example: `  producer show r-1042
  producer show r-1042 --since 48h --output json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			return o.run(cmd, c, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.since, "since", first, "read the topics from this long ago, from a time such as 2026-11-22T08:00:00Z, or from their first record")
	f.BoolVar(&o.allPartitions, "all-partitions", false, "look at all partitions, whatever the first holds")
	f.BoolVar(&o.personal, "personal", false, "show personal fields, too")
	f.StringVar(&o.output, "output", outputTable, "table or json")
	return cmd
}

// run shows the history of the request.
func (o *showOptions) run(cmd *cobra.Command, c config.Config, requestID string) (err error) {
	since, err := instant("since", o.since, time.Now())
	if err := errors.Join(campaign.CheckRequestID(requestID), err, checkOutput(o.output)); err != nil {
		return err
	}
	topics := connect.ShardedTopics(c.Kafka.Topics)
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topics...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	h := history{
		requestID: requestID,
		topics:    c.Kafka.Topics,
		rules:     rulesOf(c),
		personal:  o.personal,
	}
	search := historySearch{scanner: scanner{client, partitions, cmd.ErrOrStderr()}, topics: topics, since: since}
	searched, err := search.run(cmd.Context(), &h, o.allPartitions)
	if err != nil {
		return fmt.Errorf("looking for request %s: %w", requestID, err)
	}
	if len(h.moments) == 0 {
		return fmt.Errorf("nothing found about request %s: searched %s", requestID, searched)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "searched", searched)
	return h.write(cmd.OutOrStdout(), o.output)
}

// historySearch reads the topics for one request.
type historySearch struct {
	scanner
	topics []string
	since  time.Time // zero: the first record
}

// run fills in a history and says in words what was searched.
func (s historySearch) run(ctx context.Context, h *history, everywhere bool) (searched string, err error) {
	all := s.places(s.topics...)
	total := s.partitions[h.topics.Requests]
	likely := stream.PartitionOf([]byte(h.requestID), total)
	var there, others []place
	for _, p := range all {
		if p.partition == likely {
			there = append(there, p)
		} else {
			others = append(others, p)
		}
	}
	if err := s.read(ctx, there, h); err != nil {
		return "", err
	}
	where := fmt.Sprintf("partition %d of %d", likely, total)
	if everywhere || len(h.moments) == 0 {
		if err := s.read(ctx, others, h); err != nil {
			return "", err
		}
		where = "all " + count(total, "partition")
	}
	from := "their first record"
	if !s.since.IsZero() {
		from = s.since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s of %s from %s on", where, strings.Join(s.topics, ", "), from), nil
}

// read reads what the places hold now.
func (s historySearch) read(ctx context.Context, places []place, h *history) error {
	spans, err := s.spans(ctx, places, s.since)
	if err != nil {
		return err
	}
	return s.scanMetered(ctx, spans, func(rec event.Record) error {
		h.see(rec)
		return nil
	})
}

// write writes the history, in the order of time.
func (h *history) write(w io.Writer, form string) error {
	h.sort()
	if form == outputJSON {
		return writeJSON(w, struct {
			RequestID string   `json:"request_id"`
			History   []moment `json:"history"`
		}{h.requestID, h.moments})
	}
	rows := []string{"time\twhere\twhat happened"}
	for _, m := range h.moments {
		rows = append(rows, m.At.Format(momentTime)+"\t"+positionText(m.Where)+"\t"+cell(m.What))
	}
	return table(w, rows...)
}
