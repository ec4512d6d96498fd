package main

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"reauth/internal/campaign"
	"reauth/internal/event"
)

const deadHeader = "request\treason\tstage\tclass\tvendor\tcampaign\tfailed at\torigin\tdeliveries\tmessage"

// shownMessage bounds a message in a table, in characters.
const shownMessage = 60

// deadRow returns a dead letter for the table.
func deadRow(d campaign.DeadLetter) string {
	cells := []string{
		d.RequestID, string(d.Reason), string(d.Stage), d.Class, string(d.Vendor), d.CampaignID,
		d.FailedAt.UTC().Format(time.RFC3339), positionText(d.Origin), fmt.Sprint(d.DeliveryCount), shorten(d.Message),
	}
	for i, c := range cells {
		cells[i] = cell(c)
	}
	return strings.Join(cells, "\t")
}

// shorten cuts a message for a table.
func shorten(s string) string {
	if runes := []rune(s); len(runes) > shownMessage {
		return string(runes[:shownMessage-1]) + "…"
	}
	return s
}

// cell returns text for a table: never empty, and without the characters that
// would move a terminal's cursor, since headers may come from anywhere.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// tally counts by name.
type tally map[string]int

func (t tally) sum() (n int) {
	for _, c := range t {
		n += c
	}
	return n
}

// rows returns a table of the counts, the largest first, and their sum.
func (t tally) rows(name, counted string) []string {
	rows := []string{name + "\t" + counted}
	byCount := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b))
	})
	for _, v := range byCount {
		rows = append(rows, fmt.Sprintf("%s\t%d", cell(v), t[v]))
	}
	return append(rows, fmt.Sprintf("total\t%d", t.sum()))
}

// deadLine is a dead letter as one line of JSON.
type deadLine struct {
	RequestID     string       `json:"request_id,omitempty"`
	Reason        event.Reason `json:"reason,omitempty"`
	Stage         event.Stage  `json:"stage"`
	Class         string       `json:"class"`
	Vendor        event.Vendor `json:"vendor,omitempty"`
	CampaignID    string       `json:"campaign_id,omitempty"`
	Message       string       `json:"message,omitempty"`
	Group         string       `json:"group,omitempty"`
	DeliveryCount int          `json:"delivery_count"`
	FirstSeen     time.Time    `json:"first_seen,omitzero"`
	FailedAt      time.Time    `json:"failed_at,omitzero"`
	OriginalTime  time.Time    `json:"original_time,omitzero"`
	// Redrives is how often the original had been sent back before.
	Redrives int          `json:"redrives"`
	Origin   event.Source `json:"origin"`
	// Position is where the dead letter stands.
	Position event.Source `json:"position"`
	Original *original    `json:"original,omitempty"`
}

// original is the record that a dead letter carries.
type original struct {
	Key     *blob          `json:"key,omitempty"`
	Value   *blob          `json:"value,omitempty"`
	Headers []headerOfBlob `json:"headers,omitempty"`
}

type headerOfBlob struct {
	Name string `json:"name"`
	blob
}

// blob is bytes as text if they are UTF-8, else in base64.
type blob struct {
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
}

func newDeadLine(d campaign.DeadLetter, withValue bool) deadLine {
	line := deadLine{
		RequestID: d.RequestID, Reason: d.Reason, Stage: d.Stage, Class: d.Class, Vendor: d.Vendor, CampaignID: d.CampaignID,
		Message: d.Message, Group: d.Group, DeliveryCount: d.DeliveryCount,
		FirstSeen: d.FirstSeen, FailedAt: d.FailedAt, OriginalTime: d.Original.Time,
		Redrives: d.Redrives, Origin: d.Origin, Position: d.Position,
	}
	if withValue {
		line.Original = newOriginal(d.Original)
	}
	return line
}

func newOriginal(rec event.Record) *original {
	o := &original{}
	if rec.Key != nil {
		key := newBlob(rec.Key)
		o.Key = &key
	}
	if rec.Value != nil {
		value := newBlob(rec.Value)
		o.Value = &value
	}
	for _, h := range rec.Headers {
		o.Headers = append(o.Headers, headerOfBlob{h.Key, newBlob(h.Value)})
	}
	return o
}

func newBlob(b []byte) blob {
	if utf8.Valid(b) {
		return blob{Text: string(b)}
	}
	return blob{Base64: base64.StdEncoding.EncodeToString(b)}
}
