package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reauth/internal/event"
)

// Encryption is how S3 encrypts what is put, by its own names.
type Encryption string

// The encryptions. Empty leaves it to the bucket's default.
const (
	EncryptAES256 Encryption = "AES256"
	EncryptKMS    Encryption = "aws:kms"
)

// ArchiveConfig says where an archive is. What it has in common with Config means
// the same there.
type ArchiveConfig struct {
	Endpoint  string
	Region    string
	PathStyle bool
	// Bucket is where the archive is. Required.
	Bucket string
	// Prefix is what all keys begin with, without a slash at its end; empty for
	// none.
	Prefix string
	// Encryption is asked for with each object; KMSKey is the key's id or ARN with
	// EncryptKMS, empty for the account's own.
	Encryption Encryption
	KMSKey     string
	// MaxBytes is the size of the largest object; it is at most the memory of the
	// store. 0 means DefaultMaxBytes.
	MaxBytes int64
	// Timeout bounds the reading of a source, and the writing of an object; 0
	// means DefaultTimeout.
	Timeout     time.Duration
	Credentials aws.CredentialsProvider
}

// archiveConnections are as many as pictures are written at once.
const archiveConnections = 16

// Archive keeps pictures in a bucket of S3. Its methods may be used by many
// goroutines at once. The credentials need s3:PutObject, and with EncryptKMS and a
// key kms:GenerateDataKey.
type Archive struct {
	client     *client
	memory     *memory
	bucket     string
	prefix     string
	encryption Encryption
	kmsKey     string
	maxBytes   int64
	timeout    time.Duration
	// under holds a token for each picture that is held: so few that they leave
	// most of the memory to selfies, however slow they come.
	under chan struct{}
}

// archiveShare is the part of the store's memory that pictures on their way to an
// archive may hold, unless one alone takes more.
const archiveShare = 4

// OpenArchive returns an archive whose pictures on their way share the store's
// memory, or what is wrong with the configuration. It asks for nothing (Check
// does). Close it after its last use, before the store.
func OpenArchive(ctx context.Context, store *Store, c ArchiveConfig) (*Archive, error) {
	c.MaxBytes, c.Timeout = orDefault(c.MaxBytes, DefaultMaxBytes), orDefault(c.Timeout, DefaultTimeout)
	var fault error
	switch {
	case c.Bucket == "":
		fault = errors.New("bucket is empty")
	case c.KMSKey != "" && c.Encryption != EncryptKMS:
		fault = errors.New("a KMS key goes with encryption by KMS only")
	case c.MaxBytes > store.memory.limit:
		fault = fmt.Errorf("max bytes of %d are more than the memory of %d", c.MaxBytes, store.memory.limit)
	}
	if fault != nil {
		return nil, fmt.Errorf("opening archive: %w", fault)
	}
	client, err := newClient(ctx, Config{
		Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, Bucket: c.Bucket,
		Concurrency: archiveConnections, Credentials: c.Credentials,
	})
	if err != nil {
		return nil, fmt.Errorf("opening archive: %w", err)
	}
	atOnce := min(archiveConnections, max(1, store.memory.limit/archiveShare/wholeChunks(c.MaxBytes)))
	return &Archive{
		under:  make(chan struct{}, atOnce),
		client: client, memory: store.memory, bucket: c.Bucket, prefix: c.Prefix,
		encryption: c.Encryption, kmsKey: c.KMSKey, maxBytes: c.MaxBytes, timeout: c.Timeout,
	}, nil
}

// Close closes the idle connections.
func (a *Archive) Close() { a.client.transport.CloseIdleConnections() }

// Source begins to read a picture: size is its length, -1 if that is not known.
type Source func(ctx context.Context) (body io.ReadCloser, size int64, err error)

// Keep writes the picture that comes from a source to the archive, under the
// prefix, a slash and the key, which it gives the ending of its type: .jpg, .png,
// .webp, .gif or .bmp. An object of that name is replaced.
//
// The picture is held in the store's memory until it is written: a broken
// connection is found before an object is replaced, and S3 checks the digest. Keep
// waits for that memory as long as ctx allows.
//
// An error of source is returned as it is. Every other is an *Error: Unusable if
// what came is no whole picture, or too large; ErrSource is in its chain if it
// broke off. A Fault is the archive's.
func (a *Archive) Keep(ctx context.Context, key string, source Source) error {
	content, err := a.hold(ctx)
	if err != nil {
		return a.failed(&Error{Kind: Interrupted, Err: fmt.Errorf("waiting for selfie memory: %w", err)})
	}
	defer func() {
		content.release()
		<-a.under
	}()
	sum, err := a.read(ctx, content, source)
	if err != nil {
		return err
	}
	contentType, ending, fault := typeOf(content)
	if fault == nil {
		fault = a.put(ctx, key+ending, payload{contentType: contentType, sum: sum, size: content.size, bytes: content})
	}
	return a.failed(fault)
}

// hold waits for the memory of the largest picture.
func (a *Archive) hold(ctx context.Context) (*buffer, error) {
	select {
	case a.under <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	content, err := a.memory.reserve(ctx, a.maxBytes)
	if err != nil {
		<-a.under
	}
	return content, err
}

// failed completes an error.
func (a *Archive) failed(fault *Error) error {
	if fault == nil {
		return nil
	}
	fault.Op, fault.Bucket = "archive", a.bucket
	return fault
}

// ErrSource says that a picture broke off where it came from.
var ErrSource = errors.New("the picture broke off where it came from")

// read brings a picture into memory.
func (a *Archive) read(ctx context.Context, content *buffer, source Source) (sum [sha256.Size]byte, err error) {
	reading, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	body, size, err := source(reading)
	if err != nil {
		return sum, err
	}
	defer body.Close()
	limit := a.maxBytes
	if size >= 0 {
		limit = size
	}
	if limit > a.maxBytes {
		return sum, a.failed(unusable(event.SelfieTooLarge))
	}
	content.fit(limit) // to less than before, so it cannot fail
	sum, err = fillAndHash(content, body, limit)
	switch {
	case errors.Is(err, errLonger):
		return sum, a.failed(unusable(event.SelfieTooLarge))
	case ctx.Err() != nil:
		return sum, a.failed(&Error{Kind: Interrupted, Err: context.Cause(ctx)})
	case err != nil, content.size < size:
		return sum, a.failed(&Error{Kind: Transient, Err: ErrSource})
	}
	return sum, nil
}

// endings are the endings of keys, by type.
var endings = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "image/bmp": ".bmp",
}

// archivePixels is what no picture within the bounds of memory has: its pixels are
// never decoded here.
const archivePixels = 1 << 40

// sniffed is how much of a content tells its type (net/http.DetectContentType).
const sniffed = 512

// typeOf tells what kind of picture there is, from the content. JPEG and PNG must
// be whole.
func typeOf(content *buffer) (contentType, ending string, fault *Error) {
	start := make([]byte, min(sniffed, content.size))
	n, _ := content.ReadAt(start, 0)
	contentType = http.DetectContentType(start[:n])
	ending, known := endings[contentType]
	switch {
	case content.size == 0:
		return "", "", unusable(event.SelfieEmpty)
	case !known:
		return "", "", unusable(event.SelfieNotImage)
	case contentType == "image/jpeg", contentType == "image/png":
		_, fault = inspect(content, archivePixels)
	}
	return contentType, ending, fault
}
