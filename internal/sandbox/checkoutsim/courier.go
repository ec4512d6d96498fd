package checkoutsim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// delivery is one event on its way.
type delivery struct {
	message message
	fakes   []fake
	// copies are how many more of it are sent.
	copies int
	// retry are the waits before each further try.
	retry []time.Duration

	// wait passes first, unless release is closed before; nil never is.
	wait    time.Duration
	release <-chan struct{}
	// before is closed when it may be sent, nil if at once; done is closed
	// once it has been sent, nil if nobody waits for that; and so is swapped,
	// which lets an older event go.
	before  <-chan struct{}
	done    chan<- struct{}
	swapped chan<- struct{}
}

// fake is a message that should not be taken.
type fake struct {
	message message
	taken   func(*Deliveries)
}

// courier brings events to the webhook. What it does ends with its errands.
type courier struct {
	errands *errands
	client  *http.Client
	count   func(func(*Stats))
	// slots bounds the messages that are being sent.
	slots chan struct{}
}

// The bounds of sending.
const (
	messagesAtOnce = 16
	answerTimeout  = 10 * time.Second
)

func newCourier(e *errands, transport http.RoundTripper, count func(func(*Stats))) *courier {
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: messagesAtOnce}
	}
	return &courier{
		errands: e,
		client: &http.Client{
			Transport: transport, Timeout: answerTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		count: count,
		slots: make(chan struct{}, messagesAtOnce),
	}
}

// close is for when nothing is being sent any more.
func (c *courier) close() { c.client.CloseIdleConnections() }

// deliver sees to it that an event is sent.
func (c *courier) deliver(d delivery) {
	c.errands.run(func(ctx context.Context) {
		pause(ctx, d.wait, d.release)
		if d.before != nil {
			select {
			case <-d.before:
			case <-ctx.Done():
			}
		}
		for _, f := range d.fakes {
			if success(c.send(ctx, f.message)) {
				c.count(func(s *Stats) { f.taken(&s.Webhook) })
			}
		}
		taken := c.try(ctx, d.message)
		for range d.copies {
			c.try(ctx, d.message)
		}
		for _, next := range []chan<- struct{}{d.done, d.swapped} {
			if next != nil {
				close(next)
			}
		}
		for _, wait := range d.retry {
			if taken || ctx.Err() != nil {
				return
			}
			pause(ctx, wait, nil)
			taken = c.try(ctx, d.message)
		}
		if !taken {
			c.count(func(s *Stats) { s.Webhook.GivenUp++ })
		}
	})
}

// try sends an event and reports whether it was taken.
func (c *courier) try(ctx context.Context, m message) bool {
	if ctx.Err() != nil {
		return false
	}
	status := c.send(ctx, m)
	c.count(func(s *Stats) {
		d := &s.Webhook
		d.Tries++
		switch {
		case success(status):
			d.Taken++
		case status == 0:
			d.Unanswered++
		default:
			d.Rejected++
		}
	})
	return success(status)
}

func success(status int) bool { return status/100 == 2 }

// send posts a message and returns the status of the answer, 0 for none.
func (c *courier) send(ctx context.Context, m message) (status int) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return 0
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.knobs.URL, bytes.NewReader(m.body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	if m.signature != "" {
		r.Header.Set("Cko-Signature", m.signature)
	}
	if m.knobs.Authorization != "" {
		r.Header.Set("Authorization", m.knobs.Authorization)
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	// Reading to the end lets the connection be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode
}

// pause lets d pass, until release is closed or ctx ends.
func pause(ctx context.Context, d time.Duration, release <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-release:
	case <-ctx.Done():
	}
}
