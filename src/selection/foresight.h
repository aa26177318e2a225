/**
 * What an agent is told of files that nobody will want (struct agent_refused), so that the interpreter's own library is
 * not measured in vain. Only what the selection refuses for certain, whatever the rest of the program does.
 */
#pragma once

#include "attach/agent/agent_abi.h"
#include "selection/selection.h"
#include "supervisor/run.h"

/** Of the interpreter that was asked for last; all zeros is an empty one. */
struct foresight {
	uint32_t hexversion;
	char *executable, *library;
	uint64_t root_dev, root_ino;
	char text[AGENT_REFUSED_TEXT];
};

void foresight_deinit(struct foresight *f);

/** The text of `struct agent_refused` for @p run, with its root_fd; "" if nothing is certain. Good until the next call. */
const char *foresight_get(struct foresight *f, const struct selection *selection, const struct run *run);
