/*
 * A verdict that its vendor changes after it was given: news of it reaches every
 * replica, in any order, and whoever owns the shard asks the vendor and publishes
 * a further revision, under owners that crash or lose the shard at any step. In
 * the end the last revision is the vendor's verdict, each is published once, and
 * none before the one before it. See README.md.
 *
 * Bounds:
 *   CHANGES  how many times the vendor changes its verdict
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 */
#ifndef CHANGES
#define CHANGES 2
#endif

#define VERDICTS 3
#define LAST (CHANGES + 2) /* more revisions than there can be */

/* Where an owner is with the news that it looks into. */
#define IDLE       0
#define ASKED      1 /* it knows the vendor's present verdict */
#define REVISING   2 /* it is another one than the one that stands */
#define PUBLISHING 3
#define PUBLISHED  4
#define NOTING     5

typedef Owner {
	bit alive;
	bit moved;
	bit answering; /* the first result is this owner's to publish */
	/* Its ledger: the last revision that it knows to be published, 0: none. */
	byte revision, outcome;
	byte read;
	bit news[VERDICTS + 1];
	byte at;
	byte about, verdict; /* what the news says, and what the vendor */
	/* The write under way: of a revision's result, or of the note of it. */
	byte writing; /* 0: none, else PUBLISHING or NOTING */
	byte wRevision, wOutcome
};

typedef Note { byte revision; byte outcome };

Owner o[3];
byte vendor = 1; /* the present verdict */
byte changes;
byte published[LAST + 1]; /* outcomes, by revision */
Note notes[6];   /* the ledger: the answer, and each revision that was noted */
byte length;
bit beyond;

#define OWNS(i) (o[i].alive && !o[i].moved)
#define QUIET ((!o[1].alive || o[1].moved) && o[1].writing == 0)

/* What is reviewed: shards that were read to their end, when nobody else writes. */
#ifdef NO_READING_BEFORE_REVIEW
#define REVIEWABLE(i) (o[i].revision > 0)
#else
#define REVIEWABLE(i) (o[i].revision > 0 && (i == 1 || QUIET && o[i].read == length))
#endif
/* An answer stands once its result is published. */
#ifdef NO_RESULT_BEFORE_STANDING
#define STANDS true
#else
#define STANDS (published[1] != 0)
#endif

inline retire(i) {
	o[i].revision = 0; o[i].outcome = 0; o[i].read = 0; o[i].at = IDLE; o[i].about = 0; o[i].verdict = 0; o[i].answering = 0;
	for (v : 1 .. VERDICTS) { o[i].news[v] = 0 }
	v = 0
}

inline idle(i) { o[i].at = IDLE; o[i].about = 0; o[i].verdict = 0 }

/* take takes in a note, as ledger.Shard.Stand does. */
inline take(i, theRevision, theOutcome) {
	if
	:: theRevision > o[i].revision -> o[i].outcome = theOutcome; o[i].revision = theRevision
	:: else
	fi
}

inline write(i, what, theRevision, theOutcome) {
	o[i].writing = what; o[i].wRevision = theRevision; o[i].wOutcome = theOutcome
}

inline unsent(i) { o[i].writing = 0; o[i].wRevision = 0; o[i].wOutcome = 0 }

inline landed(i) {
	if
	:: o[i].writing == PUBLISHING ->
		assert(published[o[i].wRevision] == 0);                               /* once */
		assert(o[i].wRevision == 1 || published[o[i].wRevision - 1] != 0); /* in order */
		published[o[i].wRevision] = o[i].wOutcome
	:: else ->
		if
		:: length == 6 -> beyond = 1
		:: else -> notes[length].revision = o[i].wRevision; notes[length].outcome = o[i].wOutcome; length++
		fi
	fi
}

proctype replica(byte i) {
	byte v;
end:	do
	/* the request's own owner answers it, and publishes its result */
	:: d_step { OWNS(i) && i == 1 && length == 0 && o[i].writing == 0 && !beyond -> write(i, NOTING, 1, vendor); o[i].answering = 1 }
	:: d_step { OWNS(i) && o[i].answering && o[i].revision >= 1 && published[1] == 0 && o[i].writing == 0 && o[i].at == IDLE && !beyond ->
		write(i, PUBLISHING, 1, notes[0].outcome) }
	/* whoever follows looks for the result, once nobody else writes */
	:: d_step { OWNS(i) && i == 2 && QUIET && length > 0 && published[1] == 0 && o[i].read == length &&
		o[i].writing == 0 && o[i].at == IDLE && !beyond ->
		write(i, PUBLISHING, 1, notes[0].outcome) }
	/* restore, and readOn */
	:: d_step { OWNS(i) && o[i].read < length && !beyond -> take(i, notes[o[i].read].revision, notes[o[i].read].outcome); o[i].read++ }

	/* reviewOne */
	:: atomic { OWNS(i) && o[i].at == IDLE && o[i].writing == 0 && REVIEWABLE(i) && STANDS && !beyond &&
		(o[i].news[1] || o[i].news[2] || o[i].news[3]) ->
		if
		:: o[i].news[1] -> o[i].about = 1
		:: o[i].news[2] -> o[i].about = 2
		:: o[i].news[3] -> o[i].about = 3
		fi;
		if
		:: o[i].about == o[i].outcome -> o[i].news[o[i].about] = 0; idle(i)
		:: else -> o[i].news[o[i].about] = 0; o[i].verdict = vendor; o[i].at = ASKED
		fi
	   }
	:: d_step { OWNS(i) && o[i].at == ASKED && !beyond ->
		if
		:: published[1] == 0 -> idle(i) /* the former result is not there: the news is dropped */
#ifndef NO_LOOK_FOR_LATEST
		:: published[1] != 0 && published[o[i].revision + 1] != 0 ->
			take(i, o[i].revision + 1, published[o[i].revision + 1])
		:: published[1] != 0 && published[o[i].revision + 1] == 0 && o[i].verdict == o[i].outcome -> idle(i)
		:: published[1] != 0 && published[o[i].revision + 1] == 0 && o[i].verdict != o[i].outcome -> o[i].at = REVISING
#else
		:: published[1] != 0 && o[i].verdict == o[i].outcome -> idle(i)
		:: published[1] != 0 && o[i].verdict != o[i].outcome -> o[i].at = REVISING
#endif
		fi
	   }
	/* revise */
	:: d_step { OWNS(i) && o[i].at == REVISING && o[i].writing == 0 && !beyond ->
		if
#ifndef NO_LOOK_FOR_RESULT
		:: published[o[i].revision + 1] != 0 -> o[i].at = PUBLISHED
		:: published[o[i].revision + 1] == 0 -> write(i, PUBLISHING, o[i].revision + 1, o[i].verdict); o[i].at = PUBLISHING
#else
		:: write(i, PUBLISHING, o[i].revision + 1, o[i].verdict); o[i].at = PUBLISHING
#endif
		fi
	   }
	:: d_step { OWNS(i) && o[i].at == PUBLISHED && !beyond -> write(i, NOTING, o[i].revision + 1, o[i].verdict); o[i].at = NOTING }
	/* what was written reaches the log */
	:: d_step { o[i].writing != 0 && !beyond ->
		landed(i);
		if
		:: o[i].alive && o[i].at == PUBLISHING -> o[i].at = PUBLISHED
		:: o[i].alive && o[i].writing == NOTING -> take(i, o[i].wRevision, o[i].wOutcome); idle(i)
		:: else
		fi;
		unsent(i)
	   }
	/* that of the dead perhaps not */
	:: d_step { o[i].writing != 0 && !o[i].alive -> unsent(i) }
	od
}

init {
	byte v;
	o[1].alive = 1; o[2].alive = 1; o[2].moved = 1; /* a replica that does not own the shard yet */
	run replica(1);
	run replica(2);
end:	do
	/* the vendor changes its verdict, and says so */
	:: atomic { length > 0 && changes < CHANGES && !beyond ->
		changes++;
		if
		:: vendor != 1 -> vendor = 1
		:: vendor != 2 -> vendor = 2
		:: vendor != 3 -> vendor = 3
		fi;
		if :: o[1].alive && !o[1].moved -> o[1].news[vendor] = 1 :: else fi;
		o[2].news[vendor] = 1
	   }
	/* the owner dies, or loses the shard; the other one takes it over */
	:: atomic { o[1].alive && !o[1].moved && length > 0 && !beyond ->
		if
		:: o[1].alive = 0
		:: o[1].moved = 1
		fi;
		retire(1);
		o[2].moved = 0
	   }
	:: timeout ->
		assert(beyond || length == 0 || published[1] != 0);
		v = 1;
		do
		:: v < LAST && published[v + 1] != 0 -> v++
		:: else -> break
		od;
		assert(beyond || length == 0 || published[v] == vendor); /* the last word is the vendor's */
		break
	od
}
