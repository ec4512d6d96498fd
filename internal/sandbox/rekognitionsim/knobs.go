package rekognitionsim

import "reauth/internal/sandbox/vendorsim"

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// Region is the service's; a signature for another is wrong.
	Region string `json:"region"`
	// AccessKeyID and SecretAccessKey are what a call is signed with, and
	// SessionToken what comes with it; empty means that none does.
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
	// Expired: the session token is.
	Expired bool `json:"expired"`
	// DenyAccess: the caller may not compare faces.
	DenyAccess bool `json:"deny_access"`
	// HideReferences: the service cannot read any reference, as when the
	// buckets are in another region.
	HideReferences bool `json:"hide_references"`
	vendorsim.Health

	// PerSecond is the most comparisons in any second, however it is placed; 0
	// means no limit. The refused ones count too.
	PerSecond int `json:"per_second"`
	// MaxObjectBytes is the largest picture that is read from S3.
	MaxObjectBytes int `json:"max_object_bytes"`
}

// DefaultKnobs are those of a service in good health with no limit set, for the
// caller that the sandbox's S3 knows.
func DefaultKnobs() Knobs {
	return Knobs{
		Region:          "us-east-1",
		AccessKeyID:     "sandbox",
		SecretAccessKey: "sandbox-secret",
		MaxObjectBytes:  15 << 20, // Amazon Rekognition's guidelines and quotas
	}
}

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := vendorsim.Checks{k.Health.Validate()}
	faults.That(k.Region != "" && k.AccessKeyID != "" && k.SecretAccessKey != "", "region, access_key_id and secret_access_key must not be empty")
	faults.That(k.PerSecond >= 0, "per_second must not be negative")
	faults.That(k.MaxObjectBytes > 0, "max_object_bytes must be above 0")
	return faults.Err()
}

// Clone returns a copy.
func (k Knobs) Clone() Knobs { return k }
