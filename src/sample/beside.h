/**
 * Sitting on the CPU of the thread that is read. While the sampler runs there, that thread cannot: its stack keeps still
 * without being stopped, and the moment is the timer's, not one that the thread happened to be quiet at.
 *
 * For threads that cannot be read from elsewhere, as they call and return faster than one look takes. It costs them the
 * time of the look, as any other process on that CPU does.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum beside_answer {
	BESIDE_REFUSED, /* it is no CPU of ours, or the thread has a priority that would leave us no time there */
	BESIDE_WAS_THERE,
	BESIDE_CAME,
};

/** All zeros sits nowhere. Of the calling thread. */
struct beside {
	cpu_set_t allowed; /* what we began with; no more than these are sat on */
	bool is_known, is_refused;
	bool is_there;
	int cpu; /* if is_there */
	uint64_t until_ns;
};

/** Sit on the CPU that thread @p tid is on, for a while from @p now_ns (CLOCK_MONOTONIC) on. */
enum beside_answer beside_join(struct beside *b, pid_t tid, uint64_t now_ns);

/** Leave if the while is over: it may be quieter now, and reading from elsewhere costs it nothing. */
void beside_look(struct beside *b, uint64_t now_ns);

/** Go where we were allowed to run. */
void beside_leave(struct beside *b);
