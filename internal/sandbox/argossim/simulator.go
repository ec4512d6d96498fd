package argossim

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"reauth/internal/sandbox/fault"
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
	mux *http.ServeMux
	// closed is closed by Close and ends every wait.
	closed    chan struct{}
	closeOnce sync.Once

	// mu guards all below.
	mu     sync.Mutex
	knobs  Knobs
	random *rand.Rand
	meters map[string]*meter
	ledger ledger
	stats  Stats
}

// New returns a simulator, or every fault of its knobs.
func New(c Config) (*Simulator, error) {
	if err := c.Knobs.Validate(); err != nil {
		return nil, err
	}
	s := &Simulator{
		mux:    http.NewServeMux(),
		closed: make(chan struct{}),
		knobs:  c.Knobs.clone(),
		random: rand.New(rand.NewPCG(c.Seed, c.Seed)),
		meters: map[string]*meter{},
		ledger: newLedger(),
		stats:  newStats(),
	}
	s.mux.HandleFunc("POST "+c.PathPrefix+"/faceauth", s.authenticate)
	s.mux.HandleFunc("GET "+c.PathPrefix+"/faceauth", s.list)
	s.mux.HandleFunc("DELETE "+c.PathPrefix+"/faceauth", s.erase)
	s.mux.HandleFunc("GET "+c.PathPrefix+"/faceauth/image", s.image)
	return s, nil
}

// Close lets go of every call that waits: they end as broken connections and
// charge nothing more. It does not wait for them; http.Server does.
func (s *Simulator) Close() { s.closeOnce.Do(func() { close(s.closed) }) }

// Knobs returns the current ones.
func (s *Simulator) Knobs() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs.clone()
}

// Adjust changes the knobs for calls that arrive from now on. When change
// leaves them invalid or returns an error, they stay as they were.
func (s *Simulator) Adjust(change func(*Knobs) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.knobs.clone()
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
	for _, m := range s.meters {
		stats.PeakPerSecond = max(stats.PeakPerSecond, m.peak)
	}
	return stats
}

// Charged returns the authentications of a submission, oldest first; of all
// submissions when the id is empty.
func (s *Simulator) Charged(submissionID string) []Authentication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.charged(submissionID)
}

// Duplicates returns the authentications of every request (submission, user id
// and custom fields alike) that was charged more than once, grouped.
func (s *Simulator) Duplicates() [][]Authentication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.doubled()
}

// Reset forgets ledger, counts, meters and which mishaps have happened. The
// knobs stay, and so do the calls in flight.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	inFlight := s.stats.InFlight
	s.ledger, s.stats, s.meters = newLedger(), newStats(), map[string]*meter{}
	s.stats.InFlight, s.stats.PeakInFlight = inFlight, inFlight
}

// ServeHTTP takes a call the way the vendor's gateway does: outage, address,
// path, key, limits, and only then the endpoint.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	key := r.Header.Get("x-api-key")

	s.mu.Lock()
	now, knobs := time.Now(), s.knobs
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
		knobs.Outage.Serve(w, r, s.closed, func() {
			gatewayError(w, http.StatusInternalServerError, "Internal server error")
		})
	case knobs.DenyAddress:
		gatewayError(w, http.StatusForbidden, "User is not authorized to access this resource with an explicit deny")
	case pattern == "":
		gatewayError(w, http.StatusForbidden, "Missing Authentication Token")
	case !allowed:
		gatewayError(w, http.StatusForbidden, "Forbidden")
	case over == beyondSecond:
		throttle(w, "Too Many Requests", knobs.RetryAfterSeconds)
	case over == beyondDay:
		throttle(w, "Limit Exceeded", knobs.RetryAfterSeconds)
	default:
		handler.ServeHTTP(w, r)
	}
}

// throttle writes the gateway's 429.
func throttle(w http.ResponseWriter, message string, retryAfterSeconds int) {
	if retryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	gatewayError(w, http.StatusTooManyRequests, message)
}
