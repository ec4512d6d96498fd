/*
 * One request whose verdict takes several calls and a person: a session is
 * created, a link to it is announced, and the vendor is asked until there is a
 * verdict, under owners that crash or lose the shard at any step. A second link
 * ends the first, so at most one may live; a second session is made only if what
 * became of making the first is unknown. See README.md.
 *
 * Bounds and variants:
 *   CLAIMS     how many claims are written at most
 *   FAULTS     how many answers of the vendor get lost
 *   LINKS      how many links are made at most
 *   NEWS_ONLY  nobody polls: what the vendor's webhook tells must be enough
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 */
#ifndef CLAIMS
#define CLAIMS 6
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef LINKS
#define LINKS 2
#endif

#define SESSIONS 4
#define MAXLOG   14

/* The steps of a record. */
#define BUSY     0
#define CLAIMED  1
#define ANSWERED 2
#define PARKED   3
#define RESULT   4 /* these two are records of the results topic */
#define INVITED  5

/* The vendor's state, as a parked record has it. */
#define START  0 /* there is no session yet */
#define INVITE 1 /* it has no link, unless a call got lost */
#define LOOK   2 /* its link is announced */

/* Where the item is. */
#define NONE      0
#define UNSETTLED 1
#define DUE       2
#define ATTEMPT   3
#define CLAIMING  4
#define CALLING   5
#define PENDING   6 /* the vendor has answered: not yet */
#define INVITING  7
#define PARK      8
#define PARKING   9
#define ANSWER    10
#define ANSWERING 11
#define FINISH    12
#define PUBLISHING 13
#define DONE      14

/* A link. */
#define LIVES 1
#define ENDED 2

typedef Record { byte step; byte number; bit unknown; byte state; byte session };

typedef Owner {
	bit alive, working, moved;
	bit covered;  /* the last claim has not ended */
	/* Its ledger. */
	byte step, number, state, session, read;
	bit called;
	/* Its item. */
	byte at;
	bit unsure, told, heard; /* heard: there was news since it last called; told: at all */
	byte myState, mySession;
	bit found;    /* the answer has a verdict, or */
	bit invites;  /* a link to announce */
	bit processing;
	Record writing
};

Owner o[3];
Record entries[MAXLOG];
byte length, claims, faults, links, results;
byte sessions, lostSessions;
byte link[SESSIONS + 1];
bit announced[SESSIONS + 1], verdict[SESSIONS + 1];
bit beyond;

#define OWNS(i) (o[i].alive && !o[i].moved)
#define MAYRECORD(i) (OWNS(i) || o[i].alive && o[i].covered)
#define QUIET (o[1].writing.step == BUSY && !o[1].covered)
#ifdef NO_WAIT_FOR_UNTIL
#define SETTLED (o[2].read == length)
#else
#define SETTLED (QUIET && o[2].read == length)
#endif

/* apply takes a record into an owner's entry, as ledger.Shard does. */
inline apply(i, r) {
	if
	:: r.step == CLAIMED && o[i].step != ANSWERED && r.number > o[i].number ->
		o[i].step = CLAIMED; o[i].number = r.number; o[i].called = 1
	:: r.step == PARKED && o[i].step != ANSWERED && r.number >= o[i].number ->
		o[i].step = PARKED; o[i].number = r.number; o[i].called = r.unknown;
#ifndef NO_STATE
		o[i].state = r.state; o[i].session = r.session
#else
		skip
#endif
	:: r.step == ANSWERED -> o[i].step = ANSWERED; o[i].called = 0
	:: else
	fi
}

inline forget(i) {
	if :: o[i].at == PENDING && o[i].myState == INVITE || o[i].at == PARK && o[i].myState == INVITE -> lostSessions++ :: else fi;
	o[i].at = (results > 0 -> DONE : NONE); o[i].unsure = 0; o[i].found = 0; o[i].invites = 0; o[i].myState = 0; o[i].mySession = 0;
	if
	:: !OWNS(i) ->
		o[i].step = 0; o[i].number = 0; o[i].state = 0; o[i].session = 0; o[i].read = 0; o[i].called = 0; o[i].working = 0;
		o[i].heard = 0; o[i].told = 0
	:: else
	fi
}

inline write(i, theStep, theNumber, isUnknown, whereTo) {
	o[i].writing.step = theStep; o[i].writing.number = theNumber; o[i].writing.unknown = isUnknown;
	o[i].writing.state = o[i].myState; o[i].writing.session = o[i].mySession;
	o[i].at = whereTo
}

inline unsent(i) {
	o[i].writing.step = BUSY; o[i].writing.number = 0; o[i].writing.unknown = 0; o[i].writing.state = 0; o[i].writing.session = 0
}

/* takeUp begins an attempt with what the ledger says. */
inline takeUp(i) {
#ifndef NO_UNSURE
	o[i].unsure = o[i].called;
#endif
	o[i].myState = o[i].state; o[i].mySession = o[i].session; o[i].at = ATTEMPT
}

/* over drops what is left of a call. */
inline over(i) { o[i].unsure = 0; o[i].found = 0; o[i].invites = 0; o[i].myState = 0; o[i].mySession = 0 }

/* acts is what the vendor does when it is called. */
inline acts(i) {
	o[i].processing = 0;
	if
	:: o[i].myState == START ->
		if
		:: sessions == SESSIONS -> beyond = 1
		:: else ->
			sessions++;
			assert(sessions <= 1 + lostSessions); /* no second one but for a lost one */
			o[i].mySession = sessions; o[i].myState = INVITE
		fi
	:: o[i].myState == INVITE && o[i].unsure ->
		if
		:: link[o[i].mySession] == LIVES -> o[i].myState = LOOK; o[i].invites = 1
		:: verdict[o[i].mySession] -> o[i].myState = LOOK; o[i].heard = 1 /* at once */
		:: else
		fi
	:: o[i].myState == INVITE && !o[i].unsure ->
		if
		:: verdict[o[i].mySession] -> o[i].myState = LOOK; o[i].heard = 1 /* refused; at once */
		:: !verdict[o[i].mySession] && links == LINKS -> beyond = 1
		:: else ->
			assert(link[1] != LIVES && link[2] != LIVES && link[3] != LIVES && link[4] != LIVES); /* it would end that one */
			links++; link[o[i].mySession] = LIVES; o[i].myState = LOOK; o[i].invites = 1
		fi
	:: o[i].myState == LOOK ->
		if
		:: verdict[o[i].mySession] -> o[i].found = 1
		:: !verdict[o[i].mySession] && link[o[i].mySession] == ENDED -> o[i].myState = INVITE
		:: else
		fi
	fi
}

#ifdef NEWS_ONLY
#define WAKES(i) (o[i].state != LOOK || o[i].heard || o[i].called) /* a retry has its time */
#else
#define WAKES(i) true
#endif

proctype replica(byte i) {
	byte k;
end:	do
	/* restore */
	:: d_step { OWNS(i) && !o[i].working && !beyond ->
		o[i].working = 1;
		do
		:: k < length -> apply(i, entries[k]); k++
		:: else -> break
		od;
		k = 0; o[i].read = length; o[i].heard = o[i].told;
		if
		:: o[i].step == BUSY -> o[i].at = ATTEMPT
		:: o[i].step == PARKED -> o[i].at = DUE
		:: else -> o[i].at = UNSETTLED
		fi
	   }
	/* readOn */
	:: d_step { i == 2 && o[2].working && o[2].read < length && !beyond ->
		k = o[2].read; apply(2, entries[k]); k = 0; o[2].read++ }
	:: d_step { OWNS(i) && o[i].at == UNSETTLED && SETTLED && !beyond ->
		if
		:: o[i].step == ANSWERED && results > 0 -> o[i].at = DONE
		:: o[i].step == ANSWERED && results == 0 -> o[i].at = FINISH
		:: o[i].step == PARKED -> o[i].at = DUE
		:: else -> takeUp(i)
		fi
	   }
	/* due, or woken by news */
	:: d_step { OWNS(i) && o[i].at == DUE && !o[i].processing && WAKES(i) && !beyond -> takeUp(i) }
	:: d_step { OWNS(i) && o[i].at == ATTEMPT && !beyond ->
		if
		:: claims == CLAIMS -> beyond = 1
#ifdef NO_CLAIM_FOR_EACH_CALL
		:: claims < CLAIMS && o[i].number > 0 -> o[i].processing = 1; o[i].heard = 0; o[i].at = CALLING
#endif
		:: else -> claims++; write(i, CLAIMED, o[i].number + 1, 0, CLAIMING)
		fi
	   }
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && o[i].found && !beyond -> o[i].at = ANSWER }
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && !o[i].found && !beyond -> o[i].at = PENDING }
	/* await: what the person is to know is published before the state is kept */
	:: d_step { o[i].at == PENDING && MAYRECORD(i) && !beyond ->
#ifndef NO_INVITATION_BEFORE_PARKING
		if
		:: o[i].invites -> write(i, INVITED, 0, 0, INVITING)
		:: else -> o[i].at = PARK
		fi
#else
		o[i].at = PARK
#endif
	   }
	:: d_step { o[i].at == PARK && MAYRECORD(i) && !beyond -> write(i, PARKED, o[i].number, 0, PARKING) }
	:: d_step { o[i].at == ANSWER && MAYRECORD(i) && !beyond -> write(i, ANSWERED, 0, 0, ANSWERING) }
	:: d_step { o[i].at == FINISH && MAYRECORD(i) && !beyond -> write(i, RESULT, 0, 0, PUBLISHING) }
	/* what was written reaches the log */
	:: d_step { o[i].writing.step != BUSY && !beyond ->
		if
		:: length == MAXLOG -> beyond = 1
		:: o[i].writing.step == RESULT -> results++; assert(results == 1)
		:: o[i].writing.step == INVITED -> announced[o[i].writing.session] = 1
		:: else ->
			entries[length].step = o[i].writing.step; entries[length].number = o[i].writing.number; entries[length].unknown = o[i].writing.unknown;
			entries[length].state = o[i].writing.state; entries[length].session = o[i].writing.session;
			if :: i == 2 && o[2].read == length -> o[2].read++ :: else fi;
			length++;
			/* who waits for a person has told them */
			assert(o[i].writing.state != LOOK || o[i].writing.step != PARKED || link[o[i].writing.session] != LIVES ||
				announced[o[i].writing.session])
		fi;
		if
		:: o[i].alive && o[i].working -> apply(i, o[i].writing)
		:: else
		fi;
		if
		:: o[i].alive && o[i].at == CLAIMING && OWNS(i) -> o[i].covered = 1; o[i].processing = 1; o[i].heard = 0; o[i].at = CALLING
		:: o[i].alive && o[i].at == CLAIMING && !OWNS(i) -> forget(i)
		:: o[i].alive && o[i].at == INVITING -> o[i].invites = 0; o[i].at = PARK
		:: o[i].alive && o[i].at == PARKING ->
			o[i].myState = 0; o[i].mySession = 0; o[i].unsure = 0;
			if :: OWNS(i) -> o[i].at = DUE :: else -> forget(i) fi
		:: o[i].alive && o[i].at == ANSWERING -> o[i].at = FINISH
		:: o[i].alive && o[i].at == PUBLISHING -> forget(i)
		:: else
		fi;
		unsent(i)
	   }
	od
}

/* outside is what happens to one replica, and to what it has sent. */
proctype outside(byte i) {
end:	do
	:: d_step { o[i].processing && !beyond -> acts(i); if :: !o[i].alive -> over(i) :: else fi }
	:: d_step { o[i].processing && !o[i].alive && !beyond -> o[i].processing = 0; over(i) } /* it never got there */
	/* the answer gets lost, before or after the vendor has acted; then the call is over */
	:: d_step { o[i].alive && o[i].at == CALLING && !o[i].processing && faults < FAULTS && !beyond ->
		faults++;
		if :: o[i].state == START -> lostSessions++ :: else fi;
		o[i].myState = o[i].state; o[i].mySession = o[i].session; o[i].found = 0; o[i].invites = 0;
		if
		:: MAYRECORD(i) -> write(i, PARKED, o[i].number, 1, PARKING)
		:: else -> forget(i)
		fi
	   }
	:: d_step { o[i].writing.step != BUSY && !o[i].alive && !beyond -> unsent(i) }
	/* the claim ends, when what it covers must have happened */
	:: d_step { o[i].covered && !OWNS(i) && !o[i].processing && o[i].at != CALLING && o[i].writing.step == BUSY && !beyond ->
		o[i].covered = 0;
		if :: o[i].alive -> forget(i) :: else fi
	   }
	od
}

init {
	byte s;
	o[1].alive = 1; o[1].heard = 0;
	run replica(1); run outside(1);
	o[2].alive = 1; o[2].moved = 1; /* a replica that does not own the shard yet */
	run replica(2); run outside(2);
end:	do
	/* the person comes, and the vendor tells of it */
	:: d_step { link[1] == LIVES && announced[1] && !beyond -> link[1] = ENDED; verdict[1] = 1; s = 1 }
	:: d_step { link[2] == LIVES && announced[2] && !beyond -> link[2] = ENDED; verdict[2] = 1; s = 1 }
	:: d_step { link[3] == LIVES && announced[3] && !beyond -> link[3] = ENDED; verdict[3] = 1; s = 1 }
	:: d_step { link[4] == LIVES && announced[4] && !beyond -> link[4] = ENDED; verdict[4] = 1; s = 1 }
	:: d_step { s == 1 && !beyond -> /* news: every replica hears it */
		s = 2;
#ifndef NO_MEMORY_OF_NEWS
		if :: o[1].alive && !o[1].moved -> o[1].heard = 1; o[1].told = 1 :: else fi;
		o[2].heard = 1; o[2].told = 1
#else
		if :: o[1].at == DUE -> o[1].heard = 1 :: else fi;
		if :: o[2].at == DUE -> o[2].heard = 1 :: else fi
#endif
	   }
#ifndef NEWS_ONLY
	/* or does not */
	:: d_step { link[1] == LIVES && links < LINKS && !beyond -> link[1] = ENDED }
	:: d_step { link[2] == LIVES && links < LINKS && !beyond -> link[2] = ENDED }
	:: d_step { link[3] == LIVES && links < LINKS && !beyond -> link[3] = ENDED }
#endif
	/* the owner dies, or loses the shard; the other one takes it over */
	:: d_step { OWNS(1) && !beyond ->
		if
		:: o[1].state == START && (o[1].at == CALLING || o[1].at == PENDING || o[1].at == PARK || o[1].at == PARKING) -> lostSessions++
		:: else
		fi;
		o[1].alive = 0; o[2].moved = 0;
		o[1].at = NONE; o[1].step = 0; o[1].number = 0; o[1].state = 0; o[1].session = 0; o[1].read = 0; o[1].called = 0; o[1].working = 0;
		o[1].heard = 0; o[1].told = 0;
		if :: !o[1].processing -> over(1) :: else fi
	   }
	:: d_step { OWNS(1) && !beyond ->
		o[1].moved = 1; o[2].moved = 0;
		if
		:: o[1].at == DUE || o[1].at == ATTEMPT || o[1].at == UNSETTLED || o[1].at == NONE || o[1].at == DONE -> forget(1)
		:: else
		fi
	   }
	:: timeout ->
		assert(beyond || results == 1);
		break
	od
}
