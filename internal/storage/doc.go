// Package storage reads selfies from S3, or any store that speaks its
// protocol, into bounded memory, and tags or deletes them after the verdict. It
// is the only home of aws-sdk-go-v2.
//
// # Memory
//
// Everything in flight shares one allowance in bytes, Config.MaxMemory, handed
// out in chunks of 64 KiB. Nobody waits for memory while holding some, and
// nobody waits while S3 is answering, so the wait cannot deadlock and no
// connection idles on a full window:
//
//	reserve an estimate ──► GET ──► headers: does the size fit?
//	      ▲                            │ yes, or growing needs no wait
//	      │                            ├──► read, hash, check ──► Selfie
//	      │                            │ no, and growing would wait
//	      └── give all back, close ◄───┘
//	          the answer, ask for
//	          the whole size
//
// The estimate follows the recent sizes, and what a selfie turns out not to
// need is given back as soon as its headers are there. A second GET for the
// same selfie is counted (reauth_selfie_refetches_total); the third, if it ever
// comes to that, holds Config.MaxBytes and so cannot run short.
//
// A Selfie holds its chunks until its Body is closed or it is released. An HTTP
// transport closes a request's body once it is sent, so a selfie costs nothing
// while the vendor thinks.
//
// Chunks live on the Go heap and are kept for reuse: the collector, left to its
// default, lets the heap grow to twice what lives. A process that must stay
// near MaxMemory sets a memory limit (runtime/debug.SetMemoryLimit). As chunks
// hold no pointers, the collections that follow from it are cheap. Measured with
// 512 fetches of 1 MB at once and a MaxMemory of 64 MiB (Go 1.26.8): 125 MiB
// resident without a limit; 92 MiB, and 2 % more CPU, with a limit of 80 MiB.
//
// # Slow answers
//
// With Config.Hedge, a GET that takes longer than 95 % of the recent ones (at least
// 20 ms, at most half of Config.Timeout) is joined by a second, and the first of
// the two that is whole is taken: bytes, digest and version of one answer. The
// other is cancelled and its memory given back before Fetch returns. At most 5 %
// of the fetches have a second GET, and only if its memory is there at once. From a
// simulated store of which every fiftieth answer takes a second more, the 99th
// percentile fell from 1.02 s to 59 ms, at 4.9 % more GETs.
//
// # What is refused
//
// A selfie is checked without decoding its pixels: not empty, at most
// Config.MaxBytes, JPEG or PNG by content, a header that parses, at most
// Config.MaxPixels, and an end: a JPEG's EOI marker after its first scan begins,
// a PNG's IEND chunk. Bytes after the end are fine: phones append motion photos
// and depth maps. The Content-Type that the uploader declared is not looked at,
// as many leave S3's default.
//
// # After the verdict
//
// Dispose does what Config.AfterVerdict says for an outcome:
//
//	tag      GET ?tagging ─ gone? held? tagged? ─ PUT ?tagging with one more
//	delete   GET ?tagging ─ gone? held? ─ DELETE ─ denied: HEAD ─ locked?
//
// and DisposeUnsure the same after a HEAD that shows no version.
//
// It acts on the version that was fetched, so that a later selfie at the same key
// stays as it is, and may be repeated at any point. Erase is for a person who
// asks to be forgotten: it deletes every version of a key, and the delete markers,
// which hold the key.
//
// Two things keep an object from both: a tag of the operator's choice, which is
// looked at before (Config.AfterVerdict.HoldTag), and S3's Object Lock, which the
// store enforces. Neither is a fault. A tag can be put in the moment between the
// look and the act; a lock cannot.
//
// The credentials need, besides s3:GetObject and s3:ListBucket,
//
//	to tag       s3:GetObjectTagging, s3:PutObjectTagging
//	to delete    s3:DeleteObject, and s3:GetObjectTagging with a hold tag
//	to erase     those to delete, and s3:ListBucketVersions; where versions cannot
//	             be listed, s3:ListBucket to find what an archive holds
//	with locks   s3:GetObjectRetention, s3:GetObjectLegalHold, to tell them from
//	             a denial
//
// and in a bucket that keeps versions those with ObjectVersion in place of Object:
// s3:GetObjectVersion, s3:GetObjectVersionTagging, s3:PutObjectVersionTagging,
// s3:DeleteObjectVersion.
//
// # Archive
//
// An Archive takes pictures that a vendor took, and writes them to a bucket of their
// own: read into memory from where they are, checked to be whole, then put with
// their digest, which S3 compares and keeps. They share the memory of the selfies,
// of which they hold at most a quarter. It needs s3:PutObject, and for a KMS key
// kms:GenerateDataKey. It never deletes: to erase what it holds of a person, a Store
// of its bucket finds the keys below a prefix (Keys) and erases each.
//
// # Errors
//
// Every error of a Store is an *Error, and its Kind says what follows.
// No error, metric or log of this package holds a key, a credential, a message
// of the store (Amazon puts the key's ARN into them) or a byte of an image.
package storage
