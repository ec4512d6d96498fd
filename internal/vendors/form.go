package vendors

import (
	"crypto/rand"
	"encoding/hex"
)

// FormField is a short text of a form. Its name needs no quoting.
type FormField struct{ Name, Value string }

// Form lays out a multipart/form-data body (RFC 7578) around a selfie: what comes
// before its bytes, what comes after, and the Content-Type with the boundary. The
// selfie is the last part, so that the fields are read before it; empty fields are
// left out. An empty boundary means a random one, of 240 bits, which nothing
// contains by accident. mime/multipart takes thirty allocations for the same, a
// twentieth of all that a request needs.
func Form(boundary string, fields []FormField, selfieName, contentType string) (prefix, suffix []byte, formType string) {
	if boundary == "" {
		var random [30]byte
		_, _ = rand.Read(random[:]) // never fails
		boundary = hex.EncodeToString(random[:])
	}
	size := 256
	for _, f := range fields {
		if f.Value != "" {
			size += 128 + len(f.Value)
		}
	}
	b := make([]byte, 0, size)
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		b = append(b, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+f.Name+"\"\r\n\r\n"...)
		b = append(append(b, f.Value...), "\r\n"...)
	}
	file, imageType := fileOf(contentType)
	b = append(b, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+selfieName+"\"; filename=\""+file+
		"\"\r\nContent-Type: "+imageType+"\r\n\r\n"...)
	return b, []byte("\r\n--" + boundary + "--\r\n"), "multipart/form-data; boundary=" + boundary
}

// fileOf returns the name and type of a selfie's part. The name says nothing of
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
