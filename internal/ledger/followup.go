package ledger

import (
	"math"
	"slices"
	"time"

	"reauth/internal/event"
)

// A follow-up is what remains to be done about a request that has its verdict:
// archive the vendor's pictures, ask whether an audit has changed the verdict,
// have the vendor anonymise its data. It is born with the answer's record, so that
// no crash comes between the two, and each further record of it says all that is
// left; the last one says that nothing is. It may live far longer than the window:
// whoever owns the shard writes it again before it leaves.

// MaxAudits bounds the audit checks of a request.
const MaxAudits = 4

// FollowUp is what remains to be done about a request that has its verdict, and
// when.
type FollowUp struct {
	// Number counts the records of a follow-up from 0, the answer's, so that a
	// late one of a former owner is known as such.
	Number int          `json:"number,omitempty"`
	Vendor event.Vendor `json:"vendor"`
	// Reference is the vendor's id of the authentication: it tells follow-ups
	// apart, since a request id may come again after the window.
	Reference string `json:"reference"`
	// Answered is when the request's answer was written; Revision is that of its
	// last result, and Outcome what that says.
	Answered time.Time     `json:"answered"`
	Revision int           `json:"revision"`
	Outcome  event.Outcome `json:"outcome"`

	// Archive is when the pictures are to be archived, zero if they are not, or
	// not any more. Audits are when to ask for the verdict again, soonest first.
	// Anonymise is when the vendor is to anonymise its data, which it never is
	// before the pictures are archived; zero like Archive.
	Archive   time.Time   `json:"archive,omitzero"`
	Audits    []time.Time `json:"audits,omitempty"`
	Anonymise time.Time   `json:"anonymise,omitzero"`
	// Tries is how often Archive or, once that is done, Anonymise was tried in
	// vain; AuditTries is the same of the first of Audits.
	Tries      int `json:"tries,omitempty"`
	AuditTries int `json:"audit_tries,omitempty"`
}

// Task is one of the things that a follow-up can be about. It is also the metric
// label.
type Task string

// The tasks.
const (
	ArchiveTask   Task = "archive"
	AuditTask     Task = "audit"
	AnonymiseTask Task = "anonymise"
)

// Tasks returns all of them.
func Tasks() []Task { return []Task{ArchiveTask, AuditTask, AnonymiseTask} }

// Next returns what is to be done next, and when; an empty task says that nothing
// is left.
func (f *FollowUp) Next() (task Task, due time.Time) {
	switch {
	case !f.Archive.IsZero():
		task, due = ArchiveTask, f.Archive
	case !f.Anonymise.IsZero():
		task, due = AnonymiseTask, f.Anonymise
	}
	if len(f.Audits) > 0 && (task == "" || f.Audits[0].Before(due)) {
		return AuditTask, f.Audits[0]
	}
	return task, due
}

// Done takes a task off, the first of the audits for AuditTask.
func (f *FollowUp) Done(task Task) {
	switch task {
	case ArchiveTask:
		f.Archive, f.Tries = time.Time{}, 0
	case AnonymiseTask:
		f.Anonymise, f.Tries = time.Time{}, 0
	case AuditTask:
		f.Audits, f.AuditTries = slices.Clone(f.Audits[1:]), 0
	}
}

// Failed counts a try in vain and returns how many there were of the task.
func (f *FollowUp) Failed(task Task) int {
	if task == AuditTask {
		f.AuditTries++
		return f.AuditTries
	}
	f.Tries++
	return f.Tries
}

// Postpone puts a task off. An audit that would come no sooner than the next one is
// left to that.
func (f *FollowUp) Postpone(task Task, until time.Time) {
	switch {
	case task == ArchiveTask:
		f.Archive = until
	case task == AnonymiseTask:
		f.Anonymise = until
	case len(f.Audits) > 1 && !until.Before(f.Audits[1]):
		f.Done(AuditTask)
	default:
		f.Audits = slices.Clone(f.Audits)
		f.Audits[0] = until
	}
}

// Record returns the follow-up as a record of the ledger; its key is the request
// id.
func (f FollowUp) Record() Record { return Record{Step: Followed, FollowUp: &f} }

// sane tells whether the follow-up can be kept in memory as it is.
func (f *FollowUp) sane() bool {
	return f.Number >= 0 && f.Number <= math.MaxUint16 && slices.Contains(event.Vendors(), f.Vendor) && slices.Contains(event.Outcomes(), f.Outcome) &&
		f.Reference != "" && f.Revision >= 0 && !f.Answered.IsZero() && len(f.Audits) <= MaxAudits && f.Tries >= 0 && f.AuditTries >= 0
}
