// Package stream is the way to Kafka: connection and security, topics, the
// membership in the consumer group, readers and writers. It is the only package
// that knows kafka-go, and it exists to keep that client's traps in one place;
// each is named where it is dealt with, as found in v0.4.51.
//
// # Shards and generations
//
// A shard is one partition number of all the topics of a group. A [Member] owns
// shards in generations, which [Handler.Assign] starts. kafka-go's group protocol
// is eager: when anything changes, every member gives everything back, rejoins
// and is assigned anew. What makes that bearable is that a shard that comes back
// was never lost: nobody else can have owned it, so its reader, its queue and its
// calls in flight simply go on. The life of a shard at one member:
//
//	           Assign: Gained
//	elsewhere ───────────────► OWNED ◄─────────────────────────┐
//	    ▲                       │ read, call, commit           │
//	    │                       │                              │
//	    │                       │ generation ends              │ Assign: Kept
//	    │                       ▼                              │
//	    │                  GOING ON ── Suspend(until) ─────────┤
//	    │                       │ read, call before until;     │
//	    │                       │ nothing is committed         │
//	    │                       │                              │
//	    │                       │ until passes, or the join    │
//	    │                       │ is answered, or it fails     │
//	    │                       ▼                              │
//	    │                   WAITING ── Suspend(now) ───────────┘
//	    │                       │ no new call
//	    │                       │
//	    └───────────────────────┘ Assign: Lost
//	      calls in flight finish,
//	      nothing of it is committed again
//
// A shard is kept only if Kafka's generation number shows that no generation
// was missed. If one was, all shards are Lost, and those assigned are Gained,
// also those that are the same.
//
// # Leaving
//
// A member that just left would take its share of the work out of use: the others
// notice at their next heartbeat. So one that is told to leave rejoins first, with
// a claim that says so, and works on meanwhile, as at any rebalance:
//
//	Run's ctx ends ──► rejoin, leaving ──► Assign: all Lost ──► LeaveGroup
//	                   works on until        HandedOver         a second later;
//	                   the answer            others: Gained     nothing moves
//
// The second is for the others to ask for their share of the plan: who has not
// when the group rebalances again is refused, and waits until all have noticed.
//
// It leaves without handing over when it is alone or owns nothing, when the plan
// gives it shards all the same (all are leaving, or the leader's version does not
// know the word), when joining fails, and in any case after GroupConfig.Handover.
//
// # The fence
//
// Two owners of one shard would call a vendor twice for one request. So:
//
//   - A commit holds only shards that the handler offers, under the same lock
//     under which a shard is lost, and that the member owns. It is sent through
//     the generation that it belongs to, and the coordinator refuses any other.
//
//   - No new call is made once another member may own the shard: not after the
//     coordinator may have given us up (GroupConfig.callsUntil derives when), and
//     not between the answer to a join request and the Assign that follows from
//     it, some round trips in which the others may get their share first.
//
//   - Nor is one made within a generation when no commit has succeeded for as long as
//     the coordinator waits for a sign of life (GroupConfig.keptUntil): a process that
//     stood still learns only from the next answer what became of its shards.
//
//   - Nobody else gains a shard as long as the handler needs it after a Suspend, for
//     what it has used ahead of time: the member rejoins and leaves no sooner.
//
// Two things remain. A call that was under way goes on. And the answer to a join
// takes its way to us: were it held up for longer than the new owner needs for
// the four round trips to its Assign, both could call for that moment. Both need
// a record of claims that the next owner reads; this package does not have one.
//
// # Delivery
//
// Reading is at-least-once: a [Reader] delivers each record that the partition
// has, in order, and reports what retention took. It reads what is committed: of a
// transaction that was aborted it delivers the positions only, and it waits for the
// end of one that is open. Writing is once: a [Writer]
// returns when all in-sync replicas have the records, numbers its batches, so that
// brokers drop what they have, and asks leave before each try. After an error it is
// open whether the records are there; whoever writes them again may have them
// there twice. Readers tell repeats by the id in the record.
package stream
