package s3sim

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
)

// tags serves ?tagging. gofakes3 has none, and would store the tags of a PUT as
// the object.
type tags struct {
	store http.Handler

	// mu guards sets, as they were put.
	mu   sync.Mutex
	sets map[taggedVersion][]byte
}

// taggedVersion is an object by its URL's path and its version, which is empty in
// a bucket that keeps none.
type taggedVersion struct{ path, version string }

func newTags(store http.Handler) *tags { return &tags{store: store, sets: map[taggedVersion][]byte{}} }

// maxTaggingBytes is well above what ten tags take, which is as many as an
// object may have.
const maxTaggingBytes = 64 << 10

// tagSet is the part of a Tagging document that is checked.
type tagSet struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []struct {
		Key string `xml:"Key"`
	} `xml:"TagSet>Tag"`
}

func (t *tags) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, missing := t.lookUp(r)
	if missing != nil {
		if marker := missing.Header().Get("X-Amz-Delete-Marker"); marker != "" {
			w.Header().Set("X-Amz-Delete-Marker", marker)
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(missing.Code)
		w.Write(missing.Body.Bytes())
		return
	}
	if version != "" {
		w.Header().Set("X-Amz-Version-Id", version)
	}
	tagged := taggedVersion{r.URL.Path, version}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		body, err := io.ReadAll(io.LimitReader(r.Body, maxTaggingBytes))
		var set tagSet
		if err != nil || xml.Unmarshal(body, &set) != nil || len(set.Tags) > 10 {
			malformedXML.write(w, r)
			return
		}
		t.sets[tagged] = body
	case http.MethodGet:
		w.Header().Set("Content-Type", "application/xml")
		body, any := t.sets[tagged]
		if !any {
			body = []byte(xml.Header + "<Tagging><TagSet></TagSet></Tagging>")
		}
		w.Write(body)
	case http.MethodDelete:
		delete(t.sets, tagged)
		w.WriteHeader(http.StatusNoContent)
	default:
		methodNotAllowed.write(w, r)
	}
}

// forget drops the tags of an object, or a version, that is replaced or deleted.
func (t *tags) forget(path, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version == nullVersion {
		version = ""
	}
	delete(t.sets, taggedVersion{path, version})
}

// nullVersion is what S3 calls the version of an object in a bucket that keeps
// none.
const nullVersion = "null"

// lookUp asks the store for the object and returns its version, or the answer
// when there is none.
func (t *tags) lookUp(r *http.Request) (version string, missing *httptest.ResponseRecorder) {
	get := r.Clone(r.Context())
	get.Method, get.Body, get.URL.RawQuery = http.MethodGet, http.NoBody, ""
	if version := r.URL.Query().Get("versionId"); version != "" {
		get.URL.RawQuery = url.Values{"versionId": {version}}.Encode()
	}
	answer := httptest.NewRecorder()
	t.store.ServeHTTP(answer, get)
	if answer.Code == http.StatusOK {
		return answer.Header().Get("X-Amz-Version-Id"), nil
	}
	return "", answer
}

var (
	malformedXML     = refusal{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema.", status: http.StatusBadRequest}
	methodNotAllowed = refusal{Code: "MethodNotAllowed", Message: "The specified method is not allowed against this resource.", status: http.StatusMethodNotAllowed}
)
