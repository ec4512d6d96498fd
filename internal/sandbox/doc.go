// Package sandbox is the outside world on one machine: Kafka, S3 and the
// identity vendor, simulated, with an admin API that makes them misbehave. It
// is for tests and for cmd/sandbox; nothing else may import it.
//
// What happens to a request stands in its submission id and its selfie key: see
// the packages argossim and s3sim. Expect says what a request ends with.
//
// # Admin API
//
//	GET  /knobs                   the knobs of all simulators
//	PUT  /knobs                   {"argos": {…}, "s3": {…}}: changes what is named, all or nothing
//	GET  /stats                   counts
//	GET  /ledger?submission=<id>  what was charged, for one submission or for all
//	GET  /duplicates              what was charged more than once, by request
//	POST /reset                   forgets ledger and counts; knobs and objects stay
package sandbox
