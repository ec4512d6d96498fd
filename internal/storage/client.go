package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/aws/smithy-go/logging"
)

// emptySHA256 is the digest of no bytes: the payload of a GET.
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
	transport   *http.Transport
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
		transport:   newTransport(c.Concurrency),
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
	// The SDK writes to standard error by itself otherwise; its errors come
	// back to us.
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if c.Region != "" {
		load = append(load, config.WithRegion(c.Region))
	}
	if c.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(c.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return s3.Options{}, fmt.Errorf("loading AWS settings: %w", err)
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

// send makes a signed request for ref. The caller closes the answer's body. The
// error is of the credentials or the transport, and free of the URL: a plain
// round trip does not wrap it as http.Client would. Nor does it follow
// redirects, which a signature does not survive.
func (c *client) send(ctx context.Context, method string, ref Ref) (*http.Response, error) {
	place := c.places[ref.Bucket]
	request, err := http.NewRequestWithContext(ctx, method, place.base, nil)
	if err != nil {
		return nil, fmt.Errorf("building request: %w", err)
	}
	address(request.URL, ref)
	request.Header = http.Header{
		"User-Agent":           {"reauth"},
		"X-Amz-Content-Sha256": {emptySHA256},
	}
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return nil, &credentialsError{err}
	}
	if err := c.signer.SignHTTP(ctx, credentials, request, emptySHA256, place.service, place.region, time.Now()); err != nil {
		return nil, &credentialsError{err}
	}
	return c.transport.RoundTrip(request)
}

// address adds what ref says to the URL of its bucket. An empty key leaves the
// bucket itself.
func address(u *url.URL, ref Ref) {
	if ref.Key != "" {
		escaped := u.EscapedPath() + "/" + httpbinding.EscapePath(ref.Key, false)
		u.Path, u.RawPath = u.Path+"/"+ref.Key, escaped
	}
	if ref.Version != "" {
		u.RawQuery = url.Values{"versionId": {ref.Version}}.Encode()
	}
}
