package argos

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const boundary = "reauth-golden-boundary"

func TestFormIsTheGoldenOne(t *testing.T) {
	for _, c := range []struct {
		file string
		call vendors.Call
	}{
		{"request_full.txt", vendors.Call{UserID: "user-7", CF1: "one", CF2: "zwei Wörter", CF3: "3"}},
		{"request_short.txt", vendors.Call{}},
	} {
		t.Run(c.file, func(t *testing.T) {
			selfie := vendortest.NewSelfie(64)
			c.call.Selfie = selfie
			prefix, suffix, contentType := form(c.call, "sub-1", boundary)
			body := vendors.NewBody(prefix, selfie, suffix)
			defer func() { _ = body.Close() }()
			sent, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(sent)) != body.Size() {
				t.Errorf("body has %d bytes, Size says %d", len(sent), body.Size())
			}
			if want := "multipart/form-data; boundary=" + boundary; contentType != want {
				t.Errorf("content type %q, want %q", contentType, want)
			}
			vendortest.WantGolden(t, c.file, string(sent), *update)
		})
	}
}

// TestFormReadsAsMultipart has the standard library read what form wrote, with
// a boundary of its own choice and values that look like one.
func TestFormReadsAsMultipart(t *testing.T) {
	selfie := vendortest.NewSelfie(100 << 10)
	call := vendors.Call{UserID: "a\r\n--b\r\nContent-Disposition: form-data; name=\"submissionId\"\r\n\r\nother", CF2: `quote " and \`, Selfie: selfie}
	prefix, suffix, contentType := form(call, "sub-1", "")
	body := vendors.NewBody(prefix, selfie, suffix)
	defer func() { _ = body.Close() }()

	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(body, params["boundary"])
	type part struct{ Name, File, Type, Value string }
	var got []part
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.FileName() != "" {
			if !bytes.Equal(value, selfie.Bytes()) {
				t.Errorf("selfie arrived with %d bytes that differ from the %d sent", len(value), len(selfie.Bytes()))
			}
			value = nil
		}
		got = append(got, part{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(value)})
	}
	want := []part{
		{"submissionId", "", "", "sub-1"},
		{"userId", "", "", call.UserID},
		{"cf2", "", "", call.CF2},
		{"faceImage", "selfie.jpg", "image/jpeg", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}
