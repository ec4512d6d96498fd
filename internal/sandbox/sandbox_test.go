package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"reauth/internal/sandbox/argossim"
	"reauth/internal/sandbox/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T, change func(*Options)) *Sandbox {
	t.Helper()
	o := OnFreePorts()
	if change != nil {
		change(&o)
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	t.Cleanup(s.Close)
	return s
}

// partitions asks Kafka, over the wire, for its topics.
func partitions(t *testing.T, brokers string) map[string]int {
	t.Helper()
	conn, err := kafka.Dial("tcp", brokers)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all, err := conn.ReadPartitions()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, p := range all {
		counts[p.Topic]++
	}
	return counts
}

func TestKafkaHasTheTopicsAndCreatesNoOthers(t *testing.T) {
	s := setup(t, func(o *Options) { o.Topics.Priority, o.Partitions = "faceauth.requests.priority", 5 })
	want := map[string]int{
		"faceauth.requests": 5, "faceauth.requests.priority": 5, "faceauth.results": 5,
		"faceauth.ledger": 5, "faceauth.dead": 5, "faceauth.signals": 1,
	}
	conn, err := kafka.Dial("tcp", s.Brokers())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ReadPartitions("no.such.topic"); err == nil {
		t.Error("asking for a topic created it")
	}
	if diff := cmp.Diff(want, partitions(t, s.Brokers())); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

func TestRecordsGoThroughKafkaAndSurviveInTheDataDir(t *testing.T) {
	dir := t.TempDir()
	s := setup(t, func(o *Options) { o.DataDir = dir })
	transport := &kafka.Transport{}
	writer := &kafka.Writer{
		Addr: kafka.TCP(s.Brokers()), Topic: "faceauth.requests", RequiredAcks: kafka.RequireAll,
		BatchTimeout: time.Millisecond, Transport: transport, Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 7 }),
	}
	if err := writer.WriteMessages(t.Context(), kafka.Message{Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	transport.CloseIdleConnections()
	s.Close()

	again := setup(t, func(o *Options) { o.DataDir = dir })
	conn, err := kafka.DialLeader(t.Context(), "tcp", again.Brokers(), "faceauth.requests", 7)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	message, err := conn.ReadMessage(1 << 20)
	if err != nil || string(message.Key) != "k" || string(message.Value) != "v" {
		t.Errorf("got %q=%q, %v, want k=v", message.Key, message.Value, err)
	}
	again.Close()

	o := OnFreePorts()
	o.DataDir, o.Partitions = dir, 6
	if other, err := Start(o); err == nil {
		other.Close()
		t.Error("another number of partitions over the same data: want an error")
	}
}

func TestKafkaAdvertisesTheNameItIsGiven(t *testing.T) {
	s := setup(t, func(o *Options) { o.KafkaAdvertise, o.Brokers = "localhost", 3 })
	brokers := strings.Split(s.Brokers(), ",")
	conn, err := kafka.Dial("tcp", brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	all, err := conn.Brokers()
	if err != nil || len(all) != 3 {
		t.Fatalf("%d brokers, %v, want 3", len(all), err)
	}
	for _, b := range all {
		if b.Host != "localhost" {
			t.Errorf("broker at %s, want localhost", b.Host)
		}
	}
}

// ask calls the admin API and returns status and body.
func ask(t *testing.T, s *Sandbox, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.AdminURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestAdminTurnsWhatIsNamedAndNothingElse(t *testing.T) {
	s := setup(t, nil)
	status, body := ask(t, s, http.MethodPut, "/knobs",
		`{"argos": {"latency": "200ms-800ms", "api_keys": ["b"], "mix": {"approved": 0.5, "rejected": 0.5}}, "s3": {"slow_down_rate": 0.25}}`)
	if status != http.StatusOK {
		t.Fatalf("PUT /knobs: %d %s", status, body)
	}
	wantArgos, wantS3 := OnFreePorts().Argos, OnFreePorts().S3
	if err := wantArgos.Latency.Set("200ms-800ms"); err != nil {
		t.Fatal(err)
	}
	wantArgos.APIKeys, wantArgos.Mix.Approved, wantArgos.Mix.Rejected = []string{"b"}, 0.5, 0.5
	wantS3.SlowDownRate = 0.25
	unexported := cmp.Comparer(func(a, b fault.Delay) bool { return a == b })
	if diff := cmp.Diff(wantArgos, s.Argos.Knobs(), unexported); diff != "" {
		t.Errorf("argos (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantS3, s.S3.Knobs(), unexported); diff != "" {
		t.Errorf("s3 (-want +got):\n%s", diff)
	}

	for _, bad := range []string{
		`{"argos": {"outage": "500"}, "s3": {"outage": "flood"}}`,
		`{"argos": {"outage": "flood"}, "s3": {"outage": "500"}}`,
		`{"argos": {"latnecy": "1s"}}`,
		`{"faceki": {}}`,
		`{"argos": {"api_keys": ["c"], "error_rate": 7}}`,
		`not JSON`,
	} {
		if status, body := ask(t, s, http.MethodPut, "/knobs", bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", bad, status, body)
		}
	}
	if diff := cmp.Diff(wantArgos, s.Argos.Knobs(), unexported); diff != "" {
		t.Errorf("argos after refused changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantS3, s.S3.Knobs(), unexported); diff != "" {
		t.Errorf("s3 after refused changes (-want +got):\n%s", diff)
	}
	_, got := ask(t, s, http.MethodGet, "/knobs", "")
	if got != body {
		t.Errorf("GET /knobs: %s, want %s", got, body)
	}
}

func TestAdminShowsCountsAndChargesAndForgetsThem(t *testing.T) {
	s := setup(t, nil)
	for range 2 {
		submit(t, s, "sub-approve-1", jpeg)
	}
	submit(t, s, "sub-reject-head-1", jpeg)

	_, body := ask(t, s, http.MethodGet, "/stats", "")
	var stats struct{ Argos argossim.Stats }
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		t.Fatal(err)
	}
	if st := stats.Argos; st.Calls != 3 || st.Charged != 3 || st.Rejected != 1 || st.Duplicates != 1 || st.PeakPerSecond < 1 {
		t.Errorf("stats: %s", body)
	}
	charged := func(path string) (ids []string) {
		_, body := ask(t, s, http.MethodGet, path, "")
		var entries []argossim.Authentication
		if err := json.Unmarshal([]byte(body), &entries); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			ids = append(ids, e.SubmissionID)
		}
		return ids
	}
	if diff := cmp.Diff([]string{"sub-approve-1", "sub-approve-1", "sub-reject-head-1"}, charged("/ledger")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sub-reject-head-1"}, charged("/ledger?submission=sub-reject-head-1")); diff != "" {
		t.Errorf("ledger of one (-want +got):\n%s", diff)
	}
	if _, body := ask(t, s, http.MethodGet, "/duplicates", ""); strings.Count(body, "sub-approve-1") != 2 {
		t.Errorf("duplicates: %s", body)
	}
	if status, _ := ask(t, s, http.MethodPost, "/reset", ""); status != http.StatusNoContent {
		t.Errorf("reset: %d", status)
	}
	if got := charged("/ledger"); len(got) != 0 || s.Argos.Stats().Calls != 0 {
		t.Errorf("after reset: %q", got)
	}
}

func TestCloseBreaksOffCallsThatWait(t *testing.T) {
	s := setup(t, func(o *Options) { o.Argos.Latency, o.S3.Outage = fault.Fixed(time.Hour), fault.Blackhole })
	ended := make(chan error, 2)
	call := func(post func() (*http.Response, error)) {
		resp, err := post()
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}
	r := submissionOf(t, s, "sub-approve-1", jpeg)
	go call(func() (*http.Response, error) { return http.DefaultClient.Do(r) })
	go call(func() (*http.Response, error) { return http.Get(s.S3URL() + "/selfies/x") })
	for s.Argos.Stats().ImageBytes == 0 || s.S3.Stats().Outage == 0 {
		runtime.Gosched()
	}
	s.Close()
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a call that waited was answered")
		}
	}
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.S3URL(), "http://"), time.Second); err == nil {
		conn.Close()
		t.Error("S3 still listens")
	}
}

func TestStartLeavesNothingBehindWhenAPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, change := range []func(*Options){
		func(o *Options) { o.KafkaAddr = taken.Addr().String() },
		func(o *Options) { o.S3Addr = taken.Addr().String() },
		func(o *Options) { o.ArgosAddr = taken.Addr().String() },
		func(o *Options) { o.AdminAddr = taken.Addr().String() },
	} {
		o := OnFreePorts()
		change(&o)
		if s, err := Start(o); err == nil {
			s.Close()
			t.Errorf("started on a port that is taken: %+v", o)
		}
	}
}

// TestComposeHasTheKeysOfTheSandbox: beside what its flags say, which the tests in
// deploy hold against each other.
func TestComposeHasTheKeysOfTheSandbox(t *testing.T) {
	file, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env := environmentOf(setup(t, func(o *Options) { o.FacekiAddr, o.CheckoutAddr = "127.0.0.1:0", "127.0.0.1:0" }))
	for _, name := range []string{
		"ARGOS__API_KEY", "FACEKI__CLIENT_ID", "FACEKI__CLIENT_SECRET",
		"CHECKOUT__CLIENT_ID", "CHECKOUT__CLIENT_SECRET", "CHECKOUT__USER_JOURNEY_ID", "CHECKOUT__LIMITS",
	} {
		name = "REAUTH_VENDORS__" + name
		if line := name + ": " + env[name] + "\n"; !strings.Contains(string(file), line) {
			t.Errorf("not in compose.yaml: %s", line)
		}
	}
}

func TestVariablesAreQuotedForTheShell(t *testing.T) {
	for value, want := range map[string]string{
		"127.0.0.1:9092,[::1]:1": "X='127.0.0.1:9092,[::1]:1'",
		"http://a.b:1/v3":        "X=http://a.b:1/v3",
		"it's $HOME":             `X='it'\''s $HOME'`,
		"":                       "X=''",
	} {
		if got := (Variable{"X", value}).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

var jpeg = []byte("\xff\xd8\xff\xe0 a face \xff\xd9")

// submit is one call to Argos. A broken connection is status 0.
func submit(t *testing.T, s *Sandbox, submission string, image []byte) (status int, body []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(submissionOf(t, s, submission, image))
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// submissionOf is a call to Argos that has not been made yet.
func submissionOf(t *testing.T, s *Sandbox, submission string, image []byte) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("faceImage", "selfie.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.Write(image)
	if err := errors.Join(err, form.WriteField("submissionId", submission), form.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ArgosURL()+"/faceauth", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("x-api-key", "sandbox-argos-key")
	return r
}
