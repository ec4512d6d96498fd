// Command bench measures the consumer from outside, as processes between a
// sandbox that is another one, and prints tables in Markdown:
//
//	bench path         the whole path of a request, beside its floor
//	bench restore      how fast shards are at work again over a full ledger
//	bench memory       512 calls in flight with selfies of 1 MB
//	bench drain        whether a larger backlog takes more for each request
//	bench latency      what the path adds to the store's and the vendor's time
//	bench utilisation  how much of a limit is used, and that it is never exceeded
//	bench soak         the memory of a consumer whose vendor is out half the time
//
// It works with the binaries that `make build` leaves in bin/. What counts for
// path, restore and memory is the CPU time and the memory of the consumer's
// process: wall time is that of everything on the machine, the simulators
// included, which take more of it than what is measured. The others measure time,
// so they are worth what the machine is idle besides; utilisation and soak say how
// busy it was.
//
// The floor of the path is a process that does nothing but one GET from the
// store and one multipart POST to the vendor for each request, with plain
// net/http, as many at a time as the consumer has calls in flight. Nothing is
// signed, checked or read from Kafka in it. Path and floor alternate, and the
// tables show medians over the rounds.
//
// A target that is missed is printed as such. What breaks a promise fails the
// command, after its table: a call that the vendor refused as too many, a request
// charged twice, without a result or with more than one.
package main
