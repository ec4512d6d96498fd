package rekognition

import (
	"flag"
	"net/http"
	"strings"
	"testing"

	"reauth/internal/vendors"
	"reauth/internal/vendors/vendortest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRequestsAreTheGoldenOnes holds a comparison with the shortest and one with
// the longest reference, and a check, as they arrive at the vendor, against
// testdata.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	var sent strings.Builder
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		wire := vendortest.Wire(t, r)
		sent.WriteString(wire)
		if strings.Contains(wire, "S3Object") {
			say(w, 200, vendortest.Golden(t, "matched.json"))
			return
		}
		say(w, 400, `{"__type":"InvalidImageFormatException"}`)
	}, nil)
	for _, reference := range []vendors.ObjectRef{
		{Key: "portraits/4711.jpg"},
		{Bucket: "portraits", Key: "ü \"quoted\" <&>.png", Version: "3/L4kqtJl+c="},
	} {
		c := call(vendortest.NewSelfie(64))
		c.Reference = &reference
		if _, err := a.Authenticate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	vendortest.WantGolden(t, "requests.txt", sent.String(), *update)
}
