package vendors_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

func TestBodyIsPrefixSelfieSuffix(t *testing.T) {
	for _, size := range []int{0, 1, 5, 20 << 10} {
		selfie := vendortest.NewSelfie(size)
		b := vendors.NewBody([]byte("before "), selfie, []byte(" after"))
		want := "before " + string(selfie.Bytes()) + " after"
		if b.Size() != int64(len(want)) {
			t.Errorf("selfie of %d bytes: Size is %d, want %d", size, b.Size(), len(want))
		}
		got, err := io.ReadAll(iotest.OneByteReader(b))
		if err != nil || string(got) != want {
			t.Errorf("selfie of %d bytes: read %d bytes and %v, want %d", size, len(got), err, len(want))
		}
		_ = b.Close()
		if faults := selfie.Faults(); faults != nil {
			t.Errorf("selfie of %d bytes: %q", size, faults)
		}
	}
}

// TestBodyFillsARead: a part that is short would else leave in a write of its own.
func TestBodyFillsARead(t *testing.T) {
	b := vendors.NewBody([]byte("before "), vendortest.NewSelfie(100), []byte(" after"))
	defer b.Close()
	if n, err := b.Read(make([]byte, 110)); n != 110 || err != nil {
		t.Errorf("the first read of 110 bytes brings %d and %v", n, err)
	}
	if n, err := b.Read(make([]byte, 110)); n != 3 || err != nil {
		t.Errorf("the second brings %d and %v, want the last 3", n, err)
	}
}

func TestBodyWithoutSelfie(t *testing.T) {
	b := vendors.NewBody([]byte("{}"), nil, nil)
	if got, err := io.ReadAll(b); err != nil || string(got) != "{}" {
		t.Errorf("read %q and %v", got, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBodyGivesSelfieBackWithItsLastByte(t *testing.T) {
	selfie := vendortest.NewSelfie(100)
	b := vendors.NewBody(nil, selfie, []byte("suffix"))
	if _, err := io.ReadFull(b, make([]byte, 99)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-selfie.Closed():
		t.Fatal("closed before the last byte")
	default:
	}
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-selfie.Closed():
	default:
		t.Error("not closed with the last byte")
	}
}

func TestClosedBodyHandsOutNothing(t *testing.T) {
	selfie := vendortest.NewSelfie(10)
	b := vendors.NewBody([]byte("prefix"), selfie, nil)
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.Read(make([]byte, 10)); n != 0 || err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes and %v, want an error", n, err)
	}
	if b.Touched() {
		t.Error("touched, but no byte was handed out")
	}
	if faults := selfie.Faults(); faults != nil {
		t.Error(faults)
	}
}

// TestBodyReadToItsEndIsNotBrokenByClose: the transport looks for the end once
// more after the answer has come and the caller has closed the body.
func TestBodyReadToItsEndIsNotBrokenByClose(t *testing.T) {
	b := vendors.NewBody([]byte("all"), nil, nil)
	if _, err := io.ReadFull(b, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want io.EOF", err)
	}
	if !b.Touched() {
		t.Error("not touched, but all was handed out")
	}
}

// shortSelfie claims more than it has.
type shortSelfie struct{ vendors.Selfie }

func (shortSelfie) Size() int64         { return 10 }
func (shortSelfie) Body() io.ReadCloser { return io.NopCloser(strings.NewReader("short")) }

func TestShortSelfieIsAnError(t *testing.T) {
	b := vendors.NewBody(nil, shortSelfie{}, []byte("suffix"))
	defer func() { _ = b.Close() }()
	got, err := io.ReadAll(b)
	if err == nil || string(got) != "short" {
		t.Errorf("read %q and %v, want what there is and an error", got, err)
	}
}
