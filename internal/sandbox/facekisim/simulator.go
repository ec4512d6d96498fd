package facekisim

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"reauth/internal/sandbox/fault"
)

// Config is what is fixed for a simulator's life.
type Config struct {
	Knobs Knobs
	// Seed makes latencies and rates repeatable.
	Seed uint64
}

// Simulator is the service. All methods may be used by many goroutines at
// once.
type Simulator struct {
	mux *http.ServeMux
	// closed is closed by Close and ends every wait.
	closed    chan struct{}
	closeOnce sync.Once

	// mu guards all below.
	mu     sync.Mutex
	knobs  Knobs
	random *rand.Rand
	// grants are the tokens that were given out and not seen to be bad.
	grants map[string]*grant
	// arrivals are the times of the searches within the last second.
	arrivals []time.Time
	ledger   ledger
	stats    Stats
}

// New returns a simulator, or every fault of its knobs.
func New(c Config) (*Simulator, error) {
	if err := c.Knobs.Validate(); err != nil {
		return nil, err
	}
	s := &Simulator{
		mux:    http.NewServeMux(),
		closed: make(chan struct{}),
		knobs:  c.Knobs,
		random: rand.New(rand.NewPCG(c.Seed, c.Seed)),
		grants: map[string]*grant{},
		ledger: newLedger(),
		stats:  newStats(),
	}
	s.mux.HandleFunc("GET /auth/api/access-token", s.accessToken)
	s.mux.HandleFunc("POST /auth/api/generate-token", s.generateToken)
	s.mux.HandleFunc("GET /kycrules/api/kycrules", s.rules)
	s.mux.HandleFunc("POST /facelink/api/face-check", s.search(v2))
	s.mux.HandleFunc("POST /api/v3/kyc_verification/search-by-face", s.search(blaze))
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		plainError(w, http.StatusNotFound, "Not Found")
	})
	return s, nil
}

// Close lets go of every call that waits: they end as broken connections and
// charge nothing more. It does not wait for them; http.Server does.
func (s *Simulator) Close() { s.closeOnce.Do(func() { close(s.closed) }) }

// Knobs returns the current ones.
func (s *Simulator) Knobs() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs
}

// Adjust changes the knobs for calls that arrive from now on. When change
// leaves them invalid or returns an error, they stay as they were.
func (s *Simulator) Adjust(change func(*Knobs) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.knobs
	if err := errors.Join(change(&k), k.Validate()); err != nil {
		return err
	}
	s.knobs = k
	return nil
}

// Stats returns the counts so far.
func (s *Simulator) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats.clone()
	stats.Duplicates = s.ledger.duplicates
	return stats
}

// Charged returns the searches with the face of the person enrolled under
// reference, oldest first; all searches when it is empty.
func (s *Simulator) Charged(reference string) []Search {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.charged(reference)
}

// Duplicates returns the searches with every picture that was charged more than
// once, grouped.
func (s *Simulator) Duplicates() [][]Search {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.doubled()
}

// Reset forgets ledger, counts and which mishaps have happened. Knobs and tokens
// stay, and so do the calls in flight.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	inFlight := s.stats.InFlight
	s.ledger, s.stats, s.arrivals = newLedger(), newStats(), nil
	s.stats.InFlight, s.stats.PeakInFlight = inFlight, inFlight
}

// ServeHTTP takes one call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	outage := s.knobs.Outage
	if outage != fault.NoOutage {
		s.stats.Outage++
	}
	s.mu.Unlock()
	if outage != fault.NoOutage {
		outage.Serve(w, r, s.closed, func() { plainError(w, http.StatusInternalServerError, "Internal server error") })
		return
	}
	s.mux.ServeHTTP(w, r)
}

// rules is GET /kycrules/api/kycrules.
func (s *Simulator) rules(w http.ResponseWriter, r *http.Request) {
	s.count(func(st *Stats) { st.Rules++ })
	if s.authorized(w, r) {
		writeJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": map[string]any{
			"dataStorageTime": "FOREVER", "livenessCheckType": "OPTIONAL",
		}})
	}
}
