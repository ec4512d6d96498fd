package storage

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"reauth/internal/storage/storagetest"
)

func TestOpenReportsEveryFaultAtOnce(t *testing.T) {
	_, err := Open(t.Context(), Config{MaxBytes: 1 << 20, MaxMemory: 1<<20 - 1, Timeout: -1, AllowedBuckets: []string{""}})
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{"bucket is empty", "allowed bucket", "cannot hold one selfie", "timeout is negative"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestOpenRefusesWhatTheSDKCannotLocate(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	for name, c := range map[string]Config{
		"no region":    {Bucket: "selfies"},
		"no host name": {Bucket: "selfies", Region: "not a host label"},
		"needs SigV4A": {Bucket: "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", Region: "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			c.Credentials = credentials.NewStaticCredentialsProvider("id", "secret", "")
			if store, err := Open(t.Context(), c); err == nil {
				store.Close()
				t.Error("opened")
			}
		})
	}
}

func TestMetricsAreBornAndCount(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	picture := storagetest.JPEG(1, 100_000)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/selfies/missing" {
			writeRefusal(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		writeObject(w, picture)
	}, nil)
	store := openStore(t, Config{Endpoint: url, Registerer: registry})
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	// fetched, four kinds without a reason, refused and all of unusable
	if n := testutil.CollectAndCount(store.metrics.fetches); n != 6+len(unusableReasons) {
		t.Errorf("%d series at the start", n)
	}

	selfie, err := store.Fetch(t.Context(), Ref{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	store.Fetch(t.Context(), Ref{Key: "missing"})
	store.Fetch(t.Context(), Ref{Bucket: "other", Key: "a"})
	want := `
# HELP reauth_selfie_bytes Bytes of memory reserved for selfies in flight.
# TYPE reauth_selfie_bytes gauge
reauth_selfie_bytes 131072
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "reauth_selfie_bytes"); err != nil {
		t.Error(err)
	}
	selfie.Release()
	for labels, want := range map[[2]string]float64{
		{"fetched", ""}:                     1,
		{"unusable", "selfie_not_found"}:    1,
		{"refused", "selfie_forbidden"}:     1,
		{"unusable", "selfie_not_an_image"}: 0,
		{"transient", ""}:                   0,
	} {
		if got := testutil.ToFloat64(store.metrics.fetches.WithLabelValues(labels[0], labels[1])); got != want {
			t.Errorf("%v is %v, want %v", labels, got, want)
		}
	}
	if n := testutil.CollectAndCount(store.metrics.fetches); n != 6+len(unusableReasons) {
		t.Errorf("%d series at the end: one was not born at zero", n)
	}
}

func TestOpenFailsWhenMetricsAreTaken(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	url := serve(t, http.NotFound, nil)
	openStore(t, Config{Endpoint: url, Registerer: registry})
	_, err := Open(t.Context(), Config{Endpoint: url, Bucket: "selfies", PathStyle: true, Registerer: registry,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
	if err == nil {
		t.Error("opened a second store on the same registry")
	}
}
