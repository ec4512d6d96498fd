// Package pipeline takes requests from Kafka to their results: one request from
// fetch to done.
//
//	fetch ─ decode ─ queue by priority, serial per subject
//	      ─ selfie (bounded bytes, gated) ─ permit (lane limiter, breaker)
//	      ─ vendor call ─ result → results ─ offset done
//
// # Words
//
// A shard is partition number p of every topic of ours; it has one owner at a
// time. A lane is the path to one vendor, a line the queue before it. A request
// is open from being fetched until its result, or its dead letter, is held by
// all in-sync replicas; then its record is done. Only a shard's trackers say
// what may be committed: the offset after the last contiguous record that is
// done.
//
// # What happens to a request
//
//	                    ┌───────── keep (lane or store paused, permit lost) ─┐
//	                    ▼                                                    │
//	fetched ─ decode ─ queued ─ attempt ─┬─ verdict, unusable, expired ─ result ─ done
//	             │      ▲                ├─ retry ─ parked until due ─┐
//	             │      └────────────────┼────────────────────────────┘
//	             │                       └─ given up ─ dead letter and failed result ─ done
//	             └─ invalid ─ dead letter ─ done
//
// outcome.go is the only place that decides between these. A fault that every
// request would meet (a wrong key, no access to the bucket) pauses the lane or
// the store and keeps the requests; it never empties the topic into the dead
// letters.
//
// # What is bounded
//
//   - open requests per shard (Config.MaxOpen): fetching pauses there
//   - bytes of all open requests (Config.MaxBacklog), and of all selfies (storage)
//   - requests on their way to a permit, and attempts under way, per lane (line)
//   - calls at the vendor (vendors.LaneConfig.MaxInFlight)
//
// # Shards and generations
//
//	            gained                      lost, or generation skipped
//	(nobody) ──────────▶ working ─────────────────────────────▶ fenced
//	                      │   ▲
//	   generation ends:   │   │ next generation, still ours: same readers,
//	   lease gets an end  ▼   │ trackers and queue
//	                     working under lease
//
// A shard that left is fenced before the new generation's first commit: its
// records are never committed by us again, queued requests are forgotten, and
// calls at the vendor end in a published result. The new owner fetches those
// requests again and may call again; each such case is counted
// (reauth_results_after_move_total).
//
// # Stopping
//
// When Run's context ends, nothing further is begun; calls at a vendor go on
// within the grace time and are published; the caller then ends the group
// membership, which commits a last time. Whatever was open is fetched again by
// the next owner.
package pipeline
