// Package app puts the parts of the service together from its settings, for the
// commands: it is where config meets the packages that take plain values.
package app
