package stream

import (
	"strings"
	"testing"
	"time"
)

func TestCallsEndBeforeAnotherCanOwnTheShard(t *testing.T) {
	config := GroupConfig{
		Session: 30 * time.Second, Rebalance: 60 * time.Second,
		Heartbeat: 3 * time.Second, Timeout: 5 * time.Second, CommitEvery: time.Second,
	}
	ended := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	long := ended.Add(-time.Hour)
	for _, tt := range []struct {
		name            string
		joined, contact time.Time
		rebalance       time.Duration
		want            time.Duration // after ended
	}{
		// The last good heartbeat was at most 2×(3+5) s ago.
		{"nothing is known", long, time.Time{}, time.Minute, (30 - 16 - 1) * time.Second},
		{"a commit succeeded 2 s before", long, ended.Add(-2 * time.Second), time.Minute, (30 - 2 - 1) * time.Second},
		{"an old commit adds nothing", long, ended.Add(-20 * time.Second), time.Minute, (30 - 16 - 1) * time.Second},
		{"joined 4 s before", ended.Add(-4 * time.Second), time.Time{}, time.Minute, (30 - 4 - 1) * time.Second},
		{"a commit does not delay a rebalance", long, ended.Add(-time.Second), 20 * time.Second, (20 - 16 - 1) * time.Second},
		{"rebalance since joining", ended.Add(-time.Second), ended, 20 * time.Second, (20 - 1 - 1) * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config
			c.Rebalance = tt.rebalance
			if got := c.callsUntil(ended, tt.joined, tt.contact).Sub(ended); got != tt.want {
				t.Errorf("calls may start for %s, want %s", got, tt.want)
			}
		})
	}
}

func TestGroupConfigMustLeaveTimeToNotice(t *testing.T) {
	fine := GroupConfig{Group: "g", Topics: []string{"t"}}.withDefaults()
	if err := fine.validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	hasty := GroupConfig{Topics: []string{""}, Session: 10 * time.Second, Heartbeat: -1}.withDefaults()
	err := hasty.validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"no id", "each with a name", "heartbeat -1ns", "longer than 13s"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
