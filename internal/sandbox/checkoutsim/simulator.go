package checkoutsim

import (
	"errors"
	"net/http"
	"sync"

	"reauth/internal/sandbox/vendorsim"
	"reauth/internal/storage/storagetest"
)

// Config is what is fixed for a simulator's life.
type Config struct {
	Knobs Knobs
	// Seed makes latencies, rates and the persons' pace repeatable.
	Seed uint64
	// Webhooks sends the events; nil means a transport of its own.
	Webhooks http.RoundTripper
}

// Simulator is the service, with the persons who use it. All methods may be used
// by many goroutines at once.
type Simulator struct {
	*vendorsim.Base[Knobs]
	mux     *http.ServeMux
	errands *errands
	courier *courier
	// picture is every face_image, but for a mark: noise.
	picture []byte
	// fileKey signs the addresses of files.
	fileKey []byte

	// books guards the authentications and the ledger alone: the gateway, which
	// counts calls by when they come, waits for none of that work. It is taken
	// before mu.
	books           sync.Mutex
	authentications map[string]*authentication
	// attempts are by id, links by the token in the link.
	attempts, links map[string]*attempt
	ledger          ledger

	// mu guards all below.
	mu            sync.Mutex
	chance        *vendorsim.Chance
	tokens        vendorsim.Tokens
	reads, writes vendorsim.Meter
	stats         Stats
}

// pictureBytes is the size of a face_image.
const pictureBytes = 20_000

// New returns a simulator, or every fault of its knobs.
func New(c Config) (*Simulator, error) {
	base, err := vendorsim.NewBase(c.Knobs)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Base:            base,
		mux:             http.NewServeMux(),
		errands:         newErrands(),
		picture:         storagetest.JPEG(c.Seed, pictureBytes),
		fileKey:         random(32),
		chance:          vendorsim.NewChance(c.Seed),
		authentications: map[string]*authentication{},
		attempts:        map[string]*attempt{},
		links:           map[string]*attempt{},
		ledger:          newLedger(),
		stats:           newStats(0),
	}
	s.courier = newCourier(s.errands, c.Webhooks, s.count)
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST " + TokenPath:                                      s.token,
		"POST /face-authentications":                             s.api(CallCreate, createCall),
		"GET /face-authentications/{fav}":                        s.api(CallGet, getCall),
		"POST /face-authentications/{fav}/anonymize":             s.api(CallAnonymize, anonymizeCall),
		"POST /face-authentications/{fav}/attempts":              s.api(CallAttempt, attemptCall),
		"GET /face-authentications/{fav}/attempts":               s.api(CallList, listCall),
		"GET /face-authentications/{fav}/attempts/{fatp}":        s.api(CallShow, showCall),
		"GET /face-authentications/{fav}/attempts/{fatp}/assets": s.api(CallAssets, assetsCall),
		"GET /capture/{token}":                                   s.page,
		"POST /capture/{token}":                                  s.act,
		"GET /files/{fatp}/{name}":                               s.file,
		"/":                                                      s.nothingThere,
	} {
		s.mux.HandleFunc(pattern, handler)
	}
	return s, nil
}

// Close lets go of every call that waits, and ends persons and webhooks: what
// they were about to do does not happen. It waits for those, but not for the
// calls; http.Server does.
func (s *Simulator) Close() {
	s.Base.Close()
	s.errands.close()
	s.courier.close()
}

// Stats returns the counts so far.
func (s *Simulator) Stats() Stats {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	stats := s.stats.clone()
	stats.PeakReads, stats.PeakWrites = s.reads.Peak(), s.writes.Peak()
	s.mu.Unlock()
	stats.Duplicates = s.ledger.creations.Repeats()
	stats.Statuses = map[Status]int{}
	for _, a := range s.authentications {
		stats.Statuses[a.status]++
		if len(a.attempts) == 0 {
			stats.Unattempted++
		}
	}
	return stats
}

// Charged returns the captures of an applicant that were checked, oldest first;
// of all applicants when the id is empty.
func (s *Simulator) Charged(applicantID string) []Charge {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.charges.Where(func(c Charge) bool { return applicantID == "" || c.ApplicantID == applicantID })
}

// Duplicates returns the face authentications of every applicant and
// Cko-Idempotency-Key that more than one was made for, grouped.
func (s *Simulator) Duplicates() [][]Creation {
	s.books.Lock()
	defer s.books.Unlock()
	return s.ledger.creations.Repeated()
}

// ErrUnknown is returned for a face authentication that is not there.
var ErrUnknown = errors.New("no such face authentication")

// Audit turns the verdict on a face authentication round at once. One that has no
// verdict stays as it is.
func (s *Simulator) Audit(id string) error {
	s.books.Lock()
	defer s.books.Unlock()
	a := s.authentications[id]
	if a == nil {
		return ErrUnknown
	}
	if a.status == Approved || a.status == Declined {
		s.audit(a)
	}
	return nil
}

// Revoke takes back every token given out so far.
func (s *Simulator) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.Revoke()
}

// Reset forgets ledger, counts, meters and which mishaps have happened. Knobs,
// tokens and face authentications stay, and so do the calls in flight.
func (s *Simulator) Reset() {
	s.books.Lock()
	defer s.books.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chance.Forget()
	s.ledger, s.stats = newLedger(), newStats(s.stats.InFlight)
	s.reads, s.writes = vendorsim.Meter{}, vendorsim.Meter{}
}

func (s *Simulator) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}
