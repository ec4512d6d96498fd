package config

import (
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// Vendors are the identity vendors.
type Vendors struct {
	Argos       Argos
	Faceki      Faceki
	Checkout    Checkout
	Rekognition Rekognition
}

// Vendor is what every vendor has.
type Vendor struct {
	Enabled     bool
	BaseURL     string
	Limits      Limits
	Schedule    []Hours
	Headroom    Ratio
	Timeout     time.Duration
	MaxInFlight int
	Prices      []Price
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
	// MaxInvitations bounds the links that one person is sent.
	MaxInvitations int
	// Deadline is the longest wait for the person, LinkLife how long a link
	// works.
	Deadline, LinkLife time.Duration
	// PollInitial and PollMax bound the wait between looks.
	PollInitial, PollMax time.Duration
	Webhook              Webhook
	FollowUps            FollowUps
}

// Webhook is where Checkout.com tells that a verdict is there.
type Webhook struct {
	// Listen is empty when there is no webhook.
	Listen       string
	Path         string
	SignatureKey Secret
	// Authorization is what the header of that name must be, unless empty.
	Authorization Secret
}

// Rekognition is Amazon Rekognition. Its credentials are the AWS SDK's.
type Rekognition struct {
	Vendor
	// Region is empty for that of the selfies.
	Region string
	// Threshold is the least similarity, 0 to 100, of an approval.
	Threshold float64
	// QualityFilter is none, auto, low, medium or high.
	QualityFilter string
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
		{event.Rekognition, &v.Rekognition.Vendor},
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

// Of returns what a vendor has in common with the others. It panics if there is
// no such vendor.
func (v *Vendors) Of(name event.Vendor) Vendor {
	all := v.all()
	return *all[slices.IndexFunc(all, func(n named) bool { return n.name == name })].settings
}

func (v *Vendors) describe(g group) {
	g.group("argos", `Argos Identity: compares a selfie with the face of an approved submission.`, v.Argos.describe)
	g.group("faceki", `FACEKI: searches everyone enrolled for the face on a selfie.`, v.Faceki.describe)
	g.group("checkout", `Checkout.com: asks the person to show the face again, on a page of theirs.`, v.Checkout.describe)
	g.group("rekognition", `Amazon Rekognition CompareFaces: compares a selfie with the picture that the request names.
		Credentials come from the AWS SDK's usual chain; they need rekognition:CompareFaces, and s3:GetObject for that
		picture, which Amazon reads with them.`, v.Rekognition.describe)
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
	one(g, &c.MaxInvitations, counts, "max_invitations", "3",
		`Links that a person is sent for one request, the first included. Each but the first follows an attempt that came
		to nothing: nobody came, or the video could not be used.`, between(1, 20))
	one(g, &c.Deadline, durations, "deadline", "24h",
		`Longest wait for a person, unless the request's not_after ends it sooner. Then the result is expired.`,
		between(time.Minute, 30*24*time.Hour))
	one(g, &c.LinkLife, durations, "link_life", "15m",
		`How long a link works, as the account is set up.`, between(time.Second, 7*24*time.Hour))
	one(g, &c.PollInitial, durations, "poll_initial", "20s",
		`Wait before the first look at whether there is a verdict; it grows from look to look. Each look takes one of the
		allowed calls; with a webhook looks are only the second line, so make them rare.`, between(100*time.Millisecond, time.Hour))
	one(g, &c.PollMax, durations, "poll_max", "5m", `Longest wait between two looks.`, between(100*time.Millisecond, 24*time.Hour))
	c.FollowUps.describe(g)
	g.group("webhook", `Where Checkout.com tells that a verdict is there. What it says is a hint only: the verdict is
		always fetched.`, c.Webhook.describe)
}

func (w *Webhook) describe(g group) {
	one(g, &w.Listen, texts, "listen", "", `Address to listen on. Empty: no webhook, verdicts are polled for.`,
		optional(listenAddress))
	one(g, &w.Path, texts, "path", "/webhooks/checkout", `Path of the webhook.`, urlPath)
	secret(g, &w.SignatureKey, "signature_key", `Key of the webhook's signatures. Required with listen.`, issuedKey)
	secret(g, &w.Authorization, "authorization", `What the Authorization header of each delivery must be, if the workflow sets one.`, anyText)
}

func (k *Rekognition) describe(g group) {
	k.Vendor.describe(g, "false", "", "")
	one(g, &k.Region, texts, "region", "", `AWS region of the service, which must be that of the buckets. Empty: selfies.region.`,
		optional(word))
	one(g, &k.Threshold, numbers, "threshold", "90",
		`Least similarity of an approval; what is below is rejected. Amazon's own default, 80, is meant for photo
		collections, and it advises 99 where nobody looks at a match again. Try yours on pictures of your own: the higher,
		the fewer strangers pass and the more people are rejected who have aged since the picture was taken.`,
		between(50.0, 100.0))
	one(g, &k.QualityFilter, texts, "quality_filter", "auto",
		`How good a face must be to be compared: none takes every face that is found, auto leaves the bar to Amazon, low,
		medium and high set it. A selfie that shows no face above the bar, or several, is unusable.`,
		oneOf("none", "auto", "low", "medium", "high"))
}

func (v *Vendor) describe(g group, enabled, baseURL, limits string) {
	addressDoc, address := `Address of the vendor's API.`, secureAddress
	if baseURL == "" {
		addressDoc, address = addressDoc+` Empty: the one of its region.`, optional(secureAddress)
	}
	one(g, &v.Enabled, switches, "enabled", enabled,
		`Use this vendor. A request for one that is not enabled goes to the dead letters.`)
	one(g, &v.BaseURL, addresses, "base_url", baseURL, addressDoc, address)
	rates(g, &v.Limits, "limits", limits,
		`Calls that the vendor allows to the whole group of replicas; all of the limits hold at once. Every call within
		them is used while there is work, and none beyond. Required when enabled; the word none, alone, for a vendor
		that sets no limit.`)
	hours(g, &v.Schedule, "schedule",
		`When to call more slowly: days, times, a time zone and a pace. The first entry that covers a time holds. The
		limits hold as well, so an entry can only lower the pace.`)
	one(g, &v.Headroom, ratios, "headroom", "2%",
		`Share of the limits left unused, to pay for clocks that differ and networks that jitter.`, between(Ratio(0), 0.5))
	one(g, &v.Timeout, durations, "timeout", "30s",
		`Longest call. A call that takes longer has an unknown outcome and may be charged, so be generous.`,
		between(10*time.Millisecond, 10*time.Minute))
	one(g, &v.MaxInFlight, counts, "max_in_flight", "256",
		`Calls of one replica that may be under way at a time. About the limit per second times the seconds that a call
		takes; less than that wastes the quota.`, between(1, 100000))
	many(g, &v.Prices, prices, "prices", "",
		`What an answer costs by its outcome, in spend.currency: approved=0.10 and rejected=0.10, for example. Outcomes not
		named cost nothing. With prices, results carry their cost, and the caps of spend hold for the vendor.`,
		eachOutcomeOnce, upToMillion)
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
