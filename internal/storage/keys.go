package storage

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"reauth/internal/event"
)

// Keys returns the keys in a bucket that begin with prefix, which is not empty, in
// order: also of objects of which nothing but older versions, or delete markers, is
// there. It takes s3:ListBucketVersions, and s3:ListBucket of a store that cannot
// list versions.
//
// Every error is an *Error.
func (s *Store) Keys(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	fault := &Error{Kind: Refused, Reason: event.SelfieForbidden}
	if slices.Contains(s.buckets, bucket) && prefix != "" {
		keys, fault = s.keys(ctx, bucket, prefix)
	}
	if fault != nil {
		fault.Op, fault.Bucket = "list", bucket
		return nil, fault
	}
	return keys, nil
}

func (s *Store) keys(ctx context.Context, bucket, prefix string) ([]string, *Error) {
	var all []string
	// What is listed is to be erased, so a store that gives more than it was asked
	// for is not believed.
	add := func(keys ...string) {
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				all = append(all, key)
			}
		}
	}
	fault := s.versionPages(ctx, bucket, prefix, func(page versionPage) (more bool) {
		for _, of := range [][]versionID{page.Versions, page.Markers} {
			for _, v := range of {
				add(v.Key)
			}
		}
		return true
	})
	if fault != nil && fault.Code == notImplemented {
		fault = s.objectPages(ctx, bucket, prefix, add)
	}
	slices.Sort(all)
	return slices.Compact(all), fault
}

var (
	errStrangeObjects = errors.New("what came is no list of objects")
	errNoObjects      = errors.New("objects cannot be listed: is s3:ListBucket granted?")
)

// objectPage is one page of the objects in a bucket.
type objectPage struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Contents []struct {
		Key string
	}
	IsTruncated           bool
	NextContinuationToken string
}

// objectPages hands the keys with a prefix to take, for a store that cannot list
// versions.
func (s *Store) objectPages(ctx context.Context, bucket, prefix string, take func(keys ...string)) *Error {
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	for {
		var page objectPage
		if fault := s.readPage(ctx, bucket, query, &page, errNoObjects, errStrangeObjects); fault != nil {
			return fault
		}
		for _, each := range page.Contents {
			take(each.Key)
		}
		if !page.IsTruncated {
			return nil
		}
		if page.NextContinuationToken == "" || page.NextContinuationToken == query.Get("continuation-token") {
			return &Error{Kind: Fault, Err: errStrangeObjects} // it would not end
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}

// readPage asks for a page of a bucket's list and reads it into page. denied says what
// is to be granted, strange that what came is no such list.
func (s *Store) readPage(ctx context.Context, bucket string, query url.Values, page any, denied, strange error) *Error {
	got, fault := s.exchange(ctx, request{method: http.MethodGet, ref: Ref{Bucket: bucket}, query: query})
	if fault != nil {
		if fault.Code == accessDenied {
			fault.Err = denied
		}
		return fault
	}
	if err := xml.Unmarshal(got.body, page); err != nil {
		return &Error{Kind: Fault, Err: strange}
	}
	return nil
}
