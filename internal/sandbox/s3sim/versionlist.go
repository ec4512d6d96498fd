package s3sim

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// maxListed is how many entries S3 puts on a page at most.
const maxListed = 1000

// versionList is the answer to GET ?versions. gofakes3 gives it another name,
// and no way to the next page.
type versionList struct {
	XMLName             xml.Name      `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name                string        `xml:"Name"`
	Prefix              string        `xml:"Prefix"`
	MaxKeys             int           `xml:"MaxKeys"`
	IsTruncated         bool          `xml:"IsTruncated"`
	NextKeyMarker       string        `xml:"NextKeyMarker,omitempty"`
	NextVersionIDMarker string        `xml:"NextVersionIdMarker,omitempty"`
	Entries             []listedEntry // Version and DeleteMarker, mixed
}

type listedEntry struct {
	XMLName  xml.Name
	Key      string `xml:"Key"`
	ID       string `xml:"VersionId"`
	IsLatest bool   `xml:"IsLatest"`
}

// listVersions is GET ?versions: by key, the newest version first.
func (b *backend) listVersions(w http.ResponseWriter, r *http.Request) {
	query, bucket := r.URL.Query(), strings.Trim(r.URL.Path, "/")
	if exists, _ := b.BucketExists(bucket); !exists {
		noSuchBucket.write(w, r)
		return
	}
	list := versionList{Name: bucket, Prefix: query.Get("prefix"), MaxKeys: maxListed}
	if n, err := strconv.Atoi(query.Get("max-keys")); err == nil && n > 0 {
		list.MaxKeys = min(n, maxListed)
	}
	keyMarker, versionMarker := query.Get("key-marker"), query.Get("version-id-marker")
	passed := keyMarker == ""
	for _, e := range b.entries(bucket, list.Prefix) {
		if !passed {
			passed = e.Key > keyMarker || e.Key == keyMarker && e.ID == versionMarker
			if e.Key <= keyMarker {
				continue
			}
		}
		if len(list.Entries) == list.MaxKeys {
			last := list.Entries[list.MaxKeys-1]
			list.IsTruncated, list.NextKeyMarker, list.NextVersionIDMarker = true, last.Key, last.ID
			break
		}
		list.Entries = append(list.Entries, e)
	}
	body, err := xml.Marshal(list)
	if err != nil {
		panic(err) // a bug: keys are valid XML
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Write(append([]byte(xml.Header), body...))
}

// entries returns what a bucket holds below a prefix. Scripted keys are listed
// only if the prefix is the whole key: there is no end of them.
func (b *backend) entries(bucket, prefix string) []listedEntry {
	if !b.versions.keeps(bucket) {
		return b.unversioned(bucket, prefix)
	}
	keys := b.versions.keys(bucket)
	if len(b.versions.of(objectPath{bucket, prefix})) == 0 {
		keys = append([]string{prefix}, keys...)
	}
	var entries []listedEntry
	for _, key := range keys {
		all := b.versionsOf(objectPath{bucket, key})
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for i := len(all) - 1; i >= 0; i-- {
			name := "Version"
			if all[i].marker {
				name = "DeleteMarker"
			}
			entries = append(entries, listedEntry{xml.Name{Local: name}, key, string(all[i].id), i == len(all)-1})
		}
	}
	return entries
}

// unversioned returns the objects of a bucket that has never had versions: S3
// calls each of them the version null.
func (b *backend) unversioned(bucket, prefix string) []listedEntry {
	entry := func(key string) listedEntry { return listedEntry{xml.Name{Local: "Version"}, key, "null", true} }
	var entries []listedEntry
	if scripted, _ := b.scripted(bucket, prefix); scripted != nil {
		entries = append(entries, entry(prefix))
	}
	put, err := b.ListBucketVersions(bucket, &gofakes3.Prefix{HasPrefix: prefix != "", Prefix: prefix}, nil)
	if err != nil {
		return entries
	}
	for _, each := range put.Versions {
		v, ok := each.(*gofakes3.Version)
		if ok && (len(entries) == 0 || entries[0].Key != v.Key) {
			entries = append(entries, entry(v.Key))
		}
	}
	return entries
}
