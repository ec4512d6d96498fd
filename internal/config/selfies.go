package config

import (
	"slices"
	"time"
)

// Selfies is where the selfies lie, and what one may cost.
type Selfies struct {
	// Endpoint is empty for AWS itself.
	Endpoint       string
	Region         string
	PathStyle      bool
	Bucket         string
	AllowedBuckets []string
	MaxBytes       Size
	MaxMemory      Size
	MaxPixels      int
	Timeout        time.Duration
}

// Buckets returns every bucket that a request may name, the default one first.
func (s *Selfies) Buckets() []string {
	buckets := []string{s.Bucket}
	for _, b := range s.AllowedBuckets {
		if !slices.Contains(buckets, b) {
			buckets = append(buckets, b)
		}
	}
	return buckets
}

func (s *Selfies) describe(g group) {
	one(g, &s.Endpoint, addresses, "endpoint", "",
		`Address of an S3-compatible store. Empty: AWS in the region.`, optional(webAddress))
	one(g, &s.Region, texts, "region", "us-east-1",
		`AWS region. Other stores take part of it into the signature, so it is never empty.`, word)
	one(g, &s.PathStyle, switches, "path_style", "false",
		`Put the bucket into the path rather than the host name. Most stores other than AWS need it.`)
	one(g, &s.Bucket, texts, "bucket", "selfies", `Bucket of the requests that name none.`, bucketName)
	many(g, &s.AllowedBuckets, texts, "allowed_buckets", "",
		`Buckets that a request may name, besides the default one. A request for another is refused: a message must not
		be able to read whatever this service can.`, items[string](0, 1000), bucketName)
	one(g, &s.MaxBytes, sizes, "max_bytes", "5MiB",
		`Largest selfie; a larger one is unusable, at no charge.`, between(KiB, 100*MiB))
	one(g, &s.MaxMemory, sizes, "max_memory", "64MiB",
		`Memory for all selfies that are held at a time. Work waits when it is full. At least max_bytes.`,
		between(KiB, TiB))
	one(g, &s.MaxPixels, counts, "max_pixels", "40000000",
		`Largest selfie in pixels, width by height; a larger one is unusable, at no charge.`, between(1, 1_000_000_000))
	one(g, &s.Timeout, durations, "timeout", "10s",
		`Longest fetch of one selfie, from the request to the last byte.`, between(10*time.Millisecond, 10*time.Minute))
}
