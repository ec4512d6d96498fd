package argos

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// DefaultBaseURL is the current production address. An older client guide has
// https://rest-api.argoskyc.com/v3.
const DefaultBaseURL = "https://rest-api.argosidentity.com/v3"

// Config is what New needs.
type Config struct {
	// BaseURL is the address up to and without /faceauth; empty means
	// DefaultBaseURL. It is https, but for a loopback address or with
	// AllowHTTP.
	BaseURL string
	// AllowHTTP lets key and selfies travel unencrypted: for a simulator in
	// a network of its own.
	AllowHTTP bool
	// APIKey is the key of the FaceAuth project, not the one of the ID
	// Check project. Required.
	APIKey vendors.Secret
	// Client makes the calls; nil means vendors.NewHTTPClient. Its redirect
	// policy and cookie jar are not used.
	Client *http.Client
}

// Adapter speaks Argos FaceAuth. It implements vendors.Adapter, vendors.Finder
// and vendors.Eraser, holds no state between calls, and may be used by many
// goroutines at once.
type Adapter struct {
	endpoint string
	// post is copied for each authentication: to parse its URL anew would cost as
	// much as to read the answer.
	post   *http.Request
	apiKey vendors.Secret
	client *http.Client
	now    func() time.Time
}

var (
	_ vendors.Adapter = (*Adapter)(nil)
	_ vendors.Finder  = (*Adapter)(nil)
	_ vendors.Eraser  = (*Adapter)(nil)
)

// New returns an adapter, or all that is wrong with c. It makes no call.
func New(c Config) (*Adapter, error) {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.Client == nil {
		c.Client = vendors.NewHTTPClient(vendors.HTTPOptions{})
	}
	endpoint, err := endpointOf(c.BaseURL, c.AllowHTTP)
	if c.APIKey == nil {
		err = errors.Join(err, errors.New("argos: an API key is required"))
	}
	post, err2 := http.NewRequest(http.MethodPost, endpoint, nil) //nolint:noctx // each copy has its own
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return &Adapter{
		endpoint: endpoint,
		post:     post,
		apiKey:   c.APIKey,
		client:   vendors.SingleRequest(c.Client),
		now:      time.Now,
	}, nil
}

// endpointOf returns the address of /faceauth below base. Its errors don't show
// base, which may hold a password.
func endpointOf(base string, allowHTTP bool) (string, error) {
	base, err := vendors.Address(base, allowHTTP)
	if err != nil {
		return "", fmt.Errorf("argos: base URL %w", err)
	}
	return base + "/faceauth", nil
}

// Name returns event.Argos.
func (a *Adapter) Name() event.Vendor { return event.Argos }

// Capabilities implements vendors.Adapter.
func (a *Adapter) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{
		NeedsSelfie: true,
		Subject:     "submission_id",
		Findable:    true,
		Erasable:    true,
		Liveness:    event.LivenessNone,
	}
}

// The operations, as they stand in errors.
const (
	opAuthenticate = "authenticate"
	opFind         = "find"
	opErase        = "erase"
	opCheck        = "check"
)

// authorize sets the key as it is now. Without a usable one every call would
// fail, so that nothing need be sent to know it.
func (a *Adapter) authorize(r *http.Request, op string) error {
	key, ok := a.apiKey.Header()
	if !ok {
		return &vendors.Error{Vendor: event.Argos, Kind: vendors.LaneFault, Op: op, Code: codeKeyUnusable}
	}
	r.Header.Set("X-Api-Key", key)
	r.Header.Set("Accept", "application/json")
	return nil
}

// unsent is the error of an operation of which no answer came back.
func unsent(op string, reached bool, err error) error {
	return vendors.Unsent(event.Argos, op, reached, err)
}

// refused is the error of an operation that cannot be asked for.
func refused(op, code string) error {
	return &vendors.Error{Vendor: event.Argos, Kind: vendors.Refused, Op: op, Code: code}
}
