package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
)

// What callers branch on, with errors.Is.
var (
	// ErrClosed: the reader or writer was closed.
	ErrClosed = errors.New("closed")
	// ErrControl comes from Reader.Fetch with a record of which only the
	// position counts: a transaction marker, or what a transaction wrote that was
	// aborted. Move past it.
	ErrControl = errors.New("control record")
	// ErrOffsetOutOfRange: the position asked for lies past the end of the
	// partition. Trying again does not help.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrTooLarge: the record is larger than the topic allows. Trying again does
	// not help until the topic allows more.
	ErrTooLarge = errors.New("record too large")
	// ErrUnknownTopic: the topic does not exist, or this user may not see it.
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrUnfitTopics: topics break a rule that the service depends on.
	ErrUnfitTopics = errors.New("topics are set up wrongly")
	// ErrHopeless: the group cannot be joined, however often we try.
	ErrHopeless = errors.New("membership is hopeless")

	// ErrRebalance is the cause of a suspension between two generations.
	ErrRebalance = errors.New("group is rebalancing")
	// ErrFenced is the cause of a suspension by the coordinator's word that
	// our generation is over.
	ErrFenced = errors.New("generation is over")
	// ErrLeaving is the cause of the last suspension, before leaving the group.
	ErrLeaving = errors.New("leaving the group")
)

// GapError is data loss: records that were due have been deleted before they
// were read, because they had outlived the topic's retention. Reading goes on
// at To with the next Fetch.
type GapError struct {
	Topic     string
	Partition int
	// From is the first position missed, To the one after the last. Positions
	// that never held a record count too.
	From, To int64
}

// Error names the partition and the positions.
func (e *GapError) Error() string {
	return fmt.Sprintf("records lost: %s/%d was deleted from %d up to %d before it was read; the topic's retention is too short for the backlog",
		e.Topic, e.Partition, e.From, e.To)
}

// errorCode names an error as a metric label: the title that kafka-go gives a
// broker's error code, in snake case, or what happened to the connection.
func errorCode(err error) string {
	var code kafka.Error
	var timeout net.Error
	switch {
	case errors.As(err, &code):
		if title := code.Title(); title != "" {
			return strings.ReplaceAll(strings.ToLower(title), " ", "_")
		}
		return "code_" + strconv.Itoa(int(code))
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return "network"
	}
}

// anyCode tells whether err is one of the broker's error codes given.
func anyCode(err error, codes ...kafka.Error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	for _, c := range codes {
		if code == c {
			return true
		}
	}
	return false
}

// forbidden tells whether the broker will refuse this user every time.
func forbidden(err error) bool {
	return anyCode(err,
		kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.UnsupportedVersion)
}
