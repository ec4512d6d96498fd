package pipeline

import (
	"testing"
	"time"
)

// TestLeadRemembersSlowClaims: what it comes down by, the next slow claim makes it go up
// again, and the slots in between are lost.
func TestLeadRemembersSlowClaims(t *testing.T) {
	const perSecond = 400
	var l lead
	claims := func(seconds int) {
		for range seconds * perSecond {
			l.observe(2 * time.Millisecond)
		}
	}
	l.observe(12 * time.Millisecond)
	if claims(5); l.get() < 12*time.Millisecond {
		t.Errorf("a lead of %v five seconds after a claim that took 12 ms", l.get())
	}
	l.observe(400 * time.Millisecond)
	if claims(5); l.get() > calmLead {
		t.Errorf("a lead of %v five seconds after a claim that took 400 ms", l.get())
	}
}
