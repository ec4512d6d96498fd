package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	// barEvery is how often a bar on a terminal moves.
	barEvery = 200 * time.Millisecond
	// lineEvery is how often a line is written elsewhere.
	lineEvery = 5 * time.Second
)

// reading is how far something has come. Total is 0 as long as it is unknown.
type reading struct {
	done, total int
	note        string // in brackets at the end of a line
}

// meter shows progress: a bar on a terminal, else a line every few seconds.
type meter struct {
	w       io.Writer
	what    string                   // such as "published"
	bar     *progressbar.ProgressBar // nil: lines are written
	started time.Time
	shown   string // the last line, without its rate
}

func newMeter(w io.Writer, what string) *meter {
	m := &meter{w: w, what: what, started: time.Now()}
	if isTerminal(w) {
		m.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetDescription(what),
			progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionThrottle(barEvery/2),
			// Else it starts a goroutine that nothing but a full bar ends.
			progressbar.OptionSetSpinnerChangeInterval(0),
		)
	}
	return m
}

func (m *meter) every() time.Duration {
	if m.bar != nil {
		return barEvery
	}
	return lineEvery
}

// show writes the reading, unless it is just what was written before.
func (m *meter) show(r reading) {
	if m.bar != nil {
		if r.total > 0 && m.bar.GetMax() != r.total {
			m.bar.ChangeMax(r.total)
		}
		_ = m.bar.Set(r.done)
		return
	}
	text := fmt.Sprintf("%s %d", m.what, r.done)
	if r.total > 0 {
		text += fmt.Sprintf(" of %d (%.0f %%)", r.total, 100*float64(r.done)/float64(r.total))
	}
	if r.note != "" {
		text += " (" + r.note + ")"
	}
	if text == m.shown {
		return
	}
	m.shown = text
	if elapsed := time.Since(m.started); r.done > 0 && elapsed >= time.Second {
		text += fmt.Sprintf(", %.0f/s", float64(r.done)/elapsed.Seconds())
	}
	fmt.Fprintln(m.w, text)
}

// end clears the bar.
func (m *meter) end() {
	if m.bar != nil {
		_ = m.bar.Clear()
	}
}

// follow shows what read returns until stop is called, in a goroutine that stop
// waits for.
func (m *meter) follow(read func() reading) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(m.every())
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.show(read())
			case <-ctx.Done():
				m.end()
				return
			}
		}
	})
	return func() {
		cancel()
		showing.Wait()
	}
}
