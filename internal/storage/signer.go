package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// SignerConfig says for what a Signer signs.
type SignerConfig struct {
	// Service and Region are those of the signature, such as rekognition and
	// eu-central-1. Service is required; an empty Region is the one of the
	// SDK's usual chain.
	Service, Region string
	// Credentials sign; nil means the SDK's usual chain.
	Credentials aws.CredentialsProvider
}

// Signer signs requests to an AWS service other than S3 (Signature Version 4).
// Its methods may be used by many goroutines at once.
type Signer struct {
	service, region string
	credentials     aws.CredentialsProvider
	signer          *v4.Signer
}

// NewSigner returns a signer. It asks nobody for credentials yet, but the SDK's
// chain may read files and environment.
func NewSigner(ctx context.Context, c SignerConfig) (*Signer, error) {
	if c.Service == "" {
		return nil, errors.New("making a signer: no service")
	}
	loaded, err := loadSDK(ctx, c.Region, c.Credentials)
	if err != nil {
		return nil, err
	}
	if loaded.Region == "" {
		return nil, fmt.Errorf("making a signer for %s: no region", c.Service)
	}
	return &Signer{
		service:     c.Service,
		region:      loaded.Region,
		credentials: loaded.Credentials,
		signer:      v4.NewSigner(),
	}, nil
}

// Sign adds date, token and signature to the headers of r, all of whose other
// headers must be set. payloadSHA256 is the digest of its body in lower-case
// hexadecimal. The error says that there are no credentials to sign with; its
// text is the SDK's.
func (s *Signer) Sign(ctx context.Context, r *http.Request, payloadSHA256 string) error {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return &credentialsError{err}
	}
	if err := s.signer.SignHTTP(ctx, credentials, r, payloadSHA256, s.service, s.region, time.Now()); err != nil {
		return &credentialsError{err}
	}
	return nil
}

// loadSDK returns the SDK's settings: what is left open here comes from
// environment and profile.
func loadSDK(ctx context.Context, region string, credentials aws.CredentialsProvider) (aws.Config, error) {
	// The SDK writes to standard error by itself otherwise; its errors come
	// back to us.
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if region != "" {
		load = append(load, config.WithRegion(region))
	}
	if credentials != nil {
		load = append(load, config.WithCredentialsProvider(credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading AWS settings: %w", err)
	}
	return loaded, nil
}
