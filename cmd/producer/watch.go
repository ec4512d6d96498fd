package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/stream"
)

// watchOptions are the flags of watch.
type watchOptions struct {
	manifestFlags
	path    string
	expect  int
	since   string
	timeout time.Duration
	output  string
}

// defaultSince covers the consumer's default ledger.window: what was answered
// earlier is asked again when it is published again.
const defaultSince = "24h"

func newWatch(s *settings) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch --campaign ID | --manifest FILE",
		Short: "Watch a campaign until every request has its result",
		Long: `watch reads the results and the dead letters of a campaign until every request
has come to its end, and prints what became of them.

How many requests there are it learns from --expect, from --manifest, or else by
counting the campaign's records in the topics of requests; that count is right
only when the campaign has been published completely, and within --since.

A request ends with its result, or with a dead letter if its record was refused
as no request. Dead letters of records that do not even tell their campaign
belong to no campaign and are not shown.

Exit codes: 0 complete, 3 timed out, 130 stopped by a signal.`,
		Example: `  producer watch --campaign autumn
  producer watch --manifest autumn.csv --timeout 2h
  producer watch --campaign autumn --since 2026-11-22T08:00:00Z --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			return o.run(cmd, c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.campaign, "campaign", "", "campaign id, as publish printed it (default with --manifest: from the file's name and content)")
	f.IntVar(&o.expect, "expect", 0, "number of requests of the campaign")
	f.StringVar(&o.path, "manifest", "", "the manifest that was published; give --vendor, --format and --ignore-unknown as then")
	f.StringVar(&o.since, "since", defaultSince, "read the topics from this long ago, from a time such as 2026-11-22T08:00:00Z, or from their first record")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this time (default: never)")
	f.StringVar(&o.output, "output", outputTable, "table or json")
	o.add(f)
	cmd.MarkFlagsOneRequired("campaign", "manifest")
	cmd.MarkFlagsMutuallyExclusive("expect", "manifest")
	return cmd
}

// run opens what the flags name and watches.
func (o *watchOptions) run(cmd *cobra.Command, c config.Config) (err error) {
	reading, err := o.options(c)
	faults := []error{err, checkOutput(o.output)}
	if o.expect < 0 {
		faults = append(faults, fmt.Errorf("--expect %d: give the number of requests", o.expect))
	}
	if _, err := instant("since", o.since, time.Now()); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	var m *manifest
	if o.path != "" {
		if m, err = openManifest(o.path, cmd.InOrStdin(), reading); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
	}
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), watchedTopics(c.Kafka.Topics)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return o.watch(cmd, c.Kafka.Topics, client, partitions, m)
}

// watch watches the campaign of m, or of the flags if m is nil, and prints the
// report, whether it is complete or not.
func (o *watchOptions) watch(cmd *cobra.Command, topics config.Topics, client *stream.Client, partitions map[string]int, m *manifest) error {
	id := o.campaign
	if m != nil {
		id = m.options.Campaign
	}
	since, err := instant("since", o.since, time.Now())
	if err != nil {
		return err
	}
	w := watcher{
		scanner:  scanner{client, partitions, cmd.ErrOrStderr()},
		topics:   topics,
		campaign: id,
		manifest: m,
		since:    since,
		counts:   m == nil && o.expect == 0,
		progress: campaign.NewProgress(id),
	}
	w.progress.Expect(o.expect)
	if err := w.awaitManifest(); err != nil {
		return err
	}
	ctx := cmd.Context()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("%w after %s", errTimedOut, o.timeout))
		defer cancel()
	}
	began := time.Now()
	ended := w.run(ctx)
	report := watchReport{Report: w.progress.Report(), Seconds: time.Since(began).Seconds()}
	// What has been read so far may have ended while there is more.
	report.Complete = ended == nil
	if errors.Is(ended, errTimedOut) {
		report.MissingIDs = w.missingIDs(cmd.Context())
	}
	if err := report.write(cmd.OutOrStdout(), o.output); err != nil {
		return errors.Join(ended, err)
	}
	if ended != nil {
		left := count(report.Missing, "request") + " without a result"
		if report.Missing == 0 {
			left = "there may be records that were not read"
		}
		return fmt.Errorf("watching campaign %s: %w: %s", id, ended, left)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), paint(cmd.ErrOrStderr(), green, "complete: every request of campaign "+id+" has come to its end"))
	return nil
}

// watchedTopics are all topics that a watcher may read.
func watchedTopics(t config.Topics) []string {
	return append(connect.RequestTopics(t), t.Results, t.Dead)
}

// first, as --since, means the first record of each partition.
const first = "first"

// instant reads a flag that is a time, or how long ago; zero stands for first.
func instant(flag, s string, now time.Time) (time.Time, error) {
	if s == first {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("--%s %q: give a duration such as 24h, an RFC 3339 time such as 2026-11-22T08:00:00Z, or first", flag, s)
	}
	return t, nil
}
