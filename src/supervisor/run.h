/**
 * One program that is measured, from its exec on, with all the processes forked from it: what the keeper must know of
 * it. Goes from the supervisor to the keeper in one message, with its descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/region.h"
#include "base/cleanup.h"

/** The strings are owned, and NULL when unknown; paths are as the process sees them. */
struct run {
	uint32_t id; /* of this supervisor's */
	uint32_t hexversion;
	pid_t pid;		/* of the process that exec'd */
	pid_t ns_pid;		/* the same as it sees it itself */
	char *executable;	/* as it was started: a link in a virtual environment, say, not its target */
	char *library;		/* the file with the runtime in it */
	char *home, *user_base; /* $HOME, $PYTHONUSERBASE */
	char *command;		/* arguments, joined by spaces */
	int root_fd;		/* its root directory; -1: ours */
	int region_fd;		/* attach/region.h; -1: handed over, or none yet */
};

void run_init(struct run *run);
void run_deinit(struct run *run);

/** Fill in what /proc says of @p pid: all but id, hexversion, library and region. */
void run_note_process(struct run *run, pid_t pid);

/** The longest message; longer strings are cut. */
#define RUN_MESSAGE_MAX 16384

/** Write all but the descriptors to @p buf; returns the length. */
size_t run_encode(const struct run *run, unsigned char buf[RUN_MESSAGE_MAX]);

/** The reverse. -EBADMSG, -ENOMEM. */
int run_decode(const unsigned char *buf, size_t len, struct run *ret) must_check;
