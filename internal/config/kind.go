package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// A kind is a type of setting: how its text becomes a value.
type kind[T any] struct {
	// name stands in the manual.
	name string
	// parse turns text into a value. Its error says what is wrong with the
	// text, as in "is not a whole number".
	parse func(string) (T, error)
	// like tells how to write a value of this kind.
	like string
	// quiet kinds are never quoted in a fault, because they may hold a
	// credential.
	quiet bool
}

var (
	texts = kind[string]{
		name:  "text",
		parse: func(s string) (string, error) { return s, nil },
		like:  "write a text",
	}
	addresses = kind[string]{
		name:  "URL",
		parse: func(s string) (string, error) { return s, nil },
		like:  "write a URL",
		quiet: true,
	}
	switches  = kind[bool]{name: "true or false", parse: parseBool, like: "write true or false"}
	counts    = kind[int]{name: "number", parse: parseInt, like: "write a whole number, such as 12"}
	numbers   = kind[float64]{name: "number", parse: parseFloat, like: "write a number, such as 12 or 97.5"}
	durations = kind[time.Duration]{
		name:  "duration",
		parse: parseDuration,
		like:  "write a number and a unit, such as 500ms, 30s, 10m or 24h",
	}
	sizes  = kind[Size]{name: "size", parse: ParseSize, like: "write bytes or a number and a unit, such as 5MiB or 500kB"}
	ratios = kind[Ratio]{name: "ratio", parse: ParseRatio, like: "write a fraction such as 0.2, or 20%"}
	levels = kind[slog.Level]{name: "level", parse: parseLevel, like: "write debug, info, warn or error"}
)

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("is neither true nor false")
}

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, errors.New("is not a whole number")
	}
	return n, nil
}

func parseFloat(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f-f != 0 { // infinite, or not a number
		return 0, errors.New("is not a number")
	}
	return f, nil
}

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, errors.New("has no unit")
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("is not a duration")
	}
	return d, nil
}

func parseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errors.New("is not a log level")
}

// show returns v as a person would write it in the file.
func show(v any) string {
	switch v := v.(type) {
	case time.Duration:
		return showDuration(v)
	case string:
		return strconv.Quote(shorten(v))
	default:
		return fmt.Sprint(v)
	}
}

// showDuration is d.String without the zero units at its end: 10m, not 10m0s.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// shorten keeps a fault on one readable line.
func shorten(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}
