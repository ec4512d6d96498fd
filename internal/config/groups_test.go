package config

import (
	"errors"
	"testing"
)

func TestFaultsOfGroupsThatAreNotNeededAreLeftOut(t *testing.T) {
	src := Source{
		Environ: []string{
			"REAUTH_VENDORS__ARGOS__API_KEY_FILE=/does/not/exist",
			"REAUTH_LEDGER__WINDOW=often",
			"REAUTH_KAFKA__GROUP=mine",
			"REAUTH_DEFAULT_VENDOR=faceki",
		},
		Groups: []string{"kafka"},
	}
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka.Group != "mine" || c.DefaultVendor != "faceki" {
		t.Errorf("group %q, default vendor %q", c.Kafka.Group, c.DefaultVendor)
	}
	for _, variable := range []string{"REAUTH_KAFKA__PARTITIONS=many", "REAUTH_NONSENSE=1", "REAUTH_DEFAULT_VENDOR=acme"} {
		faulty := src
		faulty.Environ = append([]string{variable}, src.Environ[:3]...)
		_, err := Load(faulty)
		var faults *Faults
		if !errors.As(err, &faults) || len(faults.List) != 1 {
			t.Errorf("%s: %v, want this fault and no other", variable, err)
		}
	}
}
