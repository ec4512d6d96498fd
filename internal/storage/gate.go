package storage

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"

	"reauth/internal/event"
)

// What the content of a JPEG and a PNG begins with, as in the WHATWG MIME
// sniffing standard.
var (
	jpegMagic = []byte("\xff\xd8\xff")
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
)

// picture is what the gate finds out about a selfie.
type picture struct {
	contentType   string
	width, height int
}

// inspect looks at the content without decoding pixels. Its errors are
// Unusable.
func inspect(content *buffer, maxPixels int) (picture, *Error) {
	if content.size == 0 {
		return picture{}, unusable(event.SelfieEmpty)
	}
	var start [8]byte
	n, _ := content.ReadAt(start[:], 0)
	switch {
	case bytes.HasPrefix(start[:n], jpegMagic):
		return inspectJPEG(content, maxPixels)
	case bytes.HasPrefix(start[:n], pngMagic):
		return inspectPNG(content, maxPixels)
	}
	return picture{}, unusable(event.SelfieNotImage)
}

func inspectJPEG(content *buffer, maxPixels int) (picture, *Error) {
	config, err := jpegConfig(content)
	if err != nil {
		return picture{}, badHeader(err)
	}
	if fault := checkPixels(config, maxPixels); fault != nil {
		return picture{}, fault
	}
	if !jpegEnds(content) {
		return picture{}, unusable(event.SelfieTruncated)
	}
	return picture{"image/jpeg", config.Width, config.Height}, nil
}

func inspectPNG(content *buffer, maxPixels int) (picture, *Error) {
	// Sizes come before everything else: DecodeConfig refuses the largest
	// ones as unsupported.
	if width, height, ok := pngSize(content); ok {
		if fault := checkPixels(image.Config{Width: width, Height: height}, maxPixels); fault != nil {
			return picture{}, fault
		}
	}
	config, err := png.DecodeConfig(io.NewSectionReader(content, 0, content.size))
	if err != nil {
		return picture{}, badHeader(err)
	}
	if fault := pngEnds(content); fault != nil {
		return picture{}, fault
	}
	return picture{"image/png", config.Width, config.Height}, nil
}

// badHeader tells a header that stops from one that is wrong.
func badHeader(err error) *Error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return unusable(event.SelfieTruncated)
	}
	return unusable(event.SelfieUnreadable)
}

func checkPixels(config image.Config, maxPixels int) *Error {
	// Both sides are below 2^31, so the product fits an int64.
	pixels := int64(config.Width) * int64(config.Height)
	switch {
	case pixels <= 0:
		return unusable(event.SelfieUnreadable)
	case pixels > int64(maxPixels):
		return unusable(event.SelfiePixels)
	}
	return nil
}
