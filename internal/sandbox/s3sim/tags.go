package s3sim

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// tags serves ?tagging. gofakes3 has none, and would store the tags of a PUT as
// the object.
type tags struct {
	store http.Handler

	// mu guards byPath, the tag sets as they were put.
	mu     sync.Mutex
	byPath map[string][]byte
}

func newTags(store http.Handler) *tags { return &tags{store: store, byPath: map[string][]byte{}} }

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
	if missing := t.lookUp(r); missing != nil {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(missing.Code)
		w.Write(missing.Body.Bytes())
		return
	}
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
		t.byPath[r.URL.Path] = body
	case http.MethodGet:
		w.Header().Set("Content-Type", "application/xml")
		body, tagged := t.byPath[r.URL.Path]
		if !tagged {
			body = []byte(xml.Header + "<Tagging><TagSet></TagSet></Tagging>")
		}
		w.Write(body)
	case http.MethodDelete:
		delete(t.byPath, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	default:
		methodNotAllowed.write(w, r)
	}
}

// forget drops the tags of an object that is replaced or deleted.
func (t *tags) forget(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byPath, path)
}

// lookUp asks the store for the object and returns its answer when there is
// none.
func (t *tags) lookUp(r *http.Request) *httptest.ResponseRecorder {
	get := r.Clone(r.Context())
	get.Method, get.Body, get.URL.RawQuery = http.MethodGet, http.NoBody, ""
	answer := httptest.NewRecorder()
	t.store.ServeHTTP(answer, get)
	if answer.Code == http.StatusOK {
		return nil
	}
	return answer
}

var (
	malformedXML     = refusal{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema.", status: http.StatusBadRequest}
	methodNotAllowed = refusal{Code: "MethodNotAllowed", Message: "The specified method is not allowed against this resource.", status: http.StatusMethodNotAllowed}
)
