// Package vendortest is the conformance kit of the vendor adapters: what the
// pipeline relies on, whatever the vendor's protocol. Every adapter's tests
// call Run with a Suite that says how its vendor answers.
//
// The kit plays the vendor on loopback and judges from outside: what arrived,
// what came back, what became of the selfie. An adapter that needs calls around
// the paid one (a token before, a second step after) names the paid one with
// Suite.Paid and answers the others with Suite.Free.
//
// Each check is a function that returns what it found, so that the kit itself
// is tested: with adapters that are broken on purpose.
package vendortest
