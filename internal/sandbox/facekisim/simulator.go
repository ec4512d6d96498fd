package facekisim

import (
	"net/http"
	"sync"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
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
	*vendorsim.Base[Knobs]
	mux *http.ServeMux

	// books guards the ledger alone: the gateway, which counts calls by when they
	// come, waits for none of its work. It is taken before mu.
	books  sync.Mutex
	ledger ledger

	// mu guards all below.
	mu     sync.Mutex
	chance *vendorsim.Chance
	tokens vendorsim.Tokens
	meter  vendorsim.Meter
	stats  Stats
}

// New returns a simulator, or every fault of its knobs.
func New(c Config) (*Simulator, error) {
	base, err := vendorsim.NewBase(c.Knobs)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Base:   base,
		mux:    http.NewServeMux(),
		chance: vendorsim.NewChance(c.Seed),
		ledger: newLedger(),
		stats:  newStats(0),
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

// Stats returns the counts so far.
func (s *Simulator) Stats() Stats {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats.clone()
	stats.Duplicates, stats.PeakPerSecond = s.ledger.Repeats(), s.meter.Peak()
	return stats
}

// Charged returns the searches with the face of the person enrolled under
// reference, oldest first; all searches when it is empty.
func (s *Simulator) Charged(reference string) []Search {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Where(func(f Search) bool { return reference == "" || f.Reference == reference })
}

// Duplicates returns the searches with every picture that was charged more than
// once, grouped.
func (s *Simulator) Duplicates() [][]Search {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Repeated()
}

// Reset forgets ledger, counts and which mishaps have happened. Knobs and tokens
// stay, and so do the calls in flight.
func (s *Simulator) Reset() {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chance.Forget()
	s.ledger, s.stats, s.meter = newLedger(), newStats(s.stats.InFlight), vendorsim.Meter{}
}

// ServeHTTP takes one call.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if outage := s.Knobs().Outage; outage != fault.NoOutage {
		s.count(func(st *Stats) { st.Outage++ })
		outage.Serve(w, r, s.Closed(), func() { plain(w, http.StatusInternalServerError) })
		return
	}
	s.mux.ServeHTTP(w, r)
}

// rules is GET /kycrules/api/kycrules.
func (s *Simulator) rules(w http.ResponseWriter, r *http.Request) {
	s.count(func(st *Stats) { st.Rules++ })
	if s.authorized(w, r) {
		vendorsim.WriteJSON(w, http.StatusOK, map[string]any{"responseCode": 0, "data": map[string]any{
			"dataStorageTime": "FOREVER", "livenessCheckType": "OPTIONAL",
		}})
	}
}
