package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// Selfies is where the selfies lie, and what one may cost.
type Selfies struct {
	// Endpoint is empty for AWS itself.
	Endpoint       string
	Region         string
	PathStyle      bool
	Bucket         string
	AllowedBuckets []string
	MaxBytes       Size
	MaxMemory      Size
	MaxPixels      int
	Timeout        time.Duration
	Hedge          bool
	// Digest is DigestComputed or DigestStored.
	Digest       string
	AfterVerdict AfterVerdict
}

// AfterVerdict is what is done about a selfie, by outcome: AfterKeep, AfterTag or
// AfterDelete.
type AfterVerdict struct {
	Approved, Rejected, Unusable, Ineligible, Expired, Withdrawn, Failed string
	TagKey, HoldTag                                                      string
}

// Where a selfie's digest comes from.
const (
	DigestComputed = "computed"
	DigestStored   = "stored"
)

// What is done about a selfie after the verdict.
const (
	AfterKeep   = "keep"
	AfterTag    = "tag"
	AfterDelete = "delete"
)

// Buckets returns every bucket that a request may name, the default one first.
func (s *Selfies) Buckets() []string {
	buckets := []string{s.Bucket}
	for _, b := range s.AllowedBuckets {
		if !slices.Contains(buckets, b) {
			buckets = append(buckets, b)
		}
	}
	return buckets
}

func (s *Selfies) describe(g group) {
	one(g, &s.Endpoint, addresses, "endpoint", "",
		`Address of an S3-compatible store. Empty: AWS in the region.`, optional(webAddress))
	one(g, &s.Region, texts, "region", "us-east-1",
		`AWS region. Other stores take part of it into the signature, so it is never empty.`, word)
	one(g, &s.PathStyle, switches, "path_style", "false",
		`Put the bucket into the path rather than the host name. Most stores other than AWS need it.`)
	one(g, &s.Bucket, texts, "bucket", "selfies", `Bucket of the requests that name none.`, bucketName)
	many(g, &s.AllowedBuckets, texts, "allowed_buckets", "",
		`Buckets that a request may name, besides the default one. A request for another is refused: a message must not
		be able to read whatever this service can.`, items[string](0, 1000), bucketName)
	one(g, &s.MaxBytes, sizes, "max_bytes", "5MiB",
		`Largest selfie; a larger one is unusable, at no charge.`, between(KiB, 100*MiB))
	one(g, &s.MaxMemory, sizes, "max_memory", "64MiB",
		`Memory for all selfies that are held at a time. Work waits when it is full. At least max_bytes.`,
		between(KiB, TiB))
	one(g, &s.MaxPixels, counts, "max_pixels", "40000000",
		`Largest selfie in pixels, width by height; a larger one is unusable, at no charge.`, between(1, 1_000_000_000))
	one(g, &s.Timeout, durations, "timeout", "10s",
		`Longest fetch of one selfie, from the request to the last byte.`, between(10*time.Millisecond, 10*time.Minute))
	one(g, &s.Hedge, switches, "hedge", "true",
		`Fetch a selfie a second time when the first fetch takes longer than 95 % of the recent ones did, and take what comes
		first. At most 5 % of the fetches, and none that memory would have to be waited for.`)
	one(g, &s.Digest, texts, "digest", DigestComputed,
		`Where selfie_sha256 comes from. computed: from the bytes that were fetched. stored: S3's own checksum, for selfies
		that were uploaded with one of SHA-256, which saves a fifth of the CPU at 100 kB and a third at 500; others' is computed all the same.`,
		oneOf(DigestComputed, DigestStored))
	g.group("after_verdict", `What is done about a selfie once the result of its request is published. tag needs
		s3:GetObjectTagging and s3:PutObjectTagging, delete s3:GetObjectTagging and s3:DeleteObject; a bucket that keeps
		versions wants ObjectVersion for Object in each of them. There the version that was fetched is meant, and
		nothing is done where nobody knows which version the vendor was sent; elsewhere whatever is at the key then, so
		give each selfie a key of its own.`, s.AfterVerdict.describe)
}

// outcomes are the fields of a by outcome.
func (a *AfterVerdict) outcomes() []outcomeAction {
	return []outcomeAction{
		{event.Approved, &a.Approved, "The vendor says that it is the same person."},
		{event.Rejected, &a.Rejected, "The vendor says no."},
		{event.Unusable, &a.Unusable, "A new selfie is needed."},
		{event.Ineligible, &a.Ineligible, "The subject cannot be authenticated."},
		{event.Expired, &a.Expired, "The request's not_after passed, most often before the selfie was fetched."},
		{event.Withdrawn, &a.Withdrawn, "Upstream took the request back, most often before the selfie was fetched."},
		{event.Failed, &a.Failed, "We gave up. A request that is sent back needs its selfie."},
	}
}

// outcomeAction is what is done after an outcome.
type outcomeAction struct {
	outcome event.Outcome
	action  *string
	doc     string
}

// ByOutcome returns what is done after each outcome.
func (a *AfterVerdict) ByOutcome() map[event.Outcome]string {
	actions := make(map[event.Outcome]string)
	for _, o := range a.outcomes() {
		actions[o.outcome] = *o.action
	}
	return actions
}

func (a *AfterVerdict) describe(g group) {
	for _, o := range a.outcomes() {
		one(g, o.action, texts, string(o.outcome), AfterKeep, o.doc, oneOf(AfterKeep, AfterTag, AfterDelete))
	}
	one(g, &a.TagKey, texts, "tag_key", "reauth-outcome",
		`Key of the tag that tag adds; its value is the outcome. A lifecycle rule of the bucket can act on it. The other
		tags stay; S3 allows ten.`, tagKey)
	one(g, &a.HoldTag, texts, "hold_tag", "legal-hold",
		`Key of a tag that keeps a selfie as it is, neither tagged nor deleted, unless its value is false or off; producer erase
		heeds it in the archive, too. S3's Object Lock does so in any case. Empty: no tag is looked for, and delete needs no
		s3:GetObjectTagging.`, optional(tagKey))
}

// tagKey admits what S3 accepts as the key of a tag everywhere (Amazon S3 user
// guide, "Categorizing your objects using tags"), but for spaces.
var tagKey = rule[string]{
	bounds: "1 to 128 of letters, digits, + - = . _ : / @, not beginning with aws:",
	fits: func(v string) bool {
		return tagKeyPattern.MatchString(v) && !strings.HasPrefix(strings.ToLower(v), "aws:")
	},
}

var tagKeyPattern = regexp.MustCompile(`^[A-Za-z0-9+\-=._:/@]{1,128}$`)
