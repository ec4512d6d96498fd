package rekognitionsim

import (
	"errors"
	"net/http"
	"sync"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
)

// Config is what is fixed for a simulator's life.
type Config struct {
	Knobs Knobs
	// Store is the S3 that pictures are read from, with addresses in path
	// style. Required.
	Store http.Handler
	// Seed makes latencies and rates repeatable.
	Seed uint64
}

// Simulator is the service. All methods may be used by many goroutines at
// once.
type Simulator struct {
	*vendorsim.Base[Knobs]
	store http.Handler

	// books guards the ledger alone: the gateway, which counts calls by when they
	// come, waits for none of its work. It is taken before mu.
	books  sync.Mutex
	ledger ledger

	// mu guards all below.
	mu     sync.Mutex
	chance *vendorsim.Chance
	meter  vendorsim.Meter
	stats  Stats
}

// New returns a simulator, or every fault of its knobs.
func New(c Config) (*Simulator, error) {
	base, err := vendorsim.NewBase(c.Knobs)
	if c.Store == nil {
		err = errors.Join(err, errors.New("a store is needed"))
	}
	if err != nil {
		return nil, err
	}
	return &Simulator{
		Base:   base,
		store:  c.Store,
		chance: vendorsim.NewChance(c.Seed),
		ledger: newLedger(),
		stats:  newStats(0),
	}, nil
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

// Charged returns the comparisons of selfies that show the person, oldest first;
// all comparisons when it is empty.
func (s *Simulator) Charged(person string) []Comparison {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Where(func(c Comparison) bool { return person == "" || c.Person == person })
}

// Duplicates returns the comparisons of every two pictures that were charged more
// than once, grouped.
func (s *Simulator) Duplicates() [][]Comparison {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Repeated()
}

// Reset forgets ledger, counts and which mishaps have happened. Knobs stay, and so
// do the calls in flight.
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
	s.compareFaces(w, r)
}

func (s *Simulator) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}
