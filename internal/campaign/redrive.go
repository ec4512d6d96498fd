package campaign

import (
	"slices"
	"time"

	"reauth/internal/event"
)

// Redrive is the way back of one dead letter to the topic that its original
// came from.
type Redrive struct {
	// Position is where the dead letter stands.
	Position event.Source
	// Origin is where its original was first read.
	Origin event.Source
	// Number is 1 the first time that a record is sent back.
	Number   int
	Stage    event.Stage
	Reason   event.Reason
	FailedAt time.Time
}

// Redrive returns the way back of d.
func (d DeadLetter) Redrive() Redrive {
	return Redrive{
		Position: d.Position, Origin: d.Origin, Number: d.Redrives + 1,
		Stage: d.Stage, Reason: d.Reason, FailedAt: d.FailedAt,
	}
}

// Hindrance says why a dead letter is not sent back.
type Hindrance string

// The hindrances, in the order in which they are looked for.
const (
	// OtherOrigin: the original does not come from a topic of requests.
	OtherOrigin Hindrance = "other_origin"
	// NoRequest: the original was refused as no request, and would be again.
	NoRequest Hindrance = "no_request"
	// AtBound: the record has been sent back as often as it may be.
	AtBound Hindrance = "at_bound"
	// SentBack: it was sent back after this dead letter was written, or this
	// dead letter is a repeat of one that is sent back now.
	SentBack Hindrance = "sent_back"
	// TooOld: it failed before what its topic of requests still holds, so it
	// may have been sent back, answered and forgotten by all.
	TooOld Hindrance = "too_old"
)

// Hindrances returns all of them.
func Hindrances() []Hindrance {
	return []Hindrance{OtherOrigin, NoRequest, AtBound, SentBack, TooOld}
}

// RedriveRules say what may be sent back.
type RedriveRules struct {
	// Topics are those that records may be sent to.
	Topics []string
	// Max is how often the same record may be sent back, at least 1.
	Max int
	// IncludeInvalid lets records go back that were refused as no requests.
	IncludeInvalid bool
	// IncludeOld lets records go back of which nobody can know whether they
	// went before.
	IncludeOld bool
}

// RedriveGuard knows what was sent back, so that nothing is sent back twice
// after one dead letter. It keeps some 60 bytes for each record that it has
// seen. It is for one goroutine.
type RedriveGuard struct {
	rules RedriveRules
	sent  map[sentBack]struct{}
	kept  map[shard]time.Time // since when what was sent back is seen; absent: always
}

// shard is one partition of one topic.
type shard struct {
	topic     string
	partition int
}

// sentBack is the same for two records only if one is a repeat of the other.
type sentBack struct {
	origin event.Source
	number int
}

// NewRedriveGuard returns a guard that has seen nothing.
func NewRedriveGuard(rules RedriveRules) *RedriveGuard {
	return &RedriveGuard{rules: rules, sent: make(map[sentBack]struct{}), kept: make(map[shard]time.Time)}
}

// KeptSince says that a partition of a topic of requests has lost what was
// written before the time.
func (g *RedriveGuard) KeptSince(topic string, partition int, at time.Time) {
	g.kept[shard{topic, partition}] = at
}

// Max returns how often the same record may be sent back.
func (g *RedriveGuard) Max() int { return g.rules.Max }

// See takes a record of a topic of requests.
func (g *RedriveGuard) See(rec event.Record) {
	if origin, ok := event.Redriven(rec); ok {
		g.sent[sentBack{origin, event.Redrives(rec)}] = struct{}{}
	}
}

// Plan divides dead letters into those that are to be sent back, in the order
// given, and the others, which it counts by their hindrance.
func (g *RedriveGuard) Plan(all []Redrive) (send []Redrive, hindered map[Hindrance]int) {
	hindered = make(map[Hindrance]int)
	planned := make(map[sentBack]struct{})
	for _, r := range all {
		id := sentBack{r.Origin, r.Number}
		h := g.hindrance(r)
		if _, repeat := planned[id]; repeat && h == "" {
			h = SentBack
		}
		if h != "" {
			hindered[h]++
			continue
		}
		planned[id] = struct{}{}
		send = append(send, r)
	}
	return send, hindered
}

func (g *RedriveGuard) hindrance(r Redrive) Hindrance {
	_, sent := g.sent[sentBack{r.Origin, r.Number}]
	switch {
	case !slices.Contains(g.rules.Topics, r.Origin.Topic):
		return OtherOrigin
	case isRefusal(r.Stage) && !g.rules.IncludeInvalid:
		return NoRequest
	case r.Number > g.rules.Max:
		return AtBound
	case sent:
		return SentBack
	case r.FailedAt.Before(g.kept[shard{r.Origin.Topic, r.Position.Partition}]) && !g.rules.IncludeOld:
		return TooOld
	}
	return ""
}

// isRefusal tells whether a record that failed at the stage was refused before
// it became a request.
func isRefusal(s event.Stage) bool {
	return s == event.StageDecode || s == event.StageValidate
}
