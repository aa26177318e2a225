/** Follows a tree of processes from its first program to its last end. */
#pragma once

#include <sys/types.h>

#include "keeper.h"
#include "process.h"

struct supervisor {
	const struct options *options;
	struct keeper keeper;
	struct images images;
	struct processes processes;
	uint32_t last_run; /* id of the latest run */
	pid_t command;	   /* the process that the user started; 0 once its end was passed on */
	bool is_held;	   /* --wait: the command has ended, and its parent is not told before the others have */
	int message_fd;	   /* where messages go while the command runs */
	bool python_ran;
};

/** @p keeper_socket and @p message_fd are taken over. */
void supervisor_init(struct supervisor *s, const struct options *options, int keeper_socket, int message_fd);
void supervisor_deinit(struct supervisor *s);

/** Trace @p pid, which waits for us. */
int supervisor_follow(struct supervisor *s, pid_t pid) must_check;

/** Until nothing is left to follow, or we are told to leave. All signals must be blocked. */
void supervisor_run(struct supervisor *s);
