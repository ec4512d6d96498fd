package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/config"
)

// deadListOptions are the flags of dead list.
type deadListOptions struct {
	filterFlags
	output    string
	limit     int
	withValue bool
}

// outputNDJSON is the form with one object on each line.
const outputNDJSON = "ndjson"

func newDeadList(s *settings) *cobra.Command {
	var o deadListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters",
		Long: `list reads the dead letters that there are when it starts, one partition after
the other, and prints those that the filters choose. A filter that is given more
than once, or with commas, takes any of its values; of different filters all
must hold.

The table shortens messages and ends with the totals by reason, which count what
--limit leaves out too. As ndjson each dead letter is one object with all that
its headers say.

The originals themselves are not shown, since they may be personal: names of
people in keys, ids and links in values. With --with-value the ndjson holds
their key, value and headers, as text, or in base64 if they are not UTF-8. Keep
that output as you would keep the topic.`,
		Example: `  producer dead list --campaign autumn
  producer dead list --reason attempts_exhausted,selfie_forbidden --since 24h
  producer dead list --stage decode --output ndjson --with-value --limit 1`,
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
	f.IntVar(&o.limit, "limit", 0, "print at most so many (default: all)")
	f.StringVar(&o.output, "output", outputTable, "table or ndjson")
	f.BoolVar(&o.withValue, "with-value", false, "with ndjson: print the originals too, which may be personal")
	return cmd
}

// run lists what the flags choose.
func (o *deadListOptions) run(cmd *cobra.Command, c config.Config) (err error) {
	filter, err := o.filter(time.Now())
	faults := []error{err}
	if o.output != outputTable && o.output != outputNDJSON {
		faults = append(faults, fmt.Errorf("--output %q: give table or ndjson", o.output))
	}
	if o.limit < 0 {
		faults = append(faults, fmt.Errorf("--limit %d: give the number of dead letters to print", o.limit))
	}
	if o.withValue && o.output != outputNDJSON {
		faults = append(faults, errors.New("--with-value: give --output ndjson too"))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	messages := cmd.ErrOrStderr()
	client, partitions, err := reach(cmd.Context(), c.Kafka, messages, c.Kafka.Topics.Dead)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	letters := deadLetters{scanner: scanner{client, partitions, messages}, topic: c.Kafka.Topics.Dead, filter: filter}
	defer letters.warn()
	if o.output == outputNDJSON {
		return o.writeLines(cmd, &letters)
	}
	return o.writeTable(cmd, &letters)
}

// writeLines writes dead letters as it reads them, up to the limit.
func (o *deadListOptions) writeLines(cmd *cobra.Command, letters *deadLetters) error {
	if o.withValue {
		fmt.Fprintln(cmd.ErrOrStderr(), "the originals are printed too: they may be personal")
	}
	spans, err := letters.spans(cmd.Context())
	if err != nil {
		return err
	}
	lines := json.NewEncoder(cmd.OutOrStdout())
	lines.SetEscapeHTML(false)
	written := 0
	return letters.each(cmd.Context(), spans, func(d campaign.DeadLetter) error {
		if err := lines.Encode(newDeadLine(d, o.withValue)); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
		if written++; written == o.limit {
			return errEnough
		}
		return nil
	})
}

// writeTable reads all dead letters and writes the first of them, and totals.
func (o *deadListOptions) writeTable(cmd *cobra.Command, letters *deadLetters) error {
	spans, err := letters.spans(cmd.Context())
	if err != nil {
		return err
	}
	rows := []string{deadHeader}
	totals := make(tally)
	err = letters.each(cmd.Context(), spans, func(d campaign.DeadLetter) error {
		if o.limit == 0 || totals.sum() < o.limit {
			rows = append(rows, deadRow(d))
		}
		totals[string(d.Reason)]++
		return nil
	})
	if err != nil {
		return err
	}
	return o.writeTotals(cmd.OutOrStdout(), rows, totals)
}

func (o *deadListOptions) writeTotals(w io.Writer, rows []string, totals tally) error {
	if len(rows) > 1 {
		if err := table(w, rows...); err != nil {
			return err
		}
		if rest := totals.sum() - len(rows) + 1; rest > 0 {
			fmt.Fprintf(w, "and %d more: raise --limit to see them\n", rest)
		}
		fmt.Fprintln(w)
	}
	return table(w, totals.rows("reason", "dead letters")...)
}
