/** Follows a tree of processes from its first program to its last end. */
#pragma once

#include <sys/types.h>

#include "options.h"
#include "process.h"
#include "recorder.h"

struct supervisor {
	const struct options *options;
	struct recorder recorder;
	struct images images;
	struct processes processes;
	pid_t command;	/* the process that the user started; 0 once it has ended */
	int message_fd; /* where messages go while the command runs */
	unsigned int n_measured; /* programs that have ended */
	uint32_t dropped;	 /* lines, files and code objects for which a region had no room */
	bool python_ran;
	bool unsaved; /* something was drained since the data file was written */
};

int supervisor_init(struct supervisor *s, const struct options *options) must_check;
void supervisor_deinit(struct supervisor *s);

/** Trace @p pid, which waits for us. */
int supervisor_follow(struct supervisor *s, pid_t pid) must_check;

/** Until nothing is left to follow. SIGCHLD must be blocked. */
void supervisor_run(struct supervisor *s);
