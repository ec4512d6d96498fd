package faceki

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// DefaultBaseURL is the production address of both generations of the API. No
// address for trials is documented.
const DefaultBaseURL = "https://sdk.faceki.com"

// Config is what New needs.
type Config struct {
	// BaseURL is the address before /auth, /facelink and /api; empty means
	// DefaultBaseURL. It is https, but for a loopback address or with
	// AllowHTTP.
	BaseURL string
	// AllowHTTP lets secret, token and selfies travel unencrypted: for a
	// simulator in a network of its own.
	AllowHTTP bool
	// APIVersion is the generation of the API that the account is on; empty
	// means V2.
	APIVersion APIVersion
	// ClientID and ClientSecret are what a token is asked for with. Required.
	ClientID     string
	ClientSecret vendors.Secret
	// OnAmbiguous is what a match of several persons means, the expected one
	// among them; empty means RejectAmbiguous.
	OnAmbiguous OnAmbiguous
	// Client makes the calls; nil means vendors.NewHTTPClient. Its redirect
	// policy and cookie jar are not used. Nothing in it may write URLs down:
	// V2's token call has the secret in its query.
	Client *http.Client
	// Registerer takes the adapter's metrics; nil for none.
	Registerer prometheus.Registerer
}

// OnAmbiguous says what becomes of a match of several persons.
type OnAmbiguous string

// What becomes of it.
const (
	// RejectAmbiguous rejects with event.Ambiguous.
	RejectAmbiguous OnAmbiguous = "reject"
	// HoldAmbiguous gives no verdict: the call ends as Refused ambiguous,
	// which the pipeline dead-letters for a person to look at.
	HoldAmbiguous OnAmbiguous = "hold"
)

// Adapter speaks FACEKI face search. It implements vendors.Adapter; the vendor
// offers neither a way to ask what became of a search nor one to erase it, so
// it is no vendors.Finder and no vendors.Eraser. It holds the access token and
// nothing else between calls, and may be used by many goroutines at once.
type Adapter struct {
	base         string
	api          generation
	clientID     string
	clientSecret vendors.Secret
	onAmbiguous  OnAmbiguous
	client       *http.Client
	tokens       *vendors.Tokens
	otherPerson  prometheus.Counter
	now          func() time.Time
}

var (
	_ vendors.Adapter  = (*Adapter)(nil)
	_ vendors.Preparer = (*Adapter)(nil)
)

// New returns an adapter, or all that is wrong with c. It makes no call.
func New(c Config) (*Adapter, error) {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.APIVersion == "" {
		c.APIVersion = V2
	}
	if c.OnAmbiguous == "" {
		c.OnAmbiguous = RejectAmbiguous
	}
	if c.Client == nil {
		c.Client = vendors.NewHTTPClient(vendors.HTTPOptions{})
	}
	api, known := generations[c.APIVersion]
	base, err := vendors.Address(c.BaseURL, c.AllowHTTP)
	if err != nil {
		err = fmt.Errorf("faceki: base URL %w", err)
	}
	faults := []error{err}
	if !known {
		faults = append(faults, fmt.Errorf("faceki: API version %q is neither %s nor %s", c.APIVersion, V2, Blaze))
	}
	if c.ClientID == "" || c.ClientSecret == nil {
		faults = append(faults, errors.New("faceki: a client id and a client secret are required"))
	}
	if c.OnAmbiguous != RejectAmbiguous && c.OnAmbiguous != HoldAmbiguous {
		faults = append(faults, fmt.Errorf("faceki: what to do when ambiguous is %q, neither %s nor %s", c.OnAmbiguous, RejectAmbiguous, HoldAmbiguous))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	otherPerson, err := newOtherPerson(c.Registerer)
	if err != nil {
		return nil, err
	}
	a := &Adapter{
		base:         base,
		api:          api,
		clientID:     c.ClientID,
		clientSecret: c.ClientSecret,
		onAmbiguous:  c.OnAmbiguous,
		client:       vendors.SingleRequest(c.Client),
		otherPerson:  otherPerson,
		now:          time.Now,
	}
	a.tokens = vendors.NewTokens(a.fetchToken, func() time.Time { return a.now() })
	return a, nil
}

// Name returns event.Faceki.
func (a *Adapter) Name() event.Vendor { return event.Faceki }

// Capabilities implements vendors.Adapter. The liveness that the vendor knows of
// is that of the enrolment, not of this selfie.
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
	opToken        = "get token"
	opCheck        = "check"
)

// unsent is the error of an operation of which no answer came back.
func unsent(op string, reached bool, err error) error {
	return vendors.Unsent(event.Faceki, op, reached, err)
}

// refused is the error of a call that is not made.
func refused(code string) error {
	return &vendors.Error{Vendor: event.Faceki, Kind: vendors.Refused, Op: opAuthenticate, Code: code}
}
