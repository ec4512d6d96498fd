package event_test

import (
	"testing"

	"pgregory.net/rapid"

	"reauth/internal/event"
)

func TestAmounts(t *testing.T) {
	for text, want := range map[string]struct {
		amount event.Amount
		shown  string
	}{
		"0": {0, "0.00"}, "0.10": {100000, "0.10"}, "0.1": {100000, "0.10"}, "12": {12000000, "12.00"},
		"0.000001": {1, "0.000001"}, "0.125000": {125000, "0.125"}, "007.5": {7500000, "7.50"},
		"999999999999.999999": {999999999999999999, "999999999999.999999"},
	} {
		got, err := event.ParseAmount(text)
		if err != nil || got != want.amount || got.String() != want.shown {
			t.Errorf("%s is read as %d and shown as %s (%v)", text, got, got, err)
		}
	}
	for _, text := range []string{"", ".", ".5", "5.", "-1", "+1", "1e3", "0,10", "1.0000001", "1234567890123", "0x10", " 1", "1 ", "1_000", "١"} {
		if got, err := event.ParseAmount(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if got := event.Amount(-1500000).String(); got != "-1.50" {
		t.Errorf("a negative amount is shown as %s", got)
	}
}

func TestAmountsAreReadBackAsTheyAreShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := event.Amount(rapid.Int64Range(0, 1e18-1).Draw(t, "amount"))
		if got, err := event.ParseAmount(want.String()); err != nil || got != want {
			t.Errorf("%d is shown as %s and read back as %d (%v)", want, want, got, err)
		}
	})
}
