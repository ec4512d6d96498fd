package app

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"reauth/internal/config"
	"reauth/internal/event"
	"reauth/internal/pipeline"
	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage/storagetest"
)

// What is erased is looked for where the consumer puts it, also once the vendor is
// not enabled any more.
func TestArchivedPicturesAreFoundWhereTheyWerePut(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "sandbox")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sandbox-secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	sim, err := s3sim.New(s3sim.Config{Knobs: s3sim.DefaultKnobs(), Buckets: []string{"selfies", "archived"}, Prefix: "scripted/"})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Selfies.Endpoint, c.Selfies.PathStyle, c.Selfies.Bucket, c.Selfies.Region = serve(t, sim), true, "selfies", "eu-central-1"
	c.Vendors.Checkout.Enabled, c.Vendors.Checkout.FollowUps.Archive.Bucket = true, "archived"
	picture := storagetest.JPEG(1, 2_000)
	for prefix, want := range map[string]string{"": "r-1/fatp_1/face_image-1.jpg", "faces/2026": "faces/2026/r-1/fatp_1/face_image-1.jpg"} {
		c.Vendors.Checkout.FollowUps.Archive.Prefix = prefix
		keepPicture(t, c, pipeline.ArchiveFolder("r-1")+"fatp_1/face_image-1", picture)
		keepPicture(t, c, pipeline.ArchiveFolder("r-10")+"fatp_1/face_image-1", picture)
		later := c
		later.Vendors.Checkout.Enabled = false
		archived, err := OpenArchived(t.Context(), later)
		if err != nil {
			t.Fatal(err)
		}
		defer archived.Close()
		if keys, err := archived.Of(t.Context(), "r-1"); err != nil || !slices.Equal(keys, []string{want}) {
			t.Errorf("keys are %q and %v, want %q", keys, err, want)
		}
	}
	c.Vendors.Checkout.FollowUps.Archive.Bucket = ""
	if archived, err := OpenArchived(t.Context(), c); archived != nil || err != nil {
		t.Errorf("without a bucket there is %v, %v", archived, err)
	}
}

// keepPicture archives a picture as the consumer does.
func keepPicture(t *testing.T, c config.Config, key string, picture []byte) {
	t.Helper()
	store, err := OpenStore(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	archive, err := openArchive(t.Context(), c, store)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	err = archives(archive)[event.Checkout](t.Context(), key, func(context.Context) (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(picture)), int64(len(picture)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
