package storage

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
)

// Defaults, used for settings that are zero.
const (
	DefaultMaxBytes    = 5 << 20
	DefaultMaxMemory   = 64 << 20
	DefaultMaxPixels   = 50_000_000
	DefaultTimeout     = 10 * time.Second
	DefaultConcurrency = 256
)

// Config says where the selfies are and how much of them may be held.
type Config struct {
	// Endpoint is the base URL of an S3-compatible store; empty means
	// Amazon S3 in Region.
	Endpoint string
	// Region is used to find and to sign; empty means the one of the SDK's
	// usual chain (AWS_REGION, profile), and us-east-1 with an Endpoint.
	Region string
	// PathStyle puts the bucket into the path instead of the host name, as
	// most other stores want it.
	PathStyle bool
	// Bucket is read when a Ref names none. Required.
	Bucket string
	// AllowedBuckets are the further buckets that a Ref may name.
	AllowedBuckets []string
	// MaxBytes is the size of the largest selfie accepted.
	MaxBytes int64
	// MaxMemory bounds the bytes of all selfies in flight together, counted
	// in whole chunks of 64 KiB. At least MaxBytes.
	MaxMemory int64
	// MaxPixels is the largest width times height accepted.
	MaxPixels int
	// Timeout bounds one GET, from the request to the last byte; waiting for
	// memory does not count.
	Timeout time.Duration
	// Hedge has a second GET help one that takes longer than most: see hedge.go.
	Hedge bool
	// StoredDigest has a selfie's digest be the SHA-256 that the store keeps with
	// the object, where its uploader had it made; else it is computed.
	StoredDigest bool
	// AfterVerdict is what Dispose does.
	AfterVerdict AfterVerdict
	// Concurrency is how many idle connections are kept: with as many
	// fetches at once, none has to dial.
	Concurrency int
	// Credentials sign the requests; nil means the SDK's usual chain.
	Credentials aws.CredentialsProvider
	// Registerer takes the metrics; nil means that they are kept nowhere.
	Registerer prometheus.Registerer
}

// withDefaults returns c with its zero values filled in, or all that is wrong
// with it.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	if c.Bucket == "" {
		faults = append(faults, errors.New("bucket is empty"))
	}
	if slices.Contains(c.AllowedBuckets, "") {
		faults = append(faults, errors.New("an allowed bucket is empty"))
	}
	check := func(name string, negative bool) {
		if negative {
			faults = append(faults, fmt.Errorf("%s is negative", name))
		}
	}
	faults = append(faults, c.AfterVerdict.validate())
	check("max bytes", c.MaxBytes < 0)
	check("max memory", c.MaxMemory < 0)
	check("max pixels", c.MaxPixels < 0)
	check("timeout", c.Timeout < 0)
	check("concurrency", c.Concurrency < 0)

	c.MaxBytes = orDefault(c.MaxBytes, DefaultMaxBytes)
	c.MaxMemory = orDefault(c.MaxMemory, DefaultMaxMemory)
	c.MaxPixels = orDefault(c.MaxPixels, DefaultMaxPixels)
	c.Timeout = orDefault(c.Timeout, DefaultTimeout)
	c.Concurrency = orDefault(c.Concurrency, DefaultConcurrency)
	if limit := c.MaxMemory / chunkSize * chunkSize; limit >= 0 && limit < c.MaxBytes {
		faults = append(faults, fmt.Errorf("max memory of %d bytes (%d in whole chunks) cannot hold one selfie of %d bytes", c.MaxMemory, limit, c.MaxBytes))
	}
	return c, errors.Join(faults...)
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// buckets returns every bucket that may be read, each once, the default first.
func (c Config) buckets() []string {
	all := []string{c.Bucket}
	for _, bucket := range c.AllowedBuckets {
		if !slices.Contains(all, bucket) {
			all = append(all, bucket)
		}
	}
	return all
}
