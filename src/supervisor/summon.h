/**
 * Having the agent carry out a request in a program that runs, with the GIL held: a thread of the program comes for it by
 * itself (attach/arm.h). Those that wait in the kernel are neither stopped nor woken; they come when they wake, before
 * their next line. One that runs Python code now comes at its next line, or its next look at the eval breaker.
 *
 *   summon_begin()                        all is prepared, nothing leads to it
 *   summon_set(), threads that run stopped   now it does
 *   summon_hurry(), the same, again and again   for who holds the GIL and does not wait
 *   program_call(), when they come        until program.is_carried_out
 *   summon_end()                          nothing of it is left
 */
#pragma once

#include "supervisor/program.h"

/** A thread that is stopped. */
struct summon_thread {
	pid_t tid;
	raddr pc, sp, fs_base;
};

/**
 * p->runtime is known (program_find()), and so is p->blob if the agent is there through us; else one that is left from
 * an earlier time is looked for. -ENOENT: no room for a few instructions. -ENOTSUP: this build cannot be entered. -EEXIST: an
 * agent of another build of ours records in it.
 */
int summon_begin(struct program *p, const struct remote *r, enum agent_request request) must_check;

/** What an agent must know to meet threads where @p p has them met. */
int summon_tell_waking(const struct program *p, const struct remote *r) must_check;

/** Is an agent of this build in it, which records or has left things behind? Its address goes to p->blob. */
bool summon_finds_agent(struct program *p, const struct remote *r);

/** Whoever came was here for something else (program.is_to_repeat): as after summon_begin(). */
int summon_repeat(struct program *p, const struct remote *r) must_check;

/** The same, for what was left of a request that was carried out (program.is_to_go_on). */
int summon_go_on(struct program *p, const struct remote *r) must_check;

/** -EAGAIN: one of @p threads, those that run, is where the jump is to be. Try again. */
int summon_set(struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n) must_check;

/** Is there somebody who holds the GIL of the main interpreter? */
bool summon_gil_is_held(const struct program *p, const struct remote *r);

/** Bring whoever holds the GIL: one of @p threads, which are all that run, or one that waits. */
void summon_hurry(const struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n);

/** @p p is that of a forked child, which has not run yet. -ENOENT: nothing of it is there, begin anew. */
int summon_inherit(struct program *p, const struct remote *r) must_check;

/** Whoever comes does without us what he comes for. */
int summon_leave_alone(struct program *p, const struct remote *r) must_check;

/** Nobody is to come any more. */
int summon_cancel(struct program *p, const struct remote *r);

/** May a thread that is at @p pc go to what summon_begin() has written? It is in there, or in the agent. */
bool summon_is_near(const struct program *p, raddr pc);

/** Is a thread of the process, @p pid in its own namespace, in the agent, or in what that has called? */
bool summon_is_inside(const struct program *p, const struct remote *r, pid_t pid);

/**
 * Take away what summon_begin() has written; nobody may be near. @p threads are those that run. -EAGAIN: something still
 * leads there. Try again.
 */
int summon_end(struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n) must_check;
