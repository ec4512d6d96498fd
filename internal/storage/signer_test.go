package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// TestSignerSignsForItsService checks a signature with an implementation of its
// own of "Create a signed AWS API request" (AWS IAM user guide).
func TestSignerSignsForItsService(t *testing.T) {
	s, err := NewSigner(t.Context(), SignerConfig{
		Service: "rekognition", Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "token"),
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://rekognition.eu-central-1.amazonaws.com/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "RekognitionService.CompareFaces")
	digest := sha256.Sum256([]byte("{}"))
	if err := s.Sign(t.Context(), r, hex.EncodeToString(digest[:])); err != nil {
		t.Fatal(err)
	}

	date := r.Header.Get("X-Amz-Date")
	const signed = "content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
	canonical := "POST\n/\n\ncontent-length:2\ncontent-type:application/x-amz-json-1.1\nhost:rekognition.eu-central-1.amazonaws.com\n" +
		"x-amz-date:" + date + "\nx-amz-security-token:token\nx-amz-target:RekognitionService.CompareFaces\n\n" + signed + "\n" + hex.EncodeToString(digest[:])
	scope := date[:8] + "/eu-central-1/rekognition/aws4_request"
	key := []byte("AWS4secret")
	for part := range strings.SplitSeq(scope, "/") {
		key = keyed(key, part)
	}
	request := sha256.Sum256([]byte(canonical))
	signature := hex.EncodeToString(keyed(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(request[:])))
	want := fmt.Sprintf("AWS4-HMAC-SHA256 Credential=id/%s, SignedHeaders=%s, Signature=%s", scope, signed, signature)
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("signed\n%s, want\n%s", got, want)
	}
}

func TestSignerWithoutCredentialsSaysSo(t *testing.T) {
	none := errors.New("nowhere to be found")
	s, err := NewSigner(t.Context(), SignerConfig{
		Service: "rekognition", Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, none }),
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(t.Context(), r, emptySHA256); !errors.Is(err, none) || r.Header.Get("Authorization") != "" {
		t.Errorf("%v and a signature %q", err, r.Header.Get("Authorization"))
	}
}

func TestSignerNeedsServiceAndRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	for _, c := range []SignerConfig{{Region: "eu-central-1"}, {Service: "rekognition"}} {
		if _, err := NewSigner(t.Context(), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
