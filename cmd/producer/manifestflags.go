package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"reauth/internal/campaign"
	"reauth/internal/config"
	"reauth/internal/event"
)

// manifestFlags say how a manifest is read. Whoever reads it again gives the
// same ones.
type manifestFlags struct {
	campaign      string
	format        string
	vendor        string
	ignoreUnknown bool
}

func (m *manifestFlags) add(f *pflag.FlagSet) {
	f.StringVar(&m.format, "format", string(campaign.Auto), "csv, ndjson or auto")
	f.StringVar(&m.vendor, "vendor", "", "vendor of the rows that name none: "+names(event.Vendors())+" (default: the consumer's)")
	f.BoolVar(&m.ignoreUnknown, "ignore-unknown", false, "ignore columns and fields that no request has")
}

// options reports every fault at once.
func (m *manifestFlags) options(c config.Config) (campaign.Options, error) {
	o := campaign.Options{
		Campaign:      m.campaign,
		Format:        campaign.Format(m.format),
		Vendor:        event.Vendor(m.vendor),
		Rules:         rulesOf(c),
		IgnoreUnknown: m.ignoreUnknown,
	}
	var faults []error
	if m.campaign != "" {
		faults = append(faults, campaign.CheckID(m.campaign))
	}
	switch o.Format {
	case campaign.Auto, campaign.CSV, campaign.NDJSON:
	default:
		faults = append(faults, fmt.Errorf("--format %q: give csv, ndjson or auto", m.format))
	}
	if m.vendor != "" && !slices.Contains(event.Vendors(), o.Vendor) {
		faults = append(faults, fmt.Errorf("--vendor %q: give one of %s", m.vendor, names(event.Vendors())))
	}
	return o, errors.Join(faults...)
}
