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
//	fetched ─ decode ─ queued ─ attempt ─┬─ verdict, unusable, expired, withdrawn ─ answer ─ result ─ done
//	             │      ▲                ├─ retry ─ parked in the ledger until due (its record is done) ─┐
//	             │      └────────────────┼────────────────────────────────────────────────────────────────┘
//	             │                       └─ given up ─ answer ─ dead letter and failed result ─ done
//	             └─ invalid ─ dead letter ─ done
//
// outcome.go is the only place that decides between these. A fault that every
// request would meet (a wrong key, no access to the bucket, a store that is out)
// pauses the lane or the store and keeps the requests; it never empties the topic
// into the dead letters.
//
// # Nothing lost, nothing paid twice
//
// A call is claimed in the ledger before it is made and answered there after it;
// claim.go says until when a claim lets its owner act. On taking a shard over,
// its ledger is read back (restore.go), up to a record of our own, since the end that
// a broker names may be of long ago (barrier.go), and what the former owner had begun
// is settled once nobody else can be acting on it (unknown.go): answered and
// perhaps not published: look in the results topic; claimed and not answered:
// the outcome is unknown, so park it as such, and ask the vendor, or repeat or hold
// where it cannot be asked. A call of our own that timed out or broke off takes the same path.
//
// A dead letter, too, is written once (burial.go): where a former owner may have
// written it, or we gave its writing up with the lease, it is looked for in its
// topic first. A takeover that meets no such record asks for nothing.
//
// One request id must always come under one key: the ledger of a shard knows
// nothing of another shard's.
//
// # Limits that are counted
//
// The longer limits of a vendor are split over the shards, and what a shard's owner
// has called is counted from its claims by the next one (countCall). What the vendor
// is asked beside calls counts as well, and is claimed for no other reason
// (turnClaims): so a limit holds over every takeover, whatever was asked.
//
// # What it costs
//
// With prices, every result says what it cost, and the ledger of each shard
// counts it, by UTC day and by campaign. Caps are split over the shards, so an
// owner needs nobody's word to hold its share (spend.go): before a call the
// vendor's highest price is reserved, in memory at once and in the log with the
// claim; the answer's record turns the reservation into its cost. What is
// reserved stays so while a call may yet be charged for: until its outcome is
// known, until the verdict of a session is there, and for ever if a call of
// unknown outcome is repeated or given up. So a claim without an answer that a
// restore finds counts as reserved. A request whose call does not fit is parked,
// like one that is paused by order.
//
// Totals outlive the ledger's window in summaries: the sum of all answers up to a
// time T, written every few minutes. A restore takes the last one, and adds the
// answers with a time after T. T is behind all that is being written, and there
// is no summary while a former owner may still write, so each answer is on one
// side of it for whoever reads it.
//
// # After the verdict
//
// Pictures that the vendor took are archived, the verdict is asked for again in case
// the news of an audit got lost, and the vendor anonymises its data: as set, and each
// at least once (followup.go). What is left to be done is born with the answer's
// record and lives in the ledger. Nothing is anonymised before it is archived.
//
// # What is bounded
//
//   - open requests per shard (Config.MaxOpen): fetching pauses there
//   - bytes of all open requests (Config.MaxBacklog), and of all selfies (storage)
//   - requests on their way to a permit, and attempts under way, per lane (line)
//   - calls at the vendor (vendors.LaneConfig.MaxInFlight)
//   - second and later attempts, as a share of the calls (budget)
//   - parked requests of paused campaigns (Config.MaxHeld)
//   - requests about which something is left to be done after the verdict
//     (Config.MaxFollowUps): at that, no further one of their vendor is begun
//
// # Whose turn it is
//
// Before a lane, what an owner before us had begun goes first, then the priority
// topic, then the rest. Within each of these, campaigns share the turns by their
// weights (fair.go), first come, first served within one; the requests of no
// campaign are one more. Shares are among the campaigns that a replica has
// something ready of.
//
// # Orders
//
// An operator steers a running group: pauses a vendor or a campaign, lowers a
// vendor's rate, weighs campaigns, withdraws requests (orders.go). An order stands
// in the ledger of every shard, under a key that no request can have, and is
// announced by a signal. Of two about the same the one that was issued later holds,
// whatever order they arrive in. What is in force is written again before it leaves
// the window, and what takes it back stays for as long as the former can be read.
//
//   - A paused vendor is not called. Its requests stay in the queue, with their
//     offsets, and fetching pauses at the bounds; answers that are there are
//     published. Requests on their way to a permit turn back and give their
//     selfies' memory free.
//   - A paused campaign's requests are parked in the ledger when they come up, so
//     that they hold up nobody (hold.go), until so many are (Config.MaxHeld) that
//     memory would run out: then they are left standing in the queue.
//   - Withdrawn requests end without a call, each with its result, wherever they are
//     (withdraw.go): on their way to a call, queued, parked, or when they are read.
//     One whose call was made, or may have been, goes on to its verdict; if it turns
//     out that none was made, or it would be repeated without asking, it ends, too. A
//     withdrawal holds as long as requests are kept on their topic, a campaign's for
//     what was written by then; then it is forgotten.
//   - To be held back is no attempt. A claim without a call is ended by a parking,
//     so that it is not taken for a lost call after a crash.
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
// The caller hands the shards over to the other replicas first, and work goes on
// until they have them. When Run's context ends, nothing further is begun; calls
// at a vendor go on within the grace time, under their claims, and end in ledger
// and results. What was not begun is fetched by the next owner.
package pipeline
