package argos

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/textproto"

	"reauth/internal/vendors"
)

// form lays out POST /faceauth around the selfie: what comes before its bytes,
// what comes after, and the Content-Type with the boundary. The selfie is the
// last part, so that the short fields are read before it. An empty boundary
// means a random one, 240 bits, which no selfie contains by accident.
func form(c vendors.Call, submissionID, boundary string) (prefix, suffix []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if boundary != "" {
		if err := w.SetBoundary(boundary); err != nil {
			return nil, nil, "", fmt.Errorf("setting the form's boundary: %w", err)
		}
	}
	for _, field := range []struct{ name, value string }{
		{"submissionId", submissionID},
		{"userId", c.UserID},
		{"cf1", c.CF1},
		{"cf2", c.CF2},
		{"cf3", c.CF3},
	} {
		if field.value == "" {
			continue
		}
		if err := w.WriteField(field.name, field.value); err != nil {
			return nil, nil, "", fmt.Errorf("writing form field %s: %w", field.name, err)
		}
	}
	filename, imageType := fileOf(c.Selfie.ContentType())
	if _, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="faceImage"; filename="` + filename + `"`},
		"Content-Type":        {imageType},
	}); err != nil {
		return nil, nil, "", fmt.Errorf("writing form field faceImage: %w", err)
	}
	return b.Bytes(), []byte("\r\n--" + w.Boundary() + "--\r\n"), w.FormDataContentType(), nil
}

// fileOf returns the name and type of the file part. The name says nothing of
// the person or of where the selfie is kept.
func fileOf(contentType string) (name, imageType string) {
	switch contentType {
	case "image/jpeg":
		return "selfie.jpg", contentType
	case "image/png":
		return "selfie.png", contentType
	}
	return "selfie", "application/octet-stream"
}
