package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

func checkOutput(form string) error {
	if form != outputTable && form != outputJSON {
		return fmt.Errorf("--output %q: give table or json", form)
	}
	return nil
}

// writeJSON writes v, indented.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// table lays out rows of cells that are separated by tabs.
func table(w io.Writer, rows ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, row)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// publishSummary is what publish says at its end.
type publishSummary struct {
	Campaign  string  `json:"campaign_id"`
	Topic     string  `json:"topic"`
	DryRun    bool    `json:"dry_run"`
	Rows      int     `json:"rows"`
	Faulty    int     `json:"faulty"`
	Published int     `json:"published"`
	Began     string  `json:"began,omitempty"`
	Seconds   float64 `json:"seconds"`
}

func (s publishSummary) write(w io.Writer, form string) error {
	if form == outputJSON {
		return writeJSON(w, s)
	}
	rows := []string{
		"campaign\t" + s.Campaign,
		"topic\t" + s.Topic,
		fmt.Sprintf("rows\t%d", s.Rows),
	}
	if s.Faulty > 0 {
		rows = append(rows, fmt.Sprintf("skipped\t%d (faulty)", s.Faulty))
	}
	if s.DryRun {
		rows = append(rows, fmt.Sprintf("to publish\t%d (dry run: nothing was published)", s.Rows-s.Faulty))
	} else {
		rows = append(rows,
			fmt.Sprintf("published\t%d", s.Published),
			fmt.Sprintf("seconds\t%.1f", s.Seconds),
			"began\t"+s.Began)
	}
	return table(w, rows...)
}

// count returns a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// names joins names for a sentence.
func names[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// wrap joins words with commas in lines of at most width bytes, each after an
// indent.
func wrap(words []string, indent string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		switch {
		case i == 0:
			b.WriteString(indent)
			at = len(indent)
		case at+1+len(word) > width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String() + ";"
}
