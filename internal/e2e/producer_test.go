package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"

	"reauth/internal/event"
)

// ran is how a command of the producer ended.
type ran struct {
	w        *world
	args     []string
	code     int
	out, err string
}

// producer runs a command of the producer, which must end well.
func (w *world) producer(args ...string) ran {
	w.t.Helper()
	r := w.tryProducer(args...)
	if r.code != 0 {
		w.t.Fatalf("producer %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.err)
	}
	return r
}

// tryProducer runs a command of the producer, in a process of its own and with
// the world's settings.
func (w *world) tryProducer(args ...string) ran {
	w.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(w.ctx, producerBinary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Clip(w.environ), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return ran{w: w, args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// json decodes what a command said on its standard output.
func (r ran) json(into any) {
	r.w.t.Helper()
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		r.w.t.Fatalf("producer %s: %v in\n%s", strings.Join(r.args, " "), err, r.out)
	}
}

// deadLine is what dead list says of a dead letter as NDJSON.
type deadLine struct {
	RequestID     string       `json:"request_id"`
	Reason        event.Reason `json:"reason"`
	Stage         event.Stage  `json:"stage"`
	Vendor        event.Vendor `json:"vendor"`
	CampaignID    string       `json:"campaign_id"`
	Group         string       `json:"group"`
	DeliveryCount int          `json:"delivery_count"`
	Redrives      int          `json:"redrives"`
	FailedAt      time.Time    `json:"failed_at"`
	Origin        event.Source `json:"origin"`
}

// deadLines decodes NDJSON.
func (r ran) deadLines() (all []deadLine) {
	r.w.t.Helper()
	for text := range strings.Lines(r.out) {
		var line deadLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			r.w.t.Fatalf("producer %s: %v in %s", strings.Join(r.args, " "), err, text)
		}
		all = append(all, line)
	}
	return all
}

// redriven is what dead redrive says as JSON.
type redriven struct {
	DryRun   bool           `json:"dry_run"`
	Chosen   int            `json:"chosen"`
	Planned  int            `json:"planned"`
	Hindered map[string]int `json:"hindered"`
	Sent     int            `json:"sent"`
	Seconds  float64        `json:"seconds"`
}

// redrive runs dead redrive.
func (w *world) redrive(args ...string) (r redriven) {
	w.t.Helper()
	w.producer(append([]string{"dead", "redrive", "--output", "json"}, args...)...).json(&r)
	return r
}

// moment is what show says of one record as JSON.
type moment struct {
	Time  time.Time       `json:"time"`
	Kind  string          `json:"kind"`
	Where event.Source    `json:"where"`
	Facts json.RawMessage `json:"details"`
}

// show returns the history of a request.
func (w *world) show(requestID string) []moment {
	w.t.Helper()
	var said struct {
		RequestID string `json:"request_id"`
		History   []moment
	}
	w.producer("show", requestID, "--output", "json").json(&said)
	if said.RequestID != requestID {
		w.t.Errorf("show %s tells of %q", requestID, said.RequestID)
	}
	return said.History
}
