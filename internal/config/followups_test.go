package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reauth/internal/event"
)

// checkoutEnviron enables Checkout.com, and nothing of what follows a verdict.
var checkoutEnviron = []string{
	"REAUTH_VENDORS__ARGOS__ENABLED=false", "REAUTH_DEFAULT_VENDOR=checkout", "REAUTH_VENDORS__CHECKOUT__ENABLED=true",
	"REAUTH_VENDORS__CHECKOUT__SECRET_KEY=sk_of_the_test", "REAUTH_VENDORS__CHECKOUT__USER_JOURNEY_ID=usj_x", "REAUTH_VENDORS__CHECKOUT__LIMITS=10/s",
}

func loadCheckout(more ...string) (Config, error) {
	return Load(Source{Environ: append(append([]string{}, checkoutEnviron...), more...), Vendors: event.Vendors()})
}

func TestNothingFollowsAVerdictUnlessItIsSet(t *testing.T) {
	c, err := loadCheckout()
	if err != nil {
		t.Fatal(err)
	}
	f := c.Vendors.Checkout.FollowUps
	if len(f.Archive.Kept()) != 0 || len(f.AuditChecks) != 0 || f.AnonymiseAfter != 0 {
		t.Errorf("by default %+v", f)
	}
	c, err = loadCheckout("REAUTH_VENDORS__CHECKOUT__ARCHIVE__BUCKET=archived-faces", "REAUTH_VENDORS__CHECKOUT__AUDIT_CHECKS=1h,24h")
	if err != nil {
		t.Fatal(err)
	}
	f = c.Vendors.Checkout.FollowUps
	if diff := cmp.Diff([]event.Outcome{event.Approved, event.Rejected}, f.Archive.Kept()); diff != "" || len(f.AuditChecks) != 2 {
		t.Errorf("with a bucket and two checks: %+v", f)
	}
}

func TestFaultsOfWhatFollowsAVerdict(t *testing.T) {
	const p = "REAUTH_VENDORS__CHECKOUT__"
	for _, tt := range []struct{ environ, want string }{
		{p + "AUDIT_CHECKS=200h", "longer than kafka.retention.results"},
		{p + "AUDIT_CHECKS=1h,2h,3h,4h,5h", "a list of 5 is not accepted"},
		{p + "ANONYMISE_AFTER=-1h", "is not accepted"},
		{p + "ARCHIVE__PREFIX=a/../b", "is not accepted"},
		{p + "ARCHIVE__PREFIX=a/", "is not accepted"},
		{p + "ARCHIVE__ASSET_TYPES=face_video", "is not accepted"},
		{p + "ARCHIVE__OUTCOMES=failed", "is not accepted"},
		{p + "ARCHIVE__ALLOWED_HOSTS=https://cdn.example", "is not accepted"},
		{p + "ARCHIVE__KMS_KEY=k", "goes with encryption aws:kms only"},
		{p + "ARCHIVE__BUCKET=archived-faces " + p + "ARCHIVE__MAX_BYTES=80MiB", "do not fit selfies.max_memory"},
	} {
		_, err := loadCheckout(strings.Fields(tt.environ)...)
		var faults *Faults
		if !errors.As(err, &faults) || len(faults.List) != 1 || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want one fault with %q", tt.environ, err, tt.want)
		}
	}
	c, err := loadCheckout(p + "ARCHIVE__BUCKET=selfies")
	if err != nil {
		t.Fatal(err)
	}
	warned := false
	for _, w := range c.Warnings() {
		warned = warned || w.Key == "vendors.checkout.archive.bucket"
	}
	if !warned {
		t.Error("no word about an archive that requests can name selfies in")
	}
}
