package storage

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Bounds of an object's tags (Amazon S3 user guide, "Categorizing your objects
// using tags").
const (
	maxTags   = 10
	maxTagKey = 128 // in Unicode characters
)

// tag is one of an object's tags.
type tag struct {
	Key   string
	Value string
}

// tagging is the document in which tags travel. Not every store names its space,
// so none is asked for in reading.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Space   string   `xml:"xmlns,attr,omitempty"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

const s3Space = "http://s3.amazonaws.com/doc/2006-03-01/"

var errStrangeTags = errors.New("what came is no list of tags")

// tagQuery names the tags of an object.
func tagQuery() url.Values { return url.Values{"tagging": {""}} }

// tags returns the tags of an object.
func (s *Store) tags(ctx context.Context, ref Ref) ([]tag, *Error) {
	got, fault := s.exchange(ctx, request{method: http.MethodGet, ref: ref, query: tagQuery()})
	if fault != nil {
		return nil, fault
	}
	var document tagging
	if err := xml.Unmarshal(got.body, &document); err != nil {
		// As likely as not what was asked is no S3, so it is not quoted.
		return nil, &Error{Kind: Fault, Err: errStrangeTags}
	}
	return document.Tags, nil
}

// putTags replaces the tags of an object.
func (s *Store) putTags(ctx context.Context, ref Ref, tags []tag) *Error {
	body, err := xml.Marshal(tagging{Space: s3Space, Tags: tags})
	if err != nil {
		return &Error{Kind: Refused, Err: fmt.Errorf("writing tags: %w", err)}
	}
	_, fault := s.exchange(ctx, request{method: http.MethodPut, ref: ref, query: tagQuery(), body: body})
	return fault
}

// withTag returns the tags with one more, or with its new value; false if they
// have it already.
func withTag(tags []tag, added tag) ([]tag, bool, *Error) {
	for i, t := range tags {
		if t.Key != added.Key {
			continue
		}
		if t.Value == added.Value {
			return tags, false, nil
		}
		tags[i].Value = added.Value
		return tags, true, nil
	}
	if len(tags) >= maxTags {
		return nil, false, &Error{Kind: Refused, Err: ErrTagsFull}
	}
	return append(tags, added), true, nil
}

// onHold tells whether one of the tags says that the object must stay.
func onHold(tags []tag, key string) bool {
	for _, t := range tags {
		if key != "" && t.Key == key && !strings.EqualFold(t.Value, "false") && !strings.EqualFold(t.Value, "off") {
			return true
		}
	}
	return false
}

// checkTagKey says what is wrong with the key of a tag.
func checkTagKey(key string) error {
	switch {
	case key == "":
		return errors.New("is empty")
	case len([]rune(key)) > maxTagKey:
		return fmt.Errorf("has more than %d characters", maxTagKey)
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return errors.New("begins with aws:, which is Amazon's own")
	}
	return nil
}
