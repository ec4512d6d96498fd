package vendorsim

import (
	"math/rand/v2"
	"time"
)

// Chance decides what calls meet, the same for the same seed. It is not safe for
// concurrent use.
type Chance struct {
	random *rand.Rand
	// happened counts, by subject, the scripted mishaps so far.
	happened map[string]int
}

// NewChance returns one that has nothing behind it.
func NewChance(seed uint64) *Chance {
	return &Chance{random: rand.New(rand.NewPCG(seed, seed)), happened: map[string]int{}}
}

// Random is the source that Chance draws from.
func (c *Chance) Random() *rand.Rand { return c.random }

// Draw decides what the next call about subject meets, and how long it takes: the
// mishap of its script, unless that has happened as often as it says, or else,
// if byRate, one by the rates of h.
func (c *Chance) Draw(h Health, subject string, scripted Mishap, byRate bool) (Mishap, time.Duration) {
	latency := h.Latency.Sample(c.random)
	switch {
	case scripted.Kind != NoMishap && c.happened[subject] < scripted.Times:
		c.happened[subject]++
		return scripted, latency
	case byRate:
		return Mishap{Kind: h.mishap(c.random)}, latency
	}
	return Mishap{}, latency
}

// Forget forgets which mishaps have happened.
func (c *Chance) Forget() { clear(c.happened) }
