package vendortest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"reauth/internal/vendors"
)

// Serve has handler play the vendor on loopback until the test ends. It returns
// the vendor's address and the client that the tested adapter is to call with:
// one of vendors.NewHTTPClient.
func Serve(tb testing.TB, handler http.Handler) (baseURL string, client *http.Client) {
	tb.Helper()
	server := httptest.NewServer(handler)
	client = vendors.NewHTTPClient(vendors.HTTPOptions{})
	tb.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return server.URL, client
}
