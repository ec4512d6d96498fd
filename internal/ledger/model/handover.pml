/*
 * One shard and the members of its group: rebalances, members that leave and hand
 * it over first, that are cut off, or whose joining fails. At most one member may
 * call for the shard at any time, one that keeps it was followed by nobody, and
 * who leaves has had it taken by another one if there is any. See README.md.
 *
 * Bounds:
 *   MEMBERS      2 or 3
 *   GENERATIONS  how many the group has at most
 *   LEAVERS      how many members are told to leave
 *   FAULTS       how many joins fail, members are given up, and bounds pass
 * Mutations, NO_..., take one mechanism away each: model_test.go lists them.
 */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef GENERATIONS
#define GENERATIONS 5
#endif
#ifndef LEAVERS
#define LEAVERS 1
#endif
#ifndef FAULTS
#define FAULTS 1
#endif

/* Where a member is. */
#define OUT     0 /* not in the group */
#define LIVE    1 /* in a generation */
#define JOINING 2 /* its join request is out */
#define JOINED  3 /* it was answered: it asks for its share of the plan */
#define GONE    4 /* it has left for good */

/* Until when it may call. */
#define NEVER   0
#define BOUNDED 1 /* until the group could have given it up */
#define ALWAYS  2

typedef Member {
	byte phase, generation; /* the last that it was assigned in */
	bit owns;               /* the shard, in that */
	byte calls;
	bit asked, said;        /* it is to leave, and has said so when it joined */
	bit lapsed;             /* what it may do ended before the others were ready */
	bit handedOver;
	/* The coordinator's side. */
	bit in, has, answered;  /* it is a member; its join request is there; was answered */
	bit leaving;            /* as it says */
	byte claims             /* the generation in which it had the shard, 0: it has not */
};

Member m[MEMBERS + 1];
byte generation, plan;  /* and who has the shard in it */
bit rebalancing = 1, planned; /* the leader has handed out */
byte leader;
byte holder;            /* who was the last to have begun anew with the shard */
byte leavers, faults;
bit beyond;

#define MAYCALL(i) (m[i].owns && m[i].calls != NEVER)
#define THIRD (MEMBERS > 2 -> 3 : 1)
#define ONECALLS assert(MAYCALL(1) + MAYCALL(2) + (MEMBERS > 2 -> MAYCALL(MEMBERS) : 0) <= 1)
#define STAYS(i) (m[i].in && !m[i].asked && m[i].phase == LIVE)
#define OTHERSTAYS(i) (i != 1 && STAYS(1) || i != 2 && STAYS(2) || i != MEMBERS && STAYS(MEMBERS))
#define ALLJOINED ((!m[1].in || m[1].has) && (!m[2].in || m[2].has) && (!m[MEMBERS].in || m[MEMBERS].has) && (m[1].has || m[2].has || m[MEMBERS].has))

/* The answers to all joins have arrived before the plan has been asked for, made
 * and handed out, which takes four round trips. */
#ifdef NO_TIMELY_ANSWER
#define ARRIVED true
#else
#define ARRIVED (!LATE(1) && !LATE(2) && !LATE(MEMBERS))
#endif
#define LATE(i) (m[i].phase == JOINING && m[i].answered)

inline rebalance() {
	rebalancing = 1; planned = 0;
	for (k : 1 .. MEMBERS) { m[k].answered = 0 }
	k = 0
}

/* out is how a member leaves the group, as the coordinator sees it. */
inline out(i) {
	if
	:: m[i].in -> m[i].in = 0; m[i].has = 0; m[i].answered = 0; m[i].claims = 0; m[i].leaving = 0; rebalance()
	:: else
	fi
}

/* complete answers all join requests. The plan follows from what they claim: who
 * had the shard in the latest generation keeps it, unless it is leaving. */
inline complete() {
	generation++; rebalancing = 0; planned = 0; plan = 0; leader = 0;
	for (k : 1 .. MEMBERS) {
		if :: m[k].has && leader == 0 -> leader = k :: else fi;
		if
		:: m[k].has && m[k].claims > 0 && !m[k].leaving && (plan == 0 || m[k].claims > m[plan].claims) -> plan = k
		:: else
		fi
	}
	for (k : 1 .. MEMBERS) {
		if :: plan == 0 && m[k].has && !m[k].leaving -> plan = k :: else fi
	}
	for (k : 1 .. MEMBERS) {
		if :: plan == 0 && m[k].has -> plan = k :: else fi; /* all are leaving */
		if :: m[k].has -> m[k].has = 0; m[k].answered = 1 :: else fi
	}
	k = 0
}

inline join(i) {
	m[i].phase = JOINING; m[i].in = 1; m[i].has = 1; m[i].said = m[i].asked;
#ifndef NO_WORD_OF_LEAVING
	m[i].leaving = m[i].asked;
#endif
	m[i].claims = (m[i].owns -> m[i].generation : 0);
	if :: !rebalancing -> rebalance() :: else fi
}

/* leave ends the membership for good. */
inline leave(i, forced) {
	m[i].calls = NEVER; m[i].phase = GONE; m[i].handedOver = 1;
	assert(forced || m[i].lapsed || !OTHERSTAYS(i) || plan != i); /* somebody else has it */
	out(i)
}

proctype member(byte i) {
	byte k;
end:	do
	:: d_step { m[i].phase == OUT && !m[i].asked && generation < GENERATIONS && !beyond -> join(i) }
	/* the generation ends: it works on, and joins again */
	:: d_step { m[i].phase == LIVE && rebalancing && generation < GENERATIONS && !beyond ->
#ifdef NO_WORKING_ON
		m[i].calls = NEVER;
#else
		if :: m[i].calls == ALWAYS -> m[i].calls = BOUNDED :: else fi;
#endif
		join(i)
	   }
	/* it is to leave, and hands over */
	:: d_step { m[i].phase == LIVE && m[i].asked && m[i].owns && !m[i].said && (m[1].in + m[2].in + (MEMBERS > 2 -> m[MEMBERS].in : 0) > 1) &&
		generation < GENERATIONS && !beyond ->
#ifdef NO_HANDOVER
		leave(i, 0)
#else
		if :: m[i].calls == ALWAYS -> m[i].calls = BOUNDED :: else fi;
		join(i)
#endif
	   }
	/* it has handed over, or there is nobody to take it */
	:: d_step { m[i].phase == LIVE && m[i].asked && !rebalancing && generation == m[i].generation &&
		(!m[i].owns || m[i].said || m[1].in + m[2].in + (MEMBERS > 2 -> m[MEMBERS].in : 0) == 1) && !beyond -> leave(i, 0) }
	/* the join is answered: others may have the shard before our share is here */
	:: d_step { m[i].phase == JOINING && m[i].answered && !beyond ->
		m[i].phase = JOINED;
		assert(!m[i].owns || m[i].lapsed || m[i].calls != NEVER); /* until then it worked on */
#ifndef NO_FENCE_AT_ANSWER
		m[i].calls = NEVER
#endif
	   }
	:: d_step { m[i].phase == JOINED && m[i].answered && !planned && leader == i && !beyond -> planned = 1 }
	/* Assign */
	:: d_step { m[i].phase == JOINED && m[i].answered && planned && ARRIVED && !beyond ->
		m[i].answered = 0;
		if
		:: plan == i ->
#ifdef NO_GENERATION_COUNT
			if :: m[i].owns -> assert(holder == i) :: else -> holder = i fi;
#else
			if :: m[i].owns && generation <= m[i].generation + 1 -> assert(holder == i) /* kept: nobody has had it */ :: else -> holder = i fi;
#endif
			m[i].owns = 1; m[i].calls = ALWAYS
		:: else -> m[i].owns = 0; m[i].calls = NEVER
		fi;
		m[i].generation = generation; m[i].phase = LIVE; m[i].lapsed = 0;
		if :: m[i].asked && !m[i].owns -> m[i].handedOver = 1 :: else fi;
		ONECALLS
	   }
	/* another rebalance has begun meanwhile: refused */
	:: d_step { m[i].phase == JOINED && !m[i].answered && rebalancing && generation < GENERATIONS && !beyond -> m[i].lapsed = 1; join(i) }
	/* joining fails: kafka-go leaves the group */
	:: d_step { (m[i].phase == JOINING || m[i].phase == JOINED) && faults < FAULTS && !beyond ->
		faults++;
		m[i].phase = (m[i].asked -> GONE : OUT); m[i].lapsed = 1;
#ifndef NO_FENCE_AT_FAILURE
		m[i].calls = NEVER;
#endif
		out(i)
	   }
	/* cut off: until the bound it may go on */
	:: d_step { m[i].phase == LIVE && m[i].calls == ALWAYS && faults < FAULTS && !beyond ->
		faults++;
		m[i].calls = BOUNDED; m[i].phase = OUT; m[i].lapsed = 1
	   }
	:: d_step { m[i].calls == BOUNDED && m[i].lapsed && !beyond -> m[i].calls = NEVER }
	/* it leaves in any case */
	:: d_step { m[i].asked && m[i].phase != GONE && m[i].phase != OUT && faults < FAULTS && !beyond -> faults++; leave(i, 1) }
	od
}

init {
	byte k;
	atomic {
		run member(1);
		run member(2);
#if MEMBERS > 2
		run member(3)
#endif
	};
end:	do
	:: d_step { rebalancing && ALLJOINED && !beyond -> complete() }
	:: d_step { leavers < LEAVERS && !m[1].asked && m[1].phase != OUT && !beyond -> leavers++; m[1].asked = 1 }
	:: d_step { leavers < LEAVERS && !m[2].asked && m[2].phase != OUT && !beyond -> leavers++; m[2].asked = 1 }
	/* the group gives up a member that it has not heard of: not while that may call */
#ifdef NO_BOUND
#define GIVENUP(i) (m[i].in && m[i].phase == OUT && m[i].lapsed)
#else
#define GIVENUP(i) (m[i].in && m[i].phase == OUT && m[i].lapsed && m[i].calls == NEVER)
#endif
	:: d_step { GIVENUP(1) && !beyond -> out(1) }
	:: d_step { GIVENUP(2) && !beyond -> out(2) }
	od
}
