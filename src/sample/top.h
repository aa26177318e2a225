/** `pycov-trace top`: a live view of a process that runs, and of those below it. */
#pragma once

#include "sample/sampler.h"

struct top_options {
	pid_t pid;
	double interval; /* seconds between screens */
	bool lines;	 /* not functions, to begin with */
	struct sampler_options sampler;
};

/** Until the user quits or the process has ended. The exit status. */
int top_run(const struct top_options *options);
