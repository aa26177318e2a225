/** Sampling from the command line: a process that runs, or a command. */
#pragma once

#include "cli/options.h"
#include "sample/output.h"
#include "sample/sampler.h"

struct sample_options {
	pid_t pid;			     /* 0: run `command` */
	char **command;			     /* NULL-terminated; NULL with `pid` */
	double duration;		     /* seconds; 0: until the end */
	const struct profile_format *format; /* NULL: a table, unless only a data file is wanted */
	const char *output;		     /* NULL: where the format goes by default */
	const struct options *record;	     /* the data file and what is wanted in it; NULL: none is written */
	struct sampler_options sampler;
	struct profile_view view;
	int verbose; /* as in options.h */
};

/** Sample, write the profile, and say on standard error what came of it. The exit status: of the command if there is one. */
int sample_run(const struct sample_options *options);
