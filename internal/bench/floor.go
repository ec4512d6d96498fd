package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// floorCommand makes this program the floor instead: a process of its own, whose
// CPU time is nothing but that of the two exchanges.
const floorCommand = "floor"

// floor is the least that a request can cost: one GET and one multipart POST.
type floor struct {
	store, vendor, key     string
	kB, n, warm, atATime   int
	client                 *http.Client
	contentType            string
	prefix, middle, suffix []byte
}

// cost is what n requests took.
type cost struct {
	CPU  time.Duration `json:"cpu"`
	Wall time.Duration `json:"wall"`
	Peak int64         `json:"peak"` // bytes
}

func (f *floor) register(flags *flag.FlagSet) {
	flags.StringVar(&f.store, "store", "", "URL of the bucket")
	flags.StringVar(&f.vendor, "vendor", "", "URL of the vendor")
	flags.StringVar(&f.key, "key", "", "API key of the vendor")
	flags.IntVar(&f.kB, "kb", 100, "size of a selfie in kB")
	flags.IntVar(&f.n, "n", 1000, "requests")
	flags.IntVar(&f.warm, "warm", 0, "requests before those that count")
	flags.IntVar(&f.atATime, "at-a-time", 256, "requests under way at a time")
}

// measureFloor runs the floor in a process of its own.
func (w *world) measureFloor(ctx context.Context, kB, n, warm, atATime int) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	cmd := exec.CommandContext(ctx, self, floorCommand, //nolint:gosec // this very program
		"-store", w.setting("REAUTH_SELFIES__ENDPOINT")+"/"+w.setting("REAUTH_SELFIES__BUCKET"),
		"-vendor", w.setting("REAUTH_VENDORS__ARGOS__BASE_URL"),
		"-key", w.setting("REAUTH_VENDORS__ARGOS__API_KEY"),
		"-kb", fmt.Sprint(kB), "-n", fmt.Sprint(n), "-warm", fmt.Sprint(warm), "-at-a-time", fmt.Sprint(atATime))
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return cost{}, fmt.Errorf("measuring the floor: %w", err)
	}
	var c cost
	return c, json.Unmarshal(answer, &c)
}

// run makes the requests and writes their cost to out.
func (f *floor) run(ctx context.Context, out io.Writer) error {
	f.client = &http.Client{Transport: &http.Transport{
		MaxIdleConns: f.atATime, MaxIdleConnsPerHost: f.atATime, DisableCompression: true,
	}}
	if err := f.layOut(); err != nil {
		return err
	}
	if err := f.requests(ctx, 0, f.warm); err != nil {
		return err
	}
	begin, before, err := time.Now(), cpuTime(), error(nil)
	if err = f.requests(ctx, f.warm, f.n); err != nil {
		return err
	}
	c := cost{CPU: cpuTime() - before, Wall: time.Since(begin)}
	if c.Peak, err = peakOf(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(c)
}

// layOut makes the form around submission id and selfie, once for all requests.
func (f *floor) layOut() error {
	const mark = "0123456789"
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if err := form.WriteField("submissionId", mark); err != nil {
		return err
	}
	if _, err := form.CreateFormFile("faceImage", "selfie.jpg"); err != nil {
		return err
	}
	prefix, middle, _ := bytes.Cut(b.Bytes(), []byte(mark))
	f.prefix, f.middle = prefix, middle
	f.suffix = []byte("\r\n--" + form.Boundary() + "--\r\n")
	f.contentType = form.FormDataContentType()
	return nil
}

// requests makes n of them, from first on.
func (f *floor) requests(ctx context.Context, first, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range f.atATime {
		wg.Go(func() {
			body := make([]byte, 0, f.kB*1000+1000)
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f.request(ctx, first+i, body); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// request reads the selfie into the form's body, which is used again and again,
// and posts it.
func (f *floor) request(ctx context.Context, n int, body []byte) error {
	body = append(body, f.prefix...)
	body = fmt.Appendf(body, "sub-approve-%07d", n)
	body = append(body, f.middle...)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.store+"/"+selfieKey(n, f.kB), nil)
	if err != nil {
		return err
	}
	selfie, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer selfie.Body.Close()
	if selfie.StatusCode != http.StatusOK {
		return fmt.Errorf("getting a selfie: %s", selfie.Status)
	}
	size := len(body) + int(selfie.ContentLength)
	if _, err := io.ReadFull(selfie.Body, body[len(body):size]); err != nil {
		return err
	}
	body = append(body[:size], f.suffix...)

	if r, err = http.NewRequestWithContext(ctx, http.MethodPost, f.vendor+"/faceauth", bytes.NewReader(body)); err != nil {
		return err
	}
	r.Header.Set("Content-Type", f.contentType)
	r.Header.Set("x-api-key", f.key)
	verdict, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer verdict.Body.Close()
	if _, err := io.Copy(io.Discard, verdict.Body); err != nil || verdict.StatusCode != http.StatusOK {
		return fmt.Errorf("posting a selfie: %s, %w", verdict.Status, err)
	}
	return nil
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // a bug: the arguments are right
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
