package config

import (
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"10/s": {10, time.Second}, "300/min": {300, time.Minute}, "200000/day": {200000, 24 * time.Hour},
		"5/10s": {5, 10 * time.Second}, "1/h": {1, time.Hour}, "7/1m30s": {7, 90 * time.Second},
		"2/ms": {}, "1 / second": {1, time.Second}, "": {}, "10": {}, "/s": {}, "10/": {}, "0/s": {}, "-1/s": {},
		"1.5/s": {}, "10/0s": {}, "10/-1s": {}, "10/week": {}, "1/745h": {}, "1/1us": {}, "1000000001/s": {}, "1/s/s": {},
	} {
		got, err := ParseRate(text)
		if got != want || (err == nil) != (want != Rate{}) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "5242880": 5 * MiB, "5MiB": 5 * MiB, "5 MiB": 5 * MiB, "5Mi": 5 * MiB, "5mib": 5 * MiB,
		"500kB": 500_000, "2GB": 2e9, "7B": 7, "1TiB": TiB, "8388607TiB": 8388607 * TiB,
		"": -1, "MiB": -1, "-1": -1, "1.5MiB": -1, "5  MiB": -1, "5 parsecs": -1, "8388608TiB": -1, "99999999999999999999": -1,
	} {
		got, err := ParseSize(text)
		if want < 0 && err == nil || want >= 0 && (got != want || err != nil) {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestParseRatio(t *testing.T) {
	for text, want := range map[string]Ratio{
		"0.2": 0.2, "20%": 0.2, "2%": 0.02, "0": 0, "1": 1, "": -1, "%": -1, "NaN": -1, "inf": -1, "1e999": -1, "a": -1,
	} {
		got, err := ParseRatio(text)
		if want < 0 && err == nil || want >= 0 && (got != want || err != nil) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}

// What is parsed must print in a form that parses to the same.

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"10/s", "5/1m30s", "1/1.5h", "3/day"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, ParseRate) })
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"5MiB", "500kB", "0", "1048577"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, ParseSize) })
}

func FuzzParseRatio(f *testing.F) {
	for _, seed := range []string{"0.2", "20%", "1e-9", "-0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, ParseRatio) })
}

func roundTrip[T interface {
	comparable
	String() string
}](t *testing.T, text string, parse func(string) (T, error)) {
	t.Helper()
	v, err := parse(text)
	if err != nil {
		return
	}
	again, err := parse(v.String())
	if err != nil || again != v {
		t.Errorf("%q is %v, which parses to %v, %v", text, v, again, err)
	}
}

func TestShowDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Minute: "10m", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m",
		time.Hour + time.Second: "1h0m1s", 500 * time.Millisecond: "500ms", 20 * time.Minute: "20m", 10 * time.Hour: "10h",
	} {
		if got := showDuration(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
