// Package lending lets the replicas of a group lend each other slots of the
// timetable, so that a vendor's limit is used although the work lies on few
// shards. It is the only home of the Redis client; Valkey speaks the same.
//
// # How
//
// The timetable of package vendors stays what it is: every slot belongs to the
// owner of one shard, and each is used once at most. Redis only lends. A replica
// that wants more slots than it has says so in the pool. While somebody wants, a
// replica gives up slots of the next second that it has no use for, by number, and
// whoever wants takes them out again, each by one command that Redis executes as
// one step. Once given up, a slot is used by whoever takes it, its owner included;
// what nobody takes lapses. A Lender does all this in the background of a lane, a
// few slots in one round trip, at most ten times a second; no call waits for it.
//
//	owner ──gives up──▶ pool ──is taken──▶ borrower ──▶ one call, in the slot
//	                      └──nobody takes it──▶ lapsed
//
// # Why the limit holds, whatever fails
//
// A slot is used by its owner until the owner gives it up, which it does before
// it sends anything; after that only a take that Redis answered makes it usable.
// So it is enough that no slot is taken twice:
//
//   - Taking removes it, in one step. An owner gives up a slot once in its life,
//     and no command is ever sent twice: the client's own retries are off.
//   - Redis away, slow, frozen or emptied: what was in the pool or on the way
//     lapses. An owner that does not know whether its slots arrived has given
//     them up. Who took a slot and is cut off may use it, as nobody else can.
//   - Redis comes back with an older memory, after a crash with a snapshot, or as
//     a replica that had not heard of every take: the pool bears the server's
//     replication id, of which Redis chooses a new one whenever a server starts
//     as the primary or is promoted. What an older memory holds stands under
//     another name and is never looked at. A server that does not tell its
//     replication id is not used.
//   - Two servers that both take themselves for the primary: two pools, each slot
//     in one of them.
//   - A command that arrives late lends slots that have passed, which nobody takes.
//
// Clocks that differ move a call by the difference, whoever makes it, as without
// lending: the headroom of the limit pays for that.
//
// A shard that moves takes its slots along, but for those that were lent: they
// begin within a second of when its owner was still sure of the shard. So long,
// and for the handover, the new owner leaves the shard's slots alone
// (vendors.LaneConfig.Lends). That is why lending must be on in all replicas of a
// group or in none: where it is switched on by a rolling restart, and only then,
// a shard that moves from a replica with to one without may have up to a second's
// lent slots used twice.
//
// Pace and number of shards are part of the pool's name, too. Who sees another
// timetable looks into another pool.
//
// # Why not a counter in Redis
//
// The usual shared limiter is the generic cell rate algorithm (GCRA): one theoretical
// arrival time in the store, which each replica moves on by a slice of calls. A slot
// is such a cell, with a place in time and an owner, and that is what a store that
// fails asks for: with the arrival time gone, or cut off, replicas that turn to the
// timetable may use in one window what others have taken of it from the store, and
// again when the store comes back. What is lent is taken from the timetable itself,
// so there are never two limiters whose calls add up.
//
// Windows longer than the pace's are counted where the request's shard is, by who
// makes the call: lending changes nothing there.
package lending
