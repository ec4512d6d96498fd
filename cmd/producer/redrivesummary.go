package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"reauth/internal/campaign"
	"reauth/internal/event"
)

// redriveSummary is what dead redrive says before it asks and at its end.
type redriveSummary struct {
	DryRun bool `json:"dry_run"`
	// Chosen dead letters match the filters; Planned of them are to be sent
	// back, which Plan breaks down, and the others are Hindered.
	Chosen   int                        `json:"chosen"`
	Planned  int                        `json:"planned"`
	Plan     []redriveGroup             `json:"plan"`
	Hindered map[campaign.Hindrance]int `json:"hindered"`
	Sent     int                        `json:"sent"`
	// TooLarge are refused by the topic, Deleted were gone before they could
	// be sent.
	TooLarge int     `json:"too_large"`
	Deleted  int     `json:"deleted"`
	Seconds  float64 `json:"seconds"`
	max      int
}

// redriveGroup counts what goes to one topic for one reason.
type redriveGroup struct {
	Reason      event.Reason `json:"reason"`
	Topic       string       `json:"topic"`
	DeadLetters int          `json:"dead_letters"`
}

// groupsOf orders counts, the largest first.
func groupsOf(counts map[redriveGroup]int) []redriveGroup {
	groups := make([]redriveGroup, 0, len(counts))
	for g, n := range counts {
		g.DeadLetters = n
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b redriveGroup) int {
		return cmp.Or(cmp.Compare(b.DeadLetters, a.DeadLetters), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Topic, b.Topic))
	})
	return groups
}

func (s redriveSummary) write(w io.Writer, form string) error {
	if form == outputJSON {
		return writeJSON(w, s)
	}
	if len(s.Plan) > 0 {
		rows := []string{"reason\tback to\tdead letters"}
		for _, g := range s.Plan {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d", cell(string(g.Reason)), g.Topic, g.DeadLetters))
		}
		if err := table(w, append(rows, fmt.Sprintf("total\t\t%d", s.Planned))...); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return table(w, s.factRows()...)
}

// factRows leaves out what is zero and should be.
func (s redriveSummary) factRows() []string {
	rows := []string{fmt.Sprintf("chosen\t%d", s.Chosen)}
	for _, h := range campaign.Hindrances() {
		if n := s.Hindered[h]; n > 0 {
			rows = append(rows, fmt.Sprintf("left out\t%d (%s)", n, s.explain(h)))
		}
	}
	switch {
	case s.DryRun:
		return append(rows, fmt.Sprintf("to send back\t%d (dry run: nothing was sent back)", s.Planned))
	case s.Seconds == 0:
		return append(rows, fmt.Sprintf("to send back\t%d", s.Planned))
	}
	rows = append(rows, fmt.Sprintf("sent back\t%d", s.Sent))
	if s.TooLarge > 0 {
		rows = append(rows, fmt.Sprintf("too large\t%d", s.TooLarge))
	}
	if s.Deleted > 0 {
		rows = append(rows, fmt.Sprintf("deleted\t%d (by the topic's retention, before they were sent back)", s.Deleted))
	}
	return append(rows, fmt.Sprintf("seconds\t%.1f", s.Seconds))
}

func (s redriveSummary) explain(h campaign.Hindrance) string {
	switch h {
	case campaign.OtherOrigin:
		return "from no topic of requests that is configured"
	case campaign.NoRequest:
		return "refused as no requests: would be again; see --include-invalid"
	case campaign.AtBound:
		return fmt.Sprintf("sent back %d times or more already; see --max-redrives", s.max)
	case campaign.SentBack:
		return "sent back after this dead letter already"
	case campaign.TooOld:
		return "older than what the topic of requests holds: may have been sent back; see --include-old"
	}
	return string(h)
}
