/**
 * One program image of a process, from exec to the next exec or the end: is there Python in it, and how is the agent
 * brought in. Everything happens while one of its threads is stopped, and each step leaves the program able to go on
 * without us.
 *
 *   exec stop            does the file, or what it may load, have to do with Python?  -> boot
 *   the boot's call      memory for the agent is mapped, and a memfd was made         -> the agent and a region
 *   (meanwhile           while the loader is at work: what is said of the process, and in its libpython)
 *   call at the entry    the libraries are mapped: look for a runtime in them         -> hooks are set, the agent is on its own
 *   (next call           after memory for them had to be asked for)
 *   call at a load       the loader mapped a library: as at the entry
 */
#pragma once

#include "attach/arm.h"
#include "attach/boot.h"
#include "attach/remote.h"
#include "supervisor/images.h"
#include "supervisor/run.h"

enum program_phase {
	PROGRAM_UNTOUCHED, /* nothing of ours is in it */
	PROGRAM_BOOTING,   /* the boot code was entered */
	PROGRAM_SUMMONED,  /* it runs, and one of its threads is to come by itself (summon.h) */
	PROGRAM_WAITING,   /* the agent is in, and waits for the entry point or for a library */
	PROGRAM_MEMORY,	   /* a runtime was found, the agent makes what memory is missing */
	PROGRAM_LOADER,	   /* the same, to watch the loader */
	PROGRAM_HOOKED,	   /* the agent works on its own */
	PROGRAM_FORKED,	   /* in a forked child, the agent makes a region of its own */
};

struct program {
	enum program_phase phase;
	enum agent_fork_mode fork_mode; /* kept through program_deinit(), */
	bool branches;			/* as this is: they are to be recorded */
	struct boot boot;
	raddr blob;		       /* the agent; 0: none */
	int ready_fd;		       /* a region that it has mapped and does not use yet; -1: none */
	const struct image *exe;       /* the program's file, if it is known to have a runtime, or to be about to */
	raddr runtime_bias;	       /* of `runtime` */
	const struct image *runtime;   /* the image with Python in it; NULL: none was found */
	struct run run;		       /* once it is hooked; the supervisor hands it to the keeper */
	raddr runtime_base;	       /* where its ELF header is mapped; 0: unknown */
	struct hook hooks[HOOK_COUNT]; /* that are set; `patch` 0: none */
	/* summon.h: */
	struct arm arm;
	enum agent_request request;   /* what a thread is summoned for; none when it was carried out */
	raddr waking;		      /* the function at which threads are met; 0: not looked for yet */
	enum agent_summoned summoned; /* what it is */
	pid_t carrier;		      /* the thread that has come for it; 0: nobody yet */
	bool is_carried_out;	      /* the latest one was */
	bool is_to_repeat;	      /* it was not: it is to be asked for again */
	bool is_to_go_on;	      /* it was, but for what AGENT_REQUEST_GO_ON is to do */
	const char *refusal;	      /* why Python code is not measured, or NULL */
	bool refusal_told;	      /* the user knows */
	const struct image *other;    /* one more runtime in the process, which is not measured; or NULL */
	bool other_told;
};

void program_init(struct program *p);
void program_deinit(struct program *p);

/** At the exec stop of @p r's thread. Never fails: what cannot be measured runs unmeasured, with a `refusal`. */
void program_exec(struct program *p, const struct remote *r, struct images *images);

/**
 * After a stop of @p pid's first thread, which goes on by now: if it has the loader to wait for, find out what its next
 * call would have to wait for.
 */
void program_look_ahead(struct program *p, pid_t pid, struct images *images);

/** At a signal stop of @p r's thread with AGENT_SIGNAL: true if it was the agent that called, and was served. */
bool program_call(struct program *p, const struct remote *r, struct images *images);

/**
 * Is program_call() about to change instructions that threads of other interpreters, with GILs of their own, may come to
 * meanwhile? They are to be stopped elsewhere.
 */
bool program_is_to_patch(const struct program *p, const struct remote *r);
/** It cannot be measured because of @p error. */
void program_refuse(struct program *p, int error);
/** They cannot be: in place of program_call(). */
void program_put_off(struct program *p);
/** Would a thread at @p pc be in instructions that are to become a jump, or have been one? */
bool program_patches_at(const struct program *p, raddr pc);

/** Look for a runtime in what the running process @p pid has mapped. -ENOENT, -ESRCH; -ENOTSUP: p->refusal says why. */
int program_find(struct program *p, pid_t pid, struct images *images) must_check;

/** Nothing in the runtime's code leads to the agent any more. With the GIL held by the thread of @p r. */
int program_unhook(struct program *p, const struct remote *r) must_check;
/** The same, and that nobody is summoned any more, is to be done by whoever comes for a detach when we have gone. */
int program_tell_undo(struct program *p, const struct remote *r) must_check;

/** The keeper has the run: its id alone is needed from now on. *@p ret takes the rest over. */
void program_handed_over(struct program *p, struct run *ret);

/**
 * Tell the agent at @p blob which files nobody wants: AGENT_REFUSED_TEXT bytes. The program may be running, or be gone;
 * @p r was opened when it was stopped.
 */
void program_tell_refused(const struct remote *r, raddr blob, const char *text);

/** @p child is a copy of @p parent's image: the same run. */
void program_fork(struct program *child, const struct program *parent);
