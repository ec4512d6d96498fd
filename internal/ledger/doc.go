// Package ledger is the record of how far each request got, so that a crash
// loses nothing and no call is paid for twice: a pure state machine over the
// records of one shard, and their form on the wire. Who writes which record
// when, and who may act on it, is the pipeline's part (claim.go there).
//
// # The life of a request
//
//	         Admit: New                 claim n, before a call
//	(unknown) ────────▶ being worked on ─────────────────────▶ CLAIMED n
//	                     ▲         ▲                             │  │  ▲
//	                     │         │ due: work goes on           │  │  │ claim n+1:
//	                     │         │                  parking n  │  │  │ a repeat, or
//	                     │        PARKED ◀───────────────────────┘  │  │ a new owner
//	                     │           │ claim n+1 ──▶ CLAIMED n+1    └──┘
//	    sent back        │
//	    after a failure  │        answer: the first one wins
//	                     │        CLAIMED, PARKED ──────────────▶ ANSWERED
//	                     │                                          │ result is published,
//	                     └──────────────── closed ◀─────────────────┘ or checkpoint
//
// A closed request is an id in a set, for as long as the window lasts; every
// further record of it is a duplicate.
//
// A failure may be sent back for another try, which leads to a result of a higher
// revision. Its claim, its parking, or its answer if there was no call, supersedes
// the failure in the log, and nothing else does (sentback.go).
//
// # Late records
//
// A record can reach the log later than its writer thinks, when the shard has a
// new owner. Numbers make that harmless: a claim counts only if its number is
// higher than what is known, and of two with one number the first in the log
// counts; a parking counts only for the claim that it names, or a later one; an
// answer always counts, unless there is one, since it was paid for.
//
// # What is asked beside calls
//
// A vendor counts requests, whatever they are for: the pages of its list, a check that
// costs nothing. Where a limit is counted, each of them is claimed as well, under the
// key asked/<vendor>, which no request id can be. Such a claim counts as a call for
// whoever reads it, and nothing follows from it. A version that does not know the key
// takes it for a request's: it counts the calls, too, and remembers one request for each
// vendor that never comes.
//
// # The selfie of a call
//
// A claim, and a parking in doubt, names the selfie of its call by digest, size and
// version, so that a verdict that is found by asking, perhaps by another owner and
// days later, is told of that selfie and not of what is at its key by then. It takes
// up to 150 bytes of a claim, and memory only while nobody knows what became of the
// call. Where calls with different selfies may have been made, none is named: the
// verdict may be of either.
//
// # Orders
//
// What an operator orders of the consumers stands in the ledger of every shard,
// under keys with a slash, which no request id has. Of two orders with one subject
// the one that was issued later holds, wherever it stands in the log. A version
// that does not know an order's kind passes it over as unreadable.
//
// A withdrawal of requests names them by their IDs, up to a thousand in one record. It
// stands in every shard's ledger, since upstream may give a request's record any key;
// in memory the shards of a replica keep it once.
//
// # Follow-ups
//
// What is still to be done about a request that has its verdict (FollowUp) stands in
// its answer's record, and then in records of its own, each of which says all that
// is left; they are told apart by the vendor's reference, as a request id may come
// again. They may live for a month, so that whoever owns the shard writes them again
// before they leave the window, like parked requests. In memory one costs some 240
// bytes.
//
// # Restoring
//
// Applying the records of the window in the order of the log gives the shard's
// state. That all has been read that was there shows a barrier, a record that the
// reader writes first and then meets (Barrier): the end that a broker names may be of
// long ago.
//
// The window is time in which the group works: silences are left out of it, for as
// long as the topic keeps its records. An offset may lag behind for longer than the
// window, too, while an order or an outage holds an earlier request back: a checkpoint
// names those that are done meanwhile. It also says how far the topics are done: where
// the group's offsets are lost, what is read again may be older than the window.
//
// Answered records are by far the most, and of nearly all nothing but the id is ever
// asked for, so they are not decoded. Checkpoints say up to when results are known
// to be published: only what was answered later has to be looked for in the results
// topic. An answered id costs its 16 bytes and the table's overhead: 33 bytes in
// all, measured on Go 1.26 as the heap in use with a million ids; a test holds it
// under 48.
package ledger
