package s3sim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"reauth/internal/sandbox/fault"
)

// Config is what is fixed for a simulator's life.
type Config struct {
	Knobs Knobs
	// Buckets exist from the start and hold the scripted keys.
	Buckets []string
	// Versioned are those of Buckets that keep versions, and can lock them.
	Versioned []string
	// Prefix is what scripted keys begin with.
	Prefix string
	// Seed makes latencies and rates repeatable.
	Seed uint64
}

// Simulator is the store. All methods may be used by many goroutines at once.
type Simulator struct {
	store   http.Handler
	objects *backend
	tags    *tags
	// closed is closed by Close and ends every wait.
	closed    chan struct{}
	closeOnce sync.Once

	// mu guards all below.
	mu     sync.Mutex
	knobs  Knobs
	random *rand.Rand
	stats  Stats
}

// New returns a store, or what is wrong with its configuration.
func New(c Config) (*Simulator, error) {
	if err := c.Knobs.Validate(); err != nil {
		return nil, err
	}
	b := &backend{
		Backend:  s3mem.New(),
		buckets:  c.Buckets,
		prefix:   c.Prefix,
		pictures: newPictures(),
		versions: newVersions(c.Versioned),
		deleted:  map[[2]string]bool{},
	}
	for _, bucket := range c.Buckets {
		if err := gofakes3.ValidateBucketName(bucket); err != nil {
			return nil, fmt.Errorf("creating bucket %q: %w", bucket, err)
		}
		if err := b.CreateBucket(bucket); err != nil {
			return nil, fmt.Errorf("creating bucket %q: %w", bucket, err)
		}
	}
	store := gofakes3.New(b).Server()
	return &Simulator{
		store:   store,
		objects: b,
		tags:    newTags(store),
		closed:  make(chan struct{}),
		knobs:   c.Knobs,
		random:  rand.New(rand.NewPCG(c.Seed, c.Seed)),
	}, nil
}

// Close lets go of every request that waits: they end as broken connections. It
// does not wait for them; http.Server does.
func (s *Simulator) Close() { s.closeOnce.Do(func() { close(s.closed) }) }

// Knobs returns the current ones.
func (s *Simulator) Knobs() Knobs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knobs
}

// Adjust changes the knobs for requests that arrive from now on. When change
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
	return s.stats
}

// Reset forgets the counts. Objects and knobs stay.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = Stats{}
}

// refusal is an S3 error in place of the object.
type refusal struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId"`
	status    int
}

var (
	accessDenied     = refusal{Code: "AccessDenied", Message: "Access Denied", status: http.StatusForbidden}
	lockDenied       = refusal{Code: "AccessDenied", Message: "Access Denied because object protected by object lock.", status: http.StatusForbidden}
	noLocks          = refusal{Code: "InvalidRequest", Message: "Bucket is missing Object Lock Configuration", status: http.StatusBadRequest}
	noSuchBucket     = refusal{Code: "NoSuchBucket", Message: "The specified bucket does not exist", status: http.StatusNotFound}
	unknownAccessKey = refusal{Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records.", status: http.StatusForbidden}
	slowDown         = refusal{Code: "SlowDown", Message: "Please reduce your request rate.", status: http.StatusServiceUnavailable}
	internalError    = refusal{Code: "InternalError", Message: "We encountered an internal error. Please try again.", status: http.StatusInternalServerError}
)

// ServeHTTP answers one request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.stats.Requests++
	knobs := s.knobs
	latency := knobs.Latency.Sample(s.random)
	refused := knobs.authorize(r)
	switch {
	case knobs.Outage != fault.NoOutage:
		s.stats.Outage++
	case refused != nil:
		s.stats.Denied++
	case s.random.Float64() < knobs.SlowDownRate:
		s.stats.SlowDown++
		refused = &slowDown
	}
	s.mu.Unlock()

	if knobs.Outage != fault.NoOutage {
		knobs.Outage.Serve(w, r, s.closed, func() { internalError.write(w, r) })
		return
	}
	fault.Wait(latency, s.closed)
	switch {
	case refused != nil:
		refused.write(w, r)
	case r.URL.Query().Has("tagging"):
		s.tags.ServeHTTP(w, r)
	case r.Method == http.MethodGet && r.URL.Query().Has("versions"):
		s.objects.listVersions(w, r)
	case r.Method == http.MethodPut && (r.URL.Query().Has("legal-hold") || r.URL.Query().Has("retention")):
		s.objects.putLock(w, r)
	default:
		s.serveObject(w, r, knobs.Checksum)
	}
}

// serveObject serves an object, or a bucket, itself.
func (s *Simulator) serveObject(w http.ResponseWriter, r *http.Request, checksum Checksum) {
	version := r.URL.Query().Get("versionId")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.objects.lockOf(r).describe(w.Header())
		s.objects.describeChecksum(w.Header(), checksum, r)
	case http.MethodDelete:
		// Without a version nothing is lost: a marker is put in front of it.
		if version != "" && s.objects.lockOf(r).holds(time.Now()) {
			lockDenied.write(w, r)
			return
		}
		s.tags.forget(r.URL.Path, version)
	case http.MethodPut:
		s.tags.forget(r.URL.Path, "")
	}
	if r.Method == http.MethodHead && version != "" {
		// gofakes3's own HEAD looks at the current version only. The server
		// drops the body.
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
	}
	s.store.ServeHTTP(w, r)
}

// signature is what an AWS Signature Version 4 Authorization header looks like.
var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/, ]+)/\d{8}/[a-z0-9-]+/s3/aws4_request, ?` +
	`SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, ?Signature=[0-9a-f]{64}$`)

// authorize returns why a request may not pass, nil when it may.
func (k Knobs) authorize(r *http.Request) *refusal {
	if k.DenyAccess {
		return &accessDenied
	}
	header := r.Header.Get("Authorization")
	if header == "" && k.AllowAnonymous {
		return nil
	}
	found := signature.FindStringSubmatch(header)
	switch {
	case found == nil || r.Header.Get("X-Amz-Date") == "":
		return &accessDenied
	case found[1] != k.AccessKeyID:
		return &unknownAccessKey
	}
	return nil
}

func (f refusal) write(w http.ResponseWriter, r *http.Request) {
	f.RequestID = "sandbox"
	body, err := xml.Marshal(f)
	if err != nil {
		panic(err) // a bug: refusals are constants
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	if r.Method != http.MethodHead {
		w.Write(append([]byte(xml.Header), body...))
	}
}
