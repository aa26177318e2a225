/**
 * The interpreters that ran in a tree: what is known of each, and for each of their files whether it is wanted, and what
 * it is recorded as.
 */
#pragma once

#include "selection/selection.h"
#include "supervisor/recorder.h"

struct known_file {
	char *name; /* as the interpreter has it */
	char *path; /* as it is recorded; NULL: not wanted */
};

struct interpreter {
	struct interpreter *next;
	uint32_t hexversion;
	char *executable, *library;
	int root_fd; /* its root directory, or -1: ours */
	struct interpreter_facts facts;
	struct hash_key key;
	struct hashmap files;	     /* of struct known_file */
	struct string_list packages; /* directories of the packages of --source that it has imported */
	size_t n_walked;	     /* of those, looked through for files that never ran */
	size_t n_found;		     /* or in advance */
};

/** The one of @p run. -EAGAIN, only when it is @p early: it has not come to life yet. */
int interpreter_get(struct recorder *r, const struct run *run, bool early, struct interpreter **ret) must_check;
void interpreter_free(struct interpreter *it);

/** The file that @p it has as @p name; it is judged when it is asked for first. */
int interpreter_file(struct recorder *r, struct interpreter *it, const char *name, struct known_file **ret) must_check;

/** Does judging a file say something (--debug=trace)? */
bool interpreter_says_verdicts(const struct recorder *r);
