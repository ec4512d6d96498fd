package rekognitionsim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSignaturesOfAmazonsSignerAreGood, and nobody else's.
func TestSignaturesOfAmazonsSignerAreGood(t *testing.T) {
	s, _ := setup(t, func(k *Knobs) { k.Region, k.SessionToken = "eu-central-1", "token" })
	call := body(t, s, "face-jane.jpg", "face-jane-3KB.jpg", "")
	other := body(t, s, "face-jane.jpg", "face-joe-3KB.jpg", "")
	tampered := func(change func(*http.Request)) func() *http.Request {
		return func() *http.Request {
			r := signed(t, s.Knobs(), call)
			change(r)
			return r
		}
	}
	as := func(change func(*Knobs)) func() *http.Request {
		return func() *http.Request {
			k := s.Knobs()
			change(&k)
			return signed(t, k, call)
		}
	}
	for name, c := range map[string]struct {
		request func() *http.Request
		want    string
	}{
		"good":            {as(func(*Knobs) {}), "99.25 +0"},
		"no signature":    {tampered(func(r *http.Request) { r.Header.Del("Authorization") }), "400 " + missingToken},
		"no date":         {tampered(func(r *http.Request) { r.Header.Del("X-Amz-Date") }), "400 " + incomplete},
		"half":            {tampered(func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")[:90]) }), "400 " + incomplete},
		"another key":     {as(func(k *Knobs) { k.AccessKeyID = "mine" }), "400 " + unknownClient},
		"another token":   {as(func(k *Knobs) { k.SessionToken = "other" }), "400 " + unknownClient},
		"another secret":  {as(func(k *Knobs) { k.SecretAccessKey = "guess" }), "400 " + invalidSignature},
		"another region":  {as(func(k *Knobs) { k.Region = "us-east-1" }), "400 " + invalidSignature},
		"another host":    {tampered(func(r *http.Request) { r.Host = "evil.example" }), "400 " + invalidSignature},
		"added header":    {tampered(func(r *http.Request) { r.Header.Set("X-Amz-Meta", "1") }), "400 " + invalidSignature},
		"another query":   {tampered(func(r *http.Request) { r.URL.RawQuery = "a=b" }), "400 " + invalidSignature},
		"ten minutes old": {func() *http.Request { return signedAt(t, s.Knobs(), call, time.Now().Add(-10*time.Minute)) }, "400 " + invalidSignature},
		"ten minutes early": {func() *http.Request { return signedAt(t, s.Knobs(), call, time.Now().Add(10*time.Minute)) },
			"400 " + invalidSignature},
		"another body": {func() *http.Request {
			r := signed(t, s.Knobs(), strings.Repeat(" ", len(other)))
			r.Body = http.NoBody
			changed := signed(t, s.Knobs(), other)
			changed.Header = r.Header
			return changed
		}, "400 " + invalidSignature},
	} {
		if got := do(s, c.request()).summary(t); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if st := s.Stats(); st.Charged != 1 || st.Errors[invalidSignature] != 7+1 {
		t.Errorf("%+v", st)
	}
}

func TestCallersAreTurnedAway(t *testing.T) {
	for want, change := range map[string]func(*Knobs){
		"400 " + expiredToken: func(k *Knobs) { k.Expired = true },
		"400 " + accessDenied: func(k *Knobs) { k.DenyAccess = true },
	} {
		s, _ := setup(t, change)
		if got := compare(t, s, "face-jane.jpg", "face-jane-3KB.jpg", "").summary(t); got != want || s.Stats().Charged != 0 {
			t.Errorf("%s, want %s for nothing", got, want)
		}
	}
}
