package sandbox

import (
	"fmt"
	"io"
	"log"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/checkoutsim"
	"reauth/internal/sandbox/facekisim"
	"reauth/internal/sandbox/rekognitionsim"
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
	// Checkout is nil unless Options.CheckoutAddr is set.
	Checkout *checkoutsim.Simulator
	// Rekognition is nil unless Options.RekognitionAddr is set.
	Rekognition *rekognitionsim.Simulator
	S3          *s3sim.Simulator

	options                                         Options
	s3, argos, faceki, checkout, rekognition, admin *server
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
	if s.argos, err = serve(o.ArgosAddr, s.Argos, quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.argos.close, s.Argos.Close)
	if s.s3, err = serve(o.S3Addr, s.S3, quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.s3.close, s.S3.Close)
	for _, vendor := range []struct {
		address string
		start   func() error
	}{
		{o.FacekiAddr, s.startFaceki}, {o.CheckoutAddr, s.startCheckout}, {o.RekognitionAddr, s.startRekognition},
	} {
		if vendor.address == "" {
			continue
		}
		if err = vendor.start(); err != nil {
			return s, err
		}
	}
	if s.admin, err = serve(o.AdminAddr, s.adminHandler(), quiet); err != nil {
		return s, err
	}
	s.stop = append(s.stop, s.admin.close)
	return s, nil
}

// quiet is for servers whose handlers break connections on purpose: that is no
// news.
var quiet = log.New(io.Discard, "", 0)

func (s *Sandbox) startFaceki() (err error) {
	if s.Faceki, err = facekisim.New(facekisim.Config{Knobs: s.options.Faceki, Seed: s.options.Seed}); err != nil {
		return err
	}
	if s.faceki, err = serve(s.options.FacekiAddr, s.Faceki, quiet); err != nil {
		return err
	}
	s.stop = append(s.stop, s.faceki.close, s.Faceki.Close)
	return nil
}

func (s *Sandbox) startCheckout() (err error) {
	if s.Checkout, err = checkoutsim.New(checkoutsim.Config{Knobs: s.options.Checkout, Seed: s.options.Seed}); err != nil {
		return err
	}
	if s.checkout, err = serve(s.options.CheckoutAddr, s.Checkout, quiet); err != nil {
		return err
	}
	s.stop = append(s.stop, s.checkout.close, s.Checkout.Close)
	return nil
}

// startRekognition needs S3, where it reads references as the caller.
func (s *Sandbox) startRekognition() (err error) {
	knobs := s.options.Rekognition
	knobs.Region, knobs.AccessKeyID, knobs.SecretAccessKey = region, s.options.S3.AccessKeyID, secretAccessKey
	if s.Rekognition, err = rekognitionsim.New(rekognitionsim.Config{Knobs: knobs, Store: s.S3, Seed: s.options.Seed}); err != nil {
		return err
	}
	if s.rekognition, err = serve(s.options.RekognitionAddr, s.Rekognition, quiet); err != nil {
		return err
	}
	// A comparison may wait for its reference, so S3 lets go before the
	// comparisons are waited for.
	s.stop = append(s.stop, s.rekognition.close, s.Rekognition.Close, s.S3.Close)
	return nil
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

// CheckoutURL is the vendor's base URL, "" when there is none.
func (s *Sandbox) CheckoutURL() string {
	if s.checkout == nil {
		return ""
	}
	return s.checkout.url()
}

// CheckoutTokenURL is where the vendor gives out tokens, "" when there is none.
func (s *Sandbox) CheckoutTokenURL() string {
	if s.checkout == nil {
		return ""
	}
	return s.checkout.url() + checkoutsim.TokenPath
}

// RekognitionURL is the service's base URL, "" when there is none.
func (s *Sandbox) RekognitionURL() string {
	if s.rekognition == nil {
		return ""
	}
	return s.rekognition.url()
}

// AdminURL is where the admin API is.
func (s *Sandbox) AdminURL() string { return s.admin.url() }
