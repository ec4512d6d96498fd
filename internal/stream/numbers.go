package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
)

// numbers gets a writer's producer id.
type numbers struct {
	client *Client

	asking sync.Mutex // held while asking
	known  bool       // guarded by asking, as the next
	got    int64
}

// unnumbered stands for no producer id, or no epoch, or no sequence. Batches
// without may be there twice.
const unnumbered = -1

// id returns the producer id. Who may not have one goes on without.
func (n *numbers) id(ctx context.Context) (int64, error) {
	n.asking.Lock()
	defer n.asking.Unlock()
	if n.known {
		return n.got, nil
	}
	answer, err := n.client.transport.RoundTrip(ctx, n.client.kafka.Addr, &initProducerID{})
	var got *initproducerid.Response
	if err == nil {
		got = answer.(*initproducerid.Response)
		err = codeError(got.ErrorCode, "")
	}
	switch {
	case err == nil:
		n.got = got.ProducerID
	case forbidden(err):
		n.client.log.Warn("no producer id: a record whose acknowledgement gets lost may be written twice; allow this user IdempotentWrite on the cluster",
			slog.String("reason", errorCode(err)), slog.Any("error", err))
		n.got = unnumbered
	default:
		return 0, fmt.Errorf("asking for a producer id: %w", err)
	}
	n.known = true
	return n.got, nil
}

// initProducerID is kafka-go's request of that name for a producer without
// transactions. kafka-go's own (v0.4.51) looks for a coordinator of transactions
// first, which such a producer may not be allowed to.
type initProducerID struct {
	_ struct{} `kafka:"min=v2,max=v4,tag"`

	TransactionalID      string `kafka:"min=v0,max=v4,nullable"`
	TransactionTimeoutMS int32  `kafka:"min=v0,max=v4"`
	ProducerID           int64  `kafka:"min=v3,max=v4"`
	ProducerEpoch        int16  `kafka:"min=v3,max=v4"`
}

// ApiKey is that of protocol.Message.
func (*initProducerID) ApiKey() protocol.ApiKey { return protocol.InitProducerId } //nolint:revive // kafka-go's name

// TypeKey is that of protocol.OverrideTypeMessage.
func (*initProducerID) TypeKey() protocol.OverrideTypeKey { return withoutTransactions }

// withoutTransactions tells our request from others of its kind.
const withoutTransactions protocol.OverrideTypeKey = 1000

func init() {
	protocol.RegisterOverride(&initProducerID{}, &initproducerid.Response{}, withoutTransactions)
}
