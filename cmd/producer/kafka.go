package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/stream"
)

// reachTime bounds the time in which a broker must answer at the start.
const reachTime = 30 * time.Second

// reach opens a client for the topics and checks that brokers answer and the
// topics are there, so that a wrong address fails at once. It returns how many
// partitions each topic has. The client's warnings go to log.
func reach(ctx context.Context, k config.Kafka, log io.Writer, topics ...string) (*stream.Client, map[string]int, error) {
	warnings := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	client, err := connect.Open(k, topics, warnings, nil)
	if err != nil {
		return nil, nil, err
	}
	reaching, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	partitions, err := sizes(reaching, client, topics)
	switch {
	case ctx.Err() != nil:
		return nil, nil, errors.Join(context.Cause(ctx), client.Close())
	case err != nil:
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, partitions, nil
}

// sizes returns the number of partitions of each topic.
func sizes(ctx context.Context, client *stream.Client, topics []string) (map[string]int, error) {
	if err := client.Ping(ctx); err != nil {
		return nil, fmt.Errorf("%w\ncheck kafka.brokers, kafka.tls and kafka.sasl", err)
	}
	infos, err := client.DescribeTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("%w\n`consumer topics` creates the topics that are missing", err)
	}
	partitions := make(map[string]int, len(infos))
	for name, info := range infos {
		partitions[name] = info.Partitions
	}
	return partitions, nil
}
