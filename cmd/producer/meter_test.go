package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/config"
)

func TestAwayFromATerminalALineIsWrittenEveryFewSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newConsole()
		m := newMeter(out, "published")
		var done atomic.Int64
		stop := m.follow(func() reading { return reading{done: int(done.Load()), total: 400} })
		time.Sleep(lineEvery + time.Millisecond)
		done.Store(100)
		time.Sleep(lineEvery)
		time.Sleep(lineEvery) // nothing new: no line
		done.Store(400)
		time.Sleep(lineEvery)
		stop()
		const want = "published 0 of 400 (0 %)\npublished 100 of 400 (25 %), 10/s\npublished 400 of 400 (100 %), 20/s\n"
		if got := out.String(); got != want {
			t.Errorf("lines:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestThePacerKeepsTheRateAndDoesNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		began := time.Now()
		p := pacer{rate: config.Rate{Count: 100, Per: time.Second}}
		if size := p.batch(); size != 10 {
			t.Fatalf("batches of %d, want 10", size)
		}
		for range 11 {
			if err := p.wait(ctx, 10); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("110 records took %s, want 1s", took)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		for range 11 {
			if err := p.wait(ctx, 10); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("after a pause 110 records took %s, want 1s", took)
		}
	})
}

func TestASlowRateGoesOneByOneAndCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{rate: config.Rate{Count: 1, Per: time.Hour}}
		if p.batch() != 1 {
			t.Errorf("batches of %d, want 1", p.batch())
		}
		stopped := errors.New("stopped")
		ctx, stop := context.WithCancelCause(context.Background())
		if err := p.wait(ctx, 1); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, func() { stop(stopped) })
		if err := p.wait(ctx, 1); !errors.Is(err, stopped) {
			t.Errorf("error %v, want the cause", err)
		}
	})
}

func TestWithoutARateNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var p pacer
		if p.batch() != batchRecords {
			t.Errorf("batches of %d, want %d", p.batch(), batchRecords)
		}
		for range 1000 {
			if err := p.wait(context.Background(), 100); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) != 0 {
			t.Error("it waited")
		}
	})
}

func TestWritesOutliveAStopByTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := errors.New("stopped")
		ctx, stop := context.WithCancelCause(context.Background())
		longer, release := outlive(ctx, stopGrace)
		defer release()
		stop(stopped)
		time.Sleep(stopGrace - time.Millisecond)
		if longer.Err() != nil {
			t.Error("ended early")
		}
		<-longer.Done()
		if !errors.Is(context.Cause(longer), stopped) {
			t.Errorf("cause %v", context.Cause(longer))
		}
	})
}

func TestThePrefixGrowsOverBatchesThatEndInAnyOrder(t *testing.T) {
	p := newPrefix(0)
	for _, step := range []struct{ first, last, want int }{{101, 200, 0}, {301, 350, 0}, {1, 100, 200}, {201, 300, 350}} {
		p.done(step.first, step.last)
		if got := p.row(); got != step.want {
			t.Errorf("after %d to %d: up to row %d, want %d", step.first, step.last, got, step.want)
		}
	}
}
