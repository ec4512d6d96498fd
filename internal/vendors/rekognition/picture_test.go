package rekognition

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

// TestTextIsBase64 at every length modulo three, around the ends of a piece, and
// read in steps of every kind.
func TestTextIsBase64(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 100, pieceBytes - 1, pieceBytes, pieceBytes + 1, pieceBytes + 2, 3*pieceBytes + 1, 100_000} {
		selfie := vendortest.NewSelfie(size)
		want := base64.StdEncoding.EncodeToString(selfie.Bytes())
		text := encoded{selfie}
		if text.Size() != int64(len(want)) {
			t.Errorf("%d bytes: Size is %d, want %d", size, text.Size(), len(want))
		}
		body := text.Body()
		got, err := io.ReadAll(iotest.OneByteReader(body))
		if err != nil || string(got) != want {
			t.Errorf("%d bytes: %d characters and %v from the body, want %d", size, len(got), err, len(want))
		}
		var all bytes.Buffer
		if n, err := text.Reader().(io.WriterTo).WriteTo(&all); err != nil || n != int64(len(want)) || all.String() != want {
			t.Errorf("%d bytes: wrote %d characters and %v, want %d", size, n, err, len(want))
		}
		_ = body.Close()
		for _, f := range selfie.Faults() {
			t.Errorf("%d bytes: %s", size, f)
		}
	}
}

func TestBrokenSelfieIsNotCompletedByPadding(t *testing.T) {
	broken := errors.New("broken")
	e := &encoder{source: io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken))}
	if got, err := io.ReadAll(e); !errors.Is(err, broken) || len(got) > 0 {
		t.Errorf("read %q and %v", got, err)
	}
	e = &encoder{source: io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken))}
	if n, err := io.Copy(io.Discard, e); !errors.Is(err, broken) || n > 0 {
		t.Errorf("copied %d and %v", n, err)
	}
}

// TestDigestIsThatOfTheBody as the vendor gets it.
func TestDigestIsThatOfTheBody(t *testing.T) {
	selfie := vendortest.NewSelfie(70_001)
	text := encoded{selfie}
	prefix, suffix := decoder(t).layout(image{S3Object: &s3Object{Bucket: "b", Name: "n"}})
	body := vendors.NewBody(prefix, text, suffix)
	sum, err := digest(prefix, text, suffix)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := io.ReadAll(body)
	if err != nil || hexSum(sent) != sum || int64(len(sent)) != body.Size() {
		t.Errorf("%d of %d bytes with SHA-256 %s and %v, want %s", len(sent), body.Size(), hexSum(sent), err, sum)
	}
	for _, f := range selfie.Faults() {
		t.Error(f)
	}
}

// BenchmarkBody is what one selfie of 1 MB costs beside the network. Its bytes
// per operation must not grow with the selfie.
func BenchmarkBody(b *testing.B) {
	selfie := vendortest.NewSelfie(1_000_000)
	prefix, suffix := []byte("{"), []byte("}")
	b.ReportAllocs()
	b.SetBytes(selfie.Size())
	for b.Loop() {
		text := encoded{selfie}
		if _, err := digest(prefix, text, suffix); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, text.Reader()); err != nil {
			b.Fatal(err)
		}
	}
}
