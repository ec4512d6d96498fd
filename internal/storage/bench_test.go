package storage

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"reauth/internal/storage/storagetest"
)

// serveEnv makes the test binary an object server instead: in a process of its
// own its work stays out of what a benchmark measures.
const serveEnv = "REAUTH_STORAGE_BENCH_SERVE"

// serveObjects writes its address to stdout and serves JPEGs of as many bytes as
// the last part of the path says, until stdin ends.
func serveObjects() {
	pictures := map[string][]byte{}
	for _, size := range benchSizes {
		pictures[strconv.Itoa(size)] = storagetest.JPEG(1, size)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		picture := pictures[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		header := w.Header()
		header.Set("Content-Length", strconv.Itoa(len(picture)))
		header.Set("Content-Type", "image/jpeg")
		header.Set("ETag", `"9b2cf535f27731c974343645a3985328"`)
		header.Set("Last-Modified", "Wed, 12 Oct 2025 17:50:00 GMT")
		header.Set("X-Amz-Request-Id", "656c76696e6727732072657175657374")
		header.Set("X-Amz-Id-2", "eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran")
		header.Set("X-Amz-Server-Side-Encryption", "AES256")
		header.Set("Accept-Ranges", "bytes")
		w.Write(picture)
	}))
	fmt.Println(server.URL)
	io.Copy(io.Discard, os.Stdin)
}

var benchSizes = []int{10_000, 100_000, 500_000}

// objectServer starts serveObjects and returns its URL.
func objectServer(b *testing.B) string {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serveEnv+"=1")
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		server.Wait()
	})
	var url string
	if _, err := fmt.Fscanln(stdout, &url); err != nil {
		b.Fatal(err)
	}
	return url
}

// BenchmarkFetch is a whole fetch: SDK, signature, SHA-256 and gate. Compare
// cpu-ns/op, as both processes share the clock.
func BenchmarkFetch(b *testing.B) {
	url := objectServer(b)
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size/1000)+"KB", func(b *testing.B) {
			store := openStore(b, Config{Endpoint: url})
			ref := Ref{Key: "people/1/" + strconv.Itoa(size)}
			measure(b, size, func() {
				selfie, err := store.Fetch(b.Context(), ref)
				if err != nil {
					b.Fatal(err)
				}
				selfie.Release()
			})
		})
	}
}

// BenchmarkBareGet is a GET by net/http into the same chunks, and nothing else.
func BenchmarkBareGet(b *testing.B) {
	url := objectServer(b)
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size/1000)+"KB", func(b *testing.B) {
			transport := newTransport(1)
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			memory := newMemory(DefaultMaxMemory, newMetrics())
			defer memory.close()
			measure(b, size, func() {
				content, err := memory.reserve(b.Context(), int64(size))
				if err != nil {
					b.Fatal(err)
				}
				answer, err := client.Get(url + "/selfies/people/1/" + strconv.Itoa(size))
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					room := content.room(int64(size) - content.size + 1)
					var n int
					n, err = answer.Body.Read(room)
					content.wrote(n)
				}
				answer.Body.Close()
				if err != io.EOF || content.size != int64(size) {
					b.Fatal(err, content.size)
				}
				content.release()
			})
		})
	}
}

func measure(b *testing.B, size int, once func()) {
	once()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for b.Loop() {
		once()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}
