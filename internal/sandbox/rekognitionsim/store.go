package rekognitionsim

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// read returns a picture of a call, or the error type that the call is refused
// with.
func (s *Simulator) read(ctx context.Context, i image, knobs Knobs) (p picture, errorType string) {
	content := i.Bytes
	if i.S3Object != nil {
		if knobs.HideReferences {
			return picture{}, invalidObject
		}
		object, errorType := s.object(ctx, *i.S3Object, knobs)
		if errorType != "" {
			return picture{}, errorType
		}
		content = object
	}
	if p = inspect(content); !p.whole {
		return p, invalidImage
	}
	return p, ""
}

// place says where a picture came from.
func (i image) place(p picture) string {
	if i.S3Object == nil {
		return p.sha256
	}
	place := i.S3Object.Bucket + "/" + i.S3Object.Name
	if i.S3Object.Version != "" {
		place += "@" + i.S3Object.Version
	}
	return place
}

// object reads an object as the caller, whatever is wrong with it being told in
// one way only.
func (s *Simulator) object(ctx context.Context, o s3Object, knobs Knobs) (content []byte, errorType string) {
	u := url.URL{Scheme: "https", Host: "s3.internal", Path: "/" + o.Bucket + "/" + o.Name}
	if o.Version != "" {
		u.RawQuery = url.Values{"versionId": {o.Version}}.Encode()
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	date := time.Now().UTC().Format(dateLayout)
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+knobs.AccessKeyID+"/"+date[:8]+"/"+knobs.Region+
		"/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	w := httptest.NewRecorder()
	if !serve(s.store, w, r) || w.Code >= http.StatusInternalServerError {
		return nil, serverError
	}
	switch content := w.Body.Bytes(); {
	case w.Code != http.StatusOK:
		return nil, invalidObject
	case len(content) > knobs.MaxObjectBytes:
		return nil, imageTooLarge
	default:
		return content, ""
	}
}

// serve reports whether the store answered: one that breaks its connection on
// purpose panics.
func serve(store http.Handler, w http.ResponseWriter, r *http.Request) (answered bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			answered = false
		}
	}()
	store.ServeHTTP(w, r)
	return true
}
