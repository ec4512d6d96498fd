package storage

import (
	"bytes"
	"encoding/binary"
	"image"
	"net/http"
	"slices"
	"testing"

	"reauth/internal/event"
	"reauth/internal/storage/storagetest"
)

// exifJPEG returns a JPEG with another whole JPEG in its EXIF segment, as a
// camera's thumbnail.
func exifJPEG(size int) []byte {
	thumbnail := storagetest.JPEG(9, 3_000)
	picture := storagetest.JPEG(1, size)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(2+6+len(thumbnail)))
	segment = append(append(segment, "Exif\x00\x00"...), thumbnail...)
	return append(append(picture[:2:2], segment...), picture[2:]...)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestGate(t *testing.T) {
	jpeg, png := storagetest.JPEG(1, 20_000), storagetest.PNG(1, 20_000)
	twoChunks := storagetest.JPEG(1, chunkSize+1) // EOI's two bytes in two chunks
	badPNG := bytes.Clone(png)
	copy(badPNG[33:], "\xff\xff\xff\xff") // the length behind IHDR

	for name, tt := range map[string]struct {
		content []byte
		want    event.Reason
	}{
		"jpeg":                          {jpeg, ""},
		"jpeg, end across chunks":       {twoChunks, ""},
		"jpeg with a thumbnail":         {exifJPEG(20_000), ""},
		"jpeg padded with zeros":        {concat(jpeg, make([]byte, 200_000)), ""},
		"jpeg with a motion photo":      {concat(jpeg, []byte("\x00\x00\x00\x18ftypmp42"), bytes.Repeat([]byte{0xab}, 100_000)), ""},
		"jpeg with another behind it":   {concat(jpeg, storagetest.JPEG(2, 9_000)), ""},
		"jpeg with fill bytes":          {concat(jpeg[:2], []byte("\xff\xff\xff"), jpeg[2:]), ""},
		"jpeg with stray bytes":         {concat(jpeg[:2], []byte("\xff\xfe\x00\x02\x00\x01\x02"), jpeg[2:]), ""},
		"png":                           {png, ""},
		"png with bytes behind it":      {concat(png, []byte("trailer")), ""},
		"empty":                         {nil, event.SelfieEmpty},
		"text":                          {[]byte("hello, world"), event.SelfieNotImage},
		"one byte":                      {[]byte{0xff}, event.SelfieNotImage},
		"html":                          {[]byte("<!DOCTYPE html><html></html>"), event.SelfieNotImage},
		"gif":                           {[]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00"), event.SelfieNotImage},
		"webp":                          {[]byte("RIFF\x24\x00\x00\x00WEBPVP8 "), event.SelfieNotImage},
		"heic":                          {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), event.SelfieNotImage},
		"pdf":                           {[]byte("%PDF-1.7\n"), event.SelfieNotImage},
		"jpeg in base64":                {[]byte("/9j/4AAQSkZJRgABAQ"), event.SelfieNotImage},
		"jpeg of two thirds":            {storagetest.TruncatedJPEG(), event.SelfieTruncated},
		"jpeg without its last byte":    {jpeg[:len(jpeg)-1], event.SelfieTruncated},
		"truncated, whole thumbnail":    {exifJPEG(20_000)[:15_000], event.SelfieTruncated},
		"truncated, many chunks":        {storagetest.JPEG(1, 500_000)[:400_000], event.SelfieTruncated},
		"jpeg cut in its header":        {jpeg[:100], event.SelfieTruncated},
		"jpeg of three bytes":           {jpeg[:3], event.SelfieTruncated},
		"jpeg with a bad segment":       {[]byte("\xff\xd8\xff\xc0\x00\x00\x00\x00\x00\x00"), event.SelfieUnreadable},
		"jpeg that ends at once":        {[]byte("\xff\xd8\xff\xd9\x00\x00\x00\x00"), event.SelfieUnreadable},
		"png cut in its data":           {png[:len(png)/2], event.SelfieTruncated},
		"png without its last checksum": {png[:len(png)-1], event.SelfieTruncated},
		"png without IEND":              {png[:len(png)-12], event.SelfieTruncated},
		"png cut in its header":         {png[:20], event.SelfieTruncated},
		"png with a bad length":         {badPNG, event.SelfieUnreadable},
		"png with a bad header":         {concat(png[:8], []byte("\x00\x00\x00\x0dIHDR"), make([]byte, 40)), event.SelfieUnreadable},
		"png bomb":                      {storagetest.PNGBomb(), event.SelfiePixels},
		"png of the largest sides":      {concat(png[:16], []byte("\x7f\xff\xff\xff\x7f\xff\xff\xff"), png[24:]), event.SelfiePixels},
		"jpeg of too many pixels":       {storagetest.JPEGOf(1001, 1000), event.SelfiePixels},
		"jpeg of as many as can be":     {storagetest.JPEGOf(1000, 1000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t, Config{Endpoint: serveContent(t, tt.content), MaxPixels: 1_000_000})
			selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
			if tt.want != "" {
				wantError(t, err, Unusable, tt.want)
				wantNothingReserved(t, store)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			selfie.Release()
		})
	}
}

func TestWidthAndHeightAreTheHeaders(t *testing.T) {
	store := openStore(t, Config{Endpoint: serveContent(t, storagetest.JPEGOf(960, 720))})
	selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer selfie.Release()
	if selfie.Width() != 960 || selfie.Height() != 720 {
		t.Errorf("%d by %d", selfie.Width(), selfie.Height())
	}
}

func TestTooLargeIsNotDownloaded(t *testing.T) {
	written := make(chan int, 1)
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000001")
		n, _ := w.Write(make([]byte, 100_000_000))
		written <- n
	}, nil)
	store := openStore(t, Config{Endpoint: url, MaxBytes: 100_000_000, MaxMemory: 100 << 20})
	_, err := store.Fetch(t.Context(), Ref{Key: "a"})
	wantError(t, err, Unusable, event.SelfieTooLarge)
	if n := <-written; n == 100_000_000 {
		t.Error("all of it was taken")
	}
}

func TestUnknownLengthIsReadUpToTheLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		size int
		want event.Reason
	}{
		"below":   {90_000, ""},
		"at":      {100_000, ""},
		"one off": {100_001, event.SelfieTooLarge},
		"endless": {3_000_000, event.SelfieTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			picture := storagetest.JPEG(1, tt.size)
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				http.NewResponseController(w).Flush() // so that no length is sent
				w.Write(picture)
			}, nil)
			store := openStore(t, Config{Endpoint: url, MaxBytes: 100_000})
			selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
			if tt.want != "" {
				wantError(t, err, Unusable, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if selfie.Size() != int64(tt.size) {
				t.Errorf("Size is %d", selfie.Size())
			}
			selfie.Release()
		})
	}
}

// FuzzInspect feeds the gate arbitrary bytes: it takes a picture that image
// knows too, within the limit, or names a reason.
func FuzzInspect(f *testing.F) {
	for _, seed := range [][]byte{
		storagetest.JPEG(1, 2_000), storagetest.PNG(1, 1_000), storagetest.PNGBomb(), exifJPEG(2_000),
		storagetest.JPEG(1, 2_000)[:700], jpegMagic, pngMagic, nil, []byte("GIF89a"),
	} {
		f.Add(seed)
	}
	const maxPixels = 1_000_000
	m := newMemory(1<<20, newMetrics())
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<20 {
			t.Skip()
		}
		b, err := m.reserve(t.Context(), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		defer b.release()
		if err := fill(b, bytes.NewReader(content), 1<<20, nil); err != nil {
			t.Fatal(err)
		}
		b.fit(b.size)
		got, fault := inspect(b, maxPixels)
		if fault != nil {
			if fault.Kind != Unusable || !slices.Contains(unusableReasons, fault.Reason) {
				t.Errorf("fault is %v", fault)
			}
			return
		}
		config, format, err := image.DecodeConfig(bytes.NewReader(content))
		if err != nil || "image/"+format != got.contentType || config.Width != got.width || config.Height != got.height {
			t.Errorf("taken as %+v; image says %s %+v: %v", got, format, config, err)
		}
		if got.width*got.height > maxPixels || got.width*got.height < 1 {
			t.Errorf("%d by %d pixels", got.width, got.height)
		}
	})
}
