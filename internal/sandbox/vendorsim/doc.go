// Package vendorsim holds what the simulated identity vendors have in common:
// knobs that turn while they run, mishaps by script and by rate, the meter of a
// limit, the ledger of what was charged, answers that go wrong, and the counts of
// all that.
package vendorsim
