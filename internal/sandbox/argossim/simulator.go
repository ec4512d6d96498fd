package argossim

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
)

// Config is what is fixed for a simulator's life.
type Config struct {
	Knobs Knobs
	// PathPrefix stands before /faceauth; the vendor's is /v3.
	PathPrefix string
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
	meters map[string]*meter
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
		meters: map[string]*meter{},
		ledger: newLedger(),
		stats:  newStats(0),
	}
	s.mux.HandleFunc("POST "+c.PathPrefix+"/faceauth", s.authenticate)
	s.mux.HandleFunc("GET "+c.PathPrefix+"/faceauth", s.list)
	s.mux.HandleFunc("DELETE "+c.PathPrefix+"/faceauth", s.erase)
	s.mux.HandleFunc("GET "+c.PathPrefix+"/faceauth/image", s.image)
	return s, nil
}

// Stats returns the counts so far.
func (s *Simulator) Stats() Stats {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats.clone()
	stats.Duplicates = s.ledger.Repeats()
	for _, m := range s.meters {
		stats.PeakPerSecond = max(stats.PeakPerSecond, m.second.Peak())
	}
	return stats
}

// Charged returns the authentications of a submission, oldest first; of all
// submissions when the id is empty.
func (s *Simulator) Charged(submissionID string) []Authentication {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Where(func(a Authentication) bool { return submissionID == "" || a.SubmissionID == submissionID })
}

// Duplicates returns the authentications of every request (submission, user id
// and custom fields alike) that was charged more than once, grouped.
func (s *Simulator) Duplicates() [][]Authentication {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.Repeated()
}

// Reset forgets ledger, counts, meters and which mishaps have happened. The
// knobs stay, and so do the calls in flight.
func (s *Simulator) Reset() {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chance.Forget()
	s.ledger, s.stats, s.meters = newLedger(), newStats(s.stats.InFlight), map[string]*meter{}
}

// ServeHTTP takes a call the way the vendor's gateway does: outage, address,
// path, key, limits, and only then the endpoint.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	key := r.Header.Get("x-api-key")

	knobs := s.Knobs()
	s.mu.Lock()
	now := time.Now()
	if r.Method == http.MethodPost && pattern != "" {
		s.stats.Calls++
		if s.stats.FirstCall.IsZero() {
			s.stats.FirstCall = now
		}
		s.stats.LastCall = now
	}
	over := withinLimits
	allowed := !knobs.DenyAddress && pattern != "" && slices.Contains(knobs.APIKeys, key)
	switch {
	case knobs.Outage != fault.NoOutage:
		s.stats.Outage++
	case !allowed:
		s.stats.Forbidden++
	default:
		if s.meters[key] == nil {
			s.meters[key] = &meter{}
		}
		if over = s.meters[key].admit(now, knobs.PerSecond, knobs.PerDay); over != withinLimits {
			s.stats.Refused++
		}
	}
	s.mu.Unlock()

	switch {
	case knobs.Outage != fault.NoOutage:
		knobs.Outage.Serve(w, r, s.Closed(), func() { plain(w, http.StatusInternalServerError) })
	case knobs.DenyAddress:
		gatewayError(w, http.StatusForbidden, "User is not authorized to access this resource with an explicit deny")
	case pattern == "":
		gatewayError(w, http.StatusForbidden, "Missing Authentication Token")
	case !allowed:
		gatewayError(w, http.StatusForbidden, "Forbidden")
	case over == beyondSecond:
		vendorsim.Throttle(w, knobs.RetryAfterSeconds, plain)
	case over == beyondDay:
		vendorsim.Throttle(w, knobs.RetryAfterSeconds, limitExceeded)
	default:
		handler.ServeHTTP(w, r)
	}
}

// limitExceeded is the gateway's answer beyond the day's allowance.
func limitExceeded(w http.ResponseWriter, status int) { gatewayError(w, status, "Limit Exceeded") }
