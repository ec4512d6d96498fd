package s3sim

import (
	"errors"
	"fmt"

	"reauth/internal/sandbox/fault"
)

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// AccessKeyID is the one that requests must be signed with. Signatures
	// are looked at, not computed: any secret will do.
	AccessKeyID string `json:"access_key_id"`
	// AllowAnonymous lets unsigned requests through.
	AllowAnonymous bool `json:"allow_anonymous"`
	// DenyAccess answers every request with AccessDenied.
	DenyAccess bool `json:"deny_access"`
	// Outage, when set, hits every request before anything else.
	Outage fault.Outage `json:"outage"`
	// Latency comes before every answer.
	Latency fault.Delay `json:"latency"`
	// Checksum is the SHA-256 that every object was uploaded with: ChecksumWhole,
	// ChecksumParts, or empty for none.
	Checksum Checksum `json:"checksum"`
	// SlowDownRate is the share, 0 to 1, of requests answered with SlowDown.
	SlowDownRate float64 `json:"slow_down_rate"`
}

// DefaultKnobs are those of a store in good health.
func DefaultKnobs() Knobs { return Knobs{AccessKeyID: "sandbox"} }

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := []error{k.Outage.Validate(), k.Checksum.validate()}
	if k.SlowDownRate < 0 || k.SlowDownRate > 1 {
		faults = append(faults, fmt.Errorf("slow_down_rate must be 0 to 1, is %v", k.SlowDownRate))
	}
	return errors.Join(faults...)
}

// Stats are counts of requests since the start or the last Reset.
type Stats struct {
	Requests int `json:"requests"`
	// Denied had no acceptable signature, or met DenyAccess.
	Denied   int `json:"denied"`
	SlowDown int `json:"slow_down"`
	Outage   int `json:"outage"`
}
