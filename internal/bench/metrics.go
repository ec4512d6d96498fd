package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// metrics are those of a consumer at a moment, by series: the name and, if there
// are any, the labels in braces.
type metrics map[string]float64

// metrics asks the consumer for them.
func (c *consumer) metrics(ctx context.Context) (metrics, error) {
	text, err := get(ctx, "http://"+c.log.opsAddr()+"/metrics")
	if err != nil {
		return nil, fmt.Errorf("reading the consumer's metrics: %w", err)
	}
	m := metrics{}
	for line := range bytes.Lines(text) {
		// Label values may hold blanks, the value may not.
		line = bytes.TrimSpace(line)
		end := bytes.LastIndexByte(line, ' ')
		if end < 0 || line[0] == '#' {
			continue
		}
		if m[string(line[:end])], err = strconv.ParseFloat(string(line[end+1:]), 64); err != nil {
			return nil, fmt.Errorf("reading the consumer's metrics: %q: %w", line, err)
		}
	}
	return m, nil
}

// sum returns the sum of the series of a name, 0 if there are none.
func (m metrics) sum(name string) (sum float64) {
	for _, value := range m.only(name) {
		sum += value
	}
	return sum
}

// numbers returns the values of a label that is a number, over the series of a
// name.
func (m metrics) numbers(name, label string) (numbers []int) {
	for series := range m {
		rest, ok := strings.CutPrefix(series, name+"{"+label+`="`)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(rest, `"}`)); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// only returns the series of a name.
func (m metrics) only(name string) metrics {
	found := metrics{}
	for series, value := range m {
		if base, _, _ := strings.Cut(series, "{"); base == name {
			found[series] = value
		}
	}
	return found
}
