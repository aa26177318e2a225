/** The command line: one table of options, from which --help and the messages come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/string_list.h"
#include "cli/cli.h"
#include "config/config.h"
#include "sample/output.h"

/** What the command line says, and once options_configure() was called, the configuration file where it does not. */
struct options {
	char *data_file;			  /* never NULL once configured */
	struct string_list source, include, omit; /* comma separated and repeatable */
	bool branch, pylib, append, parallel_mode, process_contexts, wait, no_follow;
	char *context;	 /* or NULL */
	int save_signal; /* 0: none */
	int save_every;	 /* milliseconds; 0: never */
	int verbose;	 /* -v: 1, -q: -1 */
	bool sync;
	struct pid_list {
		pid_t *items;
		size_t n;
	} pids; /* --pid: to be attached to */
	bool with_children;
	bool sample, exact;		     /* the lines that run, and which of them are running how often */
	unsigned int rate;		     /* of samples per second */
	const struct profile_format *format; /* of the profile; NULL: none is written */
	char *output;			     /* an absolute path; NULL as well then */
	int duration;			     /* milliseconds; 0: until we are told to stop */
	char **command;			     /* NULL terminated, points into argv or `words` */
	char *rcfile;			     /* --rcfile, or NULL */
	struct string_list debug;	     /* --debug */
	struct string_list words;	     /* of the configured command_line */
	struct config config;		     /* for what has no option */
};

/** The main command, for its table of options. */
extern const struct cli_command main_command;

enum cli_result options_parse(struct options *o, int argc, char **argv) must_check;

/**
 * Read the configuration file, and fill in what the command line left open. CLI_WRONG: the options and settings
 * together are no command that can be run. -EINVAL: the file is wrong. -ENOMEM. It was said on stderr.
 */
int options_configure(struct options *o) must_check;

/** True if --debug has @p topic. */
bool options_debug(const struct options *o, const char *topic);

void options_deinit(struct options *o);
