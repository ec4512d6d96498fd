package storage

import "log/slog"

// Ref names a selfie. Printed and logged, it shows its bucket only: keys may be
// personal.
type Ref struct {
	// Bucket is empty for the default one.
	Bucket string
	Key    string
	// Version is the S3 version id; empty means the latest.
	Version string
}

// String returns the bucket.
func (r Ref) String() string { return "selfie in bucket " + r.Bucket }

// GoString returns the same as String: %#v would show the key.
func (r Ref) GoString() string { return r.String() }

// LogValue returns the same as String.
func (r Ref) LogValue() slog.Value { return slog.StringValue(r.String()) }
