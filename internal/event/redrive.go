package event

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// HeaderRedrive marks a record that was sent back from the dead-letter topic:
// it lets a failed answer be superseded. Its value is how often the record has
// been sent back, in decimal.
const HeaderRedrive = "reauth-redrive"

// Redrives returns how often rec was sent back from the dead-letter topic, 0
// if never. A header that holds no such number stands for once.
func Redrives(rec Record) int {
	text, ok := rec.Header(HeaderRedrive)
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// Redriven returns the position at which rec, which Redrive made, was first
// read. ok is false for any other record.
func Redriven(rec Record) (origin Source, ok bool) {
	if Redrives(rec) == 0 {
		return Source{}, false
	}
	return originOf(rec.Headers)
}

// Redrive returns the original in dead, a dead letter, as it is to be sent
// back: to the topic that it came from and the shard of dead, with its origin
// and HeaderRedrive, which counts up, in its headers. The origin may have come
// from upstream, so it must be one of topics: nobody shall have a record of
// theirs written elsewhere by being dead-lettered. Time is zero, so that the
// record gets a new timestamp: with the old one the topic's retention could
// delete it at once.
func Redrive(dead Record, topics ...string) (Record, error) {
	_, origin, rec, err := ParseDeadLetter(dead)
	if err != nil {
		return Record{}, fmt.Errorf("sending a dead letter back: %w", err)
	}
	if !slices.Contains(topics, origin.Topic) {
		return Record{}, errors.New("sending a dead letter back: its origin is not a topic of requests")
	}
	headers := slices.Clone(rec.Headers)
	if _, ok := originOf(headers); !ok {
		headers = append(headers,
			Header{Key: dlqTopic, Value: []byte(origin.Topic)},
			Header{Key: dlqPartition, Value: []byte(strconv.Itoa(origin.Partition))},
			Header{Key: dlqOffset, Value: []byte(strconv.FormatInt(origin.Offset, 10))})
	}
	headers = slices.DeleteFunc(headers, func(h Header) bool { return h.Key == HeaderRedrive })
	rec.Headers = append(headers, Header{Key: HeaderRedrive, Value: []byte(strconv.Itoa(Redrives(rec) + 1))})
	rec.Partition = dead.Partition
	rec.Offset = 0
	rec.Time = time.Time{}
	return rec, nil
}
