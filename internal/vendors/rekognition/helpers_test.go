package rekognition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

const secretText = "canary-secret-7d02"

// signAs stands in for a signature: it says with which key and over what.
func signAs(key string) func(context.Context, *http.Request, string) error {
	return func(_ context.Context, r *http.Request, sum string) error {
		r.Header.Set("Authorization", key+" "+sum)
		return nil
	}
}

// config is what a working adapter needs; the change, which may be nil, is for
// the test.
func config(change func(*Config)) Config {
	c := Config{BaseURL: "https://vendor.example", Region: "eu-central-1", Sign: signAs(secretText), DefaultBucket: "selfies"}
	if change != nil {
		change(&c)
	}
	return c
}

// serve returns an adapter whose vendor is handler.
func serve(t *testing.T, handler http.HandlerFunc, change func(*Config)) *Adapter {
	t.Helper()
	baseURL, client := vendortest.Serve(t, handler)
	a, err := New(config(func(c *Config) {
		c.BaseURL, c.Client = baseURL, client
		if change != nil {
			change(c)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// decoder returns an adapter that is not to call.
func decoder(tb testing.TB) *Adapter {
	tb.Helper()
	a, err := New(config(nil))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", "03507c9b-7e84-11e9-9ad1-854a4567eb71")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func answerOf(status int, body string) vendors.Answer {
	return vendors.Answer{Status: status, Header: http.Header{}, Body: []byte(body), Reached: true}
}

func call(selfie vendors.Selfie) vendors.Call {
	return vendors.Call{SubmissionID: "customer-4711", Selfie: selfie, Reference: &vendors.ObjectRef{Key: "portraits/4711.jpg"}}
}

// fault returns the error as it must be.
func fault(tb testing.TB, err error) *vendors.Error {
	tb.Helper()
	var e *vendors.Error
	if !errors.As(err, &e) {
		tb.Fatalf("error %v, want a *vendors.Error", err)
	}
	return e
}

// summary is what the tables compare: a verdict with its reasons, or a fault.
func summary(tb testing.TB, v vendors.Verdict, err error) string {
	tb.Helper()
	if err == nil {
		text := string(v.Outcome)
		for _, r := range v.Reasons {
			text += " " + string(r)
		}
		return text
	}
	e := fault(tb, err)
	text := fmt.Sprintf("%s %s", e.Kind, e.Code)
	if e.Unknown {
		text += ", unknown"
	}
	return text
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
