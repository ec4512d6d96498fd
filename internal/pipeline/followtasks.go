package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/storage"
	"reauth/internal/vendors"
)

// followUp does what is due first of a follow-up, and writes what is then left. An
// order that pauses the vendor ends it, as if it had not begun.
func (p *Pipeline) followUp(s *shard, f followed) {
	if p.lease.wait(s.ctx) != nil {
		return
	}
	ctx, cancel := f.line.brake.during(s.ctx)
	defer cancel()
	task, _ := f.Next()
	err := p.doTask(ctx, s, f, task)
	switch {
	case s.ctx.Err() != nil && err != nil:
		return // the next owner does it
	case waits(ctx, err):
		p.shelve(s, f.FollowUp, heldFollowUp)
		return
	}
	p.metrics.follow.ended(f.Vendor, task, err)
	p.progress(s, f, func(left *ledger.FollowUp) { p.conclude(left, f.requestID, task, err) })
}

// doTask does one of the things. It may be done again at any point.
func (p *Pipeline) doTask(ctx context.Context, s *shard, f followed, task ledger.Task) error {
	switch task {
	case ledger.ArchiveTask:
		return p.archive(ctx, f)
	case ledger.AuditTask:
		return p.checkAudit(ctx, s, f)
	}
	if f.by.eraser == nil {
		return errNotOffered
	}
	return f.turn(ctx, func(ctx context.Context) error { return f.by.eraser.Erase(ctx, f.Reference) })
}

var (
	// errNotOffered: the vendor, or the settings, do not have it any more.
	errNotOffered = errors.New("it is not offered, or not set, any more")
	// errNoPicture: the vendor has no picture of a person whom it judged.
	errNoPicture = errors.New("the vendor has no picture")
	// errUnpublished: the first result is still to be published.
	errUnpublished = errors.New("the first result is not published yet")
	// errBucket: others find out whether the bucket is well again.
	errBucket = errors.New("the archive's bucket is at fault")
)

// archive copies the pictures of an authentication into the archive.
func (p *Pipeline) archive(ctx context.Context, f followed) error {
	keep := p.parts.Archives[f.Vendor]
	if keep == nil || f.by.lister == nil {
		return errNotOffered
	}
	pass, ok := f.by.enterBucket(ctx)
	if !ok {
		return errBucket
	}
	err := p.archiveAll(ctx, keep, f)
	var fault *storage.Error
	switch {
	case err == nil:
		pass.Succeed()
	case errors.As(err, &fault) && fault.Kind == storage.Fault:
		pass.Fail(err)
	default:
		pass.Release()
	}
	return err
}

func (p *Pipeline) archiveAll(ctx context.Context, keep Archive, f followed) error {
	pictures, err := f.by.lister.Pictures(ctx, f.Reference, f.turn)
	if err != nil {
		return fmt.Errorf("listing pictures: %w", err)
	}
	if len(pictures) == 0 {
		return errNoPicture
	}
	for _, picture := range pictures {
		if err := keep(ctx, archiveKey(f.requestID, picture), picture.Open); err != nil {
			return fmt.Errorf("archiving a picture: %w", err)
		}
		p.metrics.follow.archived.WithLabelValues(string(f.Vendor)).Inc()
	}
	return nil
}

// archiveKey is where a picture of a request is kept: always in the same place, so
// that a repeat replaces it.
func archiveKey(requestID string, picture vendors.Picture) string {
	return ArchiveFolder(requestID) + picture.Attempt + "/" + picture.Name
}

// ArchiveFolder returns what the keys of all pictures of a request begin with in the
// archive, and those of no other request: it ends with a slash. A request id that is
// a step in a path to whoever reads keys as paths has a mark in front that no request
// id holds.
func ArchiveFolder(requestID string) string {
	if strings.Trim(requestID, ".") == "" {
		requestID = "~" + requestID
	}
	return requestID + "/"
}

// checkAudit asks for the verdict again, and publishes the revision if it is
// another one.
func (p *Pipeline) checkAudit(ctx context.Context, s *shard, f followed) error {
	if f.line.reviewer == nil {
		return errNotOffered
	}
	s.mu.Lock()
	early := s.ledger.Unpublished(f.requestID)
	s.mu.Unlock()
	if early {
		return errUnpublished
	}
	var verdict vendors.Verdict
	err := f.turn(ctx, func(ctx context.Context) (err error) {
		verdict, err = f.line.reviewer.Review(ctx, f.Reference)
		return err
	})
	if err != nil || verdict.Pending != nil {
		return err
	}
	// The ledger forgets what it knows of a verdict after the window, a follow-up
	// does not.
	return p.amend(s, verdict, ledger.Standing{Answered: f.Answered, Revision: f.Revision, Outcome: f.Outcome})
}

// waits tells whether a try ended with no word about the follow-up: an order, the
// lane, the bucket or Kafka held it up.
func waits(ctx context.Context, err error) bool {
	var vendor *vendors.Error
	var store *storage.Error
	switch {
	case err == nil, errors.Is(err, errNotOffered), errors.Is(err, errNoPicture):
		return false
	case ctx.Err() != nil:
		return true
	case errors.As(err, &store):
		return store.Kind == storage.Fault || store.Kind == storage.Throttled || store.Kind == storage.Interrupted
	case errors.As(err, &vendor):
		return vendor.Kind == vendors.Throttled || vendor.Kind == vendors.LaneFault
	}
	return true
}

// isHopeless tells whether no further try can succeed. What the vendor refuses to
// anonymise it may only not have closed yet.
func isHopeless(task ledger.Task, err error) bool {
	var vendor *vendors.Error
	return task != ledger.AnonymiseTask && errors.As(err, &vendor) && vendor.Kind == vendors.Refused
}

// conclude takes the end of a try into what is left.
func (p *Pipeline) conclude(left *ledger.FollowUp, requestID string, task ledger.Task, err error) {
	now := time.Now()
	log := p.log.With("request_id", requestID, "vendor", left.Vendor, "task", string(task))
	if err == nil || errors.Is(err, errNotOffered) {
		log.Debug("followed up", "error", err)
		left.Done(task)
		return
	}
	if tries := left.Failed(task); tries < followUpTries && !isHopeless(task, err) {
		wait := followUpBackoff(tries)
		log.Warn("following up; trying again later", "error", err, "try", tries, "after_ms", wait.Milliseconds())
		left.Postpone(task, now.Add(wait))
		return
	}
	p.metrics.follow.gaveUp(left.Vendor, task)
	switch {
	case task != ledger.ArchiveTask || left.Anonymise.IsZero():
		log.Error("follow-up given up", "error", err)
		left.Done(task)
	case left.Anonymise.After(now):
		log.Error("pictures not archived; trying again before they are anonymised", "error", err, "anonymise_at", left.Anonymise)
		left.Postpone(task, left.Anonymise)
		left.Tries = 0
	default:
		// Once anonymised they would be gone for good: that is for a person to say.
		p.metrics.follow.gaveUp(left.Vendor, ledger.AnonymiseTask)
		log.Error("pictures not archived, and so not anonymised", "error", err)
		left.Done(ledger.ArchiveTask)
		left.Done(ledger.AnonymiseTask)
	}
}

// followUpBackoff returns the wait after the nth try: doubling, and half of it at
// random, since many may have failed together.
func followUpBackoff(n int) time.Duration {
	most := min(followUpMaxWait, followUpWait<<min(max(n-1, 0), 16))
	return most/2 + rand.N(most/2) + 1
}

// progress writes what is left of a follow-up after a change, and lets it be taken
// again.
func (p *Pipeline) progress(s *shard, f followed, change func(*ledger.FollowUp)) {
	s.mu.Lock()
	left, ok := s.ledger.FollowUp(f.Reference)
	s.mu.Unlock()
	if !ok {
		return
	}
	change(&left)
	left.Number++
	r := left.Record()
	for {
		at := stamp()
		rec := p.followUpRecord(s, f.requestID, r, at)
		err := p.write(p.whileOurs(s), rec)
		if err == nil {
			s.mu.Lock()
			s.ledger.Note(f.requestID, r, rec.Value, at)
			s.mu.Unlock()
			s.hurryFollowUps()
			return
		}
		// Between two generations the shard is nobody else's yet.
		if !errors.Is(err, errLeaseEnded) || s.ctx.Err() != nil || p.lease.wait(s.ctx) != nil {
			return
		}
	}
}

// enterBucket waits for the archive's bucket, if nobody else does while it is at
// fault: others have something else to do than wait for it.
func (f *following) enterBucket(ctx context.Context) (pass vendors.Pass, ok bool) {
	if f.bucket.Fault() != nil {
		select {
		case f.probes <- struct{}{}:
			defer func() { <-f.probes }()
		default:
			return vendors.Pass{}, false
		}
	}
	pass, err := f.bucket.Enter(ctx)
	return pass, err == nil
}

func (p *Pipeline) bucketChanged(vendor event.Vendor, fault error) {
	if fault == nil {
		p.metrics.follow.paused.WithLabelValues(string(vendor)).Set(0)
		p.log.Info("archiving resumed", "vendor", vendor)
		return
	}
	p.metrics.follow.paused.WithLabelValues(string(vendor)).Set(1)
	p.log.Error("archiving paused: every picture would meet this; they wait", "vendor", vendor, "error", fault)
}

// ArchiveFault returns what the archiving of a vendor's pictures is paused for, nil
// while it is not.
func (p *Pipeline) ArchiveFault(vendor event.Vendor) error {
	if f := p.following[vendor]; f != nil {
		return f.bucket.Fault()
	}
	return nil
}
