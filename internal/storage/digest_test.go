package storage

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"reauth/internal/sandbox/s3sim"
	"reauth/internal/storage/storagetest"
)

// TestStoredDigestIsTakenWhereItIsOne: a checksum that the store sends along with
// other bytes shows where the digest came from.
func TestStoredDigestIsTakenWhereItIsOne(t *testing.T) {
	picture := storagetest.JPEG(1, 100_000)
	computed, other := sha256.Sum256(picture), sha256.Sum256([]byte("other"))
	stored := base64.StdEncoding.EncodeToString(other[:])
	for name, c := range map[string]struct {
		setting  bool
		checksum string
		kind     string
		want     [sha256.Size]byte
	}{
		"stored":                  {true, stored, "FULL_OBJECT", other},
		"stored, kind not told":   {true, stored, "", other},
		"not wanted":              {false, stored, "FULL_OBJECT", computed},
		"none":                    {true, "", "", computed},
		"of parts":                {true, stored + "-2", "COMPOSITE", computed},
		"of parts, says the kind": {true, stored, "COMPOSITE", computed},
		"too short":               {true, stored[:20], "FULL_OBJECT", computed},
		"no base64":               {true, "?", "FULL_OBJECT", computed},
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if asked := r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED"; asked != c.setting {
				t.Errorf("%s: asked for the checksum: %v", name, asked)
			}
			w.Header().Set("X-Amz-Checksum-Sha256", c.checksum)
			w.Header().Set("X-Amz-Checksum-Type", c.kind)
			writeObject(w, picture)
		}, nil)
		store := openStore(t, Config{Endpoint: url, StoredDigest: c.setting})
		selfie, err := store.Fetch(t.Context(), Ref{Key: "selfie.jpg"})
		if err != nil {
			t.Fatal(err)
		}
		if got := selfie.SHA256(); got != c.want {
			t.Errorf("%s: SHA256 is %x", name, got)
		}
		selfie.Release()
	}
}

// TestStoredDigestIsTheContents, in front of a store that keeps checksums of each
// kind, and checks signatures.
func TestStoredDigestIsTheContents(t *testing.T) {
	for _, kind := range []s3sim.Checksum{s3sim.NoChecksum, s3sim.ChecksumWhole, s3sim.ChecksumParts} {
		knobs := s3sim.DefaultKnobs()
		knobs.AccessKeyID, knobs.Checksum = "id", kind
		sim, err := s3sim.New(s3sim.Config{Knobs: knobs, Buckets: []string{"selfies"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sim.Close)
		told := make(chan string, 1)
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			sim.ServeHTTP(w, r)
			told <- w.Header().Get("X-Amz-Checksum-Type")
		}, nil)
		store := openStore(t, Config{Endpoint: url, StoredDigest: true})
		selfie, err := store.Fetch(t.Context(), Ref{Key: "a-100KB.jpg"})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(selfie.Body())
		if sum := sha256.Sum256(content); err != nil || selfie.SHA256() != sum {
			t.Errorf("checksum %q: SHA256 is %x, %v", kind, selfie.SHA256(), err)
		}
		selfie.Release()
		want := map[s3sim.Checksum]string{s3sim.ChecksumWhole: "FULL_OBJECT", s3sim.ChecksumParts: "COMPOSITE"}[kind]
		if got := <-told; got != want {
			t.Errorf("checksum %q: the store told of %q", kind, got)
		}
	}
}
