/**
 * The sampler: at each tick it reads the stacks of the threads of a process and of those below it, and adds them to a
 * profile. Nothing is written into the processes.
 *
 * A stack that may be of two moments is read again, after some tries on the CPU of its thread (see beside.h), and after
 * more of them dropped and counted.
 */
#pragma once

#include "sample/descendants.h"
#include "sample/profile.h"
#include "sample/runtime.h"
#include "sample/target.h"
#include "supervisor/refusal.h"
#include "supervisor/run.h"

struct sampler_options {
	unsigned int rate; /* per second */
	bool gil;	   /* only threads that hold the GIL */
	bool idle;	   /* threads that wait as well */
	bool subprocesses;
	bool blocking; /* stop each thread while it is read */
	bool native;   /* frames of compiled code as well; implies blocking */
	bool runs;     /* keep what is known of the interpreters */
	bool async;    /* stacks of tasks of asyncio, in place of those of the threads that run them; not with native */
	/** If not NULL, gets each sample, of one frame at least; there need not be a profile then. 0, or -ENOMEM. */
	int (*on_sample)(void *arg, const struct target *t, const struct pystack *stack);
	void *arg;
};

/** Members are for reading. */
struct sampler {
	struct sampler_options options;
	struct profile *profile; /* the caller's; NULL: none, with options.on_sample */
	struct runtimes runtimes;
	struct descendants descendants;
	struct beside beside;
	struct target **targets;
	size_t n_targets, targets_room;
	uint32_t *ids; /* n_ids, of the frames of a stack */
	size_t n_ids;
	pid_t root,
		child; /* root: 0 with sampler_add(); child: the root, if it is our own child; its end is left to be waited for */
	uint64_t started_ns, next_ns, last_ns;
	uint64_t due_ns;  /* when the next look is due */
	uint64_t left_ns; /* when sampler_run() returned last; 0: never */
	uint64_t random;
	uint64_t samples, torn, unread, late;
	bool is_punctual;
	bool was_python;  /* the root, or any other */
	char *cwd;	  /* of the first process sampled: what names of files are relative to; NULL: not known */
	struct run *runs; /* with options.runs: one process of each interpreter */
	size_t n_runs;
	struct refusal refusal; /* why the last one that has a Python in it was not entered; reason 0: none was */
};

/** -ENOMEM. sampler_deinit() in each case. */
int sampler_init(struct sampler *s, const struct sampler_options *options, struct profile *profile) must_check;
void sampler_deinit(struct sampler *s);

/** Sample @p pid, which runs and is Python: else -errno, and *@p refusal says why. */
int sampler_attach(struct sampler *s, pid_t pid, struct refusal *refusal) must_check;

/** Sample @p pid, our own child, and what comes of it; whether that is Python will be seen. */
int sampler_follow(struct sampler *s, pid_t pid) must_check;

/** Sample @p pid, too, as soon as there is a Python in it: instead of the two above, of processes that are told. */
int sampler_add(struct sampler *s, pid_t pid) must_check;
/** And no more. */
void sampler_drop(struct sampler *s, pid_t pid);

/**
 * Sample until @p until_ns (CLOCK_MONOTONIC) or until *@p stop: 0. 1: the root has ended. -ENOMEM. May be called again
 * to go on; sampler_rest() says that this will not be soon.
 */
int sampler_run(struct sampler *s, uint64_t until_ns, const volatile int *stop) must_check;
void sampler_rest(struct sampler *s);

/** Fill in what the profile's info has of the run. */
int sampler_describe(const struct sampler *s, const char *what) must_check;

uint64_t sampler_now(void);
