package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/config"
)

// publishOptions are the flags of publish.
type publishOptions struct {
	manifestFlags
	path        string
	notAfter    string
	rate        string
	output      string
	fromRow     int
	raw         []string
	priority    bool
	skipInvalid bool
	dryRun      bool
	watch       bool
	timeout     time.Duration
}

func newPublish(s *settings) *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish [FILE|-]",
		Short: "Publish the requests of a manifest as one campaign",
		Long: `publish reads a manifest, holds every row against the consumer's rules, and
publishes the rows as requests of one campaign. Without FILE, or with -, it
reads standard input, which it copies to a temporary file first.

A manifest is CSV with a header row of field names, or NDJSON with one object on
each line. The fields are
` + wrap(campaign.FieldNames(), "  ", 78) + `
which of them are needed depends on the vendor; faults say so. Empty fields are
absent ones.

Every fault of every row is reported with its line on standard error. If there
is any, nothing is published, unless --skip-invalid is given: then the other
rows are, and the exit code is 1 all the same.

A row without a request_id gets one that follows from the campaign, the number
of the row, and what the row says. So a publication that broke off is repeated
safely by the same command: the requests keep their ids, and the consumer makes
no second call for an id within its ledger.window. The default campaign follows
from the file's name and content; to correct rows that were skipped, name the
campaign that was printed, and leave the other rows where they are.`,
		Example: `  producer publish autumn.csv
  producer publish --campaign autumn --rate 500/s --watch autumn.csv
  producer publish --dry-run --vendor checkout < invitations.ndjson
  producer publish --raw broken.json --raw empty.bin`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.path = strings.Join(args, "")
			c, err := s.load()
			if err != nil {
				return err
			}
			if len(o.raw) > 0 {
				return o.publishRaw(cmd, c)
			}
			return o.publishManifest(cmd, c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.campaign, "campaign", "", "campaign id (default: from the file's name and content)")
	o.add(f)
	f.StringVar(&o.notAfter, "not-after", "", "not_after of the rows that have none, such as 2026-12-24T18:00:00Z")
	f.StringVar(&o.rate, "rate", "", "publish at most so many, such as 500/s (default: as fast as Kafka takes them)")
	f.IntVar(&o.fromRow, "from-row", 1, "publish from this row on, to go on after a publication that broke off")
	f.BoolVar(&o.priority, "priority", false, "publish to the priority topic")
	f.BoolVar(&o.skipInvalid, "skip-invalid", false, "publish the rows without a fault, and exit with 1 if there are others")
	f.BoolVar(&o.dryRun, "dry-run", false, "check the manifest only; Kafka is not needed")
	f.BoolVar(&o.watch, "watch", false, "watch the campaign afterwards")
	f.DurationVar(&o.timeout, "timeout", 0, "with --watch: give up after this time (default: never)")
	f.StringVar(&o.output, "output", outputTable, "table or json")
	f.StringArrayVar(&o.raw, "raw", nil, "publish the bytes of this `file` as one record, whatever they are; may be repeated")
	cmd.MarkFlagsMutuallyExclusive("raw", "watch")
	cmd.MarkFlagsMutuallyExclusive("raw", "dry-run")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "watch")
	return cmd
}

// publishManifest checks a manifest and publishes it.
func (o *publishOptions) publishManifest(cmd *cobra.Command, c config.Config) (err error) {
	topic, err := o.topic(c.Kafka.Topics)
	if err != nil {
		return err
	}
	p := publisher{topic: topic, fromRow: o.fromRow, skipInvalid: o.skipInvalid, messages: cmd.ErrOrStderr()}
	if p.pace.rate, err = parseRate(o.rate); err != nil {
		return err
	}
	reading, err := o.reading(c)
	if err != nil {
		return err
	}
	if o.path == "" && isTerminal(cmd.InOrStdin()) {
		return errors.New("name the manifest, or - for standard input")
	}
	if o.path == "" {
		o.path = "-"
	}
	if p.manifest, err = openManifest(o.path, cmd.InOrStdin(), reading); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.manifest.close()) }()

	if err := p.check(cmd.Context()); err != nil {
		return err
	}
	var faulty error
	if p.faulty > 0 {
		faulty = fmt.Errorf("%s of %s are faulty", count(p.faulty, "row"), p.manifest.name)
	}
	switch {
	case faulty != nil && !o.skipInvalid:
		return fmt.Errorf("%w, so nothing was published: correct them, or give --skip-invalid to publish the others", faulty)
	case p.rows == p.faulty:
		return errors.Join(faulty, fmt.Errorf("%s holds no request to publish", p.manifest.name))
	case o.dryRun:
		return errors.Join(p.summary(true).write(cmd.OutOrStdout(), o.output), faulty)
	}
	err = o.publishAndWatch(cmd, c, &p)
	if faulty != nil {
		faulty = fmt.Errorf("%w and were left out; to publish them too, correct them where they stand and give --campaign %s",
			faulty, p.manifest.options.Campaign)
	}
	return errors.Join(err, faulty)
}

func (o *publishOptions) publishAndWatch(cmd *cobra.Command, c config.Config, p *publisher) (err error) {
	w := watchOptions{since: defaultSince, timeout: o.timeout, output: o.output}
	topics := []string{p.topic}
	if o.watch {
		topics = watchedTopics(c.Kafka.Topics)
	}
	client, partitions, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topics...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	err = p.publish(cmd.Context(), client)
	if !p.began.IsZero() && !(o.watch && o.output == outputJSON && err == nil) {
		err = errors.Join(err, p.summary(false).write(cmd.OutOrStdout(), o.output))
	}
	if err != nil || !o.watch {
		return err
	}
	return w.watch(cmd, c.Kafka.Topics, client, partitions, p.manifest)
}

// topic returns where requests go.
func (o *publishOptions) topic(t config.Topics) (string, error) {
	switch {
	case !o.priority:
		return t.Requests, nil
	case t.Priority == "":
		return "", errors.New("--priority: there is no priority topic; set kafka.topics.priority here and for the consumer")
	}
	return t.Priority, nil
}

// reading turns the flags into the options of the manifest's reader.
func (o *publishOptions) reading(c config.Config) (campaign.Options, error) {
	r, err := o.options(c)
	faults := []error{err, checkOutput(o.output)}
	if o.notAfter != "" {
		if r.NotAfter, err = time.Parse(time.RFC3339, o.notAfter); err != nil {
			faults = append(faults, fmt.Errorf("--not-after %q: give an RFC 3339 time, such as 2026-12-24T18:00:00Z", o.notAfter))
		}
	}
	if o.fromRow < 1 {
		faults = append(faults, fmt.Errorf("--from-row %d: rows count from 1", o.fromRow))
	}
	return r, errors.Join(faults...)
}

// parseRate reads --rate; the zero rate, for an empty text, holds nothing up.
func parseRate(text string) (config.Rate, error) {
	if text == "" {
		return config.Rate{}, nil
	}
	r, err := config.ParseRate(text)
	if err != nil {
		return config.Rate{}, fmt.Errorf("--rate %q %w: give a count and a window, such as 500/s", text, err)
	}
	return r, nil
}
