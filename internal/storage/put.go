package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// payload is what an object is to consist of.
type payload struct {
	contentType string
	sum         [sha256.Size]byte
	size        int64
	bytes       io.ReaderAt
}

// put writes an object. Its bytes are not read any more once it returns.
func (a *Archive) put(ctx context.Context, key string, o payload) *Error {
	writing, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	wanted := request{method: http.MethodPut, ref: Ref{Bucket: a.bucket, Key: a.name(key)}}
	sent, err := a.signed(writing, wanted, o)
	if err != nil {
		return classify(ctx, writing, err)
	}
	body := newSentBody(o)
	sent.Body = body
	// The transport may go on reading after an early answer, or an error.
	defer func() { <-body.closed }()
	answer, err := a.client.transport.RoundTrip(sent)
	if err != nil {
		return classify(ctx, writing, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	refused, err := readRefusal(answer)
	if err != nil {
		return classify(ctx, writing, err)
	}
	return judgePut(wanted, refused)
}

// judgePut says what a refusal to write means.
func judgePut(wanted request, r refusal) *Error {
	fault := judge(wanted, r)
	switch {
	case strings.HasPrefix(r.code, "KMS."):
		fault.Kind = Fault // the key is disabled, or not there: every object meets it
	case fault.Kind == Unusable:
		fault.Kind, fault.Reason = Transient, "" // what is missing cannot be what is written
	}
	return fault
}

// signed returns the request for an object, but for its body. S3 refuses bytes
// that are not those of the digest, and keeps it with the object.
func (a *Archive) signed(ctx context.Context, wanted request, o payload) (*http.Request, error) {
	place := a.client.places[a.bucket]
	r := wanted.at(ctx, place)
	r.ContentLength = o.size
	digest := hex.EncodeToString(o.sum[:])
	r.Header.Set("Content-Type", o.contentType)
	r.Header.Set("X-Amz-Content-Sha256", digest)
	r.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(o.sum[:]))
	if a.encryption != "" {
		r.Header.Set("X-Amz-Server-Side-Encryption", string(a.encryption))
	}
	if a.kmsKey != "" {
		r.Header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", a.kmsKey)
	}
	credentials, err := a.client.credentials.Retrieve(ctx)
	if err != nil {
		return nil, &credentialsError{err}
	}
	if err := a.client.signer.SignHTTP(ctx, credentials, r, digest, place.service, place.region, time.Now()); err != nil {
		return nil, &credentialsError{err}
	}
	return r, nil
}

// errBodyClosed: the transport reads a body that it has closed.
var errBodyClosed = errors.New("body is closed")

// sentBody is the body of a request. Once it is closed, its bytes may be
// somebody else's: a read holds the lock.
type sentBody struct {
	mu     sync.Mutex // guards reader
	reader *io.SectionReader
	once   sync.Once
	closed chan struct{} // closed by Close
}

func newSentBody(o payload) *sentBody {
	return &sentBody{reader: io.NewSectionReader(o.bytes, 0, o.size), closed: make(chan struct{})}
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader == nil {
		return 0, errBodyClosed
	}
	return b.reader.Read(p)
}

// Close may come at any time, and more than once.
func (b *sentBody) Close() error {
	b.mu.Lock()
	b.reader = nil
	b.mu.Unlock()
	b.once.Do(func() { close(b.closed) })
	return nil
}

// name is the whole key of an object.
func (a *Archive) name(key string) string {
	if a.prefix == "" {
		return key
	}
	return a.prefix + "/" + key
}
