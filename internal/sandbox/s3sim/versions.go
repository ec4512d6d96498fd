package s3sim

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// versions are the objects of the buckets that keep versions. gofakes3's memory
// can have versions, too, but loses the older ones with the newest.
type versions struct {
	buckets []string

	// mu guards all below.
	mu     sync.Mutex
	made   int
	byPath map[objectPath][]version // oldest first
	locks  map[lockedVersion]lock
}

// objectPath names an object.
type objectPath struct{ bucket, key string }

// version is one version of an object, or a delete marker.
type version struct {
	id       gofakes3.VersionID
	marker   bool
	body     []byte
	metadata map[string]string
	at       time.Time
}

func newVersions(buckets []string) *versions {
	return &versions{buckets: buckets, byPath: map[objectPath][]version{}, locks: map[lockedVersion]lock{}}
}

func (v *versions) keeps(bucket string) bool { return slices.Contains(v.buckets, bucket) }

// of returns the versions of an object, oldest first.
func (v *versions) of(p objectPath) []version {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.byPath[p])
}

// keys returns the keys in a bucket that have versions, in order.
func (v *versions) keys(bucket string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var keys []string
	for p, of := range v.byPath {
		if p.bucket == bucket && len(of) > 0 {
			keys = append(keys, p.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// add makes a new version the current one and returns its id.
func (v *versions) add(p objectPath, made version) gofakes3.VersionID {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.made++
	made.id, made.at = gofakes3.VersionID(fmt.Sprintf("version-%d", v.made)), time.Now()
	v.byPath[p] = append(v.byPath[p], made)
	return made.id
}

// remove deletes a version and returns it, nil if there is none.
func (v *versions) remove(p objectPath, id gofakes3.VersionID) *version {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.byPath[p], func(each version) bool { return each.id == id })
	if i < 0 {
		return nil
	}
	removed := v.byPath[p][i]
	v.byPath[p] = slices.Delete(v.byPath[p], i, i+1)
	return &removed
}

// object returns the version as gofakes3 wants it, with the part of its body
// that is wanted.
func (v version) object(key string, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	sum := md5.Sum(v.body) // what an ETag is, nothing is secured by it
	o := &gofakes3.Object{
		Name: key, Metadata: v.metadata, Size: int64(len(v.body)), Hash: sum[:],
		VersionID: v.id, IsDeleteMarker: v.marker,
	}
	var err error
	if o.Range, err = wanted.Range(o.Size); err != nil {
		return nil, err
	}
	body := v.body
	if r := o.Range; r != nil {
		body = body[r.Start : r.Start+r.Length]
	}
	o.Contents = io.NopCloser(bytes.NewReader(body))
	return o, nil
}

// scriptVersion is the id of a scripted object in a bucket that keeps versions.
const scriptVersion = "script"

// versionsOf returns the versions of an object, oldest first: the scripted one,
// and those that were put.
func (b *backend) versionsOf(p objectPath) []version {
	put := b.versions.of(p)
	scripted, body := b.scripted(p.bucket, p.key)
	if scripted == nil {
		return put
	}
	return append([]version{{id: scriptVersion, body: body, metadata: scripted.Metadata}}, put...)
}

// getVersion returns a version of an object, the current one for an empty id.
func (b *backend) getVersion(p objectPath, id gofakes3.VersionID, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	all := b.versionsOf(p)
	switch {
	case len(all) == 0 && id == "":
		return nil, gofakes3.KeyNotFound(p.key)
	case id == "":
		return all[len(all)-1].object(p.key, wanted)
	}
	i := slices.IndexFunc(all, func(each version) bool { return each.id == id })
	if i < 0 {
		return nil, gofakes3.ErrNoSuchVersion
	}
	return all[i].object(p.key, wanted)
}

// PutObject adds a version, if the bucket keeps them.
func (b *backend) PutObject(bucket, key string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	if !b.versions.keeps(bucket) {
		return b.Backend.PutObject(bucket, key, meta, input, size, conditions)
	}
	body, err := gofakes3.ReadAll(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	return gofakes3.PutObjectResult{VersionID: b.versions.add(objectPath{bucket, key}, version{body: body, metadata: meta})}, nil
}

// GetObjectVersion returns one version.
func (b *backend) GetObjectVersion(bucket, key string, id gofakes3.VersionID, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	if !b.versions.keeps(bucket) {
		return nil, gofakes3.ErrNoSuchVersion
	}
	return b.getVersion(objectPath{bucket, key}, id, wanted)
}

// HeadObjectVersion is GetObjectVersion: gofakes3 sends no body.
func (b *backend) HeadObjectVersion(bucket, key string, id gofakes3.VersionID) (*gofakes3.Object, error) {
	return b.GetObjectVersion(bucket, key, id, nil)
}

// DeleteObjectVersion deletes one version for good. As in S3, one that is not
// there is no error.
func (b *backend) DeleteObjectVersion(bucket, key string, id gofakes3.VersionID) (gofakes3.ObjectDeleteResult, error) {
	p := objectPath{bucket, key}
	removed := b.versions.remove(p, id)
	if id == scriptVersion && b.versions.keeps(bucket) {
		b.markDeleted(bucket, key)
		removed = &version{id: id}
	}
	if removed == nil {
		return gofakes3.ObjectDeleteResult{}, nil
	}
	return gofakes3.ObjectDeleteResult{VersionID: removed.id, IsDeleteMarker: removed.marker}, nil
}

// VersioningConfiguration says whether a bucket keeps versions.
func (b *backend) VersioningConfiguration(bucket string) (gofakes3.VersioningConfiguration, error) {
	if !b.versions.keeps(bucket) {
		return b.Backend.VersioningConfiguration(bucket)
	}
	return gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled}, nil
}

// SetVersioningConfiguration refuses: Config.Versioned is fixed.
func (b *backend) SetVersioningConfiguration(string, gofakes3.VersioningConfiguration) error {
	return gofakes3.ErrNotImplemented
}
