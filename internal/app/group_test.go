package app

import (
	"testing"
	"time"

	"reauth/internal/config"
	"reauth/internal/connect"
	"reauth/internal/event"
)

// TestSettingsAndMembershipAgreeOnTheSession: the rule stands in config, where it
// can be explained, and in stream, where it is needed.
func TestSettingsAndMembershipAgreeOnTheSession(t *testing.T) {
	c := config.Default()
	c.Vendors.Argos.APIKey, c.Vendors.Argos.Limits.None = config.NewSecret("a-key-for-the-test"), true
	client, err := connect.Open(c.Kafka, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted := 0
	for _, session := range []time.Duration{11200, 11201, 14000, 17000, 17001, 20000, 31000, 31001, 60000} {
		for _, heartbeat := range []time.Duration{100, 3000, 4000, 10000} {
			for _, commit := range []time.Duration{50, 1000, 4500, 20000} {
				c.Kafka.SessionTimeout, c.Kafka.Heartbeat, c.Kafka.CommitInterval = session*time.Millisecond, heartbeat*time.Millisecond, commit*time.Millisecond
				c.Kafka.RebalanceTimeout = time.Minute
				if c.Kafka.Heartbeat > c.Kafka.SessionTimeout/3 {
					continue // the settings are stricter there, on purpose
				}
				fault := c.Validate(event.Argos)
				_, refusal := client.NewMember(groupConfig(c.Kafka), nil)
				if (fault == nil) != (refusal == nil) {
					t.Errorf("session %s, heartbeat %s, commits every %s:\nthe settings say %v\nthe membership says %v",
						c.Kafka.SessionTimeout, c.Kafka.Heartbeat, c.Kafka.CommitInterval, fault, refusal)
				}
				if fault == nil {
					accepted++
				}
			}
		}
	}
	if accepted == 0 {
		t.Error("nothing is accepted: the test shows nothing")
	}
}
