package config

import (
	"testing"
	"time"
)

func TestParseHours(t *testing.T) {
	for text, want := range map[string]string{
		"22:00-06:00 Europe/Berlin 10/s":      "",
		"sat/sun 00:00-24:00 UTC off":         "",
		"MON-wed 08:00-18:00 UTC 50%":         "mon/tue/wed 08:00-18:00 UTC 0.5",
		"fri-mon 08:00-18:00 UTC 1/100ms":     "fri/sat/sun/mon 08:00-18:00 UTC 1/100ms",
		"  22:00-06:00   America/New_York .2": "22:00-06:00 America/New_York 0.2",
	} {
		if want == "" {
			want = text
		}
		h, err := ParseHours(text)
		if err != nil || h.String() != want {
			t.Errorf("%q is read as %q, %v; want %q", text, h, err, want)
		}
	}
	for _, text := range []string{
		"", "22:00-06:00 UTC", "22:00 UTC 10/s", "24:01-06:00 UTC 10/s", "9:00-10:00 UTC 10/s", "09:00-10:00 Local 10/s",
		"09:00-10:00 Mars/Base 10/s", "someday 09:00-10:00 UTC 10/s", "09:00-10:00 UTC 10/min", "09:00-10:00 UTC 150%",
		"09:00-10:00 UTC 0%", "09:00-10:00 UTC slow", "mon 09:00-10:00 UTC 10/s please",
	} {
		if h, err := ParseHours(text); err == nil {
			t.Errorf("%q is read as %q", text, h)
		}
	}
}

func TestPaceOfHours(t *testing.T) {
	for text, want := range map[string]float64{"10/s": 10, "1/100ms": 10, "50%": 25, "off": 0} {
		h, err := ParseHours("22:00-06:00 UTC " + text)
		if got := h.Pace.Of(50); err != nil || got != want {
			t.Errorf("%s is %v calls a second (%v), want %v", text, got, err, want)
		}
	}
	h, err := ParseHours("22:30-24:00 UTC off")
	if err != nil || h.From != 22*time.Hour+30*time.Minute || h.To != 24*time.Hour {
		t.Errorf("from %v to %v, %v", h.From, h.To, err)
	}
}
