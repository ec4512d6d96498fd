package main

import (
	"fmt"

	"reauth/internal/config"
	"reauth/internal/event"
)

// settings reads the settings when a command asks for them.
type settings struct {
	file    string
	environ []string
}

// load reads what most commands need.
func (s *settings) load() (config.Config, error) {
	return s.read(event.Vendors(), "kafka", "selfies")
}

// read reads the groups that are needed. vendors are those that may be enabled.
func (s *settings) read(vendors []event.Vendor, groups ...string) (config.Config, error) {
	c, err := config.Load(config.Source{File: s.file, Environ: s.environ, Vendors: vendors, Groups: groups})
	if err != nil {
		return config.Config{}, fmt.Errorf("the settings are wrong:\n%w", err)
	}
	return c, nil
}

// rulesOf returns the consumer's rules as far as they can be known here: which
// vendors are enabled stands beside their keys, and the producer has none.
func rulesOf(c config.Config) event.Rules {
	return event.Rules{DefaultVendor: c.DefaultVendor, Vendors: event.Vendors(), Buckets: c.Selfies.Buckets()}
}
