package main

import (
	"fmt"
	"io"
	"strings"

	"reauth/internal/campaign"
)

// watchReport is what watch prints at its end.
type watchReport struct {
	campaign.Report
	// Seconds is how long it was watched.
	Seconds float64 `json:"seconds"`
	// MissingIDs are the first of the missing requests, if it timed out.
	MissingIDs []string `json:"missing_ids,omitempty"`
}

func (r watchReport) write(w io.Writer, form string) error {
	if form == outputJSON {
		return writeJSON(w, r)
	}
	if err := table(w, r.outcomeRows()...); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(r.Vendors) > 1 {
		if err := table(w, r.vendorRows()...); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return table(w, r.factRows()...)
}

// vendorRows has a line for each vendor and outcome. They add up to what was
// answered.
func (r watchReport) vendorRows() []string {
	rows := []string{"vendor\toutcome\trequests"}
	for _, v := range r.Vendors {
		for _, o := range v.Outcomes {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d", v.Vendor, o.Outcome, o.Requests))
		}
		rows = append(rows, fmt.Sprintf("%s\tall\t%d", v.Vendor, v.Requests))
	}
	return rows
}

// outcomeRows has a line for each outcome, with its reasons below it. The lines
// that are not indented add up to the total.
func (r watchReport) outcomeRows() []string {
	line := func(name string, requests int) string {
		return fmt.Sprintf("%s\t%d\t%s", name, requests, share(requests, r.Total))
	}
	rows := []string{"outcome\trequests\tshare"}
	for _, o := range r.Outcomes {
		rows = append(rows, line(string(o.Outcome), o.Requests))
		for _, reason := range o.Reasons {
			if reason.Reasons != "" {
				rows = append(rows, line("  "+reason.Reasons, reason.Requests))
			}
		}
	}
	if r.Refused > 0 {
		rows = append(rows, line("refused (dead letter, no result)", r.Refused))
	}
	if r.Missing > 0 {
		rows = append(rows, line("missing", r.Missing))
	}
	return append(rows, line("total", r.Total))
}

// factRows leaves out what is zero and should be.
func (r watchReport) factRows() []string {
	rows := []string{
		"campaign\t" + r.Campaign,
		fmt.Sprintf("calls\t%d (%d of the requests took more than one)", r.Calls, r.CalledAgain),
		fmt.Sprintf("repeated results\t%d (of %s)", r.Repeats, count(r.Repeated, "request")),
	}
	for _, f := range []struct {
		count int
		name  string
		note  string
	}{
		{r.DeadLetters, "dead letters", ""},
		{r.Corrected, "corrected", "by a later result"},
		{r.NotFinal, "not final", "the vendor may correct them"},
		{r.Waiting, "waiting", "for the person"},
		{r.Unexpected, "unexpected", "ended, but were not awaited"},
		{r.Unreadable, "unreadable events", "in the topic of results, of whichever campaign"},
	} {
		if f.count > 0 {
			rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s\t%d %s", f.name, f.count, f.note)))
		}
	}
	if l := r.Latency; l != nil {
		rows = append(rows, fmt.Sprintf("latency\tp50 %d ms, p90 %d ms, p95 %d ms, p99 %d ms, max %d ms", l.P50, l.P90, l.P95, l.P99, l.Max))
	}
	for i, id := range r.MissingIDs {
		name := ""
		if i == 0 {
			name = "missing"
		}
		rows = append(rows, name+"\t"+id)
	}
	return rows
}

// share returns part of whole in per cent.
func share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}
