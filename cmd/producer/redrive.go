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

// redriveOptions are the flags of dead redrive.
type redriveOptions struct {
	filterFlags
	all            bool
	dryRun         bool
	rate           string
	maxRedrives    int
	includeInvalid bool
	includeOld     bool
	yes            bool
	output         string
}

// defaultMaxRedrives is how often the same record is sent back at most: what
// failed that often is not mended by another try.
const defaultMaxRedrives = 3

func newRedrive(s *settings) *cobra.Command {
	var o redriveOptions
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Send dead letters back to where they came from",
		Long: `redrive sends the originals of the dead letters that the filters choose back to
the topic of requests, and the partition, that they came from, with their key,
value and headers. Mend first what made them fail.

The consumer tries a record that was sent back again if its request's last
result was failed, and publishes another result with a higher revision. It
skips one whose request has any other result.

Nothing is sent back twice after one dead letter: each record that is sent back
says in its headers where it was first read and how often it has been sent back
by then, and before sending, the topics of requests are read for such records
from the time of the dead letters on. So a command that broke off, or was given
twice, is safe to repeat. Two that run at the same time do not see each other:
the consumer then skips the repeats. And a record goes back at most
--max-redrives times in all, however often it comes to be a dead letter again.

A dead letter that is older than what its topic of requests still holds may have
been sent back before, without a trace, and the vendor would charge once more:
it is left out but for --include-old.

Records that were refused as no requests (stages decode and validate) would be
refused again, unless the consumer's settings have changed: they are left out
but for --include-invalid.

It says what it is about to do and asks, on a terminal. Elsewhere it needs
--yes, or --dry-run.`,
		Example: `  producer dead redrive --reason selfie_forbidden --since 24h --dry-run
  producer dead redrive --campaign autumn --rate 50/s --yes
  producer dead redrive --stage validate --include-invalid`,
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
	o.add(f)
	f.BoolVar(&o.all, "all", false, "send back every dead letter; needed when no filter is given")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be sent back, and send nothing")
	f.StringVar(&o.rate, "rate", "", "send back at most so many, such as 50/s (default: as fast as Kafka takes them)")
	f.IntVar(&o.maxRedrives, "max-redrives", defaultMaxRedrives, "send the same record back at most so many times, earlier commands included")
	f.BoolVar(&o.includeInvalid, "include-invalid", false, "send back what was refused as no request, too")
	f.BoolVar(&o.includeOld, "include-old", false, "send back what is older than the topic of requests, too")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.StringVar(&o.output, "output", outputTable, "table or json")
	return cmd
}

// run sends back what the flags choose.
func (o *redriveOptions) run(cmd *cobra.Command, c config.Config) (err error) {
	filter, rate, err := o.check(time.Now())
	if err != nil {
		return err
	}
	if !o.yes && !o.dryRun && !isTerminal(cmd.InOrStdin()) {
		return errors.New("standard input is no terminal to ask on: give --yes to send dead letters back, or --dry-run to see which")
	}
	requests, dead := connect.RequestTopics(c.Kafka.Topics), c.Kafka.Topics.Dead
	messages := cmd.ErrOrStderr()
	client, partitions, err := reach(cmd.Context(), c.Kafka, messages, append(requests, dead)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	for _, topic := range requests {
		if partitions[topic] != partitions[dead] {
			return fmt.Errorf("%s has %d partitions and %s has %d: a record must go back to its own partition, so they must be as many",
				topic, partitions[topic], dead, partitions[dead])
		}
	}
	r := redriver{
		deadLetters: deadLetters{scanner: scanner{client, partitions, messages}, topic: dead, filter: filter},
		requests:    requests,
		guard: campaign.NewRedriveGuard(campaign.RedriveRules{
			Topics: requests, Max: o.maxRedrives, IncludeInvalid: o.includeInvalid, IncludeOld: o.includeOld,
		}),
		pace: pacer{rate: rate},
	}
	return o.redrive(cmd, client, &r)
}

// check reports every fault of the flags at once.
func (o *redriveOptions) check(now time.Time) (campaign.DeadLetterFilter, config.Rate, error) {
	filter, err := o.filter(now)
	faults := []error{err, checkOutput(o.output)}
	rate, err := parseRate(o.rate)
	faults = append(faults, err)
	if o.maxRedrives < 1 {
		faults = append(faults, fmt.Errorf("--max-redrives %d: give at least 1", o.maxRedrives))
	}
	switch {
	case filter.IsZero() && !o.all:
		faults = append(faults, errors.New("no filter is given: choose dead letters by one, or give --all"))
	case o.all && !filter.IsZero():
		faults = append(faults, errors.New("--all and filters do not go together: give one or the other"))
	}
	return filter, rate, errors.Join(faults...)
}

// redrive plans, asks and sends.
func (o *redriveOptions) redrive(cmd *cobra.Command, client *stream.Client, r *redriver) error {
	ctx := cmd.Context()
	if err := r.choose(ctx); err != nil {
		return err
	}
	r.warn()
	r.warnOfCharges()
	if o.dryRun || len(r.plan) == 0 {
		return r.summary(o.dryRun).write(cmd.OutOrStdout(), o.output)
	}
	if !o.yes {
		if err := o.ask(ctx, cmd, r); err != nil {
			return err
		}
	}
	// Somebody else may have sent some back since.
	if err := r.look(ctx); err != nil {
		return err
	}
	err := r.send(ctx, client)
	return errors.Join(err, r.summary(false).write(cmd.OutOrStdout(), o.output))
}

// ask shows the plan and asks for a yes.
func (o *redriveOptions) ask(ctx context.Context, cmd *cobra.Command, r *redriver) error {
	if err := r.summary(false).write(cmd.ErrOrStderr(), outputTable); err != nil {
		return err
	}
	err := confirm(ctx, cmd.InOrStdin(), cmd.ErrOrStderr(), "send back "+count(len(r.plan), "dead letter")+"?")
	if err != nil {
		return fmt.Errorf("%w: nothing was sent back", err)
	}
	return nil
}
