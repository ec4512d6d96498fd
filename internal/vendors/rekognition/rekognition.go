package rekognition

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// Service is the name that requests are signed for.
const Service = "rekognition"

// DefaultThreshold is the least similarity of an approval unless Config says
// otherwise. Amazon's default of 80 is for photo collections, its advice where
// nobody looks at a match again is 99 ("The facts on facial recognition", AWS);
// 90 is between them until somebody has measured their own pictures.
const DefaultThreshold = 90

// Config is what New needs.
type Config struct {
	// BaseURL is the address of the service; empty means Amazon's in Region.
	// It is https, but for a loopback address or with AllowHTTP.
	BaseURL string
	// AllowHTTP lets selfies travel unencrypted: for a simulator in a network
	// of its own.
	AllowHTTP bool
	// Region finds the service if there is no BaseURL. It must be that of the
	// buckets that references lie in.
	Region string
	// Sign signs a request for Service and Region, with all headers set and
	// the SHA-256 of its body in lower-case hexadecimal. Its error says that
	// there are no credentials; it is not looked into. Required.
	Sign func(ctx context.Context, r *http.Request, payloadSHA256 string) error
	// DefaultBucket is where references lie that name none. Required.
	DefaultBucket string
	// HasReference says whether a reference is there, as seen with the
	// credentials that sign. It is asked when Amazon could not read one; nil
	// means that it is then taken to be missing.
	HasReference func(context.Context, vendors.ObjectRef) (bool, error)
	// Threshold is the least similarity, 50 to 100, of an approval; 0 means
	// DefaultThreshold.
	Threshold float64
	// QualityFilter is how good a face must be to be compared; empty means
	// FilterAuto.
	QualityFilter QualityFilter
	// Client makes the calls; nil means vendors.NewHTTPClient. Its redirect
	// policy and cookie jar are not used.
	Client *http.Client
}

// QualityFilter is how good a face must be to be compared. Faces below the bar
// are not seen at all, neither in the selfie nor in the reference.
type QualityFilter string

// The filters. FilterAuto leaves the bar to Amazon.
const (
	FilterNone   QualityFilter = "none"
	FilterAuto   QualityFilter = "auto"
	FilterLow    QualityFilter = "low"
	FilterMedium QualityFilter = "medium"
	FilterHigh   QualityFilter = "high"
)

// Adapter speaks Amazon Rekognition CompareFaces. It implements vendors.Adapter;
// Amazon keeps nothing of a comparison, so there is nothing to find or to erase.
// It holds no state between calls, and may be used by many goroutines at once.
type Adapter struct {
	endpoint      string
	sign          func(context.Context, *http.Request, string) error
	defaultBucket string
	hasReference  func(context.Context, vendors.ObjectRef) (bool, error)
	threshold     float64
	filter        string
	client        *http.Client
	now           func() time.Time
}

var _ vendors.Adapter = (*Adapter)(nil)

// New returns an adapter, or all that is wrong with c. It makes no call.
func New(c Config) (*Adapter, error) {
	if c.Threshold == 0 {
		c.Threshold = DefaultThreshold
	}
	if c.QualityFilter == "" {
		c.QualityFilter = FilterAuto
	}
	if c.Client == nil {
		c.Client = vendors.NewHTTPClient(vendors.HTTPOptions{})
	}
	endpoint, err := endpointOf(c)
	faults := []error{err}
	if c.Sign == nil {
		faults = append(faults, errors.New("rekognition: something to sign with is required"))
	}
	if c.DefaultBucket == "" {
		faults = append(faults, errors.New("rekognition: a default bucket is required"))
	}
	if !(c.Threshold >= 50 && c.Threshold <= 100) { // also true for NaN
		faults = append(faults, fmt.Errorf("rekognition: threshold %v is not 50 to 100", c.Threshold))
	}
	switch c.QualityFilter {
	case FilterNone, FilterAuto, FilterLow, FilterMedium, FilterHigh:
	default:
		faults = append(faults, fmt.Errorf("rekognition: quality filter %q is not known", c.QualityFilter))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Adapter{
		endpoint:      endpoint,
		sign:          c.Sign,
		defaultBucket: c.DefaultBucket,
		hasReference:  c.HasReference,
		threshold:     c.Threshold,
		filter:        strings.ToUpper(string(c.QualityFilter)),
		client:        vendors.SingleRequest(c.Client),
		now:           time.Now,
	}, nil
}

// endpointOf returns the address to post to. Its errors don't show a base URL,
// which may hold a password.
func endpointOf(c Config) (string, error) {
	if c.BaseURL == "" {
		return endpointIn(c.Region)
	}
	base, err := vendors.Address(c.BaseURL, c.AllowHTTP)
	if err != nil {
		return "", fmt.Errorf("rekognition: base URL %w", err)
	}
	return base + "/", nil
}

// endpointIn returns Amazon's address in a region. Those of partitions other
// than the public one and China's, and of FIPS, are for Config.BaseURL to say.
func endpointIn(region string) (string, error) {
	if region == "" {
		return "", errors.New("rekognition: a region or a base URL is required")
	}
	if strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("rekognition: region %q is not of letters, digits and hyphens", region)
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://rekognition." + region + "." + domain + "/", nil
}

// Name returns event.Rekognition.
func (a *Adapter) Name() event.Vendor { return event.Rekognition }

// Capabilities implements vendors.Adapter.
func (a *Adapter) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{
		NeedsSelfie: true,
		Subject:     "submission_id",
		Liveness:    event.LivenessNone,
	}
}

// The operations, as they stand in errors.
const (
	opAuthenticate = "authenticate"
	opCheck        = "check"
)

// unsent is the error of an operation of which no answer came back.
func unsent(op string, reached bool, err error) error {
	return vendors.Unsent(event.Rekognition, op, reached, err)
}

// refused is the error of a call that is not made.
func refused(code string) error {
	return &vendors.Error{Vendor: event.Rekognition, Kind: vendors.Refused, Op: opAuthenticate, Code: code}
}
