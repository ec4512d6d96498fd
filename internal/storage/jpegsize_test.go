package storage

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"pgregory.net/rapid"
)

func encoded(t testing.TB, picture image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// holding returns a buffer with the content.
func holding(t *testing.T, m *memory, content []byte) *buffer {
	t.Helper()
	b, err := m.reserve(t.Context(), int64(len(content))+1)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(b, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOrdinaryJPEGsAreReadWithoutADecoder(t *testing.T) {
	m := newMemory(4*chunkSize, newMetrics())
	defer m.close()
	frame := image.Rect(0, 0, 321, 123)
	for name, picture := range map[string]image.Image{
		"colour, as cameras subsample it": image.NewYCbCr(frame, image.YCbCrSubsampleRatio420),
		"grey":                            image.NewGray(frame),
	} {
		b := holding(t, m, encoded(t, picture))
		if width, height, ok := plainJPEG(b); !ok || width != 321 || height != 123 {
			t.Errorf("%s: %d by %d, %v", name, width, height, ok)
		}
		b.release()
	}
}

// TestJPEGSizeIsThatOfImageJPEG damages headers anyhow: what is read without the
// decoder must be what the decoder reads.
func TestJPEGSizeIsThatOfImageJPEG(t *testing.T) {
	frame := image.Rect(0, 0, 40, 30)
	pictures := [][]byte{
		encoded(t, image.NewYCbCr(frame, image.YCbCrSubsampleRatio420)),
		encoded(t, image.NewGray(frame)),
		exifJPEG(10_000),
	}
	m := newMemory(4*chunkSize, newMetrics())
	defer m.close()
	plain := 0
	rapid.Check(t, func(rt *rapid.T) {
		content := bytes.Clone(rapid.SampledFrom(pictures).Draw(rt, "picture"))
		frameAt := bytes.Index(content, []byte{0xff, markerSOF0})
		for range rapid.IntRange(0, 3).Draw(rt, "changes") {
			at := rapid.OneOf(rapid.IntRange(2, 700), rapid.IntRange(frameAt, frameAt+18), rapid.IntRange(frameAt, frameAt+18)).Draw(rt, "at")
			content[min(at, len(content)-1)] = rapid.OneOf(
				rapid.Byte(), rapid.SampledFrom([]byte{0, 0x11, 0x22, 0xc0, 0xc2, 0xc4, 0xda, 0xdb, 0xe0, 0xff}),
			).Draw(rt, "byte")
		}
		if rapid.IntRange(0, 9).Draw(rt, "cut") == 0 {
			content = content[:rapid.IntRange(2, len(content)).Draw(rt, "length")]
		}
		b := holding(t, m, content)
		defer b.release()
		width, height, ok := plainJPEG(b)
		if !ok {
			return
		}
		plain++
		want, err := jpeg.DecodeConfig(bytes.NewReader(content))
		if err != nil || width != want.Width || height != want.Height {
			rt.Fatalf("%d by %d, image/jpeg says %d by %d, %v", width, height, want.Width, want.Height, err)
		}
	})
	if plain == 0 {
		t.Error("no picture was plain")
	}
}
