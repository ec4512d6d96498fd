package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reauth/internal/campaign"
	"reauth/internal/event"
)

func newDead(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List the dead letters, or send them back",
		Long: `The dead-letter topic holds the originals of what could not be done, with the
reason: records that are no requests, and requests that were given up. A request
that was given up has a result too, with the outcome failed.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newDeadList(s), newRedrive(s))
	return cmd
}

// deadLetters reads the dead letters that a filter chooses.
type deadLetters struct {
	scanner
	topic  string
	filter campaign.DeadLetterFilter

	// strange are the records that are no dead letters of ours, oddity the
	// first of them.
	strange int
	oddity  event.Record
}

// spans returns what the topic holds now of the time of the filter.
func (d *deadLetters) spans(ctx context.Context) ([]span, error) {
	// The time of a dead letter's record is when its original failed.
	return d.scanner.spans(ctx, d.places(d.topic), d.filter.Since)
}

// each calls visit with the dead letters, one partition after the other.
func (d *deadLetters) each(ctx context.Context, spans []span, visit func(campaign.DeadLetter) error) error {
	for _, sp := range spans {
		err := d.scan(ctx, sp, func(rec event.Record) error {
			letter, err := campaign.ReadDeadLetter(rec)
			if err != nil {
				if d.strange++; d.strange == 1 {
					d.oddity = rec
				}
				return nil
			}
			if !d.filter.Matches(letter) {
				return nil
			}
			return visit(letter)
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading dead letters: %w", err)
		}
	}
	return nil
}

// warn tells of records that were passed over.
func (d *deadLetters) warn() {
	if d.strange > 0 {
		fmt.Fprintf(d.messages, "%s of %s passed over as no dead letters of ours, the first at %s\n",
			count(d.strange, "record"), d.topic, positionText(positionOf(d.oddity)))
	}
}

func positionOf(rec event.Record) event.Source {
	return event.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
}

// positionText returns a position as topic/partition/offset.
func positionText(s event.Source) string {
	return fmt.Sprintf("%s/%d/%d", s.Topic, s.Partition, s.Offset)
}
