package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"reauth/internal/event"
	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/s3sim"
)

const (
	keyCanary       = "argos-key-canary-7f3a9c"
	awsSecretCanary = "aws-secret-canary-b81e44"
	userCanary      = "user-canary"
)

func TestSecretsAndFacesStayWhereTheyBelong(t *testing.T) {
	concurrently(t)
	w := newWorld(t, setting{sandbox: vendor(50*time.Millisecond, 0), environ: []string{
		"REAUTH_VENDORS__ARGOS__LIMITS=100/s", "REAUTH_RETRY__MAX_ATTEMPTS=2", "REAUTH_RETRY__INITIAL=100ms", "REAUTH_RETRY__BUDGET=1",
		"REAUTH_VENDORS__ARGOS__API_KEY=" + keyCanary, "AWS_SECRET_ACCESS_KEY=" + awsSecretCanary,
		"REAUTH_VENDORS__ARGOS__TIMEOUT=1s", "REAUTH_LEDGER__MARGIN=1s", "REAUTH_BREAKER__MIN_CALLS=1000",
	}})
	w.turn(func(k *argossim.Knobs) { k.APIKeys = []string{keyCanary} })
	// Whatever can go wrong with a request, since that is what gets reported.
	scripts := []string{
		"approve", "reject-two", "unknown", "unapproved", "noface", "error-invalid_data_format", "500-always", "502-always",
		"503-once", "429-once", "resetearly-once", "reset-once", "504-once", "badjson-once", "hang-once",
	}
	var requests []event.Request
	for i, script := range scripts {
		requests = append(requests, request(i, script, "8KB.jpg"))
	}
	requests = append(requests, badSelfies()...)
	w.ask(requests...)
	w.publishBadRequests()
	c := w.startWorking(1)[0]
	w.awaitResults(time.Minute)

	// A pause of the lane, one of the store, and an outage.
	for i, trouble := range []struct{ begin, end func() }{
		{func() { w.turn(func(k *argossim.Knobs) { k.DenyAddress = true }) }, func() { w.turn(func(k *argossim.Knobs) { k.DenyAddress = false }) }},
		{func() { w.turn(func(k *argossim.Knobs) { k.Outage = fault.ServerError }) }, func() { w.turn(func(k *argossim.Knobs) { k.Outage = fault.NoOutage }) }},
		{func() { w.deny(true) }, func() { w.deny(false) }},
	} {
		trouble.begin()
		w.ask(request(500+i, "approve", "8KB.jpg"))
		w.pass(500 * time.Millisecond)
		trouble.end()
		w.eventuallyCounts(time.Minute, len(w.campaign.asked))
	}
	w.awaitCommitted(30 * time.Second)
	_, metrics := c.ask("/metrics")
	_, readyz := c.ask("/readyz")
	c.stop()
	if err := w.catchUp(w.ctx, w.topics.Results, w.topics.Ledger, w.topics.Dead); err != nil {
		t.Fatal(err)
	}

	places := map[string][]byte{
		"log": c.log.bytes(), "metrics": metrics, "/readyz": readyz,
		"results": all(w.of(w.topics.Results)), "ledger": all(w.of(w.topics.Ledger)), "headers of dead letters": headersOf(w.of(w.topics.Dead)),
	}
	for place, content := range places {
		if len(content) == 0 {
			t.Errorf("%s: nothing to search", place)
		}
		for what, canary := range map[string]string{"the vendor's key": keyCanary, "the store's secret": awsSecretCanary} {
			if bytes.Contains(content, []byte(canary)) {
				t.Errorf("%s: holds %s", place, what)
			}
		}
		for _, r := range requests {
			for _, form := range formsOf(w.selfie(r.SelfieKey)) {
				if bytes.Contains(content, form) {
					t.Errorf("%s: holds bytes of the selfie %s", place, r.SelfieKey)
				}
			}
		}
	}
	for _, place := range []string{"log", "metrics", "/readyz", "headers of dead letters"} {
		if at := bytes.Index(places[place], []byte(userCanary)); at >= 0 {
			t.Errorf("%s: holds a user id: …%s…", place, places[place][max(0, at-200):min(len(places[place]), at+60)])
		}
	}
}

// deny has the store refuse everything, or not.
func (w *world) deny(on bool) {
	w.t.Helper()
	err := w.S3.Adjust(func(k *s3sim.Knobs) error {
		k.DenyAccess = on
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// selfie returns an object of the store, nothing if there is none.
func (w *world) selfie(key string) []byte {
	w.t.Helper()
	content, _ := w.object("selfies/" + key)
	return content
}

// object returns an object of the store by bucket and key, and its type; nothing
// if there is none.
func (w *world) object(path string) (content []byte, contentType string) {
	w.t.Helper()
	err := w.S3.Adjust(func(k *s3sim.Knobs) error {
		k.AllowAnonymous = true
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.S3URL()+"/"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := opsClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, ""
	}
	if content, err = io.ReadAll(answer.Body); err != nil {
		w.t.Fatal(err)
	}
	return content, answer.Header.Get("Content-Type")
}

// formsOf returns what parts of a picture would look like: as they are, in
// hexadecimal digits, and in base64 at each of its three alignments.
func formsOf(picture []byte) (forms [][]byte) {
	const part = 18
	for at := 0; at+part <= min(len(picture), 4000); at += 97 {
		chunk := picture[at : at+part]
		if bytes.Count(chunk, chunk[:1]) == part {
			continue // padding, which could be anybody's
		}
		forms = append(forms, chunk, []byte(hex.EncodeToString(chunk)))
		for skip := range 3 {
			forms = append(forms, []byte(base64.RawStdEncoding.EncodeToString(chunk[skip:skip+part-3])))
		}
	}
	return forms
}

// all returns everything that records hold.
func all(records []*kgo.Record) (content []byte) {
	for _, r := range records {
		content = append(append(content, r.Key...), '\n')
		content = append(append(content, r.Value...), '\n')
	}
	return append(content, headersOf(records)...)
}

// headersOf returns the headers of records.
func headersOf(records []*kgo.Record) (content []byte) {
	for _, r := range records {
		for _, h := range r.Headers {
			content = append(append(content, h.Key...), '=')
			content = append(append(content, h.Value...), '\n')
		}
	}
	return content
}
