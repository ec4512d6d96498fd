package pipeline

import (
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
	"reauth/internal/ledger"
	"reauth/internal/vendors"
)

// While a deployment shortens the vendor's timeout, those who leave wait longer for
// their calls than those who come would.
func TestFormerOwnerWithLongerTimeoutsIsHeardOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{delay: 100 * time.Second}
		a := join(t, topics, v, func(c *Config, l *vendors.LaneConfig) {
			c.LongestCall, l.Timeout, c.Grace = 2*time.Minute, 2*time.Minute, 3*time.Minute
		})
		b := join(t, topics, v, func(c *Config, l *vendors.LaneConfig) {
			c.LongestCall, l.Timeout = 10*time.Second, 10*time.Second
		})
		a.assign([]int{0, 1, 2}, nil, nil)
		settle(time.Second)
		a.send(0, "r-1", "sub-1")
		settle(time.Second)
		wantCallsByNow(t, a, 1)
		v.set(func() { v.delay = 0 })
		a.assign(nil, nil, []int{0, 1, 2})
		b.assign([]int{0, 1, 2}, nil, nil)
		settle(10 * time.Minute)
		wantOncePerRequest(t, b, 1)
		wantCalls(t, b, 1)
		a.shut()
		b.shut()
	})
}

// A clock that is wrong by years must not keep follow-ups and summaries waiting as long.
func TestAbsurdEndOfAClaimIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		settle(time.Second)
		s := w.shards[0]
		until := time.Now().AddDate(10, 0, 0)
		s.ledger.Note("r-1", ledger.Record{Step: ledger.Claimed, Claim: 1, Owner: "gone", Until: &until}, nil, time.Now())
		if end := w.writtenUntil(s); !end.Equal(s.since.Add(longestClaim)) {
			t.Errorf("the former owner is waited for until %s", end)
		}
		w.shut()
	})
}

// The former owner's answer may reach the ledger long after it was stamped, and the
// owner may not have read it when it says what is published.
func TestCheckpointPassesByWhatWasNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics, v := newFakeTopics(), &fakeVendor{}
		topics.hold = make(chan struct{})
		b := join(t, topics, v, nil)
		until, called := time.Now().Add(38*time.Second), time.Now()
		claim := ledger.Record{Step: ledger.Claimed, Claim: 1, Owner: "gone", Until: &until, Called: &called, Source: ledger.Source{Topic: "requests"}}
		answer := ledger.Record{Step: ledger.Answered, Claim: 1, Answer: &ledger.Answer{Outcome: event.Rejected, CompletedAt: called}}
		topics.append(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: claim.Encode()})
		b.assign([]int{0, 1, 2}, nil, nil)
		b.send(0, "r-1", "sub-1")
		settle(16 * time.Second)
		b.send(0, "r-2", "sub-2")
		settle(time.Second)
		topics.holdTopic("ledger/0")
		settle(16 * time.Second)
		stamped := time.Now().Add(-16 * time.Second)
		topics.add(event.Record{Topic: "ledger", Key: []byte("r-1"), Value: answer.Encode(), Time: stamped})
		settle(4 * time.Second)
		b.kill() // and the former owner could not publish it either
		close(topics.hold)
		c := join(t, topics, v, nil)
		c.assign([]int{0, 1, 2}, nil, nil)
		settle(3 * time.Minute)
		wantOncePerRequest(t, c, 2)
		wantCalls(t, c, 1)
		c.shut()
	})
}
