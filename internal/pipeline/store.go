package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// accessDenied is S3's code for a denied access. A role that may read but not
// list gets it for a selfie that is missing, too, so one of it says nothing
// about the store.
const accessDenied = "AccessDenied"

// failedInARow is how many fetches from a bucket in a row must be denied, break off or
// be refused for now before the bucket, and not the selfies, is taken to be at fault: no
// more than the attempts that a request has, or one that comes alone would be given up
// before.
const failedInARow = 5

// A request waits before its bucket, holding its place on the way to a permit, until
// the bucket has been paused for briefPause. After that it gives the place back, since
// others need no selfie, or one from elsewhere, and is looked at again when the pause
// has lasted a quarter longer, at most after bucketWait.
const (
	briefPause = 2 * time.Second
	bucketWait = 5 * time.Second
)

// errBucketPaused: nothing is fetched from the selfie's bucket for now.
var errBucketPaused = errors.New("the selfie's bucket is at fault")

// storeValve pauses the fetching of selfies from each bucket that is at fault.
type storeValve struct {
	buckets []*bucketValve
	named   map[string]*bucketValve // the first also by no name
}

// bucketValve is the part of a storeValve for one bucket.
type bucketValve struct {
	valve  vendors.Valve
	enough int64                     // failures in a row to be at fault
	failed atomic.Int64              // in a row
	paused atomic.Pointer[time.Time] // since when; nil while it is not
}

// newStoreValve returns one for the buckets, the first of which is that of the requests
// that name none. attempts are those of a request.
func newStoreValve(buckets []string, attempts int, log *slog.Logger) *storeValve {
	s := &storeValve{named: map[string]*bucketValve{}}
	for i, name := range buckets {
		b := &bucketValve{enough: int64(min(failedInARow, attempts))}
		b.valve.OnChange = func(fault error) {
			if fault == nil {
				b.paused.Store(nil)
				log.Info("selfie store resumed", "bucket", name)
				return
			}
			now := time.Now()
			b.paused.CompareAndSwap(nil, &now)
			log.Error("selfie store paused: every fetch would fail; requests are kept", "bucket", name, "error", fault)
		}
		s.buckets, s.named[name] = append(s.buckets, b), b
		if i == 0 {
			s.named[""] = b
		}
	}
	return s
}

// of returns the bucket of the name, which the rules for requests allow.
func (s *storeValve) of(name string) *bucketValve { return s.named[name] }

// fault returns what the first bucket that is paused is paused for, nil if none is.
func (s *storeValve) fault() error {
	for _, b := range s.buckets {
		if err := b.fault(); err != nil {
			return err
		}
	}
	return nil
}

// enter waits until the bucket may be asked. Its error is the context's cause, or
// errBucketPaused.
func (b *bucketValve) enter(ctx context.Context) (vendors.Pass, error) {
	if pass, ok := b.valve.TryEnter(); ok {
		return pass, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, briefPause-b.pausedFor(), errBucketPaused)
	defer cancel()
	return b.valve.Enter(ctx)
}

// wait is how long a request waits that has given its place back.
func (b *bucketValve) wait() time.Duration { return min(bucketWait, b.pausedFor()/4) }

// pausedFor is for how long the bucket has been paused, 0 while it is not.
func (b *bucketValve) pausedFor() time.Duration {
	if since := b.paused.Load(); since != nil {
		return time.Since(*since)
	}
	return 0
}

// fault returns what the bucket is paused for, nil while it is not.
func (b *bucketValve) fault() error { return b.valve.Fault() }

// ended tells the valve how a fetch ended.
func (b *bucketValve) ended(pass vendors.Pass, err error) {
	fault, _ := errors.AsType[*storage.Error](err)
	switch {
	case err == nil, fault != nil && fault.Kind == storage.Unusable:
		b.failed.Store(0)
		pass.Succeed()
	case fault != nil && fault.Kind == storage.Fault && fault.Code != accessDenied:
		pass.Fail(err)
	case fault != nil && mayBeStores(fault.Kind) && b.failed.Add(1) >= b.enough:
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
