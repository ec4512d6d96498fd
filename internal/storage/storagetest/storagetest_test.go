package storagetest_test

import (
	"bytes"
	"fmt"
	"image"
	"testing"

	_ "image/jpeg"
	_ "image/png"

	"reauth/internal/storage/storagetest"
)

func TestPicturesHaveTheSizeAskedForAndDecode(t *testing.T) {
	makers := map[string]func(uint64, int) []byte{"jpeg": storagetest.JPEG, "png": storagetest.PNG}
	for format, maker := range makers {
		for _, size := range []int{2_000, 10_000, 65_537, 500_000, 1_000_000} {
			t.Run(fmt.Sprintf("%s %d", format, size), func(t *testing.T) {
				picture := maker(7, size)
				decoded, got, err := image.Decode(bytes.NewReader(picture))
				if err != nil || got != format {
					t.Fatalf("decoded as %q: %v", got, err)
				}
				if len(picture) != size {
					t.Errorf("%d bytes", len(picture))
				}
				// Mostly picture, so that it compresses, hashes and
				// parses like a photo.
				if pixels := decoded.Bounds().Dx() * decoded.Bounds().Dy(); pixels < size/2 {
					t.Errorf("only %d pixels", pixels)
				}
			})
		}
	}
}

func TestSeedsDecideTheContent(t *testing.T) {
	if !bytes.Equal(storagetest.JPEG(1, 5_000), storagetest.JPEG(1, 5_000)) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(storagetest.JPEG(1, 5_000), storagetest.JPEG(2, 5_000)) {
		t.Error("another seed gave the same bytes")
	}
}

func TestBombClaimsItsPixelsInFewBytes(t *testing.T) {
	bomb := storagetest.PNGBomb()
	config, _, err := image.DecodeConfig(bytes.NewReader(bomb))
	if err != nil || config.Width != 60_000 || config.Height != 60_000 || len(bomb) > 200 {
		t.Errorf("%d by %d in %d bytes: %v", config.Width, config.Height, len(bomb), err)
	}
}

func TestTruncatedJPEGHasAHeaderAndNoEnd(t *testing.T) {
	picture := storagetest.TruncatedJPEG()
	if _, _, err := image.DecodeConfig(bytes.NewReader(picture)); err != nil {
		t.Errorf("header: %v", err)
	}
	if _, _, err := image.Decode(bytes.NewReader(picture)); err == nil {
		t.Error("decodes")
	}
}
