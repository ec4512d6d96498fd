package pipeline

import "time"

// newsKept bounds the references that are remembered: some minutes' worth at
// the highest rates in use.
const newsKept = 1 << 14

// news remembers of which references there was news lately, and when. It is for
// one goroutine.
type news struct {
	at   map[string]time.Time
	ring []string // in the order of coming, with room for newsKept
	next int
}

func newNews() news { return news{at: map[string]time.Time{}} }

// add notes that there was news at now.
func (n *news) add(reference string, now time.Time) {
	if _, known := n.at[reference]; !known {
		if len(n.ring) < newsKept {
			n.ring = append(n.ring, reference)
		} else {
			delete(n.at, n.ring[n.next])
			n.ring[n.next] = reference
			n.next = (n.next + 1) % newsKept
		}
	}
	n.at[reference] = now
}

// since tells whether there was news after t.
func (n *news) since(reference string, t time.Time) bool { return n.at[reference].After(t) }
