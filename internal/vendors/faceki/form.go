package faceki

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/textproto"
)

// form lays out a search around the selfie, its only part: what comes before its
// bytes, what comes after, and the Content-Type with the boundary. An empty
// boundary means a random one, 240 bits, which no selfie contains by accident.
func form(part, imageType, boundary string) (prefix, suffix []byte, contentType string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if boundary != "" {
		if err := w.SetBoundary(boundary); err != nil {
			return nil, nil, "", fmt.Errorf("setting the form's boundary: %w", err)
		}
	}
	filename, imageType := fileOf(imageType)
	if _, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="` + part + `"; filename="` + filename + `"`},
		"Content-Type":        {imageType},
	}); err != nil {
		return nil, nil, "", fmt.Errorf("writing form field %s: %w", part, err)
	}
	return b.Bytes(), []byte("\r\n--" + w.Boundary() + "--\r\n"), w.FormDataContentType(), nil
}

// fileOf returns the name and type of the file. The name says nothing of the
// person or of where the selfie is kept.
func fileOf(contentType string) (name, imageType string) {
	switch contentType {
	case "image/jpeg":
		return "selfie.jpg", contentType
	case "image/png":
		return "selfie.png", contentType
	}
	return "selfie", "application/octet-stream"
}
