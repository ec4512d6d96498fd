package storage

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// place is where a bucket is and how its requests are signed.
type place struct {
	base    url.URL // of the bucket, without a slash at its end
	service string
	region  string
}

// locate asks the SDK's endpoint rules, which also know path style, FIPS, dual
// stack, access points and directory buckets, and refuse impossible names.
func locate(ctx context.Context, o s3.Options, bucket string) (place, error) {
	endpoint, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket:         &bucket,
		Region:         &o.Region,
		Endpoint:       o.BaseEndpoint,
		ForcePathStyle: &o.UsePathStyle,
		UseFIPS:        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		UseArnRegion:   &o.UseARNRegion,
		// Directory buckets take plain signatures as well as sessions.
		DisableS3ExpressSessionAuth: aws.Bool(true),
	}.WithDefaults())
	if err != nil {
		return place{}, fmt.Errorf("finding bucket %q: %w", bucket, err)
	}
	base := endpoint.URI
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/"), strings.TrimSuffix(base.RawPath, "/")
	p := place{base: base, service: "s3", region: o.Region}
	schemes, _ := smithyauth.GetAuthOptions(&endpoint.Properties)
	if len(schemes) == 0 {
		return p, nil
	}
	for _, scheme := range schemes {
		if scheme.SchemeID != "sigv4" { // as S3's endpoint rules call it
			continue
		}
		if name, ok := smithyhttp.GetSigV4SigningName(&scheme.SignerProperties); ok {
			p.service = name
		}
		if region, ok := smithyhttp.GetSigV4SigningRegion(&scheme.SignerProperties); ok {
			p.region = region
		}
		return p, nil
	}
	return place{}, fmt.Errorf("finding bucket %q: it needs signatures other than SigV4 (a multi-region access point?)", bucket)
}
