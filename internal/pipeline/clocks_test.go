package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reauth/internal/event"
)

// clockGroup is a replica and others whose clocks are ahead of its own by so much.
// Every signal takes 3 ms, and most take longer.
type clockGroup struct {
	*clocks
	log    bytes.Buffer
	others []time.Duration
	chance *rand.Rand
}

func newClockGroup(seed uint64, others ...time.Duration) *clockGroup {
	g := &clockGroup{others: others, chance: rand.New(rand.NewPCG(seed, 0))}
	g.clocks = newClocks(Config{Owner: "own", ClaimMargin: 20 * time.Second}, slog.New(slog.NewTextHandler(&g.log, nil)))
	g.listen()
	return g
}

// exchange has all replicas tell the time as often as they do in so long.
func (g *clockGroup) exchange(lasts time.Duration) {
	for range lasts / clockEvery {
		time.Sleep(clockEvery)
		g.hear("own", time.Now().Add(-g.way()))
		for i, ahead := range g.others {
			g.hear(fmt.Sprint("other ", i), time.Now().Add(ahead-g.way()))
		}
	}
}

// way is how long a signal takes: one in three is held up.
func (g *clockGroup) way() time.Duration {
	const least = 3 * time.Millisecond
	if g.chance.IntN(3) == 0 {
		return least + time.Duration(g.chance.ExpFloat64()*float64(300*time.Millisecond))
	}
	return least + time.Duration(g.chance.Int64N(int64(time.Millisecond)))
}

func TestClocksThatDifferAreFound(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		others []time.Duration
		ahead  time.Duration // of the middle
		logged string
	}{
		"alone":                  {nil, 0, ""},
		"agreeing":               {[]time.Duration{0, 2 * ms, -2 * ms}, 0, ""},
		"ours is ahead":          {[]time.Duration{-100 * ms, -100 * ms}, 100 * ms, "level=WARN"},
		"ours is behind":         {[]time.Duration{7 * time.Second, 7 * time.Second}, -7 * time.Second, "level=ERROR"},
		"another one is wrong":   {[]time.Duration{0, time.Hour, 0}, 0, "level=ERROR"},
		"of two nobody is right": {[]time.Duration{400 * ms}, -200 * ms, "level=WARN"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newClockGroup(1, c.others...)
				g.exchange(10 * time.Minute)
				if got := g.ahead(); math.Abs(got-c.ahead.Seconds()) > .01 {
					t.Errorf("ahead by %v s, want %v", got, c.ahead)
				}
				logged := g.log.String()
				if !strings.Contains(logged, c.logged) || strings.Count(logged, "\n") > 1 || (logged == "") != (c.logged == "") {
					t.Errorf("logged %q, want one line with %q", logged, c.logged)
				}
			})
		})
	}
}

func TestClockThatIsCorrectedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newClockGroup(2, 0, 0)
		g.exchange(time.Minute)
		g.others[0] = time.Second
		g.exchange(2 * clockWindow)
		g.others[0] = time.Minute
		g.exchange(2 * clockWindow)
		g.others[0] = 0
		g.exchange(2 * clockWindow)
		var levels []string
		for line := range strings.Lines(g.log.String()) {
			levels = append(levels, strings.Fields(line)[1])
		}
		if got := strings.Join(levels, " "); got != "level=WARN level=ERROR level=INFO" {
			t.Errorf("logged %s", got)
		}
	})
}

func TestReplicaThatIsNotHeardHasNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newClockGroup(3, 10*time.Second, 10*time.Second)
		g.exchange(time.Minute)
		if got := g.ahead(); got > -9.9 {
			t.Errorf("ahead by %v s", got)
		}
		g.others = nil // they stopped
		g.exchange(clockWindow + clockEvery)
		if got := g.ahead(); got != 0 {
			t.Errorf("ahead of itself by %v s", got)
		}
		time.Sleep(clockWindow + clockEvery)
		if got := g.ahead(); !math.IsNaN(got) {
			t.Errorf("ahead by %v s, though no signals are heard", got)
		}
	})
}

// tellsTime is a replica of another process on the same topics, until the test ends it.
func tellsTime(t *testing.T, topics *fakeTopics, sender string, ahead time.Duration) (end func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		for {
			value, err := json.Marshal(signal{Kind: clockKind, From: sender, At: time.Now().Add(ahead)})
			if err != nil {
				t.Error(err)
			}
			topics.append(event.Record{Topic: "signals", Value: value})
			select {
			case <-ended:
				return
			case <-time.After(clockEvery):
			}
		}
	}()
	return func() { close(ended) }
}

func TestReplicasTellEachOtherTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &fakeVendor{}, nil)
		end := tellsTime(t, a.topics, "late", -3*time.Second)
		settle(time.Minute)
		for _, w := range []*world{a, b} {
			w.clocks.mu.Lock()
			others := w.clocks.others()
			w.clocks.mu.Unlock()
			if got := fmt.Sprint(others); got != "[-3s 0s]" {
				t.Errorf("the others are ahead by %s", got)
			}
			if got := w.clocks.ahead(); got != 0 {
				t.Errorf("ahead of the middle by %v s", got)
			}
		}
		end()
		a.shut()
		b.shut()
	})
}

// What a replica reads of the past, at its start or when the topic could not be read
// for a while, says nothing about clocks: those of replicas that ended would be late.
func TestSignalsOfThePastSayNothingOfClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := newFakeTopics()
		dies := func() {
			end := tellsTime(t, topics, "dead", 0)
			settle(10 * time.Minute)
			end()
			settle(20 * time.Second)
		}
		dies()
		w := join(t, topics, &fakeVendor{}, nil)
		none := func(when string) {
			t.Helper()
			for range 12 {
				settle(clockEvery)
				w.clocks.mu.Lock()
				if others := w.clocks.others(); len(others) != 0 {
					t.Errorf("%s: the others are ahead by %v", when, others)
				}
				w.clocks.mu.Unlock()
			}
			if math.IsNaN(w.clocks.ahead()) {
				t.Error("no signal was heard: the test shows nothing")
			}
		}
		none("at the start")
		dies()
		settle(clockWindow)
		w.clocks.listen()
		topics.mu.Lock()
		past := slices.Clone(topics.logs[logName("signals", 0)])
		topics.mu.Unlock()
		for _, rec := range past {
			w.hear(rec)
		}
		none("when it is read again")
		w.shut()
	})
}
