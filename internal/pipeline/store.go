package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// accessDenied is S3's code for a denied access. A role that may read but not
// list gets it for a selfie that is missing, too, so one of it says nothing
// about the store.
const accessDenied = "AccessDenied"

// failedInARow is how many fetches in a row must be denied, break off or be refused
// for now before the store, and not the selfies, is taken to be at fault: fewer than
// the attempts that a request has, or one that comes alone would be given up before.
const failedInARow = 5

// storeValve pauses the fetching of selfies while the store is at fault.
type storeValve struct {
	valve  vendors.Valve
	failed atomic.Int64 // in a row
}

func newStoreValve(log *slog.Logger, m *metrics) *storeValve {
	s := &storeValve{}
	s.valve.OnChange = func(fault error) {
		if fault == nil {
			m.storePaused.Set(0)
			log.Info("selfie store resumed")
			return
		}
		m.storePaused.Set(1)
		log.Error("selfie store paused: every fetch would fail; requests are kept", "error", fault)
	}
	return s
}

// enter waits until the store may be asked; its error is the context's cause.
func (s *storeValve) enter(ctx context.Context) (vendors.Pass, error) { return s.valve.Enter(ctx) }

// ended tells the valve how a fetch ended.
func (s *storeValve) ended(pass vendors.Pass, err error) {
	fault, _ := errors.AsType[*storage.Error](err)
	switch {
	case err == nil, fault != nil && fault.Kind == storage.Unusable:
		s.failed.Store(0)
		pass.Succeed()
	case fault != nil && fault.Kind == storage.Fault && fault.Code != accessDenied:
		pass.Fail(err)
	case fault != nil && mayBeStores(fault.Kind) && s.failed.Add(1) >= failedInARow:
		pass.Fail(err)
	default:
		pass.Release()
	}
}

// mayBeStores tells whether a fetch may have failed by the store and not by its selfie:
// then many in a row did.
func mayBeStores(k storage.Kind) bool {
	return k == storage.Fault || k == storage.Transient || k == storage.Throttled
}

// fault returns what the store is paused for, nil while it is not.
func (s *storeValve) fault() error { return s.valve.Fault() }
