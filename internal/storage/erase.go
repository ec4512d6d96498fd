package storage

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"reauth/internal/event"
)

// Erasure counts what became of the versions of an object. All zero: there was
// none any more.
type Erasure struct {
	Deleted int
	// Held versions are as they were: see Held.
	Held int
}

// Erase deletes an object for good: the version that ref names, or every version
// of the key. Config.AfterVerdict.HoldTag and S3's Object Lock are respected for
// each version. It may be called again. Besides what Dispose needs it takes
// s3:ListBucketVersions.
//
// Every error is an *Error, and comes with what had been done before it.
func (s *Store) Erase(ctx context.Context, ref Ref) (Erasure, error) {
	if ref.Bucket == "" {
		ref.Bucket = s.buckets[0]
	}
	var done Erasure
	fault := &Error{Kind: Refused, Reason: event.SelfieForbidden}
	if slices.Contains(s.buckets, ref.Bucket) && ref.Key != "" {
		done, fault = s.erase(ctx, ref)
	}
	if fault != nil {
		fault.Op, fault.Bucket = "erase", ref.Bucket
		return done, fault
	}
	return done, nil
}

func (s *Store) erase(ctx context.Context, ref Ref) (done Erasure, fault *Error) {
	kept, markers := []string{ref.Version}, []string(nil)
	if ref.Version == "" {
		if kept, markers, fault = s.versions(ctx, ref); fault != nil {
			return done, fault
		}
		if len(kept)+len(markers) == 0 {
			kept = []string{""} // not every store lists what has no version
		}
	}
	for _, version := range kept {
		ref.Version = version
		result, fault := s.remove(ctx, ref)
		switch {
		case fault != nil:
			return done, fault
		case result == Held:
			done.Held++
		case result == Done:
			done.Deleted++
		case result == Hidden:
			// A version came between the listing and the deletion.
			return done, &Error{Kind: Transient, Err: errNewVersion}
		}
	}
	if done.Held > 0 {
		// Without its delete marker a held version would be the current one.
		return done, nil
	}
	// A marker holds the key, which may be personal.
	for _, version := range markers {
		ref.Version = version
		if _, fault := s.exchange(ctx, request{method: http.MethodDelete, ref: ref}); fault != nil && !isGone(fault) {
			return done, fault
		}
	}
	return done, nil
}

var (
	errNewVersion      = errors.New("the object changed meanwhile")
	errStrangeVersions = errors.New("what came is no list of versions")
	errNoVersions      = errors.New("versions cannot be listed: is s3:ListBucketVersions granted?")
)

// versionPage is one page of the versions in a bucket.
type versionPage struct {
	XMLName             xml.Name    `xml:"ListVersionsResult"`
	Versions            []versionID `xml:"Version"`
	Markers             []versionID `xml:"DeleteMarker"`
	IsTruncated         bool
	NextKeyMarker       string
	NextVersionIDMarker string `xml:"NextVersionIdMarker"`
}

type versionID struct {
	Key string
	ID  string `xml:"VersionId"`
}

// versions returns the version ids of an object and of its delete markers. In a
// bucket that has never had versions an object has the id null, and a store that
// knows no versions has none to return.
func (s *Store) versions(ctx context.Context, ref Ref) (versions, markers []string, _ *Error) {
	fault := s.versionPages(ctx, ref.Bucket, ref.Key, func(page versionPage) (more bool) {
		versions = append(versions, idsOf(page.Versions, ref.Key)...)
		markers = append(markers, idsOf(page.Markers, ref.Key)...)
		// Keys come in order, so those that only begin like ours come after it.
		return page.NextKeyMarker == ref.Key
	})
	if fault != nil && fault.Code != notImplemented {
		return nil, nil, fault
	}
	return versions, markers, nil
}

// notImplemented is the code of a store that does not know what is asked for.
const notImplemented = "NotImplemented"

// versionPages hands the pages of the versions of all keys with a prefix to take, in
// order, until there is no other or take wants no more.
func (s *Store) versionPages(ctx context.Context, bucket, prefix string, take func(versionPage) (more bool)) *Error {
	query := url.Values{"versions": {""}, "prefix": {prefix}}
	for {
		var page versionPage
		if fault := s.readPage(ctx, bucket, query, &page, errNoVersions, errStrangeVersions); fault != nil {
			return fault
		}
		if !take(page) || !page.IsTruncated {
			return nil
		}
		if page.NextKeyMarker == query.Get("key-marker") && page.NextVersionIDMarker == query.Get("version-id-marker") {
			return &Error{Kind: Fault, Err: errStrangeVersions} // it would not end
		}
		query.Set("key-marker", page.NextKeyMarker)
		query.Set("version-id-marker", page.NextVersionIDMarker)
	}
}

// idsOf returns the ids of what is at the key itself, not only below it.
func idsOf(entries []versionID, key string) []string {
	var ids []string
	for _, e := range entries {
		if e.Key == key {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
