package s3sim

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// past is an object in the bucket that keeps versions.
type past struct {
	bundle
	t   *testing.T
	key *string
}

var kept = aws.String("kept")

func (p past) put(body string) (version *string) {
	p.t.Helper()
	out, err := p.client.PutObject(p.t.Context(), &s3.PutObjectInput{Bucket: kept, Key: p.key, Body: strings.NewReader(body)})
	if err != nil {
		p.t.Fatal(err)
	}
	return out.VersionId
}

func (p past) size(version *string) int64 {
	head, err := p.client.HeadObject(p.t.Context(), &s3.HeadObjectInput{Bucket: kept, Key: p.key, VersionId: version})
	if err != nil {
		return -1
	}
	get, err := p.client.GetObject(p.t.Context(), &s3.GetObjectInput{Bucket: kept, Key: p.key, VersionId: version})
	if err != nil {
		p.t.Fatal(err)
	}
	defer get.Body.Close()
	if version != nil && aws.ToString(get.VersionId) != *version || *get.ContentLength != *head.ContentLength {
		p.t.Errorf("asked for version %v: GET says %s and %d bytes, HEAD %d bytes", version, *get.VersionId, *get.ContentLength, *head.ContentLength)
	}
	return *get.ContentLength
}

func (p past) remove(version *string) error {
	_, err := p.client.DeleteObject(p.t.Context(), &s3.DeleteObjectInput{Bucket: kept, Key: p.key, VersionId: version})
	return err
}

// ids lists the versions and markers of all keys, page by page.
func (p past) ids(prefix string) (ids []string) {
	p.t.Helper()
	pages := s3.NewListObjectVersionsPaginator(p.client, &s3.ListObjectVersionsInput{Bucket: kept, Prefix: &prefix, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		for _, v := range page.Versions {
			ids = append(ids, *v.Key+" "+*v.VersionId)
		}
		for _, m := range page.DeleteMarkers {
			ids = append(ids, *m.Key+" marker")
		}
	}
	slices.Sort(ids)
	return ids
}

func TestABucketKeepsItsVersions(t *testing.T) {
	p := past{setup(t, nil), t, aws.String("a.jpg")}
	first, second := p.put("1"), p.put("22")
	if p.size(nil) != 2 || p.size(first) != 1 {
		t.Errorf("current %d, first %d bytes", p.size(nil), p.size(first))
	}
	if err := p.remove(nil); err != nil {
		t.Fatal(err)
	}
	_, err := p.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: kept, Key: p.key})
	wantCode(t, "behind the marker", err, "NoSuchKey", http.StatusNotFound)
	if p.size(nil) != -1 || p.size(second) != 2 {
		t.Errorf("behind the marker: current %d, second %d bytes", p.size(nil), p.size(second))
	}
	third := p.put("333")
	if got, want := p.ids("a.jpg"), []string{"a.jpg marker", "a.jpg " + *first, "a.jpg " + *second, "a.jpg " + *third}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if err := p.remove(third); err != nil {
		t.Fatal(err)
	}
	if p.size(third) != -1 || p.size(nil) != -1 || p.size(second) != 2 {
		t.Error("deleting the third version did not leave the marker current")
	}
	if err := p.remove(aws.String("version-99")); err != nil {
		t.Errorf("deleting a version that is not there: %v", err)
	}
}

func TestAScriptIsTheOldestVersion(t *testing.T) {
	p := past{setup(t, nil), t, aws.String("selfies/1-30KB.jpg")}
	script := aws.String(scriptVersion)
	later := p.put("mine")
	if p.size(nil) != 4 || p.size(script) != 30_000 {
		t.Errorf("current %d, script %d bytes", p.size(nil), p.size(script))
	}
	if err := p.remove(later); err != nil || p.size(nil) != 30_000 {
		t.Errorf("without what was put: %d bytes, %v", p.size(nil), err)
	}
	if got := p.ids(*p.key); !slices.Equal(got, []string{*p.key + " script"}) {
		t.Errorf("listed %v", got)
	}
	if err := p.remove(script); err != nil || p.size(nil) != -1 || len(p.ids(*p.key)) != 0 {
		t.Errorf("the script is still there: %v", err)
	}
}

func TestTagsBelongToAVersion(t *testing.T) {
	p := past{setup(t, nil), t, aws.String("a.jpg")}
	first, second := p.put("1"), p.put("2")
	set := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}
	if _, err := p.client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: kept, Key: p.key, VersionId: first, Tagging: set}); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[*string]int{first: 1, second: 0, nil: 0} {
		out, err := p.client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: kept, Key: p.key, VersionId: version})
		if err != nil || len(out.TagSet) != want || aws.ToString(out.VersionId) == "" {
			t.Errorf("version %v: %+v and %v, want %d", version, out, err, want)
		}
	}
}

func TestALockedVersionStays(t *testing.T) {
	p := past{setup(t, nil), t, aws.String("a.jpg")}
	held, retained, free := p.put("1"), p.put("22"), p.put("333")
	hold := func(status types.ObjectLockLegalHoldStatus) {
		if _, err := p.client.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
			Bucket: kept, Key: p.key, VersionId: held, LegalHold: &types.ObjectLockLegalHold{Status: status}}); err != nil {
			t.Fatal(err)
		}
	}
	retain := func(until time.Time) error {
		_, err := p.client.PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{Bucket: kept, Key: p.key, VersionId: retained,
			Retention: &types.ObjectLockRetention{Mode: "COMPLIANCE", RetainUntilDate: &until}})
		return err
	}
	hold("ON")
	if err := retain(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "held", p.remove(held), "AccessDenied", http.StatusForbidden)
	wantCode(t, "retained", p.remove(retained), "AccessDenied", http.StatusForbidden)
	wantCode(t, "a shorter retention", retain(time.Now()), "AccessDenied", http.StatusForbidden)
	if err := p.remove(nil); err != nil {
		t.Errorf("a marker in front of a lock: %v", err)
	}
	head, err := p.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: kept, Key: p.key, VersionId: retained})
	if err != nil || head.ObjectLockMode != "COMPLIANCE" || !head.ObjectLockRetainUntilDate.After(time.Now()) || head.ObjectLockLegalHoldStatus != "" {
		t.Errorf("HEAD of what is retained: %+v, %v", head, err)
	}
	hold("OFF")
	if err := p.remove(held); err != nil || p.size(held) != -1 {
		t.Errorf("after the hold: %v", err)
	}
	if err := p.remove(free); err != nil || p.size(retained) != 2 {
		t.Errorf("a version without a lock: %v", err)
	}
	_, err = p.client.PutObjectLegalHold(t.Context(), &s3.PutObjectLegalHoldInput{
		Bucket: aws.String("selfies"), Key: aws.String("selfies/1.jpg"), LegalHold: &types.ObjectLockLegalHold{Status: "ON"}})
	wantCode(t, "a lock without versions", err, "InvalidRequest", http.StatusBadRequest)
}

func TestWithoutVersionsAnObjectIsTheVersionNull(t *testing.T) {
	b := setup(t, nil)
	b.put(t, "selfies/1.jpg", "mine")
	b.put(t, "other.jpg", "mine")
	for key, want := range map[string]int{"selfies/1.jpg": 1, "selfies/2.jpg": 1, "other.jpg": 1, "missing.jpg": 0} {
		out, err := b.client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("selfies"), Prefix: &key})
		if err != nil || len(out.Versions) != want || want == 1 && *out.Versions[0].VersionId != nullVersion {
			t.Errorf("%s: %+v and %v", key, out, err)
			continue
		}
		if want == 0 {
			continue
		}
		head, err := b.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("selfies"), Key: &key})
		if err != nil || head.VersionId != nil {
			t.Errorf("%s: HEAD says %+v and %v", key, head, err)
		}
		_, err = b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("selfies"), Key: &key, VersionId: aws.String(nullVersion)})
		if _, missing := b.get(key); err != nil || missing == nil {
			t.Errorf("%s is still there: %v", key, err)
		}
	}
	_, err := b.client.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("elsewhere")})
	wantCode(t, "another bucket", err, "NoSuchBucket", http.StatusNotFound)
}
