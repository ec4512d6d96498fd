package checkout

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"reauth/internal/event"
	"reauth/internal/vendors"
)

// The production addresses. The sandbox has
// https://identity-verification.sandbox.checkout.com and
// https://access.sandbox.checkout.com/connect/token; some of the vendor's pages
// use hosts that begin with the account's own prefix instead.
const (
	DefaultBaseURL  = "https://identity-verification.checkout.com"
	DefaultTokenURL = "https://access.checkout.com/connect/token" //nolint:gosec // an address, not a credential
)

// Defaults of Config.
const (
	DefaultMaxAttempts = 3
	DefaultDeadline    = 24 * time.Hour
	DefaultLinkLife    = 15 * time.Minute
	DefaultPollFirst   = 20 * time.Second
	DefaultPollMax     = 5 * time.Minute
)

// MaxAttempts is the highest Config.MaxAttempts: all attempts of a face
// authentication stand on one page of their list.
const MaxAttempts = pageSize

// Config is what New needs. Either SecretKey is set, or ClientID and
// ClientSecret are.
type Config struct {
	// BaseURL is the address before /face-authentications; empty means
	// DefaultBaseURL. It is https, but for a loopback address or with
	// AllowHTTP.
	BaseURL string
	// TokenURL is where OAuth tokens are got from, of the same kind; empty
	// means DefaultTokenURL. Not used with SecretKey.
	TokenURL string
	// AllowHTTP lets credentials and links travel unencrypted: for a
	// simulator in a network of its own.
	AllowHTTP bool

	// SecretKey is the static key, sk_… or sk_sbox_….
	SecretKey vendors.Secret
	// ClientID and ClientSecret are those of an OAuth client with the scope
	// identity-verification.
	ClientID     string
	ClientSecret vendors.Secret

	// UserJourneyID is the configuration for face authentications, usj_…; it
	// is not the one for identity verifications. Required.
	UserJourneyID string
	// MaxAttempts is how many links one person is sent, at most, for one
	// request: 1 to MaxAttempts; 0 means DefaultMaxAttempts.
	MaxAttempts int
	// Deadline is the longest wait for a verdict from the first call on; 0
	// means DefaultDeadline.
	Deadline time.Duration
	// LinkLife is how long a link can be opened, as the account is set up; 0
	// means DefaultLinkLife. Shorter than the truth makes links close while
	// they would still work, longer makes a new one come late.
	LinkLife time.Duration
	// PollFirst is the wait before the first look at a verdict that is to
	// come, PollMax the longest between two; 0 means the defaults.
	PollFirst, PollMax time.Duration

	// AssetTypes are the types of the assets that are pictures to be archived;
	// empty means FaceImage only.
	AssetTypes []string
	// AssetHosts are the hosts that links to assets may lead to beside that of
	// the API: names in lower case, or, with a dot in front, all names that end
	// so. Empty means any host that has a name. AssetClient fetches from there;
	// nil means a vendors.NewHTTPClient of its own. Like Client it follows no
	// redirect.
	AssetHosts  []string
	AssetClient *http.Client

	// Client makes the calls; nil means vendors.NewHTTPClient. Its redirect
	// policy and cookie jar are not used.
	Client *http.Client
	// Registerer takes the adapter's metrics; nil for none.
	Registerer prometheus.Registerer
}

// Adapter speaks Checkout.com face authentication. It implements
// vendors.Adapter, vendors.Preparer, vendors.Reviewer, vendors.PictureLister and
// vendors.Eraser. It holds the access token and nothing else between calls, and may be
// used by many goroutines at once.
type Adapter struct {
	base          string
	access        access
	userJourneyID string
	maxAttempts   int
	deadline      time.Duration
	linkLife      time.Duration
	pollFirst     time.Duration
	pollMax       time.Duration
	allowHTTP     bool
	client        *http.Client
	assetTypes    []string
	assetHosts    []string
	assetClient   *http.Client
	unknown       *prometheus.CounterVec
	now           func() time.Time
}

var (
	_ vendors.Adapter  = (*Adapter)(nil)
	_ vendors.Reviewer = (*Adapter)(nil)
	_ vendors.Eraser   = (*Adapter)(nil)
	_ vendors.Preparer = (*Adapter)(nil)

	_ vendors.PictureLister = (*Adapter)(nil)
)

// New returns an adapter, or all that is wrong with c. It makes no call.
func New(c Config) (*Adapter, error) {
	c.fill()
	base, err := addressOf("base URL", c.BaseURL, c.AllowHTTP)
	tokenURL, tokenErr := addressOf("token URL", c.TokenURL, c.AllowHTTP)
	if err := errors.Join(err, tokenErr, c.credentialsFault(), c.fault()); err != nil {
		return nil, err
	}
	unknown, err := newUnknownStatuses(c.Registerer)
	if err != nil {
		return nil, err
	}
	a := &Adapter{
		base:          base,
		userJourneyID: c.UserJourneyID,
		maxAttempts:   c.MaxAttempts,
		deadline:      c.Deadline,
		linkLife:      c.LinkLife,
		pollFirst:     c.PollFirst,
		pollMax:       c.PollMax,
		allowHTTP:     c.AllowHTTP,
		client:        vendors.SingleRequest(c.Client),
		assetTypes:    c.AssetTypes,
		assetHosts:    c.AssetHosts,
		assetClient:   vendors.SingleRequest(c.AssetClient),
		unknown:       unknown,
		now:           time.Now,
	}
	a.access = access{secretKey: c.SecretKey}
	if c.SecretKey == nil {
		o := &oauth{
			url: tokenURL, clientID: c.ClientID, clientSecret: c.ClientSecret,
			client: a.client, now: func() time.Time { return a.now() },
		}
		a.access.tokens = vendors.NewTokens(o.fetch, o.now)
	}
	return a, nil
}

// fill sets the defaults.
func (c *Config) fill() {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.TokenURL == "" {
		c.TokenURL = DefaultTokenURL
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = DefaultMaxAttempts
	}
	for _, d := range []struct {
		field     *time.Duration
		byDefault time.Duration
	}{
		{&c.Deadline, DefaultDeadline},
		{&c.LinkLife, DefaultLinkLife},
		{&c.PollFirst, DefaultPollFirst},
		{&c.PollMax, DefaultPollMax},
	} {
		if *d.field == 0 {
			*d.field = d.byDefault
		}
	}
	if len(c.AssetTypes) == 0 {
		c.AssetTypes = []string{FaceImage}
	}
	if c.Client == nil {
		c.Client = vendors.NewHTTPClient(vendors.HTTPOptions{})
	}
	if c.AssetClient == nil {
		c.AssetClient = vendors.NewHTTPClient(vendors.HTTPOptions{})
	}
}

func (c *Config) credentialsFault() error {
	static, oauth := c.SecretKey != nil, c.ClientID != "" && c.ClientSecret != nil
	switch {
	case static && (c.ClientID != "" || c.ClientSecret != nil):
		return errors.New("checkout: a secret key and an OAuth client are given, and only one of the two can be used")
	case !static && !oauth:
		return errors.New("checkout: a secret key, or a client id and a client secret, is required")
	}
	return nil
}

func (c *Config) fault() error {
	var faults []error
	if !isUserJourneyID(c.UserJourneyID) {
		faults = append(faults, errors.New("checkout: user journey id is not usj_ and 26 of a to z and 2 to 7"))
	}
	if c.MaxAttempts < 1 || c.MaxAttempts > MaxAttempts {
		faults = append(faults, fmt.Errorf("checkout: %d attempts at most, want 1 to %d", c.MaxAttempts, MaxAttempts))
	}
	if c.Deadline < 0 || c.LinkLife < 0 || c.PollFirst < 0 {
		faults = append(faults, errors.New("checkout: deadline, life of a link or first wait is less than zero"))
	}
	if c.PollMax < c.PollFirst {
		faults = append(faults, fmt.Errorf("checkout: longest wait %v is shorter than the first, %v", c.PollMax, c.PollFirst))
	}
	return errors.Join(faults...)
}

// addressOf checks a URL.
func addressOf(what, address string, allowHTTP bool) (string, error) {
	address, err := vendors.Address(address, allowHTTP)
	if err != nil {
		return "", fmt.Errorf("checkout: %s %w", what, err)
	}
	return address, nil
}

// Name returns event.Checkout.
func (a *Adapter) Name() event.Vendor { return event.Checkout }

// Capabilities implements vendors.Adapter.
func (a *Adapter) Capabilities() vendors.Capabilities {
	return vendors.Capabilities{
		Subject:   "applicant_id",
		Resumable: true,
		Revisable: true,
		Erasable:  true,
		Liveness:  event.LivenessVendor,
	}
}
