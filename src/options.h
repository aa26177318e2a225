/** The command line: one table of options, from which --help and the messages come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "cli.h"

struct options {
	char *data_file;	     /* --data-file, else COVERAGE_FILE, else ".coverage" */
	struct string_list source, include, omit; /* comma separated and repeatable */
	bool pylib, append, parallel_mode, process_contexts, wait, no_follow;
	char *context;	 /* --context, or NULL */
	int save_signal; /* 0: none */
	int save_every;	 /* milliseconds; 0: never */
	int verbose; /* -v: 1, -q: -1 */
	bool sync;
	char **command; /* NULL terminated, points into argv */
};

/** The main command, for its table of options. */
extern const struct cli_command main_command;

enum cli_result options_parse(struct options *o, int argc, char **argv) must_check;
void options_deinit(struct options *o);
