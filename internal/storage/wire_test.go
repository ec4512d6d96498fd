package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"reauth/internal/storage/storagetest"
)

// writeObject answers as S3 does.
func writeObject(w http.ResponseWriter, content []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Header().Set("Content-Type", "binary/octet-stream")
	w.Header().Set("ETag", `"9b2cf535f27731c974343645a3985328"`)
	w.Write(content)
}

// writeRefusal answers as S3 does; its message holds the key, as Amazon's does.
func writeRefusal(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>%s</Code><Message>no s3:GetObject on arn:aws:s3:::selfies/%s</Message><Key>%[2]s</Key></Error>`, code, personalKey)
}

// personalKey must not be seen in any error.
const personalKey = "people/jane.doe.jpg"

var oddKeys = []string{
	"a.jpg", "a b+c.jpg", "ümlaut/日本.jpg", "percent%2Fslash", "q?uery=1&x#frag", "star*tilde~(paren)'", "a//b/../c", "semi;colon:at@$,!",
}

// TestRequestsNameTheObjectAsTheSDKWould compares the request line and the host
// with those of the SDK's own client.
func TestRequestsNameTheObjectAsTheSDKWould(t *testing.T) {
	type seen struct{ Host, Path, Version string }
	var last seen
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		last = seen{r.Host, path, r.URL.Query().Get("versionId")}
		writeObject(w, storagetest.JPEG(1, 2_000))
	}, nil)
	store := openStore(t, Config{Endpoint: endpoint})
	reference := s3.New(s3.Options{
		BaseEndpoint: &endpoint,
		Region:       "us-east-1",
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient:   &http.Client{Transport: store.client.transport},
	})
	for _, key := range oddKeys {
		bucket, version := "selfies", "v+/=1"
		answer, err := reference.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: &version})
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		want := last
		selfie, err := store.Fetch(t.Context(), Ref{Key: key, Version: version})
		if err != nil {
			t.Fatal(err)
		}
		selfie.Release()
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("%q: SDK (-) and ours (+):\n%s", key, diff)
		}
	}
}

// TestRequestsCarryAValidSignature checks it with an implementation of its own
// of "Signature Calculations for the Authorization Header" (Amazon S3 API
// reference).
func TestRequestsCarryAValidSignature(t *testing.T) {
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Header.Get("Authorization"), signature(r, "secret"); !strings.HasSuffix(got, "Signature="+want) {
			t.Errorf("%s: Authorization is %q, want signature %s", r.RequestURI, got, want)
		}
		if r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Error("session token is missing")
		}
		writeObject(w, storagetest.JPEG(1, 2_000))
	}, nil)
	store := openStore(t, Config{Endpoint: endpoint, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "token")})
	for _, key := range oddKeys {
		selfie, err := store.Fetch(t.Context(), Ref{Key: key, Version: "v+/=1"})
		if err != nil {
			t.Fatal(err)
		}
		selfie.Release()
	}
}

func signature(r *http.Request, secret string) string {
	_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	var headers strings.Builder
	for name := range strings.SplitSeq(signed, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, value)
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	values, _ := url.ParseQuery(query)
	canonical := strings.Join([]string{
		r.Method, path, strings.ReplaceAll(values.Encode(), "+", "%20"), headers.String(), signed, r.Header.Get("X-Amz-Content-Sha256"),
	}, "\n")
	digest := sha256.Sum256([]byte(canonical))

	date := r.Header.Get("X-Amz-Date")
	scope := date[:8] + "/us-east-1/s3/aws4_request"
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = keyed(key, part)
	}
	return hex.EncodeToString(keyed(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(digest[:])))
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// TestPlacesFollowTheSDKsEndpointRules holds the addresses of Amazon's own
// buckets, which no test can call.
func TestPlacesFollowTheSDKsEndpointRules(t *testing.T) {
	ctx := t.Context()
	for name, tt := range map[string]struct {
		config                Config
		base, service, region string
	}{
		"amazon": {
			Config{Region: "eu-west-1", Bucket: "selfies"},
			"https://selfies.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1",
		},
		"amazon, path style": {
			Config{Region: "eu-west-1", Bucket: "selfies", PathStyle: true},
			"https://s3.eu-west-1.amazonaws.com/selfies", "s3", "eu-west-1",
		},
		"china": {
			Config{Region: "cn-north-1", Bucket: "selfies"},
			"https://selfies.s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1",
		},
		"access point": {
			Config{Region: "eu-west-1", Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/faces"},
			"https://faces-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "s3", "eu-west-1",
		},
		"directory bucket": {
			Config{Region: "us-west-2", Bucket: "selfies--usw2-az1--x-s3"},
			"https://selfies--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com", "s3express", "us-west-2",
		},
		"other store": {
			Config{Endpoint: "http://store:9000/", Bucket: "selfies", PathStyle: true},
			"http://store:9000/selfies", "s3", "us-east-1",
		},
		"other store, host style": {
			Config{Endpoint: "https://store.example", Bucket: "selfies", Region: "home"},
			"https://selfies.store.example", "s3", "home",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_REGION", "")
			t.Setenv("AWS_CONFIG_FILE", "/dev/null")
			tt.config.Credentials = credentials.NewStaticCredentialsProvider("id", "secret", "")
			options, err := sdkOptions(ctx, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			got, err := locate(ctx, options, tt.config.Bucket)
			if err != nil {
				t.Fatal(err)
			}
			if got.base.String() != tt.base || got.service != tt.service || got.region != tt.region {
				t.Errorf("place is %s, %+v; want %s, %s, %s", got.base.String(), got, tt.base, tt.service, tt.region)
			}
		})
	}
}
