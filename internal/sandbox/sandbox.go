package sandbox

import (
	"fmt"
	"io"
	"log"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/s3sim"
)

// argosPath stands before every path of Argos, as at the vendor.
const argosPath = "/v3"

// Sandbox is a running outside world. All methods may be used by many
// goroutines at once.
type Sandbox struct {
	// Kafka can be made to misbehave: see kfake's Fault and ControlKey.
	Kafka *kfake.Cluster
	Argos *argossim.Simulator
	// Faceki is nil unless Options.FacekiAddr is set.
	Faceki *facekisim.Simulator
	S3     *s3sim.Simulator

	options                  Options
	s3, argos, faceki, admin *server
	// stop holds what undoes Start, in the order of building.
	stop      []func()
	closeOnce sync.Once
}

// Start brings everything up. After an error nothing is left running.
func Start(o Options) (s *Sandbox, err error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	s = &Sandbox{options: o}
	defer func() {
		if err != nil {
			s.Close()
			s, err = nil, fmt.Errorf("starting the sandbox: %w", err)
		}
	}()
	if s.Kafka, err = startKafka(o); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.Kafka.Close)
	if s.Argos, err = argossim.New(argossim.Config{Knobs: o.Argos, PathPrefix: argosPath, Seed: o.Seed}); err != nil {
		return s, err
	}
	if s.S3, err = s3sim.New(s3sim.Config{Knobs: o.S3, Buckets: o.Buckets, Prefix: o.SelfiePrefix, Seed: o.Seed}); err != nil {
		return s, err
	}
	// Handlers that break their connection on purpose are no news.
	quiet := log.New(io.Discard, "", 0)
	if s.argos, err = serve(o.ArgosAddr, s.Argos, quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.argos.close, s.Argos.Close)
	if o.FacekiAddr != "" {
		if s.Faceki, err = facekisim.New(facekisim.Config{Knobs: o.Faceki, Seed: o.Seed}); err != nil {
			return s, err
		}
		if s.faceki, err = serve(o.FacekiAddr, s.Faceki, quiet); err != nil {
			return s, err
		}
		s.stop = append(s.stop, s.faceki.close, s.Faceki.Close)
	}
	if s.s3, err = serve(o.S3Addr, s.S3, quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.s3.close, s.S3.Close)
	if s.admin, err = serve(o.AdminAddr, adminHandler(s.Argos, s.S3, s.Faceki), quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.admin.close)
	return s, nil
}

// Close stops everything and waits for every HTTP call to end; calls that the
// simulators hold end as broken connections. Kafka's connections are closed and
// its goroutines on their way out. Closing again does nothing.
func (s *Sandbox) Close() {
	s.closeOnce.Do(func() {
		for i := len(s.stop) - 1; i >= 0; i-- {
			s.stop[i]()
		}
	})
}

// Brokers is Kafka's bootstrap list: host:port, separated by commas.
func (s *Sandbox) Brokers() string { return strings.Join(s.Kafka.ListenAddrs(), ",") }

// S3URL is the endpoint of the store, for path-style addresses.
func (s *Sandbox) S3URL() string { return s.s3.url() }

// ArgosURL is the vendor's base URL, /v3 included.
func (s *Sandbox) ArgosURL() string { return s.argos.url() + argosPath }

// FacekiURL is the vendor's base URL, "" when there is none.
func (s *Sandbox) FacekiURL() string {
	if s.faceki == nil {
		return ""
	}
	return s.faceki.url()
}

// AdminURL is where the admin API is.
func (s *Sandbox) AdminURL() string { return s.admin.url() }
