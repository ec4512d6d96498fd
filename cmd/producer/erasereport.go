package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"reauth/internal/stream"
)

// report says what came of it, and until when the records remain.
func (o *eraseOptions) report(ctx context.Context, w io.Writer, client *stream.Client, f *traceFinder, proofs *proofWriter) error {
	rows := []string{"outcome\tthings"}
	for _, outcome := range slices.Sorted(maps.Keys(proofs.outcomes)) {
		rows = append(rows, fmt.Sprintf("%s\t%d", outcome, proofs.outcomes[outcome]))
	}
	err := table(w, rows...)
	if proofs.outcomes[outcomePending] > 0 {
		fmt.Fprintln(w, "\nPictures that are still to be archived may come to the archive after this: give the same command again when that is done.")
	}
	// It matters most after a signal, too.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTime)
	defer cancel()
	kept, keptErr := f.kept(asking, client)
	if keptErr == nil && len(kept) > 1 {
		fmt.Fprintln(w, "\nKafka's records about these requests cannot be erased; they go when their topics' retention has passed:")
		keptErr = table(w, kept...)
		fmt.Fprintln(w, "\nLogs, backups and other copies are not erased either, nor what vendors keep by their own terms after they were asked to erase.")
	}
	if n := proofs.left(); n > 0 && !o.dryRun {
		err = errors.Join(err, fmt.Errorf("%w: %s of %d", errIncomplete, count(n, "thing"), proofs.written))
	}
	return errors.Join(err, keptErr)
}
