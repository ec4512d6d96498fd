package stream

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// alone writes one message in a batch of its own.
func (w *Writer) alone(ctx context.Context, message kafka.Message) error {
	partition, ok := message.WriterData.(int)
	if !ok || partition == ByKey {
		infos, err := w.client.sizes(ctx, []string{message.Topic})
		if err != nil {
			return err
		}
		partitions := make([]int, infos[message.Topic].Partitions)
		if len(partitions) == 0 {
			return kafka.UnknownTopicOrPartition
		}
		for i := range partitions {
			partitions[i] = i
		}
		partition = choosePartition(message, partitions...)
	}
	answer, err := w.client.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic:        message.Topic,
		Partition:    partition,
		RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{
			Time: message.Time, Key: bytesOf(message.Key), Value: bytesOf(message.Value), Headers: message.Headers,
		}),
	})
	if err == nil {
		err = answer.Error
	}
	if anyCode(err, kafka.MessageSizeTooLarge, kafka.RecordListTooLarge) {
		return fmt.Errorf("%w: %d bytes and headers: %w", ErrTooLarge, len(message.Key)+len(message.Value), err)
	}
	return err
}

// bytesOf keeps the difference between nothing and no bytes.
func bytesOf(b []byte) kafka.Bytes {
	if b == nil {
		return nil
	}
	return kafka.NewBytes(b)
}
