package sandbox

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// Environment is what points a consumer, and the AWS SDK in it, at the sandbox.
func (s *Sandbox) Environment() []Variable {
	o := s.options
	all := []Variable{
		{"REAUTH_KAFKA__BROKERS", s.Brokers()},
		{"REAUTH_KAFKA__PARTITIONS", strconv.Itoa(o.Partitions)},
		{"REAUTH_KAFKA__REPLICATION", strconv.Itoa(min(o.Brokers, 3))},
		{"REAUTH_SELFIES__ENDPOINT", s.S3URL()},
		{"REAUTH_SELFIES__PATH_STYLE", "true"},
		{"REAUTH_SELFIES__REGION", "us-east-1"},
		{"REAUTH_SELFIES__BUCKET", o.Buckets[0]},
		{"AWS_ACCESS_KEY_ID", o.S3.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", "sandbox-secret"},
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
	limits := "none"
	if n := s.options.Faceki.PerSecond; n > 0 {
		limits = fmt.Sprintf("%d/s", n)
	}
	return []Variable{
		{"REAUTH_VENDORS__FACEKI__ENABLED", "true"},
		{"REAUTH_VENDORS__FACEKI__BASE_URL", s.FacekiURL()},
		{"REAUTH_VENDORS__FACEKI__CLIENT_ID", s.options.Faceki.ClientID},
		{"REAUTH_VENDORS__FACEKI__CLIENT_SECRET", s.options.Faceki.ClientSecret},
		{"REAUTH_VENDORS__FACEKI__LIMITS", limits},
	}
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
