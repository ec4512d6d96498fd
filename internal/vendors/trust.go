package vendors

import "time"

// trust is whose word to stop is followed. A replica that cannot reach a vendor
// which all others reach would otherwise stop them again and again. If the first
// probe by somebody else finds the vendor well, whoever said that it is out is not
// believed for a while, until we have opened on evidence of our own.
type trust struct {
	// blamed is who opened our breaker, empty if that was ourselves; confirmed,
	// whether somebody else found the same.
	blamed    string
	confirmed bool
	doubted   map[string]time.Time // until when
}

// doubtPeriods is how many open periods a replica is not believed.
const doubtPeriods = 10

// follow says whether to stop as from says. A word that is not believed prolongs
// the doubt.
func (t *trust) follow(from string, state BreakerState, shut bool, now time.Time, open time.Duration) bool {
	if until, ok := t.doubted[from]; ok && !shut {
		if now.Before(until) {
			t.doubt(from, now, open)
			return false
		}
		delete(t.doubted, from)
	}
	switch {
	case state != BreakerOpen:
	case !shut:
		t.blamed, t.confirmed = from, false
	case from != t.blamed:
		t.confirmed = true
	}
	return true
}

// agree is called when our own calls opened the breaker.
func (t *trust) agree() { t.blamed, t.confirmed, t.doubted = "", false, nil }

// closed is called when from, empty for us, has found the vendor to be well.
func (t *trust) closed(from string, now time.Time, open time.Duration) {
	if t.blamed != "" && from != t.blamed && !t.confirmed {
		t.doubt(t.blamed, now, open)
	}
	t.blamed, t.confirmed = "", false
}

func (t *trust) doubt(from string, now time.Time, open time.Duration) {
	if t.doubted == nil {
		t.doubted = map[string]time.Time{}
	}
	t.doubted[from] = now.Add(doubtPeriods * open)
}
