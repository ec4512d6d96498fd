package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// vendorStats is what the simulated Argos counts: see argossim.Stats.
type vendorStats struct {
	Calls         int `json:"calls"`
	Charged       int `json:"charged"`
	Duplicates    int `json:"duplicates"`
	Lists         int `json:"lists"`
	Refused       int `json:"refused"`
	Outage        int `json:"outage"`
	InFlight      int `json:"in_flight"`
	PeakInFlight  int `json:"peak_in_flight"`
	PeakPerSecond int `json:"peak_per_second"`
}

// counted is all that counts against the vendor's limit.
func (s vendorStats) counted() int { return s.Calls + s.Lists }

// broken is what must not be, whatever happens.
func (s vendorStats) broken() error {
	if s.Refused > 0 || s.Duplicates > 0 {
		return fmt.Errorf("the vendor refused %d calls as too many and charged %d twice", s.Refused, s.Duplicates)
	}
	return nil
}

// vendor asks the sandbox for the counts.
func (w *world) vendor(ctx context.Context) (vendorStats, error) {
	answer, err := get(ctx, w.admin+"/stats")
	if err != nil {
		return vendorStats{}, fmt.Errorf("reading the sandbox's counts: %w", err)
	}
	var stats struct {
		Argos vendorStats `json:"argos"`
	}
	return stats.Argos, json.Unmarshal(answer, &stats)
}

// turn changes knobs of the sandbox, given as the admin API wants them.
func (w *world) turn(ctx context.Context, knobs string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, w.admin+"/knobs", bytes.NewReader([]byte(knobs)))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("turning the sandbox's knobs: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("turning the sandbox's knobs: %s", answer.Status)
	}
	return nil
}
