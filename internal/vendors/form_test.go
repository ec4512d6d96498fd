package vendors

import (
	"strings"
	"testing"
)

func TestFileNameSaysNothing(t *testing.T) {
	for contentType, want := range map[string]string{
		"image/jpeg":                  "selfie.jpg image/jpeg",
		"image/png":                   "selfie.png image/png",
		"image/png\r\nX-Injected: y":  "selfie application/octet-stream",
		"":                            "selfie application/octet-stream",
		strings.ToUpper("image/jpeg"): "selfie application/octet-stream",
	} {
		name, imageType := fileOf(contentType)
		if got := name + " " + imageType; got != want {
			t.Errorf("fileOf(%q) = %q, want %q", contentType, got, want)
		}
	}
}
