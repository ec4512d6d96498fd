// Package s3sim simulates S3 as an http.Handler: gofakes3 in memory, with an
// endless supply of synthetic selfies and with the faults that a real store
// has.
//
// # Keys are scripts
//
// A GET or HEAD of a key below Config.Prefix in a seeded bucket is answered
// with an object made on the spot, the same each time, unless an object was put
// there or the key was deleted. The words of the last path segment, between
// hyphens, say what it is:
//
//	7-100KB.jpg      a JPEG of exactly 100 kB (of 1,000 bytes); without a size 60 kB
//	7-100KB.png      a PNG
//	7-truncated.jpg  the first two thirds of a JPEG
//	7-pngbomb.png    a few bytes that claim to be billions of pixels
//	7-huge.jpg       6 MiB, beyond the usual 5 MiB
//	7-notimage.jpg   text
//	7-empty.jpg      nothing
//	7-missing.jpg    no such key
//
// No two keys have the same bytes, empty and pngbomb aside. Every picture bears
// its key's last segment in a comment, see NameIn, by which a simulated vendor
// knows whose face it is to see: face-<person>-100KB.jpg. Listing a bucket
// shows only what was put there; listing the versions of a whole key its scripted
// object, too.
//
// # Versions and locks
//
// A bucket in Config.Versioned keeps every version of an object, and its delete
// markers; a scripted object is the oldest version of its key. Versions there can
// be locked with PUT ?legal-hold and PUT ?retention: deleting one is then denied.
package s3sim
