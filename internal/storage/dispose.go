package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"reauth/internal/event"
)

// Action is what is done about a selfie after the verdict.
type Action string

// The actions.
const (
	// Keep does nothing.
	Keep Action = "keep"
	// Tag tags the object with the outcome, for a lifecycle rule of the bucket
	// to act on.
	Tag Action = "tag"
	// Delete deletes the object.
	Delete Action = "delete"
)

// AfterVerdict says what is done about selfies after the verdict. Its zero value
// keeps all of them.
type AfterVerdict struct {
	// Actions are by outcome; an outcome that is missing is Keep.
	Actions map[event.Outcome]Action
	// TagKey is the key of the tag that Tag sets; the value is the outcome.
	TagKey string
	// HoldTag is the key of a tag that keeps Tag and Delete, and Erase, from an
	// object, unless its value is false or off. Empty: no tag is looked for.
	HoldTag string
}

func (a AfterVerdict) validate() error {
	var faults []error
	for _, outcome := range slices.Sorted(maps.Keys(a.Actions)) {
		if action := a.Actions[outcome]; action != Keep && action != Tag && action != Delete {
			faults = append(faults, fmt.Errorf("after verdict %s: %q is no action", outcome, action))
		}
	}
	if a.does(Tag) {
		if err := checkTagKey(a.TagKey); err != nil {
			faults = append(faults, fmt.Errorf("tag key %w", err))
		}
		if a.TagKey == a.HoldTag {
			faults = append(faults, errors.New("tag key and hold tag are the same: whatever is tagged would be held"))
		}
	}
	return errors.Join(faults...)
}

// does tells whether any outcome leads to the action.
func (a AfterVerdict) does(action Action) bool {
	for _, each := range a.Actions {
		if each == action {
			return true
		}
	}
	return false
}

// readsTags tells whether Dispose ever looks at an object's tags.
func (a AfterVerdict) readsTags() bool {
	return a.does(Tag) || a.does(Delete) && a.HoldTag != ""
}

// Disposal says what was done about a selfie.
type Disposal struct {
	Action Action
	// Result is empty with Keep.
	Result Result
}

// Result says what came of an action.
type Result string

// The results.
const (
	// Done: the object is tagged, or no longer there.
	Done Result = "done"
	// Gone: there was no such object any more.
	Gone Result = "gone"
	// Held: a tag, or S3's Object Lock, forbids it; the object is as it was.
	Held Result = "held"
	// Hidden: the bucket keeps versions and Ref names none, so the object is
	// behind a delete marker. Its bytes are there until a lifecycle rule of the
	// bucket deletes versions that are not current.
	Hidden Result = "hidden"
	// Left: nobody knows which version was judged, and the bucket keeps versions;
	// all of them are as they were.
	Left Result = "left"
)

// results returns all that can come of an action.
func (a Action) results() []Result {
	switch a {
	case Tag:
		return []Result{Done, Gone, Held, Left}
	case Delete:
		return []Result{Done, Gone, Held, Hidden, Left}
	}
	return nil
}

// Dispose does about a selfie what Config.AfterVerdict says for the outcome. It
// may be called again for the same selfie: what is done is not done twice, and
// what is gone is not missed. A ref without a key names no selfie, and nothing is
// done.
//
// In a bucket that keeps versions, ref should have the Version of the selfie that
// was judged (Selfie.Version, Error.Version): exactly that one is tagged or
// deleted, whatever has been put at the key since. Without a version it is
// whatever is at the key now, so every selfie should have a key of its own.
// DisposeUnsure is for one that was judged and of which nobody knows the version.
//
// The tags that are there are kept. S3 has no way to add one, only to replace all
// of them, so a tag that somebody else puts in the few milliseconds between the
// reading and the writing is lost: a hold that may come at any time should be
// Object Lock's.
//
// Every error is an *Error. Kind Refused with ErrTagsFull: there is no room for
// one more tag. Requests to the store take Config.Timeout each, at most three.
func (s *Store) Dispose(ctx context.Context, ref Ref, outcome event.Outcome) (Disposal, error) {
	return s.dispose(ctx, ref, outcome, s.act)
}

// DisposeUnsure is Dispose for a selfie that was judged, or may have been, when nobody
// knows which version of it, and ref names none. In a bucket that keeps versions what
// is current may be a later one that nobody has judged, so nothing is done there: to
// leave what should go can be made good later. It takes one more request, a HEAD.
func (s *Store) DisposeUnsure(ctx context.Context, ref Ref, outcome event.Outcome) (Disposal, error) {
	return s.dispose(ctx, ref, outcome, s.actUnlessVersioned)
}

type act func(ctx context.Context, ref Ref, action Action, outcome event.Outcome) (Result, *Error)

func (s *Store) dispose(ctx context.Context, ref Ref, outcome event.Outcome, do act) (Disposal, error) {
	action := s.after.Actions[outcome]
	if action == "" || ref.Key == "" {
		action = Keep
	}
	if ref.Bucket == "" {
		ref.Bucket = s.buckets[0]
	}
	var result Result
	var fault *Error
	switch {
	case action == Keep:
		return Disposal{Action: Keep}, nil
	case !slices.Contains(s.buckets, ref.Bucket):
		fault = &Error{Kind: Refused, Reason: event.SelfieForbidden}
	default:
		result, fault = do(ctx, ref, action, outcome)
	}
	s.metrics.did(action, result, fault)
	if fault != nil {
		fault.Op, fault.Bucket = string(action), ref.Bucket
		return Disposal{Action: action}, fault
	}
	return Disposal{action, result}, nil
}

func (s *Store) act(ctx context.Context, ref Ref, action Action, outcome event.Outcome) (Result, *Error) {
	if action == Tag {
		return s.tag(ctx, ref, tag{s.after.TagKey, string(outcome)})
	}
	return s.remove(ctx, ref)
}

// actUnlessVersioned is act on what has no version.
func (s *Store) actUnlessVersioned(ctx context.Context, ref Ref, action Action, outcome event.Outcome) (Result, *Error) {
	got, fault := s.exchange(ctx, request{method: http.MethodHead, ref: ref})
	switch {
	case isGone(fault): // behind a delete marker
		return Gone, nil
	case fault != nil && fault.Status != http.StatusNotFound:
		return "", fault
	case fault == nil && got.header.Get("X-Amz-Version-Id") != "":
		return Left, nil
	}
	return s.act(ctx, ref, action, outcome)
}

// tag adds a tag to an object, unless it is held: a lifecycle rule for the tag
// would not know that.
func (s *Store) tag(ctx context.Context, ref Ref, added tag) (Result, *Error) {
	tags, fault := s.tags(ctx, ref)
	switch {
	case isGone(fault):
		return Gone, nil
	case fault != nil:
		return "", fault
	case onHold(tags, s.after.HoldTag):
		return Held, nil
	}
	tags, changed, fault := withTag(tags, added)
	if fault == nil && changed {
		fault = s.putTags(ctx, ref, tags)
	}
	switch {
	case isGone(fault):
		return Gone, nil
	case fault != nil:
		return "", fault
	}
	return Done, nil
}

// remove deletes an object, unless it is held.
func (s *Store) remove(ctx context.Context, ref Ref) (Result, *Error) {
	if s.after.HoldTag != "" {
		tags, fault := s.tags(ctx, ref)
		switch {
		case isGone(fault):
			return Gone, nil
		case fault != nil:
			return "", fault
		case onHold(tags, s.after.HoldTag):
			return Held, nil
		}
	}
	got, fault := s.exchange(ctx, request{method: http.MethodDelete, ref: ref})
	switch {
	case isGone(fault):
		return Gone, nil
	case fault != nil:
		return s.explainDenial(ctx, ref, fault)
	case ref.Version == "" && got.header.Get("X-Amz-Delete-Marker") == "true":
		return Hidden, nil
	}
	return Done, nil
}

// isGone tells whether a fault says that there is no such object.
func isGone(fault *Error) bool { return fault != nil && fault.Reason == event.SelfieNotFound }
