package storage

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // see describe
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// emptySHA256 is the digest of no bytes: the payload of all but a PUT.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// client asks S3 once per call, as the pipeline repeats with its own budget. It
// is made of the SDK's parts: its settings and credential chain, its endpoint
// rules and its signer. What it leaves out is the SDK's pipeline of some 25
// middlewares, which is built anew for every call: with it a fetch of 10 KB took
// 132 µs of CPU and 471 allocations, of 100 KB 203 µs (aws-sdk-go-v2 s3 v1.114.8,
// SHA-256 and gate included; BenchmarkFetch has today's figures).
//
// With the middlewares goes the correction of a wrong clock: S3 then answers
// RequestTimeTooSkewed, which is a Fault.
type client struct {
	transport   *direct
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	places      map[string]place
}

// newClient returns a client for the buckets of c.
func newClient(ctx context.Context, c Config) (*client, error) {
	options, err := sdkOptions(ctx, c)
	if err != nil {
		return nil, err
	}
	places := make(map[string]place)
	for _, bucket := range c.buckets() {
		if places[bucket], err = locate(ctx, options, bucket); err != nil {
			return nil, err
		}
	}
	return &client{
		transport:   &direct{Transport: newTransport(c.Concurrency)},
		credentials: options.Credentials,
		signer: v4.NewSigner(func(o *v4.SignerOptions) {
			// S3 signs a path as it is sent; other services escape it twice.
			o.DisableURIPathEscaping = true
		}),
		places: places,
	}, nil
}

// sdkOptions returns the SDK's view of c: what c leaves open comes from
// environment and profile.
func sdkOptions(ctx context.Context, c Config) (s3.Options, error) {
	loaded, err := loadSDK(ctx, c.Region, c.Credentials)
	if err != nil {
		return s3.Options{}, err
	}
	options := s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
	}).Options()
	if options.Region == "" {
		if options.BaseEndpoint == nil {
			return s3.Options{}, errors.New("loading AWS settings: no region")
		}
		options.Region = "us-east-1"
	}
	return options, nil
}

// request is one that is made of the store.
type request struct {
	method string
	// ref is what it is about; without a key the bucket itself.
	ref Ref
	// query names a part of it, such as tagging. The version of ref goes along.
	query url.Values
	// checksum asks for the object's stored checksum along with it.
	checksum bool
	// body is XML, empty for none.
	body []byte
}

// send makes a signed request. The caller closes the answer's body. The error is
// of the credentials or the transport, and free of the URL: a plain round trip
// does not wrap it as http.Client would. Nor does it follow redirects, which a
// signature does not survive.
func (c *client) send(ctx context.Context, r request) (*http.Response, error) {
	place := c.places[r.ref.Bucket]
	sent := r.at(ctx, place)
	if r.checksum {
		sent.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
	}
	digest := emptySHA256
	if len(r.body) > 0 {
		digest = r.describe(sent)
	}
	sent.Header.Set("X-Amz-Content-Sha256", digest)
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return nil, &credentialsError{err}
	}
	if err := c.signer.SignHTTP(ctx, credentials, sent, digest, place.service, place.region, time.Now()); err != nil {
		return nil, &credentialsError{err}
	}
	return c.transport.RoundTrip(sent)
}

// at returns the request to a place, but for its body. http.NewRequest would parse
// the place's URL each time.
func (r request) at(ctx context.Context, p place) *http.Request {
	u := p.base
	r.address(&u)
	return (&http.Request{
		Method: r.method,
		URL:    &u,
		Host:   u.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"reauth"}},
	}).WithContext(ctx)
}

// address adds what r is about to the URL of its bucket.
func (r request) address(u *url.URL) {
	if r.ref.Key != "" {
		escaped := u.EscapedPath() + "/" + httpbinding.EscapePath(r.ref.Key, false)
		u.Path, u.RawPath = u.Path+"/"+r.ref.Key, escaped
	}
	if r.ref.Version == "" && len(r.query) == 0 {
		return
	}
	query := url.Values{}
	maps.Copy(query, r.query)
	if r.ref.Version != "" {
		query.Set("versionId", r.ref.Version)
	}
	u.RawQuery = query.Encode()
}

// describe adds the body, and what S3 wants to be told of it, and returns the digest
// to sign.
func (r request) describe(sent *http.Request) (digest string) {
	sent.ContentLength = int64(len(r.body))
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.body)), nil }
	sent.Body, _ = sent.GetBody()
	sent.Header.Set("Content-Type", "application/xml")
	// S3 asks for a checksum of these bodies, and this is the one that every
	// store knows.
	checksum := md5.Sum(r.body) //nolint:gosec // nothing is secured by it
	sent.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(checksum[:]))
	sum := sha256.Sum256(r.body)
	return hex.EncodeToString(sum[:])
}
