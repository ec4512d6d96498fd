package storage

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
)

// maxErrorBytes is the most that is read of an answer which is not an object.
// S3's are below 1 KB.
const maxErrorBytes = 64 << 10

// plainCode is what error codes and regions look like. Anything else may be
// text, and text may be personal.
var plainCode = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

// refusal is an answer that is not an object.
type refusal struct {
	status int
	// code is S3's, empty when the answer has none: it comes from something
	// that is no S3, or was asked for with HEAD.
	code string
	// deleted: the object is a delete marker.
	deleted bool
	// region is where the bucket is, empty when the answer does not tell.
	region string
}

// readRefusal reads an answer to its end, so that its connection is kept. Of the
// body it takes the code only.
func readRefusal(answer *http.Response) (refusal, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxErrorBytes))
	if err != nil {
		return refusal{}, &brokenAnswer{err}
	}
	r := refusal{
		status:  answer.StatusCode,
		deleted: answer.Header.Get("X-Amz-Delete-Marker") == "true",
	}
	if region := answer.Header.Get("X-Amz-Bucket-Region"); plainCode.MatchString(region) {
		r.region = region
	}
	var document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if xml.Unmarshal(body, &document) == nil && plainCode.MatchString(document.Code) {
		r.code = document.Code
	}
	return r, nil
}

// hint returns an error that says where the bucket is, nil when that is unknown.
func (r refusal) hint() error {
	if r.region == "" {
		return nil
	}
	return fmt.Errorf("the bucket is in region %s", r.region)
}
