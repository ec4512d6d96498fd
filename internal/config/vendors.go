package config

import (
	"strings"
	"time"

	"reauth/internal/event"
)

// Vendors are the identity vendors.
type Vendors struct {
	Argos    Argos
	Faceki   Faceki
	Checkout Checkout
}

// Vendor is what every vendor has.
type Vendor struct {
	Enabled     bool
	BaseURL     string
	Limits      Limits
	Headroom    Ratio
	Timeout     time.Duration
	MaxInFlight int
}

// Argos is Argos Identity.
type Argos struct {
	Vendor
	APIKey Secret
}

// Faceki is FACEKI.
type Faceki struct {
	Vendor
	// APIVersion is FacekiV2 or FacekiBlaze.
	APIVersion   string
	ClientID     string
	ClientSecret Secret
	// OnAmbiguous is AmbiguousReject or AmbiguousHold.
	OnAmbiguous string
}

// The generations of FACEKI's API.
const (
	FacekiV2    = "v2"
	FacekiBlaze = "blaze"
)

// What becomes of a selfie that FACEKI finds to be the expected person and
// somebody else.
const (
	// AmbiguousReject rejects it.
	AmbiguousReject = "reject"
	// AmbiguousHold dead-letters the request, for a person to look at.
	AmbiguousHold = "hold"
)

// Checkout is Checkout.com. It takes a secret key, or an OAuth client.
type Checkout struct {
	Vendor
	TokenURL      string
	SecretKey     Secret
	ClientID      string
	ClientSecret  Secret
	UserJourneyID string
	Webhook       Webhook
}

// Webhook is where Checkout.com tells that a verdict is there.
type Webhook struct {
	// Listen is empty when there is no webhook.
	Listen       string
	Path         string
	SignatureKey Secret
}

// named is a vendor with its name.
type named struct {
	name     event.Vendor
	settings *Vendor
}

// key returns the path of one of the vendor's settings.
func (n named) key(setting string) string { return "vendors." + string(n.name) + "." + setting }

func (v *Vendors) all() []named {
	return []named{
		{event.Argos, &v.Argos.Vendor},
		{event.Faceki, &v.Faceki.Vendor},
		{event.Checkout, &v.Checkout.Vendor},
	}
}

// Enabled returns the vendors that are to be used.
func (v *Vendors) Enabled() []event.Vendor {
	var enabled []event.Vendor
	for _, n := range v.all() {
		if n.settings.Enabled {
			enabled = append(enabled, n.name)
		}
	}
	return enabled
}

func (v *Vendors) describe(g group) {
	g.group("argos", `Argos Identity: compares a selfie with the face of an approved submission.`, v.Argos.describe)
	g.group("faceki", `FACEKI: searches everyone enrolled for the face on a selfie.`, v.Faceki.describe)
	g.group("checkout", `Checkout.com: asks the person to show the face again, on a page of theirs.`, v.Checkout.describe)
}

func (a *Argos) describe(g group) {
	a.Vendor.describe(g, "true", "https://rest-api.argosidentity.com/v3", "50/s")
	secret(g, &a.APIKey, "api_key", `Key of the project, sent as x-api-key. Required when enabled.`, issuedKey)
}

func (f *Faceki) describe(g group) {
	f.Vendor.describe(g, "false", "https://sdk.faceki.com", "")
	one(g, &f.APIVersion, texts, "api_version", FacekiV2,
		`Generation of the API that the account is on: v2 for KYC V2, where submission_id is compared with the match's
		referenceId, blaze for Blaze 3.0, where it is compared with its record_identifier.`, oneOf(FacekiV2, FacekiBlaze))
	one(g, &f.ClientID, texts, "client_id", "", `Client id of the account. Required when enabled.`, optional(word))
	secret(g, &f.ClientSecret, "client_secret", `Client secret of the account. Required when enabled.`, issuedKey)
	one(g, &f.OnAmbiguous, texts, "on_ambiguous", AmbiguousReject,
		`What to do with a selfie that matches the expected person and somebody else: reject it, or hold the request back
		in the dead letters for a person to look at.`, oneOf(AmbiguousReject, AmbiguousHold))
}

func (c *Checkout) describe(g group) {
	c.Vendor.describe(g, "false", "https://identity-verification.checkout.com", "")
	one(g, &c.TokenURL, addresses, "token_url", "https://access.checkout.com/connect/token",
		`Where an OAuth client gets its tokens.`, secureAddress)
	secret(g, &c.SecretKey, "secret_key", `Static key. When enabled, this or client_id and client_secret.`, issuedKey)
	one(g, &c.ClientID, texts, "client_id", "", `OAuth client id.`, optional(word))
	secret(g, &c.ClientSecret, "client_secret", `OAuth client secret.`, issuedKey)
	one(g, &c.UserJourneyID, texts, "user_journey_id", "", `User journey to start. Required when enabled.`, optional(word))
	g.group("webhook", `Where Checkout.com tells that a verdict is there. What it says is a hint only: the verdict is
		always fetched.`, c.Webhook.describe)
}

func (w *Webhook) describe(g group) {
	one(g, &w.Listen, texts, "listen", "", `Address to listen on. Empty: no webhook, verdicts are polled for.`,
		optional(listenAddress))
	one(g, &w.Path, texts, "path", "/webhooks/checkout", `Path of the webhook.`, urlPath)
	secret(g, &w.SignatureKey, "signature_key", `Key of the webhook's signatures. Required with listen.`, issuedKey)
}

func (v *Vendor) describe(g group, enabled, baseURL, limits string) {
	one(g, &v.Enabled, switches, "enabled", enabled,
		`Use this vendor. A request for one that is not enabled goes to the dead letters.`)
	one(g, &v.BaseURL, addresses, "base_url", baseURL,
		`Address of the vendor's API.`, secureAddress)
	rates(g, &v.Limits, "limits", limits,
		`Calls that the vendor allows to the whole group of replicas; all of the limits hold at once. Every call within
		them is used while there is work, and none beyond. Required when enabled; the word none, alone, for a vendor
		that sets no limit.`)
	one(g, &v.Headroom, ratios, "headroom", "2%",
		`Share of the limits left unused, to pay for clocks that differ and networks that jitter.`, between(Ratio(0), 0.5))
	one(g, &v.Timeout, durations, "timeout", "30s",
		`Longest call. A call that takes longer has an unknown outcome and may be charged, so be generous.`,
		between(10*time.Millisecond, 10*time.Minute))
	one(g, &v.MaxInFlight, counts, "max_in_flight", "256",
		`Calls of one replica that may be under way at a time. About the limit per second times the seconds that a call
		takes; less than that wastes the quota.`, between(1, 100000))
}

// rates adds a setting for limits.
func rates(g group, field *Limits, name, byDefault, doc string) {
	g.add(&leaf{
		Setting: Setting{
			Key: name, Type: "list of rate", Default: byDefault, Doc: doc, List: true,
			Bounds: "a count and a window, such as 50/s, 300/min, 200000/day or 5/10s; or none",
		},
		set: func(given []string) *misfit {
			if len(given) == 1 && strings.TrimSpace(given[0]) == "none" {
				*field = Limits{None: true}
				return nil
			}
			limits := Limits{}
			for _, text := range given {
				r, err := ParseRate(text)
				if err != nil {
					return &misfit{texts.quote(text) + " " + err.Error(),
						"write a count and a window, such as 50/s, 300/min, 200000/day or 5/10s; or the word none, alone"}
				}
				limits.Rates = append(limits.Rates, r)
			}
			*field = limits
			return nil
		},
		check: func() *misfit { return repeated(field.Rates) },
	})
}

// repeated complains about two rates with the same window, one of which would
// be meaningless.
func repeated(rates []Rate) *misfit {
	seen := make(map[time.Duration]Rate, len(rates))
	for _, r := range rates {
		if first, ok := seen[r.Per]; ok {
			return &misfit{first.String() + " and " + r.String() + " have the same window", "keep the smaller one"}
		}
		seen[r.Per] = r
	}
	return nil
}
