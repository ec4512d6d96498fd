package app

import (
	"context"
	"fmt"
	"io"
	"slices"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/pipeline"
	"reauth/internal/storage"
)

// openArchive returns the archive of Checkout.com's pictures, nil if there is to be
// none. It makes no request.
func openArchive(ctx context.Context, c config.Config, store *storage.Store) (*storage.Archive, error) {
	s, a := c.Selfies, c.Vendors.Checkout.FollowUps.Archive
	if !c.Vendors.Checkout.Enabled || a.Bucket == "" {
		return nil, nil //nolint:nilnil // no archive is no fault
	}
	if a.Region == "" {
		a.Region = s.Region
	}
	encryption := storage.Encryption(a.Encryption)
	if a.Encryption == config.EncryptionDefault {
		encryption = ""
	}
	archive, err := storage.OpenArchive(ctx, store, storage.ArchiveConfig{
		Endpoint: s.Endpoint, Region: a.Region, PathStyle: s.PathStyle, Bucket: a.Bucket, Prefix: a.Prefix,
		Encryption: encryption, KMSKey: a.KMSKey, MaxBytes: int64(a.MaxBytes), Timeout: s.Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("vendors.checkout.archive: %w", err)
	}
	return archive, nil
}

// archives returns the archive by the vendor whose pictures it keeps.
func archives(archive *storage.Archive) map[event.Vendor]pipeline.Archive {
	if archive == nil {
		return nil
	}
	return map[event.Vendor]pipeline.Archive{
		event.Checkout: func(ctx context.Context, key string, open func(context.Context) (io.ReadCloser, int64, error)) error {
			return archive.Keep(ctx, key, open)
		},
	}
}

// followUps returns what is done after the verdicts of the enabled vendors.
func followUps(c config.Config) map[event.Vendor]pipeline.FollowUpConfig {
	s := c.Vendors.Checkout.FollowUps
	f := pipeline.FollowUpConfig{
		Archive: s.Archive.Kept(), AuditChecks: slices.Sorted(slices.Values(s.AuditChecks)), AnonymiseAfter: s.AnonymiseAfter,
	}
	if !c.Vendors.Checkout.Enabled || len(f.Archive) == 0 && len(f.AuditChecks) == 0 && f.AnonymiseAfter == 0 {
		return nil
	}
	return map[event.Vendor]pipeline.FollowUpConfig{event.Checkout: f}
}

// assetsInFlight is how many connections to where a vendor's pictures are are kept.
const assetsInFlight = 16

func checkArchive(ctx context.Context, c config.Config, report reporter) {
	a := c.Vendors.Checkout.FollowUps.Archive
	if !c.Vendors.Checkout.Enabled || a.Bucket == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	report("archive", "bucket "+a.Bucket, tryArchive(ctx, c))
}

func tryArchive(ctx context.Context, c config.Config) error {
	store, err := OpenStore(ctx, c, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	archive, err := openArchive(ctx, c, store)
	if err != nil {
		return err
	}
	defer archive.Close()
	return archive.Check(ctx)
}
