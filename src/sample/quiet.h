/**
 * Which threads of a process need not be looked at, as they sleep and have slept for long.
 *
 * Each look at a thread is a system call, and a server has hundreds of threads that wait. What they do is known without
 * one, as long as two numbers stay as they are:
 *
 * - how often the GIL has gone from one thread to another. Nobody but its last holder can have run any Python since, so
 *   the stacks of all others are what they were;
 * - the CPU time of the process less that of the threads that do run. It grows when one of the others comes to a CPU. One
 *   that is there at this moment, for the first time in a hundred looks, may not be counted yet, until the kernel's next
 *   tick: that long it is still taken for asleep (its stack is right even so).
 *
 * If either changes, all are looked at, and those that were awake are so each time from then on.
 */
#pragma once

#include "sample/target.h"

/** After target_list(), before its threads are looked at: set `is_quiet` of each. @p idle: those that sleep are counted. */
void quiet_find(struct target *t, bool idle);

/** True if @p thread has slept since the last look; asks the kernel unless it `is_quiet`. */
bool thread_sleeps_on(struct target_thread *thread);
