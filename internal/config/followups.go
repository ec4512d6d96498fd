package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// FollowUps is what is done about a request after its verdict.
type FollowUps struct {
	Archive Archive
	// AuditChecks are how long after the verdict it is asked for again.
	AuditChecks []time.Duration
	// AnonymiseAfter is 0 for never.
	AnonymiseAfter time.Duration
	MaxFollowUps   int
}

// Archive is where the vendor's pictures are kept.
type Archive struct {
	// Bucket is empty when there is none.
	Bucket string
	Prefix string
	// Region is empty for that of the selfies.
	Region string
	// Outcomes are those whose pictures are kept.
	Outcomes []string
	// AssetTypes are the vendor's names of what is kept.
	AssetTypes []string
	MaxBytes   Size
	// AllowedHosts are where pictures may come from; empty for anywhere.
	AllowedHosts []string
	// Encryption is EncryptionDefault, EncryptionAES256 or EncryptionKMS.
	Encryption, KMSKey string
}

// How archived pictures are encrypted, by S3's names.
const (
	EncryptionDefault = "default"
	EncryptionAES256  = "AES256"
	EncryptionKMS     = "aws:kms"
)

// Kept returns the outcomes whose pictures are archived, none without a bucket.
func (a *Archive) Kept() (outcomes []event.Outcome) {
	if a.Bucket == "" {
		return nil
	}
	for _, o := range a.Outcomes {
		outcomes = append(outcomes, event.Outcome(o))
	}
	return outcomes
}

// followUpBytes is what one follow-up takes of a replica's memory (internal/ledger
// holds it below).
const followUpBytes = 320

func (f *FollowUps) describe(g group) {
	many(g, &f.AuditChecks, durations, "audit_checks", "",
		`How long after a verdict to ask for it again, in case an audit has changed it and the webhook that tells of that is
		lost, such as 1h, 24h. Without a webhook it is the only way to hear of audits. Each check takes one of the allowed
		calls. Empty, the default: never, as the vendor does not say how long after a verdict its audits come. At most
		kafka.retention.results, where the first result must still be.`,
		items[time.Duration](0, 4), between(time.Second, 366*24*time.Hour))
	one(g, &f.AnonymiseAfter, durations, "anonymise_after", "0s",
		`How long after a verdict the vendor is to anonymise what it keeps of the face authentication, such as 720h; 0s: never.
		Where pictures are archived, it is only done once they are: if that fails for good, it is left to a person, who is
		told by log and metrics. Authentications of requests that ended without a verdict (expired) are meant, too; those of
		requests that failed are not. It is remembered in the ledger, so it is lost if the whole group stands still for
		longer than kafka.retention.ledger allows.`, between(0, 10*366*24*time.Hour))
	one(g, &f.MaxFollowUps, counts, "max_follow_ups", "250000",
		fmt.Sprintf(`Requests of the whole group about which something of this may be left to be done; each partition has an
		equal share. Each takes up to %d bytes of memory in the replica that owns its partition, so a replica that has all of
		them needs 80 MB at 250000, and a record of some 400 bytes in the ledger every half ledger.window. Where a
		partition has its share, no further request of the vendor is begun on it, and they wait as if the vendor were
		paused, until something is done: give more than the verdicts of anonymise_after.`, followUpBytes), between(100, 10_000_000))
	g.group("archive", `Where the pictures of the face that the vendor took are copied to after the verdict, since they are
		gone there some day. Endpoint, addressing and credentials are those of the selfies; the credentials need
		s3:PutObject, and with a KMS key kms:GenerateDataKey. An object's key is the prefix, the request id, the vendor's id
		of the attempt and the name of the picture, such as faces/r-1/fatp_x/face_image-1.jpg. consumer check writes a small
		object, reauth-check.txt under the prefix. The consumer never deletes from it: give the bucket a lifecycle rule.
		producer erase deletes what is there of a person, but for what selfies.after_verdict.hold_tag or S3's Object Lock
		keeps. Its credentials need s3:ListBucketVersions and s3:DeleteObject, with a hold tag s3:GetObjectTagging, and where
		the bucket keeps versions s3:DeleteObjectVersion and s3:GetObjectVersionTagging; with locks s3:GetObjectRetention and
		s3:GetObjectLegalHold, to tell them from a denial.`, f.Archive.describe)
}

func (a *Archive) describe(g group) {
	one(g, &a.Bucket, texts, "bucket", "", `Bucket of the archive. Empty: nothing is archived.`, optional(bucketName))
	one(g, &a.Prefix, texts, "prefix", "faces", `What the objects' keys begin with, without a slash at its end.`, optional(keyPrefix))
	one(g, &a.Region, texts, "region", "", `AWS region of the bucket. Empty: selfies.region.`, optional(word))
	many(g, &a.Outcomes, texts, "outcomes", "approved,rejected",
		`Outcomes whose pictures are archived. A rejected person who refused was not recorded, and is left out.`,
		items[string](1, len(archivable)), oneOf(archivable...))
	many(g, &a.AssetTypes, texts, "asset_types", "face_image",
		`Types of the vendor's assets to archive; only pictures can be.`, items[string](1, 16), pictureType)
	one(g, &a.MaxBytes, sizes, "max_bytes", "5MiB",
		`Largest picture; a larger one is not archived. It is held in selfies.max_memory on its way.`, between(KiB, 100*MiB))
	many(g, &a.AllowedHosts, texts, "allowed_hosts", "",
		`Hosts that the vendor's links to pictures may lead to, beside that of its API; .example.com stands for all hosts in
		example.com. Empty: any host that has a name. They are always reached over https, and never shown a key of ours.`,
		items[string](0, 100), hostName)
	one(g, &a.Encryption, texts, "encryption", EncryptionDefault,
		`Encryption that is asked for with each object: default leaves it to the bucket.`,
		oneOf(EncryptionDefault, EncryptionAES256, EncryptionKMS))
	one(g, &a.KMSKey, texts, "kms_key", "", `Id or ARN of the key for aws:kms. Empty: the account's own for S3.`, optional(word))
}

// archivable are the outcomes that a person may have been recorded for.
var archivable = []string{string(event.Approved), string(event.Rejected), string(event.Unusable), string(event.Expired)}

// keyPrefix admits what needs no escape anywhere and is no step in a path.
var keyPrefix = rule[string]{
	bounds: "1 to 256 of letters, digits, / . _ - without empty steps, . and ..",
	fits: func(v string) bool {
		steps := strings.Split(v, "/")
		return keyPrefixPattern.MatchString(v) &&
			!slices.ContainsFunc(steps, func(s string) bool { return s == "" || s == "." || s == ".." })
	},
}

var keyPrefixPattern = regexp.MustCompile(`^[A-Za-z0-9/._-]{1,256}$`)

// pictureType admits what Checkout.com calls an asset that is a picture.
var pictureType = rule[string]{
	bounds: "the name of a picture, such as face_image",
	fits:   regexp.MustCompile(`^[a-z_]{1,40}_image$`).MatchString,
}

// hostName admits a host in lower case, or a domain with a dot in front.
var hostName = rule[string]{
	bounds: "a host name in lower case, or a domain with a dot in front",
	fits:   regexp.MustCompile(`^\.?[a-z0-9-]+(\.[a-z0-9-]+)*$`).MatchString,
}

// contradictions reports follow-ups that cannot be done.
func (f *FollowUps) contradictions(r *report, c *Config, key func(string) string) {
	for _, after := range f.AuditChecks {
		if after > c.Kafka.Retention.Results {
			r.fault(key("audit_checks"), showDuration(after)+" is longer than kafka.retention.results, "+
				showDuration(c.Kafka.Retention.Results)+": the result to revise is gone by then", "give at most that", "kafka.retention.results")
			break
		}
	}
	a := &f.Archive
	if a.KMSKey != "" && a.Encryption != EncryptionKMS {
		r.fault(key("archive.kms_key"), "it goes with encryption "+EncryptionKMS+" only", "leave it out, or give that", key("archive.encryption"))
	}
	if a.Bucket != "" && a.MaxBytes > c.Selfies.MaxMemory {
		r.fault(key("archive.max_bytes"), a.MaxBytes.String()+" do not fit selfies.max_memory, "+c.Selfies.MaxMemory.String(),
			"give at most that", "selfies.max_memory")
	}
}

// doubts reports follow-ups that are most often not meant so.
func (f *FollowUps) doubts(r *report, c *Config, key func(string) string) {
	if bucket := f.Archive.Bucket; bucket != "" && slices.Contains(c.Selfies.Buckets(), bucket) {
		r.fault(key("archive.bucket"), "requests may name objects in it as selfies", "give the archive a bucket of its own")
	}
}
