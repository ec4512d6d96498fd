// Package pipeline takes requests from Kafka to their results: one request from
// fetch to done.
//
//	fetch ─ decode ─ admit (ledger) ─ queue by priority, serial per subject
//	      ─ selfie (bounded bytes, gated) ─ permit (lane limiter, breaker)
//	      ─ claim → ledger ─ vendor call ─ answer → ledger ─ result → results ─ offset done
//
// # Words
//
// A shard is partition number p of every topic of ours; it has one owner at a
// time. A lane is the path to one vendor, a line the queue before it. A request
// is open from being fetched until its result, or its dead letter, is held by
// all in-sync replicas, or until it is parked: then its record is done. Only a
// shard's trackers say what may be committed: the offset after the last
// contiguous record that is done.
//
// # What happens to a request
//
//	                    ┌───────── keep (lane or store paused, permit lost) ─┐
//	                    ▼                                                    │
//	fetched ─ decode ─ queued ─ attempt ─┬─ verdict, unusable, expired ─ answer ─ result ─ done
//	             │      ▲                ├─ retry ─ parked in the ledger until due (its record is done) ─┐
//	             │      └────────────────┼────────────────────────────────────────────────────────────────┘
//	             │                       └─ given up ─ answer ─ dead letter and failed result ─ done
//	             └─ invalid ─ dead letter ─ done
//
// outcome.go is the only place that decides between these. A fault that every
// request would meet (a wrong key, no access to the bucket) pauses the lane or
// the store and keeps the requests; it never empties the topic into the dead
// letters.
//
// # Nothing lost, nothing paid twice
//
// A call is claimed in the ledger before it is made and answered there after it;
// claim.go says until when a claim lets its owner act. On taking a shard over,
// its ledger is read back (restore.go), and what the former owner had begun is
// settled once nobody else can be acting on it (unknown.go): answered and
// perhaps not published: look in the results topic; claimed and not answered:
// the outcome is unknown, so ask the vendor, or repeat or hold where it cannot
// be asked. A call of our own that timed out or broke off takes the same path.
//
// One request id must always come under one key: the ledger of a shard knows
// nothing of another shard's.
//
// # What is bounded
//
//   - open requests per shard (Config.MaxOpen): fetching pauses there
//   - bytes of all open requests (Config.MaxBacklog), and of all selfies (storage)
//   - requests on their way to a permit, and attempts under way, per lane (line)
//   - calls at the vendor (vendors.LaneConfig.MaxInFlight)
//   - second and later attempts, as a share of the calls (budget)
//
// # Shards and generations
//
//	            gained                          lost, or generation skipped
//	(nobody) ──────────▶ restoring ─▶ working ─────────────────────────────▶ fenced
//	                                   │   ▲
//	                generation ends:   │   │ next generation, still ours: same
//	                lease gets an end  ▼   │ readers, trackers and queue
//	                                  working under lease
//
// A shard that left is fenced before the new generation's first commit: its
// records are never committed by us again, queued requests are forgotten, and
// calls at the vendor end in the ledger and the results as long as their claims
// last, where the new owner finds them.
//
// # Stopping
//
// When Run's context ends, nothing further is begun; the caller leaves the group
// at once, so that the next owners start; calls at a vendor go on within the
// grace time, under their claims, and end in ledger and results. What was not
// begun is fetched by the next owner.
package pipeline
