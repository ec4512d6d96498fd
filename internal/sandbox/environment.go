package sandbox

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"reauth/internal/sandbox/checkoutsim"
)

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// What the AWS SDK in a consumer is to say of itself, beside its access key.
const (
	secretAccessKey = "sandbox-secret"
	region          = "us-east-1"
)

// Environment is what points a consumer, and the AWS SDK in it, at the sandbox.
func (s *Sandbox) Environment() []Variable {
	o := s.options
	all := []Variable{
		{"REAUTH_KAFKA__BROKERS", s.Brokers()},
		{"REAUTH_KAFKA__PARTITIONS", strconv.Itoa(o.Partitions)},
		{"REAUTH_KAFKA__REPLICATION", strconv.Itoa(min(o.Brokers, 3))},
		{"REAUTH_SELFIES__ENDPOINT", s.S3URL()},
		{"REAUTH_SELFIES__PATH_STYLE", "true"},
		{"REAUTH_SELFIES__REGION", region},
		{"REAUTH_SELFIES__BUCKET", o.Buckets[0]},
		{"AWS_ACCESS_KEY_ID", o.S3.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", secretAccessKey},
		{"REAUTH_VENDORS__ARGOS__BASE_URL", s.ArgosURL()},
		{"REAUTH_VENDORS__ARGOS__API_KEY", o.Argos.APIKeys[0]},
	}
	if o.Argos.PerSecond > 0 {
		limits := fmt.Sprintf("%d/s", o.Argos.PerSecond)
		if o.Argos.PerDay > 0 {
			limits += fmt.Sprintf(",%d/day", o.Argos.PerDay)
		}
		all = append(all, Variable{"REAUTH_VENDORS__ARGOS__LIMITS", limits})
	}
	if s.Faceki != nil {
		all = append(all, s.facekiEnvironment()...)
	}
	if s.Checkout != nil {
		all = append(all, s.checkoutEnvironment()...)
	}
	if s.Rekognition != nil {
		all = append(all, s.rekognitionEnvironment()...)
	}
	usual := DefaultTopics()
	for _, topic := range []struct{ key, name, usual string }{
		{"REQUESTS", o.Topics.Requests, usual.Requests},
		{"PRIORITY", o.Topics.Priority, usual.Priority},
		{"RESULTS", o.Topics.Results, usual.Results},
		{"LEDGER", o.Topics.Ledger, usual.Ledger},
		{"DEAD", o.Topics.Dead, usual.Dead},
		{"SIGNALS", o.Topics.Signals, usual.Signals},
	} {
		if topic.name != topic.usual {
			all = append(all, Variable{"REAUTH_KAFKA__TOPICS__" + topic.key, topic.name})
		}
	}
	return all
}

// facekiEnvironment enables FACEKI, whose limits must be stated.
func (s *Sandbox) facekiEnvironment() []Variable {
	return []Variable{
		{"REAUTH_VENDORS__FACEKI__ENABLED", "true"},
		{"REAUTH_VENDORS__FACEKI__BASE_URL", s.FacekiURL()},
		{"REAUTH_VENDORS__FACEKI__CLIENT_ID", s.options.Faceki.ClientID},
		{"REAUTH_VENDORS__FACEKI__CLIENT_SECRET", s.options.Faceki.ClientSecret},
		{"REAUTH_VENDORS__FACEKI__LIMITS", perSecond(s.options.Faceki.PerSecond)},
	}
}

// checkoutEnvironment enables Checkout.com, with its OAuth client: a consumer
// takes that or the secret key.
func (s *Sandbox) checkoutEnvironment() []Variable {
	const prefix = "REAUTH_VENDORS__CHECKOUT__"
	k := s.options.Checkout
	all := []Variable{
		{prefix + "ENABLED", "true"},
		{prefix + "BASE_URL", s.CheckoutURL()},
		{prefix + "TOKEN_URL", s.CheckoutTokenURL()},
		{prefix + "CLIENT_ID", k.ClientID},
		{prefix + "CLIENT_SECRET", k.ClientSecret},
		{prefix + "USER_JOURNEY_ID", k.UserJourneyID},
		{prefix + "LIMITS", checkoutLimits(k)},
	}
	if u, err := url.Parse(k.Webhook.URL); err == nil && k.Webhook.URL != "" {
		all = append(all,
			Variable{prefix + "WEBHOOK__LISTEN", u.Host},
			Variable{prefix + "WEBHOOK__PATH", u.Path},
			Variable{prefix + "WEBHOOK__SIGNATURE_KEY", k.Webhook.SignatureKey},
		)
	}
	return all
}

// checkoutLimits is the smaller of the limits for reads and for writes: a lane
// counts both as calls.
func checkoutLimits(k checkoutsim.Knobs) string {
	limit := k.ReadsPerSecond
	if w := k.WritesPerSecond; w > 0 && (limit == 0 || w < limit) {
		limit = w
	}
	return perSecond(limit)
}

// rekognitionEnvironment enables Amazon Rekognition, whose limits must be stated.
// Region and credentials are those of the selfies.
func (s *Sandbox) rekognitionEnvironment() []Variable {
	return []Variable{
		{"REAUTH_VENDORS__REKOGNITION__ENABLED", "true"},
		{"REAUTH_VENDORS__REKOGNITION__BASE_URL", s.RekognitionURL()},
		{"REAUTH_VENDORS__REKOGNITION__LIMITS", perSecond(s.options.Rekognition.PerSecond)},
	}
}

// perSecond is a limit as the settings want it, which is never absent.
func perSecond(calls int) string {
	if calls == 0 {
		return "none"
	}
	return fmt.Sprintf("%d/s", calls)
}

// shellSafe values need no quotes.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9_./:,@%+=-]+$`)

// String is the assignment as a POSIX shell reads it.
func (v Variable) String() string {
	if shellSafe.MatchString(v.Value) {
		return v.Name + "=" + v.Value
	}
	return v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'"
}
