package s3sim

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// lockedVersion names a version that has a lock.
type lockedVersion struct {
	objectPath
	id gofakes3.VersionID
}

// lock is what Object Lock knows of a version.
type lock struct {
	legalHold bool
	mode      string
	until     time.Time
}

func (l lock) holds(now time.Time) bool { return l.legalHold || l.until.After(now) }

// maxLockBytes is well above what the documents take.
const maxLockBytes = 4 << 10

// putLock is PUT ?legal-hold and PUT ?retention. Every bucket that keeps versions
// can have locks. A lock is not shortened: no request may bypass it.
func (b *backend) putLock(w http.ResponseWriter, r *http.Request) {
	target, ok := b.lockable(r)
	if !ok {
		noLocks.write(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLockBytes))
	var document struct {
		Status          string
		Mode            string
		RetainUntilDate time.Time
	}
	if err != nil || xml.Unmarshal(body, &document) != nil {
		malformedXML.write(w, r)
		return
	}
	b.versions.mu.Lock()
	defer b.versions.mu.Unlock()
	l := b.versions.locks[target]
	if r.URL.Query().Has("legal-hold") {
		l.legalHold = document.Status == "ON"
	} else {
		if document.RetainUntilDate.Before(l.until) {
			accessDenied.write(w, r)
			return
		}
		l.mode, l.until = document.Mode, document.RetainUntilDate
	}
	b.versions.locks[target] = l
}

// askedFor returns the object that a request is about, and its version, empty for the
// current one.
func askedFor(r *http.Request) (objectPath, gofakes3.VersionID) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return objectPath{bucket, key}, gofakes3.VersionID(r.URL.Query().Get("versionId"))
}

// lockable returns the version that a request is about, false if it cannot have
// a lock.
func (b *backend) lockable(r *http.Request) (lockedVersion, bool) {
	p, id := askedFor(r)
	if !b.versions.keeps(p.bucket) {
		return lockedVersion{}, false
	}
	o, err := b.getVersion(p, id, nil)
	if err != nil || o.IsDeleteMarker {
		return lockedVersion{}, false
	}
	return lockedVersion{p, o.VersionID}, true
}

// lockOf returns the lock on the version that a request is about.
func (b *backend) lockOf(r *http.Request) lock {
	target, ok := b.lockable(r)
	if !ok {
		return lock{}
	}
	b.versions.mu.Lock()
	defer b.versions.mu.Unlock()
	return b.versions.locks[target]
}

// describe adds the headers that a GET and a HEAD have.
func (l lock) describe(h http.Header) {
	if l.legalHold {
		h.Set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
	if !l.until.IsZero() {
		h.Set("X-Amz-Object-Lock-Mode", l.mode)
		h.Set("X-Amz-Object-Lock-Retain-Until-Date", l.until.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
}
