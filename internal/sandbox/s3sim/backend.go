package s3sim

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// backend is gofakes3's memory with the scripted objects behind it.
type backend struct {
	*s3mem.Backend
	buckets  []string
	prefix   string
	pictures *pictures
	versions *versions

	// mu guards deleted, the scripted objects that are no longer there.
	mu      sync.Mutex
	deleted map[[2]string]bool
}

// GetObject prefers what was put to what is scripted.
func (b *backend) GetObject(bucket, key string, wanted *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	if b.versions.keeps(bucket) {
		return b.getVersion(objectPath{bucket, key}, "", wanted)
	}
	object, err := b.Backend.GetObject(bucket, key, wanted)
	if !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return object, err
	}
	scripted, body := b.scripted(bucket, key)
	if scripted == nil {
		return nil, err
	}
	if scripted.Range, err = wanted.Range(scripted.Size); err != nil {
		return nil, err
	}
	if r := scripted.Range; r != nil {
		body = body[r.Start : r.Start+r.Length]
	}
	scripted.Contents = io.NopCloser(bytes.NewReader(body))
	return scripted, nil
}

// HeadObject is GetObject without the body.
func (b *backend) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	if b.versions.keeps(bucket) {
		return b.getVersion(objectPath{bucket, key}, "", nil)
	}
	object, err := b.Backend.HeadObject(bucket, key)
	if err == nil {
		object.VersionID = "" // unlike its GET, gofakes3's HEAD tells one that nobody can ask for
	}
	if !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
		return object, err
	}
	scripted, _ := b.scripted(bucket, key)
	if scripted == nil {
		return nil, err
	}
	scripted.Contents = io.NopCloser(bytes.NewReader(nil))
	return scripted, nil
}

// scripted returns the object that a key is a script for, without Contents, and
// its bytes; nil when it is none.
func (b *backend) scripted(bucket, key string) (*gofakes3.Object, []byte) {
	if !slices.Contains(b.buckets, bucket) || !strings.HasPrefix(key, b.prefix) || b.isDeleted(bucket, key) {
		return nil, nil
	}
	body, contentType, ok := b.pictures.object(key)
	if !ok {
		return nil, nil
	}
	// An ETag need not be an MD5, and the key says what the body is: to digest
	// 100 kB for each GET would cost more than all that the consumer does.
	sum := sha256.Sum256([]byte(key))
	return &gofakes3.Object{
		Name: key,
		Metadata: map[string]string{
			"Content-Type":  contentType,
			"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
		},
		Size: int64(len(body)),
		Hash: sum[:md5.Size],
	}, body
}

func (b *backend) isDeleted(bucket, key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deleted[[2]string{bucket, key}]
}

// DeleteObject also ends the script of the key. In a bucket that keeps versions
// it only puts a delete marker, as S3 does, whether or not there is an object.
func (b *backend) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	if b.versions.keeps(bucket) {
		id := b.versions.add(objectPath{bucket, key}, version{marker: true})
		return gofakes3.ObjectDeleteResult{IsDeleteMarker: true, VersionID: id}, nil
	}
	result, err := b.Backend.DeleteObject(bucket, key)
	if err == nil {
		b.markDeleted(bucket, key)
	}
	return result, err
}

// DeleteMultiVersions is how gofakes3 deletes many objects of a store that can
// have versions. It also ends the scripts of the keys.
func (b *backend) DeleteMultiVersions(bucket string, objects ...gofakes3.ObjectID) (gofakes3.MultiDeleteResult, error) {
	if b.versions.keeps(bucket) {
		return gofakes3.MultiDeleteResult{}, gofakes3.ErrNotImplemented
	}
	result, err := b.Backend.DeleteMultiVersions(bucket, objects...)
	if err == nil {
		for _, object := range objects {
			b.markDeleted(bucket, object.Key)
		}
	}
	return result, err
}

func (b *backend) markDeleted(bucket, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deleted[[2]string{bucket, key}] = true
}
