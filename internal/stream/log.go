package stream

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/segmentio/kafka-go"
)

// maxDetail bounds what is taken over from a kafka-go log line, in bytes.
const maxDetail = 512

// bridge passes kafka-go's log lines on to slog. They hold topics, partitions,
// offsets, addresses and what members announce about their shards; v0.4.51
// prints no keys, values or headers.
func bridge(log *slog.Logger, level slog.Level, part string) kafka.Logger {
	return kafka.LoggerFunc(func(format string, args ...any) {
		ctx := context.Background()
		if !log.Enabled(ctx, level) {
			return
		}
		detail := fmt.Sprintf(format, args...)
		if len(detail) > maxDetail {
			detail = detail[:maxDetail]
		}
		log.Log(ctx, level, "kafka client", slog.String("part", part), slog.String("detail", detail))
	})
}
