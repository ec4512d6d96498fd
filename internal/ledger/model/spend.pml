/*
 * What the requests of one shard cost, as its ledger counts it: reservations in
 * claims, costs in answers, and summaries of all answers up to a time, under two
 * owners that crash or lose the shard at any step. Whatever the log holds, a
 * restore of it counts every answer once, and all that the vendor charged or may
 * have. Each call costs 1. See README.md.
 *
 * Bounds and variants:
 *   REQS   how many requests
 *   CALLS  how many calls are made for each at most
 *   SUMS   how many summaries are written at most
 *   FAULTS how many calls end without a verdict
 *   LASTTIME when the clock stops; it starts at 2
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 */
#ifndef REQS
#define REQS 2
#endif
#ifndef CALLS
#define CALLS 2
#endif
#ifndef SUMS
#define SUMS 2
#endif

#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef LASTTIME
#define LASTTIME 6
#endif
#define BEHIND   1 /* so much is the second owner's clock behind */
#ifdef NO_SKEW
#define SKEW     0
#else
#define SKEW     2 /* so far stays a summary behind its writer's clock */
#endif

#define MAXLOG 10
#define RECORDS 3 /* writes that an owner may have under way: one a request, and a summary */

/* The steps of a record. */
#define CLAIMED  1
#define ANSWERED 2
#define SUMMED   3

/* Where an item is. */
#define NONE      0
#define ATTEMPT   1
#define CLAIMING  2
#define CALLING   3
#define LOST      4 /* nobody knows what became of its call */
#define ANSWERING 5
#define UNSETTLED 6 /* the owner before us claimed it */

typedef Record { byte step; byte request; byte number; byte amount; byte at; byte by };

typedef Item { byte at; byte reserved; byte lost; byte calls };

typedef Owner {
	bit alive;
	bit moved;
	byte read;
	/* Its ledger. */
	byte through, total;
	bit answered[REQS];
	byte reserved[REQS], number[REQS];
	byte recent[REQS], recentAt[REQS];
	Item items[REQS];
	/* Its writes under way, by request, and last its summary. */
	Record writing[RECORDS]
};

Owner o[3]; /* the first one is what a restore would find now */
Record entries[MAXLOG];
byte length;
byte now = 2;
byte may[REQS];   /* calls that the vendor charged, or may have */
byte paid[REQS];  /* what the first answer in the log says */
bit answered[REQS];
byte sums, faults;
bit beyond;

#define CLOCK(i) (now - (i == 2 && now > 0 -> BEHIND : 0))

/* Nothing of the first owner's can reach the log any more. */
#define QUIET (!o[1].alive || o[1].moved) && o[1].writing[0].step == 0 && o[1].writing[1].step == 0 && o[1].writing[2].step == 0 && \
	o[1].items[0].at != CALLING && o[1].items[0].at != LOST && o[1].items[1 % REQS].at != CALLING && o[1].items[1 % REQS].at != LOST

#ifdef NO_READING_BEFORE_SUMMARY
#define READALL(i) true
#else
#define READALL(i) (i == 1 || QUIET && o[i].read == length)
#endif

/* apply takes a record into an owner's ledger, as ledger.Shard does. */
inline apply(i, e) {
	if
	:: e.step == CLAIMED && !o[i].answered[e.request] && e.number > o[i].number[e.request] ->
		o[i].reserved[e.request] = e.amount; o[i].number[e.request] = e.number
	:: e.step == ANSWERED && !o[i].answered[e.request] ->
		o[i].answered[e.request] = 1; o[i].reserved[e.request] = 0; o[i].number[e.request] = 0;
		if
		:: e.at > o[i].through ->
			o[i].total = o[i].total + e.amount;
			o[i].recent[e.request] = e.amount; o[i].recentAt[e.request] = e.at
		:: else
		fi
	:: e.step == SUMMED && e.at > o[i].through ->
		o[i].through = e.at; o[i].total = e.amount;
		for (r : 0 .. REQS - 1) {
#ifndef NO_RECENT
			if
			:: o[i].recentAt[r] > e.at -> o[i].total = o[i].total + o[i].recent[r]
			:: else -> o[i].recent[r] = 0; o[i].recentAt[r] = 0
			fi
#else
			o[i].recent[r] = 0; o[i].recentAt[r] = 0
#endif
		}
	:: else
	fi
}

inline forgetLedger(i) {
	o[i].through = 0; o[i].total = 0;
	for (r : 0 .. REQS - 1) { o[i].answered[r] = 0; o[i].reserved[r] = 0; o[i].number[r] = 0; o[i].recent[r] = 0; o[i].recentAt[r] = 0 }
}

/* check compares with the truth what a restore would find. */
inline check() {
	forgetLedger(0);
	k = 0;
	do
	:: k < length -> apply(0, entries[k]); k++
	:: else -> break
	od;
	k = 0; sum = 0; most = 0;
	for (r : 0 .. REQS - 1) { sum = sum + paid[r]; most = most + may[r] }
	assert(o[0].total == sum); /* each answer is counted once */
	sum = o[0].total;
	for (r : 0 .. REQS - 1) { sum = sum + o[0].reserved[r] }
	assert(sum >= most); /* all that may have been charged */
	forgetLedger(0);
	sum = 0; most = 0; r = 0
}

/* held checks that who may call counts all that may have been charged. */
inline held(i) {
	sum = o[i].total; most = 0;
	for (r : 0 .. REQS - 1) { sum = sum + o[i].reserved[r]; most = most + may[r] }
	assert(sum >= most);
	sum = 0; most = 0; r = 0
}

inline write(i, slot, theStep, theRequest, theAmount, theTime) {
	o[i].writing[slot].step = theStep; o[i].writing[slot].request = theRequest;
	o[i].writing[slot].amount = theAmount; o[i].writing[slot].at = theTime;
	o[i].writing[slot].number = (theStep == CLAIMED -> o[i].number[theRequest] + 1 : 0)
}

inline unsent(i, slot) {
	o[i].writing[slot].step = 0; o[i].writing[slot].request = 0; o[i].writing[slot].number = 0; o[i].writing[slot].amount = 0; o[i].writing[slot].at = 0
}

inline reserve(i, q, theAmount, theLost) {
	o[i].items[q].lost = theLost; o[i].items[q].reserved = theAmount;
	o[i].reserved[q] = o[i].items[q].reserved + o[i].items[q].lost
}

inline forget(i, q) {
	o[i].items[q].at = NONE; o[i].items[q].reserved = 0; o[i].items[q].lost = 0; o[i].items[q].calls = 0
}

inline answer(i, q, theCost) {
	write(i, q, ANSWERED, q, theCost + o[i].items[q].lost, CLOCK(i));
	o[i].items[q].at = ANSWERING
}

/* summarize begins a summary, if there is one to be written. */
inline summarize(i) {
	most = CLOCK(i) - SKEW;
	for (r : 0 .. REQS - 1) {
#ifndef NO_ANSWERING
		if
		:: o[i].items[r].at == ANSWERING && o[i].writing[r].at <= most -> most = (o[i].writing[r].at > 0 -> o[i].writing[r].at - 1 : 0)
		:: else
		fi
#else
		skip
#endif
	}
	if
	:: most > o[i].through ->
		sum = o[i].total;
		for (r : 0 .. REQS - 1) {
			if :: o[i].recentAt[r] > most -> sum = sum - o[i].recent[r] :: else fi
		}
		write(i, RECORDS - 1, SUMMED, 0, sum, most);
		sums++
	:: else
	fi;
	sum = 0; most = 0; r = 0
}

#define LANDS(i, s) \
	d_step { o[i].writing[s].step != 0 && !beyond -> \
		if \
		:: length == MAXLOG -> beyond = 1 \
		:: else -> \
			entries[length].step = o[i].writing[s].step; entries[length].request = o[i].writing[s].request; \
			entries[length].number = o[i].writing[s].number; entries[length].amount = o[i].writing[s].amount; \
			entries[length].at = o[i].writing[s].at; entries[length].by = i; \
			if \
			:: entries[length].step == ANSWERED && !answered[s] -> answered[s] = 1; paid[s] = entries[length].amount \
			:: else \
			fi; \
			if :: i == 2 && o[2].read == length -> o[2].read++ :: else fi; \
			length++; \
			if \
			:: o[i].alive -> \
				apply(i, o[i].writing[s]); \
				if \
				:: entries[length - 1].step == CLAIMED && o[i].moved -> forget(i, s) \
				:: entries[length - 1].step == CLAIMED && !o[i].moved -> \
					may[s]++; o[i].items[s].calls++; o[i].items[s].at = CALLING; held(i) \
				:: entries[length - 1].step == ANSWERED -> forget(i, s) \
				:: else \
				fi \
			:: else \
			fi; \
			unsent(i, s); r = 0; \
			check() \
		fi \
	}

/* work is what an owner does about request q. */
#define WORK(q) \
	/* admit */ \
	:: d_step { WORKS && o[i].items[q].at == NONE && !o[i].answered[q] && o[i].reserved[q] == 0 && !beyond -> \
		o[i].items[q].at = ATTEMPT } \
	:: d_step { WORKS && o[i].items[q].at == NONE && !o[i].answered[q] && o[i].reserved[q] > 0 && !beyond -> \
		o[i].items[q].at = UNSETTLED } \
	/* settle */ \
	:: d_step { WORKS && o[i].items[q].at == UNSETTLED && QUIET && o[i].read == length && !beyond -> \
		if \
		:: o[i].answered[q] -> forget(i, q) \
		:: else -> o[i].items[q].reserved = 1; o[i].items[q].lost = o[i].reserved[q] - 1; o[i].items[q].at = LOST \
		fi } \
	/* reserve and claim */ \
	:: d_step { WORKS && o[i].items[q].at == ATTEMPT && o[i].items[q].calls < CALLS && !beyond -> \
		reserve(i, q, 1, o[i].items[q].lost); \
		write(i, q, CLAIMED, q, INCLAIM(q), 0); o[i].items[q].at = CLAIMING } \
	/* a verdict */ \
	:: d_step { o[i].alive && o[i].items[q].at == CALLING && !beyond -> answer(i, q, 1) } \
	/* certainly no charge: given back, and kept */ \
	:: d_step { o[i].alive && o[i].items[q].at == CALLING && faults < FAULTS && !beyond -> \
		faults++; may[q]--; \
		if :: o[i].moved -> forget(i, q) :: else -> reserve(i, q, 0, o[i].items[q].lost); o[i].items[q].at = ATTEMPT fi } \
	/* unknown: repeated, or given up */ \
	:: d_step { o[i].alive && o[i].items[q].at == CALLING && faults < FAULTS && !beyond -> faults++; o[i].items[q].at = LOST } \
	:: d_step { WORKS && o[i].items[q].at == LOST && o[i].items[q].calls < CALLS && !beyond -> \
		reserve(i, q, 0, o[i].items[q].lost + LOSES(q)); o[i].items[q].at = ATTEMPT } \
	:: d_step { o[i].alive && o[i].items[q].at == LOST && !beyond -> \
		o[i].items[q].lost = o[i].items[q].lost + GIVEN_UP(q); answer(i, q, 0) } \
	:: d_step { o[i].alive && o[i].moved && !beyond && \
		(o[i].items[q].at == ATTEMPT || o[i].items[q].at == UNSETTLED || o[i].items[q].at == LOST) -> forget(i, q) }

#define WORKS (o[i].alive && !o[i].moved)
#ifdef NO_RESERVATION_IN_CLAIMS
#define INCLAIM(q) o[i].items[q].lost
#else
#define INCLAIM(q) (1 + o[i].items[q].lost)
#endif
#ifdef NO_LOSS
#define LOSES(q) 0
#else
#define LOSES(q) o[i].items[q].reserved
#endif
#ifdef NO_LOSS_WHEN_GIVEN_UP
#define GIVEN_UP(q) 0
#else
#define GIVEN_UP(q) o[i].items[q].reserved
#endif

proctype replica(byte i) {
	byte k, r, sum, most;
end:	do
	WORK(0)
#if REQS > 1
	WORK(1)
#endif
	/* readOn */
	:: d_step { i == 2 && o[2].read < length && !beyond ->
		if :: entries[o[2].read].by == 1 -> k = o[2].read; apply(2, entries[k]); k = 0; r = 0 :: else fi;
		o[2].read++ }
	/* summarize */
	:: d_step { WORKS && o[i].writing[RECORDS - 1].step == 0 && sums < SUMS && CLOCK(i) > SKEW && READALL(i) && !beyond -> summarize(i) }
	/* what was written reaches the log */
	:: LANDS(i, 0)
#if REQS > 1
	:: LANDS(i, 1)
#endif
	:: LANDS(i, 2)
	/* that of the dead perhaps not */
	:: d_step { !o[i].alive && o[i].writing[0].step != 0 -> unsent(i, 0) }
	:: d_step { !o[i].alive && o[i].writing[1].step != 0 -> unsent(i, 1) }
	:: d_step { !o[i].alive && o[i].writing[2].step != 0 -> unsent(i, 2) }
	od
}

init {
	byte k, r;
	d_step { o[1].alive = 1 };
	run replica(1);
end:	do
	:: d_step { now < LASTTIME && !beyond -> now++ }
	/* the first owner dies, or loses the shard */
	:: d_step { o[1].alive && !beyond ->
		o[1].alive = 0;
		forgetLedger(1);
		for (r : 0 .. REQS - 1) { forget(1, r) }
		r = 0; o[1].read = 0 }
	:: d_step { o[1].alive && !o[1].moved && !beyond -> o[1].moved = 1 }
	/* the second one restores, and begins */
	:: atomic { !o[2].alive && (!o[1].alive || o[1].moved) && !beyond ->
		d_step {
			o[2].alive = 1;
			do
			:: k < length -> apply(2, entries[k]); k++
			:: else -> break
			od;
			o[2].read = length; k = 0; r = 0
		};
		run replica(2);
		break
	   }
	od;
	do
	:: d_step { now < LASTTIME && !beyond -> now++ }
	:: d_step { o[1].alive && !beyond ->
		o[1].alive = 0;
		forgetLedger(1);
		for (r : 0 .. REQS - 1) { forget(1, r) }
		r = 0; o[1].read = 0 }
	:: now == LASTTIME && !o[1].alive -> break
	od
}
