package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"reauth/internal/campaign"
	"reauth/internal/event"
)

// filterFlags choose dead letters.
type filterFlags struct {
	reasons, classes, stages, vendors, campaigns, requests []string
	since, until                                           string
}

func (o *filterFlags) add(f *pflag.FlagSet) {
	f.StringSliceVar(&o.reasons, "reason", nil, "only these reasons, such as attempts_exhausted")
	f.StringSliceVar(&o.classes, "class", nil, "only these classes of error, such as transient")
	f.StringSliceVar(&o.stages, "stage", nil, "only these stages: "+names(stages))
	f.StringSliceVar(&o.vendors, "vendor", nil, "only these vendors: "+names(event.Vendors()))
	f.StringSliceVar(&o.campaigns, "campaign", nil, "only these campaigns")
	f.StringSliceVar(&o.requests, "request", nil, "only these request ids")
	f.StringVar(&o.since, "since", first, "only what failed from this long ago on, from a time such as 2026-11-22T08:00:00Z, or everything that is kept")
	f.StringVar(&o.until, "until", "", "only what failed before this time, or this long ago (default: no bound)")
}

var stages = []event.Stage{event.StageDecode, event.StageValidate, event.StageSelfie, event.StageVendor, event.StagePublish}

// filter reports every fault at once.
func (o *filterFlags) filter(now time.Time) (campaign.DeadLetterFilter, error) {
	f := campaign.DeadLetterFilter{
		Reasons:   convert[event.Reason](o.reasons),
		Classes:   o.classes,
		Stages:    convert[event.Stage](o.stages),
		Vendors:   convert[event.Vendor](o.vendors),
		Campaigns: o.campaigns,
		Requests:  o.requests,
	}
	var faults []error
	for _, id := range o.campaigns {
		faults = append(faults, campaign.CheckID(id))
	}
	for _, id := range o.requests {
		faults = append(faults, campaign.CheckRequestID(id))
	}
	faults = append(faults, checkNames("stage", f.Stages, stages), checkNames("vendor", f.Vendors, event.Vendors()))
	var err error
	if f.Since, err = instant("since", o.since, now); err != nil {
		faults = append(faults, err)
	}
	if o.until != "" {
		if f.Until, err = instant("until", o.until, now); err != nil {
			faults = append(faults, err)
		}
	}
	if !f.Until.IsZero() && !f.Since.Before(f.Until) {
		faults = append(faults, fmt.Errorf("--since %s is not before --until %s", o.since, o.until))
	}
	return f, errors.Join(faults...)
}

// checkNames finds names that are not known.
func checkNames[T ~string](flag string, given, known []T) error {
	for _, v := range given {
		if !slices.Contains(known, v) {
			return fmt.Errorf("--%s %q: give one of %s", flag, string(v), names(known))
		}
	}
	return nil
}

func convert[T ~string](texts []string) []T {
	list := make([]T, len(texts))
	for i, s := range texts {
		list[i] = T(s)
	}
	return list
}
