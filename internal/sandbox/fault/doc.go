// Package fault holds what the simulated services have in common when they
// misbehave: delays, outages, broken connections.
package fault
