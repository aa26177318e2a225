/**
 * Requests to the agents of processes that run: attach, detach, reset. Each is carried through by the supervisor's loop,
 * a step at a time, as its process gives occasion to it (summon.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "attach/agent/agent_abi.h"
#include "base/cleanup.h"

struct supervisor;
struct process;

enum errand_state {
	ERRAND_NONE,
	ERRAND_PREPARED, /* nothing leads to it yet */
	ERRAND_WAITING,	 /* somebody is to come */
	ERRAND_TIDYING,	 /* it was carried out, or called off; what was written is to go */
};

/** One of a process. All zeros: none. */
struct errand {
	enum errand_state state;
	enum agent_request request;
	int64_t since, next;   /* CLOCK_MONOTONIC, milliseconds: when it began, and when the next step is due */
	int64_t vain_since;    /* when somebody had come and gone without having entered the agent; 0: that is not so */
	int64_t ran;	       /* when a thread of it was last seen to run */
	unsigned int n_missed; /* how many times in a row not all threads that run could be stopped */
};

static inline bool errand_is_pending(const struct errand *e)
{
	return e->state == ERRAND_PREPARED || e->state == ERRAND_WAITING;
}

/** Begin; an earlier one must be over. Errors as summon_begin(). */
int errand_begin(struct supervisor *s, struct process *p, enum agent_request request) must_check;

/** @p child is a copy that has not run yet, with what was under way in its parent @p of. */
void errand_inherit(struct supervisor *s, struct process *child, pid_t of);

/** Call off what is waiting; it is tidied up. */
void errand_cancel(struct supervisor *s, struct process *p);

/** Do what is due. The milliseconds until the next step, -1: there is none. */
int errands_step(struct supervisor *s);

/**
 * Thread @p carrier has come and is stopped; text is about to be changed (program_is_to_patch()). The others of its process
 * that run are stopped, outside of that text, until errand_release(). Any of them, and the carrier, may be gone after either.
 * -ESRCH: the carrier is; -EAGAIN: one of them stays there.
 */
struct stops;
int errand_hold(struct supervisor *s, pid_t carrier, struct stops **ret) must_check;
void errand_release(struct supervisor *s, struct stops *stops);

/** How many processes have one that is not carried out, and one that is to be tidied. */
unsigned int errands_pending(const struct supervisor *s);
unsigned int errands_untidy(const struct supervisor *s);

/** What the errand of @p p waits for, for the user. */
const char *errand_waits_for(const struct supervisor *s, const struct process *p);

/** Does a thread run of a process that has one? It will come, or let us tidy up, once it gets a processor. */
bool errands_may_proceed(const struct supervisor *s);
