package checkoutsim

import (
	"net/url"

	"reauth/internal/sandbox/fault"
	"reauth/internal/sandbox/vendorsim"
)

// Knobs are what can be changed while the simulator runs. The JSON form is the
// admin API's.
type Knobs struct {
	// SecretKey is the static key; empty means that only tokens are good.
	SecretKey string `json:"secret_key"`
	// ClientID and ClientSecret are what a token is given for.
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	// TokenSeconds is how long a token is good, and what expires_in says.
	TokenSeconds int `json:"token_seconds"`
	// RevokeAfter is after how many uses a token is revoked; 0 means never.
	RevokeAfter int `json:"revoke_after"`
	// RefuseTokens answers every call with 401, whatever its token or key.
	RefuseTokens bool `json:"refuse_tokens"`
	// Forbid answers every call with 403: the feature is not enabled.
	Forbid bool `json:"forbid"`
	// UserJourneyID is the one that is configured.
	UserJourneyID string `json:"user_journey_id"`

	vendorsim.Health

	// ReadsPerSecond and WritesPerSecond are the most GETs and POSTs of the
	// API in any second, however it is placed; 0 means no limit. The refused
	// ones count too. The vendor publishes 100 of each for an account, over all
	// of its products (rate limit page).
	ReadsPerSecond  int `json:"reads_per_second"`
	WritesPerSecond int `json:"writes_per_second"`

	// Link is how long a verification URL waits to be made use of.
	Link fault.Delay `json:"link"`
	// Think is how long a person takes to open the link, Slow how long a slow
	// one does, and Capture how long the capture takes.
	Think   fault.Delay `json:"think"`
	Slow    fault.Delay `json:"slow"`
	Capture fault.Delay `json:"capture"`
	// Checks is how long the vendor takes for its verdict, and Audit how long
	// until it turns it round.
	Checks fault.Delay `json:"checks"`
	Audit  fault.Delay `json:"audit"`

	// Videos adds a face_video to the assets: the vendor enables that on
	// request.
	Videos bool `json:"videos"`

	Webhook Webhook `json:"webhook"`
}

// Webhook are the knobs of what is delivered.
type Webhook struct {
	// URL is where events go; empty means nowhere.
	URL string `json:"url"`
	// SignatureKey is the key of Cko-Signature.
	SignatureKey string `json:"signature_key"`
	// Authorization is sent as that header, unless empty.
	Authorization string `json:"authorization"`
	// StringCodes writes response codes as strings, as one of the vendor's
	// samples does.
	StringCodes bool `json:"string_codes"`

	// Tries is how often an event is sent at most; it is sent again until the
	// answer is a 2xx. Retry is the wait before the second try, which doubles
	// from one to the next. The vendor publishes neither.
	Tries int         `json:"tries"`
	Retry fault.Delay `json:"retry"`

	// LostRate, LateRate, SwapRate and TwiceRate are shares, 0 to 1, of events
	// that are never sent, sent after Late, sent after the authentication's
	// next event (at the latest after Late), and sent twice.
	LostRate  float64     `json:"lost_rate"`
	LateRate  float64     `json:"late_rate"`
	Late      fault.Delay `json:"late"`
	SwapRate  float64     `json:"swap_rate"`
	TwiceRate float64     `json:"twice_rate"`

	// ForgedRate and UnsignedRate are shares of events before which somebody
	// else sends one that claims the authentication approved, signed with
	// another key or not at all. OversizeRate is that of events before which
	// one of OversizeBytes comes, with the right signature. None of these is
	// sent again.
	ForgedRate    float64 `json:"forged_rate"`
	UnsignedRate  float64 `json:"unsigned_rate"`
	OversizeRate  float64 `json:"oversize_rate"`
	OversizeBytes int     `json:"oversize_bytes"`
}

// DefaultKnobs are those of a vendor in good health, with the limits that it
// publishes and persons who do not take long.
func DefaultKnobs() Knobs {
	return Knobs{
		SecretKey:       "sk_sbox_sandbox_checkout_key",
		ClientID:        "cli_sandboxcheckout",
		ClientSecret:    "sandbox-checkout-secret",
		TokenSeconds:    3600,
		UserJourneyID:   "usj_sandboxsandboxsandboxsandb",
		ReadsPerSecond:  100,
		WritesPerSecond: 100,
		Link:            delay("15m"),
		Think:           delay("1s-3s"),
		Slow:            delay("5m"),
		Capture:         delay("1s-2s"),
		Checks:          delay("1s-2s"),
		Audit:           delay("10s"),
		Webhook: Webhook{
			SignatureKey:  "sandbox-checkout-signature-key",
			Tries:         5,
			Retry:         delay("1s"),
			Late:          delay("5s"),
			OversizeBytes: 2 << 20,
		},
	}
}

// delay reads a constant.
func delay(text string) fault.Delay {
	d, err := fault.ParseDelay(text)
	if err != nil {
		panic(err)
	}
	return d
}

// Validate reports every value that makes no sense, joined.
func (k Knobs) Validate() error {
	faults := vendorsim.Checks{k.Health.Validate()}
	faults.That(k.ClientID != "" && k.ClientSecret != "", "client_id and client_secret must not be empty")
	faults.That(k.TokenSeconds > 0, "token_seconds must be above 0")
	faults.That(min(k.RevokeAfter, k.ReadsPerSecond, k.WritesPerSecond) >= 0,
		"revoke_after, reads_per_second and writes_per_second must not be negative")
	faults.That(journeyID.MatchString(k.UserJourneyID), "user_journey_id must be usj_ and 26 of a-z and 2-7, is %q", k.UserJourneyID)
	faults.That(k.Link != fault.Delay{}, "link must be above 0")
	k.Webhook.validate(&faults)
	return faults.Err()
}

func (w Webhook) validate(faults *vendorsim.Checks) {
	if w.URL != "" {
		u, err := url.Parse(w.URL)
		faults.That(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "webhook.url must be an absolute URL, is %q", w.URL)
		faults.That(w.SignatureKey != "", "webhook.signature_key must not be empty")
	}
	faults.That(w.Tries >= 1 && w.Tries <= 20, "webhook.tries must be 1 to 20, is %d", w.Tries)
	faults.That(w.OversizeBytes >= 0 && w.OversizeBytes <= 64<<20, "webhook.oversize_bytes must be 0 to 64 MiB, is %d", w.OversizeBytes)
	faults.Share("webhook.lost_rate", w.LostRate)
	faults.Share("webhook.late_rate", w.LateRate)
	faults.Share("webhook.swap_rate", w.SwapRate)
	faults.Share("webhook.twice_rate", w.TwiceRate)
	faults.Share("webhook.forged_rate", w.ForgedRate)
	faults.Share("webhook.unsigned_rate", w.UnsignedRate)
	faults.Share("webhook.oversize_rate", w.OversizeRate)
}

// Clone returns a copy.
func (k Knobs) Clone() Knobs { return k }
