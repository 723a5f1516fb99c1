/* Several nodes on one store: leases, fencing by epochs, take-over of runs, limits divided into quotas.
 * Each atomic block is one transaction of the database, or one thing that a node does by itself.
 *
 * The adversary may, at any moment: crash a node and start it again; let its lease run out (it was cut off, paused, or
 * slow); hold back a statement that was sent and let it arrive at any later time, also when the node's lease is over, its
 * process is gone and its runs are somebody else's; lose the answer of a statement that was carried out.
 *
 * What is relied on: by the node's own clock its time to act ends before the lease does by the database's, and what it has
 * under way is cut off then. That is the one place where time comes in, see lapse and expire.
 *
 * Invariants, named after the promises in the words of the documentation:
 *   finished_never_runs_again   a step that is recorded is not started again, by no node
 *   never_both_commit           what is recorded of a run was written by the node that has it
 *   limit_never_exceeded        the calls of all nodes together hold no more permits than there are
 *   quotas_within_limit         nor does the store ever promise more
 *   no_leak                     what a node held that is gone is free again
 *
 * With -DRELEASE, which leaves the quotas out, nodes also give the run away and may take it again while the statement that
 * does so is still on its way, or is sent once more.
 *
 * And with -DLIVENESS, which leaves the quotas out and lets each node look for runs in a process of its own, so that weak
 * fairness means that it does so again and again:
 *   taken_over                  a run of a node that is gone is taken over, as long as there is a node that stays able to
 *
 * Mutants, each of which must fail: -DM_NO_EPOCH_CHECK (the journal does not compare the epoch), -DM_NO_QUOTA_WAIT (leases
 * end while their nodes still act), -DM_GROW_UNASKED (a node lets more through before the store has agreed),
 * -DM_LATE_REPORT (what it gives back is reported first, and stopped afterwards), of -DRELEASE -DM_NO_BLOCK_CHECK (a release
 * does not look whether the run was taken since), and of -DLIVENESS -DM_LEAVE_ORPHANS (only what nobody has is claimed). */
#ifndef N
#define N 2
#endif
#define NOBODY N
#define STEPS 2
#define TOTAL 2
#ifdef RELEASE
#define LIVES 3 /* epochs that are given in all */
#else
#define LIVES 5
#endif
#define CLAIMS 3 /* with -DRELEASE */

#ifdef M_NO_QUOTA_WAIT
#define MAY_EXPIRE(n) true
#else
#define MAY_EXPIRE(n) !acts[n]
#endif

byte epochs = 0;
byte epoch_of[N];        /* who may write as this node */
bool gone[N];            /* its lease was ended */
byte owner = NOBODY;     /* of the run */
byte recorded = 0;       /* steps of the run */
byte blocks = 0;         /* of numbers that were given */
byte block = 0;          /* with which the run was taken */
byte held[N];            /* permits, by node */

/* the nodes */
bool up[N];
bool acts[N];            /* by its own clock it may touch the world */
byte epoch[N];
bool has_run[N];
byte numbers[N];         /* the block in which it numbers what it writes */
byte known[N];           /* steps of the run that it knows to be recorded */
byte cap[N];             /* permits that it lets through */
byte calls[N];           /* that hold a permit now */

/* one statement of each node that is on its way; it outlives the process */
bool sent[N];
byte sent_epoch[N];
byte sent_step[N];
/* and one that gives the run away */
bool leaves[N];
byte leaves_epoch[N];
byte leaves_number[N];

#if N == 2
#define SUM(array) (array[0] + array[1])
#else
#define SUM(array) (array[0] + array[1] + array[2])
#endif

inline check_limits() {
  assert(SUM(calls) <= TOTAL);           /* limit_never_exceeded */
  assert(SUM(held) <= TOTAL)             /* quotas_within_limit */
}
inline forget(n) {
  up[n] = false; acts[n] = false; has_run[n] = false; numbers[n] = 0; known[n] = 0; cap[n] = 0;
  calls[n] = 0; epoch[n] = 0
}

/* It takes over the run, if that is nobody's. */
#ifdef M_LEAVE_ORPHANS
#define ORPHANED (owner == NOBODY)
#else
#define ORPHANED (owner == NOBODY || (owner != me && gone[owner]))
#endif
inline claim() {
  atomic { up[me] && epoch[me] == epoch_of[me] && !has_run[me] && recorded < STEPS && blocks < CLAIMS && ORPHANED ->
#ifdef RELEASE
    blocks++; block = blocks; numbers[me] = blocks;
#endif
    owner = me; has_run[me] = true; known[me] = recorded }
}

#ifdef LIVENESS
#define ABLE (up[0] && !gone[0] && epoch[0] == epoch_of[0])
#define ORPHAN (owner < N && gone[owner] && recorded < STEPS)
ltl taken_over { <>[] ABLE -> [] (ORPHAN -> <> !ORPHAN) }

proctype taker(byte me) {
end:
  do :: claim() od
}
#endif

proctype node(byte me) {
end:
  do
  :: atomic { !up[me] && epochs < LIVES ->             /* takes its seat, and with it the runs that nobody claimed */
       epochs++; epoch_of[me] = epochs; epoch[me] = epochs; gone[me] = false; held[me] = 0;
       up[me] = true; acts[me] = true; numbers[me] = blocks;
       if :: owner == me -> has_run[me] = true; known[me] = recorded :: else fi }
  :: atomic { up[me] -> forget(me) }                   /* crashes; its calls end with it */
  :: atomic { up[me] && epoch[me] != epoch_of[me] -> forget(me) }   /* finds out that it is fenced, begins anew */
  :: atomic { up[me] && epoch[me] == epoch_of[me] && !gone[me] -> acts[me] = true }  /* renews */
#ifndef LIVENESS
  :: claim()
#endif
#if !defined(LIVENESS) && !defined(RELEASE)
  /* quotas */
  :: atomic { up[me] && epoch[me] == epoch_of[me] && !gone[me] ->    /* a round: reports its cap, gets what is free */
       held[me] = cap[me];
       if :: SUM(held) < TOTAL -> held[me]++ :: true fi;
       check_limits();
       if :: cap[me] = held[me] :: skip /* the answer was lost */ fi }
#ifdef M_GROW_UNASKED
  :: atomic { up[me] && cap[me] < TOTAL -> cap[me]++ }
#endif
  :: atomic { up[me] && calls[me] < cap[me] -> cap[me]-- }           /* lets less through, which the next round reports */
#ifdef M_LATE_REPORT
  :: atomic { up[me] && epoch[me] == epoch_of[me] && !gone[me] && held[me] > 0 -> held[me]-- }
#endif
  :: atomic { up[me] && acts[me] && calls[me] < cap[me] -> calls[me]++; check_limits() }
  :: atomic { up[me] && calls[me] > 0 -> calls[me]-- }
#endif

  /* the run: does its next step, and sends what came of it */
  :: atomic { up[me] && acts[me] && has_run[me] && known[me] < STEPS && !sent[me] ->
       assert(recorded <= known[me]);                  /* finished_never_runs_again */
       sent[me] = true; sent_epoch[me] = epoch[me]; sent_step[me] = known[me] }
#ifdef RELEASE
  :: atomic { up[me] && has_run[me] && !sent[me] && !leaves[me] ->   /* gives it away, nothing being under way */
       has_run[me] = false;
       leaves[me] = true; leaves_epoch[me] = epoch[me]; leaves_number[me] = numbers[me] }
#endif
  od
}

/* Statements arrive, in their own time. */
active proctype journal() {
  byte n = 0;
end:
  do
  :: atomic { sent[n] ->
       if
#ifndef M_NO_EPOCH_CHECK
       :: sent_epoch[n] != epoch_of[n] -> sent[n] = false         /* stores nothing */
       :: else ->
#else
       :: true ->
#endif
         if
         :: sent_step[n] < recorded -> skip                       /* repeated: it is there already */
         :: else ->
              assert(owner == n);                                 /* never_both_commit */
              recorded = sent_step[n] + 1
         fi;
         if
         :: sent[n] = false;
            if :: up[n] && epoch[n] == sent_epoch[n] && has_run[n] -> known[n] = sent_step[n] + 1 :: else fi
         :: skip                                                  /* the answer was lost; it is sent again */
         fi
       fi }
#ifdef RELEASE
#ifdef M_NO_BLOCK_CHECK
#define STILL true
#else
#define STILL (block <= leaves_number[n])
#endif
  :: atomic { leaves[n] ->
       if
       :: leaves_epoch[n] != epoch_of[n] -> leaves[n] = false
       :: else ->
            if :: owner == n && STILL -> owner = NOBODY :: else fi;
            if :: leaves[n] = false :: skip /* the answer was lost; it is sent again */ fi
       fi }
#endif
  :: atomic { n = (n + 1) % N }
  od
}

/* Time. */
active proctype clock() {
  byte n = 0;
end:
  do
  :: atomic { acts[n] -> acts[n] = false; calls[n] = 0 }          /* lapse: by the node's own clock */
  :: atomic { epoch_of[n] > 0 && !gone[n] && epochs < LIVES && MAY_EXPIRE(n) ->   /* expire: by the database's */
       gone[n] = true; epochs++; epoch_of[n] = epochs; held[n] = 0;
       assert(held[n] == 0) }                                     /* no_leak */
  :: atomic { n = (n + 1) % N }
  od
}

init {
  byte n = 0;
  atomic { do :: n < N ->
         run node(n);
#ifdef LIVENESS
         run taker(n);
#endif
         n++ :: else -> break od }
}
