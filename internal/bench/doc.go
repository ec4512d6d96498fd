// Command bench measures the consumer from outside, as a process between a
// sandbox that is another one, and prints tables in Markdown:
//
//	bench path     the whole path of a request, beside its floor
//	bench restore  how fast shards are at work again over a full ledger
//	bench memory   512 calls in flight with selfies of 1 MB
//
// It works with the binaries that `make build` leaves in bin/. What counts is
// the CPU time and the memory of the consumer's process: wall time is that of
// everything on the machine, the simulators included, which take more of it
// than what is measured.
//
// The floor of the path is a process that does nothing but one GET from the
// store and one multipart POST to the vendor for each request, with plain
// net/http, as many at a time as the consumer has calls in flight. Nothing is
// signed, checked or read from Kafka in it. Path and floor alternate, and the
// tables show medians over the rounds.
package main
