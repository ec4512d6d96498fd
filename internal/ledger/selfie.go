package ledger

import (
	"encoding/hex"

	"reauth/internal/event/jsonobject"
)

// Selfie says which selfie a call was made with: what is at its key when the call's
// verdict is found may be another one. It is zero for a call without a selfie, and
// where nobody knows: claims of before it was written have none.
type Selfie struct {
	SHA256 Digest `json:"sha256,omitzero"`
	Bytes  int64  `json:"bytes,omitempty"`
	// Version is the S3 version id, empty in a bucket that has never had versions.
	Version string `json:"version,omitempty"`
}

func (v Selfie) write(w *jsonobject.Writer) {
	w.TextIf("sha256", v.SHA256.String())
	w.IntIf("bytes", v.Bytes)
	w.TextIf("version", v.Version)
}

// Selfie returns which selfie the call of unknown outcome was made with, zero if there
// is no such call, or nobody knows: its claim does not say, or several calls may have
// been made, and not with the same selfie.
func (e *Entry) Selfie() Selfie {
	if e.selfie == nil {
		return Selfie{}
	}
	return *e.selfie
}

// setSelfie takes nothing of the heap for none: most open requests have none.
func (e *Entry) setSelfie(v Selfie) {
	if e.selfie = nil; v != (Selfie{}) {
		kept := v
		e.selfie = &kept
	}
}

// Digest is a SHA-256, zero if it is not known.
type Digest [32]byte

// String returns 64 lower-case hexadecimal digits, nothing if the digest is not known.
func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText returns the digest as it stands in records: String's form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText returned. Anything else is a digest that is
// not known, and no error: a claim that was ignored for it would be paid for twice.
func (d *Digest) UnmarshalText(text []byte) error {
	var read Digest
	if len(text) == hex.EncodedLen(len(read)) {
		if _, err := hex.Decode(read[:], text); err != nil {
			read = Digest{}
		}
	}
	*d = read
	return nil
}
