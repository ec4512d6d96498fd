package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/stream"
)

// maxRawBytes bounds a file for --raw. It is more than any topic takes by
// default, so that records that are too large can be tried too.
const maxRawBytes = 16 << 20

// publishRaw publishes each file as the value of one record, without a key, and
// without headers but for the campaign's if one is named.
func (o *publishOptions) publishRaw(cmd *cobra.Command, c config.Config) (err error) {
	if o.path != "" {
		return fmt.Errorf("%s: a manifest and --raw do not go together", o.path)
	}
	topic, err := o.topic(c.Kafka.Topics)
	if err != nil {
		return err
	}
	var records []event.Record
	for _, path := range o.raw {
		value, err := readRaw(path, cmd.InOrStdin())
		if err != nil {
			return fmt.Errorf("reading a record from %s: %w", path, err)
		}
		record := event.Record{Topic: topic, Partition: stream.ByKey, Value: value}
		if o.campaign != "" {
			record.Headers = []event.Header{{Key: event.HeaderCampaign, Value: []byte(o.campaign)}}
		}
		records = append(records, record)
	}
	client, _, err := reach(cmd.Context(), c.Kafka, cmd.ErrOrStderr(), topic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	writer := client.NewWriter(stream.WriterConfig{MaxBytes: maxRawBytes})
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), writePatience, errNotTaken)
	defer cancel()
	for i, record := range records {
		if err = writer.Write(ctx, record); err != nil {
			err = fmt.Errorf("publishing %s: %w", o.raw[i], err)
			break
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "published %s (%d bytes) to %s\n", o.raw[i], len(record.Value), topic)
	}
	closing, cancelClosing := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopGrace)
	defer cancelClosing()
	return errors.Join(err, writer.Close(closing))
}

// readRaw returns the bytes of a file, or of standard input for -; never nil,
// which would be a tombstone rather than an empty value.
func readRaw(path string, in io.Reader) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	value, err := io.ReadAll(io.LimitReader(in, maxRawBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(value) > maxRawBytes:
		return nil, fmt.Errorf("it holds more than %d bytes", maxRawBytes)
	}
	return value, nil
}
