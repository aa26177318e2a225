/**
 * Which files are measured: --source, --include, --omit, and the default, which leaves out the
 * standard library and third-party packages. Rules, order and reasons as in coverage.py
 * (coverage/inorout.py, 7.17.3); where it asks the running interpreter, we ask
 * interpreter_facts.h, and the name of a module comes from its place.
 */
#pragma once

#include "base/cleanup.h"
#include "selection/dir_cache.h"
#include "selection/glob.h"
#include "selection/interpreter_facts.h"

#include <stdbool.h>
#include <stddef.h>

/** NULL-terminated lists; NULL is an empty one. All zeros is the default selection. */
struct selection_options {
	const char *const *source;	/* directories, or else names of modules and packages */
	const char *const *source_dirs; /* directories only */
	const char *const *source_pkgs; /* names only */
	const char *const *include;	/* ignored when there is a source */
	const char *const *omit;
	bool pylib;		 /* the standard library too */
	bool namespace_packages; /* look for unexecuted files in all directories */
	const char *const
		*script_dirs; /* imports there have no package around them, whatever is asked for by `source` */
};

struct selection;

/**
 * Make a selection. What is relative is so to the working directory of now. -EINVAL: a setting is
 * wrong; @p why, of @p size bytes, names it. -ENOMEM. The strings of @p options are copied.
 */
int selection_new(const struct selection_options *options, char *why, size_t size, struct selection **ret) must_check;

/** NULL is accepted. */
void selection_free(struct selection *sel);

#define SELECTION_REASON_MAX 128

/** All zeros, or set by selection_judge() before; freed by verdict_deinit(). */
struct verdict {
	bool in, is_package;		   /* the __init__.py of a --source package, also when it is not in */
	char *path;			   /* without links; what to record the file as. NULL if the name is no path */
	char reason[SELECTION_REASON_MAX]; /* why, or why not */
	const char *package;		   /* of --source, that it is or belongs to, of the selection's; or NULL */
	bool is_whole;			   /* it is that one's own module, not one below it */
};

/**
 * Judge the file @p path, absolute as its process sees it, which the interpreter of @p facts ran.
 * -ENOMEM. Keep the verdict: it costs a few system calls.
 */
int selection_judge(const struct selection *sel, struct interpreter_facts *facts, const char *path,
		    struct verdict *ret) must_check;
void verdict_deinit(struct verdict *verdict);
#define _cleanup_verdict_ _cleanup_(verdict_deinit)

#define SELECTION_FORESEEN_MAX 32

/** What can be said of files before they are known: those in `dirs` are refused, unless their path holds one of `but`. */
struct selection_foresight {
	const char
		*dirs[SELECTION_FORESEEN_MAX]; /* of the facts, without links; only files that are there without one */
	size_t n_dirs;
	char *but[SELECTION_FORESEEN_MAX]; /* owned */
	size_t n_but;
};

/** Of files that the interpreter of @p facts runs. -ENOMEM. Free with selection_foresight_deinit() in each case. */
int selection_foresee(const struct selection *sel, const struct interpreter_facts *facts,
		      struct selection_foresight *ret) must_check;
void selection_foresight_deinit(struct selection_foresight *foresight);
#define _cleanup_foresight_ _cleanup_(selection_foresight_deinit)

/** The path of a file, without links. A negative result ends the walk and is its result. */
typedef int (*selection_file_fn)(void *arg, const char *path);

/**
 * Call @p fn for every Python file in the source directories, has it run or not. As in coverage.py, only directories
 * with an __init__.py are entered, and links to directories are not. A file may come twice. Directories that cannot be
 * read are passed over. @p dirs is for these two only. -ENOMEM.
 */
int selection_unexecuted_files(const struct selection *sel, struct dir_cache *dirs, selection_file_fn fn,
			       void *arg) must_check;

/** The same for the directory @p dir of a source package, which the interpreter of @p facts has imported. */
int selection_unexecuted_in(const struct selection *sel, struct dir_cache *dirs, struct interpreter_facts *facts,
			    const char *dir, selection_file_fn fn, void *arg) must_check;

/** The names of modules and packages that are asked for by --source, NULL behind the last. */
const char *const *selection_packages(const struct selection *sel);

/** True if there is a --source setting: unexecuted files are wanted. */
bool selection_has_source(const struct selection *sel);

/** True if something was asked for, or to be left out. */
bool selection_is_given(const struct selection *sel);

/** True if --include was given, and is ignored because --source was given too: warn of it. */
bool selection_include_is_ignored(const struct selection *sel);

/**
 * Add patterns, each as it is given and, unless it begins with `*` or `?`, on the working directory
 * too (coverage.py's prep_patterns()). @p patterns is NULL-terminated or NULL. Errors as glob_new().
 */
int selection_add_patterns(struct glob_list *list, const char *const *patterns, char *why, size_t size) must_check;
