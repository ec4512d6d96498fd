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

// Archived is what the archive holds, for whoever is to erase it.
type Archived struct {
	*storage.Store
	Bucket string
	prefix string
}

// OpenArchived returns what the archive that the settings name holds, nil if they
// name none. A vendor that is not enabled any more may have left something there. It
// makes no request.
func OpenArchived(ctx context.Context, c config.Config) (*Archived, error) {
	s, a := c.Selfies, c.Vendors.Checkout.FollowUps.Archive
	if a.Bucket == "" {
		return nil, nil //nolint:nilnil // no archive is no fault
	}
	if a.Region == "" {
		a.Region = s.Region
	}
	store, err := storage.Open(ctx, storage.Config{
		Endpoint: s.Endpoint, Region: a.Region, PathStyle: s.PathStyle, Bucket: a.Bucket, Timeout: s.Timeout,
		AfterVerdict: storage.AfterVerdict{HoldTag: s.AfterVerdict.HoldTag},
	})
	if err != nil {
		return nil, fmt.Errorf("vendors.checkout.archive: %w", err)
	}
	return &Archived{Store: store, Bucket: a.Bucket, prefix: a.Prefix}, nil
}

// Of returns the keys of a request's pictures. Every error is a *storage.Error.
func (a *Archived) Of(ctx context.Context, requestID string) ([]string, error) {
	folder := pipeline.ArchiveFolder(requestID)
	if a.prefix != "" {
		folder = a.prefix + "/" + folder
	}
	return a.Keys(ctx, a.Bucket, folder)
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
