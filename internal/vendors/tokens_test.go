package vendors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// source is a Tokens whose fetches are counted and numbered. Used inside a
// synctest bubble.
func source(life time.Duration, fetch func(context.Context) error) (*Tokens, *atomic.Int64) {
	var fetched atomic.Int64
	return NewTokens(func(ctx context.Context) (*Token, error) {
		n := fetched.Add(1)
		if fetch != nil {
			if err := fetch(ctx); err != nil {
				return nil, err
			}
		}
		now := time.Now()
		return &Token{Value: fmt.Sprint(n), RenewAt: now.Add(life * 8 / 10), Expires: now.Add(life)}, nil
	}, time.Now), &fetched
}

func wantToken(t *testing.T, tokens *Tokens, value string) *Token {
	t.Helper()
	got, err := tokens.Get(t.Context())
	if err != nil || got.Value != value {
		t.Fatalf("token %v and %v, want %s", got, err, value)
	}
	return got
}

func TestTokenIsSharedAndRenewedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, fetched := source(time.Hour, nil)
		for range 100 {
			wantToken(t, tokens, "1")
		}
		time.Sleep(48*time.Minute - 1)
		wantToken(t, tokens, "1")
		time.Sleep(time.Nanosecond)
		wantToken(t, tokens, "2")
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestOneFetchServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failure := range []error{nil, errors.New("no")} {
			tokens, fetched := source(time.Hour, func(context.Context) error { time.Sleep(time.Second); return failure })
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if _, err := tokens.Get(t.Context()); !errors.Is(err, failure) {
						t.Errorf("error %v, want %v", err, failure)
					}
				})
			}
			all.Wait()
			if n := fetched.Load(); n != 1 {
				t.Errorf("%d fetches for 50 callers at once", n)
			}
		}
	})
}

// TestRenewalHoldsUpNobody: while one caller renews, the others go on with the
// token that is good; when it cannot be renewed, so does that one.
func TestRenewalHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		tokens, fetched := source(time.Hour, func(context.Context) error {
			if broken.Load() {
				time.Sleep(9 * time.Second)
				return errors.New("no")
			}
			return nil
		})
		wantToken(t, tokens, "1")
		time.Sleep(50 * time.Minute)
		broken.Store(true)
		var renewer sync.WaitGroup
		renewer.Go(func() {
			if got, err := tokens.Get(t.Context()); err != nil || got.Value != "1" {
				t.Errorf("after the failed renewal: %v, %v, want the old token", got, err)
			}
		})
		synctest.Wait()
		before := time.Now()
		wantToken(t, tokens, "1")
		if waited := time.Since(before); waited > 0 {
			t.Errorf("waited %v for a token that was not needed", waited)
		}
		renewer.Wait()
		wantToken(t, tokens, "1")
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want the next one only after a pause", n)
		}
		broken.Store(false)
		time.Sleep(renewPause)
		wantToken(t, tokens, "3")

		broken.Store(true)
		time.Sleep(time.Hour)
		if _, err := tokens.Get(t.Context()); err == nil {
			t.Error("an expired token is used on")
		}
	})
}

// TestLeaverFailsNobodyElse: the caller that fetches is cancelled; one of those
// who wait takes over.
func TestLeaverFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, fetched := source(time.Hour, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return nil
			}
		})
		ctx, leave := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := tokens.Get(ctx); err == nil {
				t.Error("the caller that left has a token")
			}
		})
		synctest.Wait()
		waiter, giveUp := context.WithCancelCause(t.Context())
		all.Go(func() {
			if _, err := tokens.Get(waiter); !errors.Is(err, errStopped) {
				t.Errorf("the caller that gave up has %v, want its own cause", err)
			}
		})
		for range 3 {
			all.Go(func() {
				if got, err := tokens.Get(t.Context()); err != nil || got.Value != "2" {
					t.Errorf("those who stayed have %v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		giveUp(errStopped)
		synctest.Wait()
		leave(errStopped)
		all.Wait()
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want one more after the leaver's", n)
		}
	})
}

var errStopped = errors.New("stopped by the test")

func TestRefusalsOfTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, _ := source(time.Hour, nil)
		first := wantToken(t, tokens, "1")
		tokens.Accept(first)
		// A revoked token is refused to all who use it.
		for range 3 {
			if tokens.Refuse(first) {
				t.Error("the first refused token is called a lasting fault")
			}
		}
		second := wantToken(t, tokens, "2")
		// A late word about the first changes nothing.
		if tokens.Refuse(first) {
			t.Error("a late refusal of the first token is called a lasting fault")
		}
		tokens.Accept(first)
		wantToken(t, tokens, "2")
		for range 3 {
			if !tokens.Refuse(second) {
				t.Error("the second refusal in a row is not called lasting")
			}
		}
		third := wantToken(t, tokens, "3")
		tokens.Accept(third)
		if tokens.Refuse(third) {
			t.Error("a token that was taken before is called a lasting fault")
		}
		fourth := wantToken(t, tokens, "4")
		tokens.Accept(fourth)
		time.Sleep(time.Hour)
		if tokens.Refuse(wantToken(t, tokens, "5")) {
			t.Error("the successor of a token that was taken is called a lasting fault")
		}
	})
}

// TestTokensAreRenewedEarly, and a good one serves on when its successor cannot
// be had.
func TestTokensAreRenewedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := false
		tokens, fetched := source(time.Hour, func(context.Context) error {
			if broken {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		wantToken(t, tokens, "1")
		time.Sleep(48*time.Minute - 1)
		wantToken(t, tokens, "1")
		time.Sleep(time.Nanosecond)
		wantToken(t, tokens, "2")
		broken = true
		time.Sleep(50 * time.Minute)
		wantToken(t, tokens, "2")
		wantToken(t, tokens, "2")
		if n := fetched.Load(); n != 3 {
			t.Errorf("%d fetches, want 3", n)
		}
		time.Sleep(renewPause)
		broken = false
		wantToken(t, tokens, "4")
		broken = true
		time.Sleep(time.Hour)
		if _, err := tokens.Get(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("an expired token, and %v", err)
		}
	})
}

// TestWhoWaitsForATokenIsNotFailedByWhoLeaves: the fetch of a call that is
// cancelled is taken over.
func TestWhoWaitsForATokenIsNotFailedByWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, fetched := source(time.Hour, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Minute):
				return nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := tokens.Get(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("who left: %v", err)
			}
		})
		synctest.Wait()
		for range 5 {
			all.Go(func() { wantToken(t, tokens, "2") })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}
