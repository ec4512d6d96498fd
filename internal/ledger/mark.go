package ledger

import (
	"maps"
	"time"
)

// The group's offsets can be lost, while the requests are kept: a coordinator forgets
// those of a group that has had no member for a week (Kafka's offsets.retention.minutes),
// and a group that is given another name has none. The requests that are read again then
// may be older than the window. So checkpoints say how far the topics are done.

// Mark says how far a topic's partition is done.
type Mark struct {
	// Next is the position after the last record that is done with all before it.
	Next int64 `json:"next"`
	// Last is the time of that record. Where it is another, so is the topic.
	Last time.Time `json:"last"`
}

// Marks returns how far the shard's topics are done by the last checkpoint that said
// so, and when that was; nil and zero if none in the window did. The map is not to be
// changed.
func (s *Shard) Marks() (marks map[string]Mark, at time.Time) { return s.marks, s.markedAt }

// Mark sets a checkpoint's marks: those given, and of other topics the last ones known.
func (s *Shard) Mark(r *Record, marks map[string]Mark) {
	if len(s.marks)+len(marks) == 0 {
		return
	}
	r.Marks = map[string]Mark{}
	maps.Copy(r.Marks, s.marks)
	maps.Copy(r.Marks, marks)
}

// marked takes in a checkpoint's marks.
func (s *Shard) marked(r Record, at time.Time) {
	if len(r.Marks) > 0 {
		s.marks, s.markedAt = r.Marks, at
	}
}
