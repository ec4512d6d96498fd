/*
 * A request that orders hold back, at any step, and what a restore of its ledger
 * would find: never nothing, and never a lost call where there was none. Writes
 * may be left in doubt when the lease lapses. See README.md.
 *
 * Bounds:
 *   ORDERS  how many times an order is given
 *   GAPS    how many times the lease lapses and comes back
 *   FAULTS  how many calls end without a verdict
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 * GUIDE_LOSS judges only whether the request is lost.
 */
#ifndef ORDERS
#define ORDERS 2
#endif
#ifndef GAPS
#define GAPS 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif

#define MAXLOG 8

/* The steps of a record. */
#define BUSY     0
#define CLAIMED  1
#define PARKED   3

/* Where the item is. */
#define ATTEMPT  1
#define CLAIMING 2
#define MAYCALL  3
#define CALLING  4
#define HOLD     5 /* an order holds it back */
#define QUEUED   6 /* until the order is taken back, with its offset */
#define PARKING  7
#define WAITING  8 /* in the ledger */
#define ANSWERED 9

typedef Record { byte step; byte number; bit unknown };

typedef Entry { byte step; byte number; bit parked; bit called };

Entry mine;    /* the owner's ledger */
Entry found;   /* what a restore would find now */
Record entries[MAXLOG];
byte length;
Record writing; /* under way */
bit written;    /* it is in the log */
Record doubt;   /* given up by its writer, and under way all the same */
byte tried;     /* the highest number of a claim that may be in the log */
byte at = ATTEMPT;
bit done;       /* the request's record is, and so it may be committed */
bit unclear;       /* a call was made, and it is not known, or not written, what became of it */
bit unknown;    /* and the vendor is to be asked */
bit lease = 1, vendorPaused, campaignPaused;
byte orders, gaps, faults;
bit beyond;

#define PAUSED (vendorPaused || campaignPaused)
#define MAX(a, b) (a > b -> a : b)

#ifdef NO_NUMBER_OF_TRIED_CLAIMS
#define NUMBER mine.number
#define MAYBECLAIMED (mine.step == CLAIMED)
#else
#define NUMBER MAX(mine.number, tried)
#define MAYBECLAIMED (mine.step == CLAIMED || tried > mine.number)
#endif
#ifdef NO_PARKING_OF_CLAIMED
#define MUSTPARK false
#else
#define MUSTPARK MAYBECLAIMED
#endif

/* apply takes a record into an entry, as ledger.Shard does. */
inline apply(x, r) {
	if
	:: r.step == CLAIMED && r.number > x.number ->
		x.step = CLAIMED; x.number = r.number; x.called = 1
	:: r.step == PARKED && r.number >= x.number ->
		x.step = PARKED; x.number = r.number; x.parked = 1; x.called = r.unknown
	:: r.step == PARKED && r.number < x.number ->
#ifndef NO_ORIGINAL_OF_LATE_PARKING
		x.parked = 1
#else
		skip
#endif
	:: else
	fi
}

/* check judges what a restore would find now. */
inline check() {
	found.step = BUSY; found.number = 0; found.parked = 0; found.called = 0;
	k = 0;
	do
	:: k < length -> apply(found, entries[k]); k++
	:: else -> break
	od;
	k = 0;
	assert(!done || at == ANSWERED || found.parked);                           /* it is not lost */
#ifndef GUIDE_LOSS
	assert(!(at == WAITING || at == QUEUED) || !found.called || unclear);         /* nor taken for a lost call */
#endif
	found.step = BUSY; found.number = 0; found.parked = 0; found.called = 0
}

inline land(r) {
	if
	:: length == MAXLOG -> beyond = 1
	:: else ->
		entries[length].step = r.step; entries[length].number = r.number; entries[length].unknown = r.unknown;
		length++
	fi
}

inline drop(r) { r.step = BUSY; r.number = 0; r.unknown = 0 }

active proctype replica() {
	byte k;
end:	do
	:: d_step { at == ATTEMPT && (unknown || PAUSED || lease) && !beyond ->
		if
		:: unknown -> unknown = 0 /* the vendor is asked */
		:: !unknown && PAUSED -> at = HOLD
		:: !unknown && !PAUSED && lease ->
			writing.step = CLAIMED; writing.number = NUMBER + 1;
			tried = writing.number;
			at = CLAIMING
		fi
	   }
	:: d_step { at == CLAIMING && written && !beyond ->
		apply(mine, writing); drop(writing); written = 0;
		at = (lease -> MAYCALL : ATTEMPT)
	   }
	/* in doubt: the lease lapsed before its next try */
	:: d_step { at == CLAIMING && !written && !lease && doubt.step == BUSY && !beyond ->
		doubt.step = writing.step; doubt.number = writing.number;
		drop(writing); at = ATTEMPT
	   }
	:: d_step { at == CLAIMING && written && !lease && !beyond -> /* only the acknowledgement was lost */
		drop(writing); written = 0; at = ATTEMPT
	   }
	:: d_step { at == MAYCALL && !beyond ->
		if
		:: PAUSED -> at = HOLD
		:: !PAUSED && !lease -> at = ATTEMPT
		:: !PAUSED && lease -> unclear = 1; at = CALLING
		fi
	   }
	:: d_step { at == CALLING && !beyond -> unclear = 0; at = ANSWERED; check() }
	:: d_step { at == CALLING && faults < FAULTS && !beyond -> faults++; unclear = 0; at = ATTEMPT } /* throttled */
	:: d_step { at == CALLING && faults < FAULTS && !beyond ->
		faults++;
		writing.step = PARKED; writing.number = NUMBER; writing.unknown = 1; at = PARKING
	   }
	:: d_step { at == HOLD && !beyond ->
		if
		:: MUSTPARK || campaignPaused -> writing.step = PARKED; writing.number = NUMBER; at = PARKING
		:: else -> at = QUEUED; check()
		fi
	   }
	:: d_step { at == QUEUED && !PAUSED && !beyond -> at = ATTEMPT }
	:: d_step { at == PARKING && written && !beyond ->
		if :: writing.unknown -> skip :: else -> unclear = 0 fi;
		apply(mine, writing); drop(writing); written = 0;
		done = 1; at = WAITING; check()
	   }
	/* released, or due */
	:: d_step { at == WAITING && !PAUSED && !beyond -> unknown = mine.called; at = ATTEMPT }
	od
}

active proctype outside() {
	byte k;
end:	do
	:: d_step { writing.step != BUSY && !written && !beyond -> land(writing); written = 1; check() }
	:: d_step { doubt.step != BUSY && !beyond -> land(doubt); drop(doubt); check() }
	:: d_step { doubt.step != BUSY && !beyond -> drop(doubt) }
	:: d_step { lease && gaps < GAPS && !beyond -> gaps++; lease = 0 }
	:: d_step { !lease && !beyond -> lease = 1 }
	:: d_step { !vendorPaused && orders < ORDERS && !beyond -> orders++; vendorPaused = 1 }
	:: d_step { !campaignPaused && orders < ORDERS && !beyond -> orders++; campaignPaused = 1 }
	:: d_step { vendorPaused && !beyond -> vendorPaused = 0 }
	:: d_step { campaignPaused && !beyond -> campaignPaused = 0 }
	od
}
