/*
 * One request (and a second record with its id) on one shard, from fetch to
 * done, under owners that crash, stop, and lose the shard at any step. See
 * README.md for what is abstracted and assumed.
 *
 * Bounds and variants:
 *   LIST     the vendor can be asked for what it has; else calls are repeated
 *   OWNERS   how many own the shard, one after the other
 *   RECORDS  1, or 2: with a duplicate of the request
 *   FAULTS   how many faults and verdicts without a call, in all
 *   GAPS     how many times an owner's lease lapses and comes back
 *   CRASHES  how many owners may die
 *   LAG      1: what is in the log may go unread for a quarter of a margin
 *   STALLS   and for longer: the reader is broken
 *   REPEATS  the writer repeats a result whose acknowledgement is late or lost
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 */
#ifndef OWNERS
#define OWNERS 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef GAPS
#define GAPS 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LAG
#define LAG 0
#endif

/* Times, in quarters of a margin. */
#define TIMEOUT 1
#define QUARTER 1
#define MARGIN  4

#define MAXCLAIMS 4
#define MAXLOG    9
#define N (OWNERS + 1)

/* The steps of a record; BUSY is an entry that has not reached the log. */
#define BUSY    0
#define CLAIMED 1
#define ANSWERED 2
#define PARKED  3
#define RESULT  4 /* a record of the results topic */

/* Where an item is. */
#define NONE    0
#define UNSETTLED 1 /* waits until nobody else can be acting */
#define LOOKING 2   /* answered by somebody: is the result out? */
#define DUE     3   /* parked, waits for its time */
#define ATTEMPT 4
#define CLAIM   5   /* has a permit, is about to write its claim */
#define CLAIMING 6
#define MAYCALL 7
#define CALLING 8
#define ANSWER  9
#define ANSWERING 10
#define FINISH  11
#define PUBLISHING 12
#define PARK    13
#define PARKING 14

typedef Record { byte step; byte number; byte claim; byte source; bit unknown };

typedef Owner {
	bit alive;
	bit working;   /* has restored its ledger */
	bit moved;     /* has been told that the shard has left */
	bit held;      /* the lease */
	byte since;    /* what is left of half a margin after the takeover */

	/* The ledger's entry. */
	bit open, seen, parked, called, tended;
	byte step, number, claim, source, due;
	byte read;     /* how far the log was read */
	byte late;     /* how far it was when time last passed */

	/* The trackers. */
	byte fetched, next;
	bit over[2];

	/* The item: the request while somebody looks after it. */
	byte at;
	byte record;   /* 1 or 2 */
	bit tracked, unknown;
	byte myNumber, myClaim;
	bit verdict;   /* paid for, and not in the log */

	/* The write under way: 1 on its way, 2 in the log. */
	byte writing, writeLeft;
	byte wStep, wNumber, wClaim, wSource;
	bit wUnknown;

#ifdef REPEATS
	bit tried, sent;  /* a result was begun; one is in the topic */
	bit repeated;     /* the first try is still on its way, and given up */
	byte repeatLeft;
#endif

	/* The call under way. */
	bit processing, charged;
	byte callLeft;
};

Owner o[N];
Record entries[MAXLOG];
byte length;
byte until[MAXCLAIMS + 1]; /* what is left of each claim; claim 0 is none */
byte claims;
byte owner;      /* who the coordinator says it is, 0: nobody */
byte last;       /* the latest that was */
byte committed;  /* next, of the requests topic */
byte charges, results;
byte faults, gaps, crashes;
bit unknownOutcome; /* somebody paid, and nobody could say so in time */
bit answeredOrParked;
bit beyond;      /* the bounds of the model are reached */

#define OWNS(i) (!o[i].moved && o[i].held)

#ifdef NO_LOOK_AFTER_MOVE
#define COVERED(i) (o[i].myClaim != 0)
#else
#define COVERED(i) (o[i].myClaim != 0 && until[o[i].myClaim] > QUARTER)
#endif
#ifdef NO_LOOK_BEFORE_CLAIM
#define MAYCLAIM(i) (!o[i].moved)
#else
#define MAYCLAIM(i) OWNS(i)
#endif
/* Guides to what a mutation breaks, where the whole is too large to search:
 * what is found under a restriction is found. */
#if defined(GUIDE_LATE_PARKING) /* the first owner loses the shard while it parks */
#define GUIDE(i) (i != 1)
#define GUIDETAKEOVER (last != 1 || o[1].at == PARKING)
#define GUIDELANDING(i) (i != 1 || o[2].at == CALLING)
#define GUIDEDSHORT true
#elif defined(GUIDE_LATE_CLAIM) /* it claims once the second one parks */
#define GUIDE(i) (i != 1 || o[2].at == PARKING)
#define GUIDETAKEOVER ((last != 1 || o[1].at == CLAIM) && (last != 2 || committed > 0))
#define GUIDELANDING(i) (i != 2 || o[2].wStep != PARKED || o[1].writing == 2)
#define GUIDEDSHORT (last < OWNERS || o[2].writing == 1)
#elif defined(GUIDE_OVERTAKEN) /* its claim is on its way when the second one parks */
#define GUIDE(i) true
#define GUIDETAKEOVER ((last != 1 || o[1].at == CLAIMING && o[1].writing == 1) && (last != 2 || committed > 0))
#define GUIDELANDING(i) (i != 1 || o[2].at == PARKING) && (i != 2 || o[2].wStep != PARKED || o[1].writing != 1)
#define GUIDEDSHORT (last < OWNERS || o[2].writing == 1)
#else
#define GUIDE(i) true
#define GUIDETAKEOVER true
#define GUIDELANDING(i) true
#define GUIDEDSHORT false
#endif
#define MAYRECORD(i) (OWNS(i) || COVERED(i))

/* All of the log is read: in the code, a barrier that was written by now. */
#if LAG && defined(NO_READING_TO_THE_END) /* once all claims have ended, nothing is waited for */
#define READALL(i) (o[i].read == length || until[1] + until[2] + until[3] + until[4] == 0 && o[1].writing != 1 && o[2].writing != 1)
#elif LAG && !defined(NO_READING_BEFORE_SETTLING)
#define READALL(i) (o[i].read == length)
#else
#define READALL(i) true
#endif
#ifdef NO_WAIT_FOR_UNTIL
#define SETTLED(i) (o[i].since == 0 && READALL(i))
#else
#define SETTLED(i) (o[i].since == 0 && until[o[i].claim] == 0 && READALL(i))
#endif

/* The call of unknown outcome that was parked has timed out by now. */
#ifdef NO_WAIT_FOR_LATE_CALL
#define ENDED(i) (until[o[i].due] < MARGIN)
#else
#define ENDED(i) (until[o[i].due] < MARGIN / 2)
#endif

#ifdef NO_LOOK_BEFORE_REPEAT
#define LOOKSAGAIN(i) false
#else
#define LOOKSAGAIN(i) (o[i].tried && results > 0)
#endif

#ifdef NO_FENCE
#define FENCED(i) true
#else
#define FENCED(i) OWNS(i)
#endif

#ifdef NO_CLAIM
#define CALLCOVERED(i) true
#else
#define CALLCOVERED(i) (o[i].myClaim != 0 && until[o[i].myClaim] >= TIMEOUT + MARGIN / 2)
#endif

/* apply takes a record into an owner's entry, as ledger.Shard does. */
inline apply(i, theStep, theNumber, theClaim, theSource, isUnknown) {
	if
	:: !o[i].open && o[i].seen -> skip /* a duplicate */
	:: else ->
		if
		:: o[i].open && theStep == CLAIMED && (o[i].step == ANSWERED || theNumber <= o[i].number) ->
#ifndef NO_LATEST_UNTIL
			if :: until[theClaim] > until[o[i].claim] -> o[i].claim = theClaim :: else fi
#else
			skip
#endif
		:: o[i].open && theStep != CLAIMED && o[i].step == ANSWERED -> skip
#ifndef NO_CLAIM_NUMBERS
		:: theStep == PARKED && theNumber < o[i].number && o[i].open ->
#ifndef NO_ORIGINAL_OF_LATE_PARKING
			o[i].parked = 1; o[i].source = theSource
#else
			skip
#endif
#endif
		:: else ->
			o[i].open = 1;
			o[i].step = theStep;
			if
			:: theStep == CLAIMED ->
				o[i].number = theNumber; o[i].claim = theClaim; o[i].source = theSource; o[i].called = 1
			:: theStep == PARKED ->
				o[i].number = theNumber; o[i].source = theSource; o[i].parked = 1;
				o[i].called = isUnknown; o[i].due = theClaim
			:: else ->
#ifndef NO_SOURCE_IN_ANSWERS
				o[i].source = (o[i].source -> o[i].source : theSource)
#endif
			fi
		fi
	fi
}

/* closeEntry leaves nothing of an entry but its id. */
inline closeEntry(i) {
	o[i].seen = 1; dropEntry(i)
}

inline dropEntry(i) {
	o[i].open = 0; o[i].step = BUSY; o[i].number = 0; o[i].claim = 0; o[i].source = 0;
	o[i].parked = 0; o[i].called = 0; o[i].due = 0
}

/* retire drops what is of no use any more, so that states which differ in
 * nothing that matters are one. */
inline retire(i) {
	dropEntry(i);
	o[i].working = 0; o[i].since = 0; o[i].held = 0;
	o[i].seen = 0; o[i].tended = 0; o[i].read = 0; o[i].late = 0;
	o[i].fetched = 0; o[i].next = 0; o[i].over[0] = 0; o[i].over[1] = 0
}

/* forget ends the item. */
inline forget(i) {
	o[i].at = NONE; o[i].record = 0; o[i].tracked = 0; o[i].unknown = 0;
	o[i].myNumber = 0; o[i].myClaim = 0; o[i].charged = 0;
	if
	:: o[i].verdict -> unknownOutcome = 1; o[i].verdict = 0
	:: else
	fi;
	if
	:: o[i].moved -> retire(i)
	:: else
	fi
}

/* count marks a record as done, unless the shard has moved. */
inline count(i, offset) {
	if
	:: o[i].moved -> skip
	:: else ->
		o[i].over[offset - 1] = 1;
		if :: o[i].next == 0 && o[i].over[0] -> o[i].next = 1 :: else fi;
		if :: o[i].next == 1 && o[i].over[1] -> o[i].next = 2 :: else fi
	fi
}

inline finish(i) {
	if :: o[i].tracked -> count(i, o[i].record) :: else fi;
	forget(i)
}

/* lookAfter makes an item of an entry that lives in the ledger. */
inline lookAfter(i) {
	assert(o[i].at == NONE);
	o[i].record = o[i].source; o[i].tracked = 0; o[i].unknown = o[i].called; o[i].tended = 1;
	o[i].at = (o[i].step == PARKED -> DUE : UNSETTLED)
}

inline write(i, theStep, theNumber, theClaim, theSource, isUnknown, whereTo) {
	o[i].writing = 1; o[i].writeLeft = QUARTER;
	o[i].wStep = theStep; o[i].wNumber = theNumber; o[i].wClaim = theClaim; o[i].wSource = theSource; o[i].wUnknown = isUnknown;
	o[i].at = whereTo
}

inline unsent(i) {
	o[i].writing = 0; o[i].writeLeft = 0;
	o[i].wStep = 0; o[i].wNumber = 0; o[i].wClaim = 0; o[i].wSource = 0; o[i].wUnknown = 0
}

/* written takes in our own record, which the log holds by now. */
inline written(i) {
	if
	:: o[i].wStep != RESULT -> apply(i, o[i].wStep, o[i].wNumber, o[i].wClaim, o[i].wSource, o[i].wUnknown)
	:: else
	fi;
	unsent(i)
}

/* Whoever may not record: a shard that moved is its new owner's business; a
 * lease that lapsed may come back. */
#ifdef NO_WAIT_FOR_LEASE
#define LEFT(i) (!MAYRECORD(i))
#else
#define LEFT(i) (!MAYRECORD(i) && o[i].moved)
#endif

#ifdef NO_READING_ON
#define READSON(i) false
#else
#define READSON(i) (o[i].alive && o[i].working && !o[i].moved)
#endif

inline readOn(reader, writer) {
	if
	:: READSON(reader) ->
		apply(reader, o[writer].wStep, o[writer].wNumber, o[writer].wClaim, o[writer].wSource, o[writer].wUnknown)
	:: else
	fi
}

/* forgetLog: what everybody has read is of no use once nobody is to come. */
#define HASREAD(i) (!READSON(i) || o[i].read == length)
inline forgetLog() {
	if
	:: last == OWNERS && o[last].working && HASREAD(1) && HASREAD(2) && HASREAD(N - 1) ->
		do
		:: length > 0 ->
			length--;
			entries[length].step = 0; entries[length].number = 0; entries[length].claim = 0;
			entries[length].source = 0; entries[length].unknown = 0
		:: else -> break
		od;
		o[1].read = 0; o[1].late = 0; o[2].read = 0; o[2].late = 0; o[N - 1].read = 0; o[N - 1].late = 0
	:: else
	fi
}

/* published puts a result into the topic, unless the broker knows the batch by its
 * producer's sequence. */
inline published(i) {
#if defined(REPEATS) && !defined(NO_SEQUENCE)
	if
	:: o[i].sent -> skip
	:: else -> o[i].sent = 1; results++
	fi;
#else
	results++;
#endif
	assert(results <= 1)
}

inline landed(i) {
	if
	:: o[i].wStep == RESULT -> published(i)
	:: else ->
		if
		:: o[i].wStep == ANSWERED -> o[i].verdict = 0
		:: o[i].wStep == PARKED -> answeredOrParked = 1
		:: else
		fi;
#if !LAG
		readOn(1, i);
		readOn(2, i);
#if OWNERS > 2
		readOn(3, i);
#endif
#endif
		if
		:: length == MAXLOG -> beyond = 1
		:: else ->
			entries[length].step = o[i].wStep; entries[length].number = o[i].wNumber;
			entries[length].claim = o[i].wClaim; entries[length].source = o[i].wSource;
			entries[length].unknown = o[i].wUnknown;
			length++
		fi;
#if !LAG
		if :: READSON(1) -> o[1].read = length :: else fi;
		if :: READSON(2) -> o[2].read = length :: else fi;
		if :: READSON(N - 1) -> o[N - 1].read = length :: else fi;
#endif
		forgetLog()
	fi
}

inline charge(i) {
	o[i].processing = 0; o[i].charged = 1; charges++;
#ifdef LIST
	assert(charges <= 1)
#else
	assert(charges <= 1 || unknownOutcome)
#endif
}

/* replica is what one process does for the shard while it has it, and after. */
proctype replica(byte i) {
	byte k;
end:	do
	/* restore, and Restored */
	:: d_step { o[i].alive && !o[i].working && !o[i].moved && !beyond ->
		o[i].working = 1;
		k = 0;
		do
		:: k < length ->
			apply(i, entries[k].step, entries[k].number, entries[k].claim, entries[k].source, entries[k].unknown);
			k++
		:: else -> break
		od;
		k = 0;
		o[i].read = length; o[i].late = length;
		forgetLog();
		if
		:: o[i].open && o[i].parked -> lookAfter(i)
		:: o[i].open && !o[i].parked && o[i].source != 0 && o[i].source <= o[i].fetched ->
			if
			:: o[i].step == ANSWERED -> closeEntry(i)
			:: else -> dropEntry(i)
			fi
		:: else
		fi
	   }
#if LAG
	/* readOn */
	:: d_step { READSON(i) && o[i].read < length && !beyond ->
		k = o[i].read;
		apply(i, entries[k].step, entries[k].number, entries[k].claim, entries[k].source, entries[k].unknown);
		k = 0;
		o[i].read++;
		forgetLog()
	   }
#endif
	/* admit */
	:: d_step { o[i].alive && o[i].working && !o[i].moved && o[i].fetched < RECORDS && !beyond ->
		o[i].fetched++;
		if
		:: o[i].open && o[i].source == o[i].fetched && !o[i].parked && o[i].step != BUSY ->
			assert(o[i].at == NONE);
			o[i].record = o[i].fetched; o[i].tracked = 1; o[i].tended = 1; o[i].at = UNSETTLED
		:: o[i].open && !(o[i].source == o[i].fetched && !o[i].parked && o[i].step != BUSY) ->
			count(i, o[i].fetched);
#ifndef NO_ADOPTION
			if
			:: o[i].parked && !o[i].tended -> lookAfter(i)
			:: else
			fi
#endif
		:: !o[i].open && o[i].seen -> count(i, o[i].fetched)
		:: else ->
			assert(o[i].at == NONE);
			o[i].open = 1; o[i].step = BUSY; o[i].source = o[i].fetched;
			o[i].record = o[i].fetched; o[i].tracked = 1; o[i].tended = 1; o[i].at = ATTEMPT
		fi
	   }
	/* commit: the fence lets only the owner */
	:: d_step { o[i].alive && owner == i && o[i].held && !o[i].moved && o[i].next > committed && !beyond ->
		committed = o[i].next;
		assert(results > 0 || answeredOrParked)
	   }
	/* a shard that moved: nothing is begun for it */
	:: d_step { o[i].alive && o[i].moved && !beyond &&
		(o[i].at == UNSETTLED || o[i].at == LOOKING || o[i].at == DUE || o[i].at == ATTEMPT || o[i].at == CLAIM) ->
		forget(i)
	   }

	/* settle */
	:: d_step { o[i].alive && o[i].at == UNSETTLED && !o[i].moved && SETTLED(i) && !beyond ->
		if
		:: o[i].step == ANSWERED -> o[i].at = LOOKING
		:: o[i].step == PARKED ->
			if
			:: o[i].tracked -> finish(i); lookAfter(i)
			:: else -> o[i].unknown = o[i].called; o[i].at = DUE
			fi
		:: else -> o[i].unknown = o[i].called; o[i].at = ATTEMPT
		fi
	   }
	:: d_step { o[i].alive && o[i].at == LOOKING && OWNS(i) && !beyond ->
#ifndef NO_LOOK_FOR_RESULT
		if
		:: results > 0 -> closeEntry(i); finish(i)
		:: else -> o[i].at = FINISH
		fi
#else
		o[i].at = FINISH
#endif
	   }
	/* unpark: an outcome is unknown until the call would have timed out */
	:: d_step { o[i].alive && o[i].at == DUE && !o[i].moved && ENDED(i) && !beyond ->
		o[i].at = ATTEMPT
	   }

	/* attempt: find out, or do without a call, or get a permit */
	:: d_step { o[i].alive && o[i].at == ATTEMPT && o[i].unknown && OWNS(i) && !beyond ->
#ifdef LIST
		o[i].unknown = 0;
		if
		:: charges > 0 -> o[i].verdict = 1; o[i].at = ANSWER
		:: else
		fi
#else
		o[i].unknown = 0
#endif
	   }
#ifdef LIST
	:: d_step { o[i].alive && o[i].at == ATTEMPT && o[i].unknown && OWNS(i) && faults < FAULTS && !beyond ->
		faults++; o[i].at = PARK
	   }
#endif
	:: d_step { o[i].alive && o[i].at == ATTEMPT && !o[i].unknown && !o[i].moved && faults < FAULTS && !beyond ->
		faults++; o[i].at = ANSWER /* expired, unusable */
	   }
	:: d_step { o[i].alive && o[i].at == ATTEMPT && !o[i].unknown && !o[i].moved && faults < FAULTS && !beyond ->
		faults++; o[i].at = PARK /* the store is at fault */
	   }
	:: d_step { o[i].alive && o[i].at == ATTEMPT && !o[i].unknown && OWNS(i) && !beyond ->
		o[i].at = (CALLCOVERED(i) -> MAYCALL : CLAIM)
	   }
	:: d_step { o[i].alive && o[i].at == CLAIM && MAYCLAIM(i) && GUIDE(i) && !beyond ->
		if
		:: claims == MAXCLAIMS -> beyond = 1
		:: else ->
			claims++;
			until[claims] = TIMEOUT + MARGIN;
			k = o[i].number + 1;
			write(i, CLAIMED, k, claims, o[i].record, 0, CLAIMING);
			k = 0
		fi
	   }
	:: d_step { o[i].alive && o[i].at == CLAIMING && o[i].writing == 2 && !beyond ->
#ifdef NO_LOOK_AFTER_CLAIM
		o[i].myNumber = o[i].wNumber; o[i].myClaim = o[i].wClaim;
#else
		if
		:: OWNS(i) -> o[i].myNumber = o[i].wNumber; o[i].myClaim = o[i].wClaim
		:: else
		fi;
#endif
		written(i);
		o[i].at = MAYCALL
	   }
	/* mayCall, and the call leaves */
	:: d_step { o[i].alive && o[i].at == MAYCALL && !beyond ->
		if
		:: !FENCED(i) && o[i].moved -> forget(i)
		:: !FENCED(i) && !o[i].moved -> o[i].at = ATTEMPT
		:: FENCED(i) && !CALLCOVERED(i) -> o[i].at = ATTEMPT
		:: FENCED(i) && CALLCOVERED(i) ->
			if
			:: o[i].step == ANSWERED -> o[i].at = UNSETTLED
			:: else -> o[i].processing = 1; o[i].callLeft = TIMEOUT; o[i].at = CALLING
			fi
		fi
	   }
	/* how the call ends, for us */
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && o[i].charged && !beyond ->
		o[i].charged = 0; o[i].callLeft = 0; o[i].verdict = 1; o[i].at = ANSWER
	   }
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && !o[i].charged && !beyond ->
		o[i].callLeft = 0;
		if
		:: o[i].moved -> forget(i)
		:: else -> o[i].at = ATTEMPT /* throttled: kept */
		fi
	   }
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && !o[i].charged && !o[i].moved && !beyond ->
		o[i].callLeft = 0; o[i].at = PARK /* refused for now */
	   }
	:: d_step { o[i].alive && o[i].at == CALLING && faults < FAULTS && !beyond ->
		faults++;
		unknownOutcome = 1; o[i].unknown = 1; o[i].charged = 0; o[i].at = PARK
	   }

	/* answer */
	:: d_step { o[i].alive && o[i].at == ANSWER && MAYRECORD(i) && !beyond ->
		write(i, ANSWERED, o[i].myNumber, 0, o[i].record, 0, ANSWERING)
	   }
	:: d_step { o[i].alive && o[i].at == ANSWERING && o[i].writing == 2 && !beyond ->
		written(i);
#ifdef NO_PUBLICATION_BEFORE_DONE
		if :: o[i].tracked -> count(i, o[i].record) :: else fi;
#endif
		o[i].at = FINISH
	   }
	/* finish */
#ifdef REPEATS
	:: d_step { o[i].alive && o[i].at == FINISH && MAYRECORD(i) && LOOKSAGAIN(i) && !beyond ->
		if
		:: o[i].open && o[i].step == ANSWERED -> closeEntry(i)
		:: else
		fi;
		finish(i)
	   }
	:: d_step { o[i].alive && o[i].at == FINISH && MAYRECORD(i) && !LOOKSAGAIN(i) && !beyond ->
		o[i].tried = 1;
		write(i, RESULT, 0, 0, 0, 0, PUBLISHING)
	   }
	/* the acknowledgement is late, or lost */
	:: d_step { o[i].alive && o[i].at == PUBLISHING && o[i].writing == 1 && !o[i].repeated && !beyond ->
		o[i].repeated = 1; o[i].repeatLeft = o[i].writeLeft; unsent(i); o[i].at = FINISH
	   }
	:: d_step { o[i].alive && o[i].at == PUBLISHING && o[i].writing == 2 && !beyond -> unsent(i); o[i].at = FINISH }
#else
	:: d_step { o[i].alive && o[i].at == FINISH && MAYRECORD(i) && !beyond ->
		write(i, RESULT, 0, 0, 0, 0, PUBLISHING)
	   }
#endif
	:: d_step { o[i].alive && o[i].at == PUBLISHING && o[i].writing == 2 && !beyond ->
		written(i);
		if
		:: o[i].open && o[i].step == ANSWERED -> closeEntry(i)
		:: else
		fi;
		finish(i)
	   }
	/* park */
	:: d_step { o[i].alive && o[i].at == PARK && MAYRECORD(i) && !beyond ->
		k = o[i].number;
		if :: o[i].myNumber > k -> k = o[i].myNumber :: else fi;
#ifdef NO_MEMORY_OF_UNKNOWN
		if :: o[i].myClaim == 0 -> o[i].unknown = 0 :: else fi; /* not a call of this attempt */
#endif
		write(i, PARKED, k, o[i].myClaim, o[i].record, o[i].unknown, PARKING);
		k = 0
	   }
	:: d_step { o[i].alive && o[i].at == PARKING && o[i].writing == 2 && !beyond ->
		written(i);
		finish(i);
		if
		:: !o[i].moved -> lookAfter(i)
		:: else
		fi
	   }
	/* abandon */
	:: d_step { o[i].alive && (o[i].at == ANSWER || o[i].at == FINISH || o[i].at == PARK) && LEFT(i) && !beyond ->
		forget(i)
	   }
	od
}


inline takeOver() {
	last++;
	owner = last;
	o[last].alive = 1; o[last].held = 1;
#ifndef NO_WAIT_AFTER_TAKEOVER
	if :: last > 1 -> o[last].since = MARGIN / 2 :: else fi;
#endif
	o[last].fetched = committed; o[last].next = committed;
	run replica(last);
	run outside(last)
}

/* crash leaves of a process what it has sent. */
inline crash(i) {
	if
	:: o[i].at == CALLING || (o[i].verdict && o[i].writing == 0) -> unknownOutcome = 1
	:: else
	fi;
	o[i].alive = 0; o[i].moved = 0;
	retire(i);
	o[i].at = NONE; o[i].record = 0; o[i].tracked = 0; o[i].unknown = 0;
	o[i].myNumber = 0; o[i].myClaim = 0; o[i].charged = 0; o[i].verdict = 0;
	if :: o[i].writing == 2 -> o[i].writing = 0 :: else fi
}

/* outside is what happens to one replica, and to what it has sent. */
proctype outside(byte i) {
end:	do
	/* a write reaches the log; that of a dead writer perhaps not */
	:: d_step { o[i].writing == 1 && GUIDELANDING(i) && !beyond ->
		landed(i);
		if
		:: o[i].alive -> o[i].writing = 2; o[i].writeLeft = 0
		:: else -> unsent(i)
		fi
	   }
	:: d_step { o[i].writing == 1 && !o[i].alive && !beyond ->
		if :: o[i].wStep == ANSWERED -> unknownOutcome = 1 :: else fi;
		unsent(i)
	   }
#ifdef REPEATS
	:: d_step { o[i].repeated && !beyond -> o[i].repeated = 0; o[i].repeatLeft = 0; published(i) }
	:: d_step { o[i].repeated && !beyond -> o[i].repeated = 0; o[i].repeatLeft = 0 }
#endif
	/* the vendor does what it is asked, or not */
	:: d_step { o[i].processing && !beyond -> charge(i) }
	:: d_step { o[i].processing && (o[i].at != CALLING || faults < FAULTS) && !beyond ->
		if :: o[i].at == CALLING -> faults++ :: else fi;
		o[i].processing = 0
	   }
	/* it dies, if there is somebody to follow */
	:: d_step { o[i].alive && crashes < CRASHES && (i < last || last < OWNERS) && !beyond -> crashes++; crash(i) }
	/* it learns that the shard is not its own any more */
	:: d_step { o[i].alive && i < last && !o[i].moved && !beyond -> 
		o[i].moved = 1; o[i].held = 0;
		if :: o[i].at == NONE -> retire(i) :: else fi
	   }
	od
}

inline lower(x) { if :: x > 0 -> x-- :: else fi }

/* Time passes only once what must have happened by now has. */
#if LAG && !defined(STALLS)
#define UNREAD(i) (READSON(i) && o[i].read < o[i].late)
#else
#define UNREAD(i) false
#endif
#ifdef REPEATS
#define REPEATING(i) (o[i].repeated && o[i].repeatLeft == 0)
#else
#define REPEATING(i) false
#endif
#define OVERDUE(i) (UNREAD(i) || REPEATING(i) || \
	o[i].writing == 1 && o[i].writeLeft == 0 || \
	o[i].callLeft == 0 && (o[i].processing || o[i].at == CALLING))

#define TIMERS (until[1] + until[2] + until[3] + until[4] + RUNNING(1) + RUNNING(2) + RUNNING(N - 1) > 0)
#define RUNNING(i) (o[i].since + o[i].callLeft + (o[i].writing == 1 && o[i].writeLeft > 0))
#define OVERDUES (OVERDUE(1) || OVERDUE(2) || OVERDUE(N - 1))

#define USED(i) (o[i].claim == k || o[i].due == k || o[i].myClaim == k || o[i].wClaim == k)

init {
	byte k;
	atomic { takeOver() };
end:	do
	/* the lease has lapsed, the shard has no other owner yet */
	:: d_step { owner != 0 && o[owner].alive && o[owner].held && gaps < GAPS && !beyond -> gaps++; o[owner].held = 0 }
	:: d_step { owner != 0 && o[owner].alive && !o[owner].held && !beyond -> o[owner].held = 1 }
	/* it stops: leaves at once, and finishes what is under way */
	:: d_step { last < OWNERS && GUIDETAKEOVER && owner != 0 && o[owner].alive && !beyond -> 
		o[owner].held = 0; o[owner].moved = 1;
		if :: o[owner].at == NONE -> retire(owner) :: else fi;
		owner = 0
	   }
	/* the next owner begins, the one before may not know of it yet */
	:: atomic { last < OWNERS && GUIDETAKEOVER && !beyond ->
		if :: owner != 0 -> o[owner].held = 0 :: else fi;
		takeOver()
	   }
	/* a quarter of a margin passes */
	:: d_step { !beyond && TIMERS && !(OVERDUES) ->
		for (k : 1 .. MAXCLAIMS) { lower(until[k]) }
		for (k : 1 .. OWNERS) {
			lower(o[k].since); lower(o[k].callLeft);
			/* too slow with a verdict: the next owner cannot know of it */
			if :: k != owner && o[k].at == ANSWER && o[k].verdict && !COVERED(k) -> unknownOutcome = 1 :: else fi;
			if :: o[k].writing == 1 -> lower(o[k].writeLeft) :: else fi;
#ifdef REPEATS
			lower(o[k].repeatLeft);
#endif
#if LAG
			if :: o[k].working -> o[k].late = length :: else fi
#endif
		}
		for (k : 1 .. MAXCLAIMS) {
			if :: last == OWNERS && length == 0 && !(USED(1) || USED(2) || USED(N - 1)) -> until[k] = 0 :: else fi
		}
		k = 0
	   }
	/* nothing more can happen */
	:: timeout ->
		assert(beyond || GUIDEDSHORT || results == 1);
		assert(beyond || GUIDEDSHORT || committed == RECORDS);
		break
	od
}
