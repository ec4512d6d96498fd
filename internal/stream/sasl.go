package stream

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The mechanisms of SASL.Mechanism, by the names that Kafka gives them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// SASL is how a client proves who it is.
type SASL struct {
	// Mechanism is Plain, ScramSHA256 or ScramSHA512; empty means none.
	Mechanism string
	// Username and Password are required with a mechanism.
	Username string
	Password Secret
}

func (s SASL) validate() error {
	var faults []error
	switch s.Mechanism {
	case "":
		return nil
	case Plain, ScramSHA256, ScramSHA512:
	default:
		faults = append(faults, fmt.Errorf("SASL mechanism %q is not one of %s, %s, %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512))
	}
	if s.Username == "" {
		faults = append(faults, errors.New("SASL needs a username"))
	}
	if s.Password == "" {
		faults = append(faults, errors.New("SASL needs a password"))
	}
	return errors.Join(faults...)
}

// mechanism returns nil without an error when there is to be none.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	var algorithm scram.Algorithm
	switch s.Mechanism {
	case "":
		return nil, nil
	case Plain:
		return plain.Mechanism{Username: s.Username, Password: s.Password.Reveal()}, nil
	case ScramSHA256:
		algorithm = scram.SHA256
	case ScramSHA512:
		algorithm = scram.SHA512
	}
	m, err := scram.Mechanism(algorithm, s.Username, s.Password.Reveal())
	if err != nil {
		// The library's error may quote what it could not prepare.
		return nil, errors.New("SASL username or password holds characters that SCRAM forbids")
	}
	return m, nil
}
