package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"reauth/internal/event"
)

// proof says what became of one thing that was to be erased. Beyond ids it holds
// nothing about a person: the errors of vendors and storage do not.
type proof struct {
	Time      time.Time    `json:"time"`
	RequestID string       `json:"request_id,omitempty"`
	Subject   string       `json:"subject,omitempty"`
	What      what         `json:"what"`
	Vendor    event.Vendor `json:"vendor,omitempty"`
	// Reference is the vendor's id of an authentication.
	Reference string `json:"reference,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	// ObjectSHA256 is that of bucket, slash and key: the key may be personal.
	ObjectSHA256 string `json:"object_sha256,omitempty"`
	// Versions of the object were erased.
	Versions int     `json:"versions,omitempty"`
	Outcome  outcome `json:"outcome"`
	// Due is when the consumer tries next what is pending.
	Due   time.Time `json:"due,omitzero"`
	Error string    `json:"error,omitempty"`
}

// what is the kind of a thing.
type what string

const (
	whatAuthentication what = "authentication"
	whatSelfie         what = "selfie"
	// whatPicture is one that the consumer has archived, or all of a request.
	whatPicture what = "picture"
	// whatRequest is all that there may be of a request or a subject.
	whatRequest what = "request"
)

// outcome is what became of a thing; the help text says what each means.
type outcome string

const (
	outcomeErased      outcome = "erased"
	outcomeGone        outcome = "gone"
	outcomeHeld        outcome = "held"
	outcomeFailed      outcome = "failed"
	outcomeNotOffered  outcome = "not_offered"
	outcomeNotEnabled  outcome = "not_enabled"
	outcomeOpen        outcome = "open"
	outcomePending     outcome = "pending"
	outcomeNotFound    outcome = "not_found"
	outcomeUnknownCall outcome = "unknown_call"
	outcomeUnknownKey  outcome = "unknown_key"
	outcomeWouldErase  outcome = "would_erase"
)

// objectSHA256 stands for an object in a proof.
func objectSHA256(bucket, key string) string {
	sum := sha256.Sum256([]byte(bucket + "/" + key))
	return hex.EncodeToString(sum[:])
}

// proofWriter writes proofs, each at once: what was erased stays proven if the
// command breaks off.
type proofWriter struct {
	lines    *json.Encoder
	outcomes map[outcome]int
	written  int
}

func newProofWriter(w io.Writer) *proofWriter {
	p := &proofWriter{lines: json.NewEncoder(w), outcomes: make(map[outcome]int)}
	p.lines.SetEscapeHTML(false)
	return p
}

func (p *proofWriter) write(made proof) error {
	made.Time = time.Now().UTC().Truncate(time.Millisecond)
	if err := p.lines.Encode(made); err != nil {
		return fmt.Errorf("writing the proof: %w", err)
	}
	p.outcomes[made.Outcome]++
	p.written++
	return nil
}

// left counts what is still there, or may be.
func (p *proofWriter) left() int {
	return p.written - p.outcomes[outcomeErased] - p.outcomes[outcomeGone]
}
