/**
 * Where an interpreter has its standard library and its third-party packages, worked out from
 * outside: nothing is run.
 *
 * The directories are those of all POSIX schemes of `sysconfig` (CPython Lib/sysconfig.py, 3.8 to
 * 3.15, and Debian's patch to it), as coverage.py takes them (coverage/inorout.py, 7.17.3).
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "selection/rootpath.h"

#include <stddef.h>

/** What is known of a process. Everything but the version may be missing (NULL, 0). */
struct interpreter_hints {
	const char *root; /* of the process: "/proc/PID/root"; "" or NULL for ours */
	unsigned int major, minor;
	const char *abi;		  /* "t" for a free-threaded build */
	const char *executable;		  /* absolute, as started: the link in a venv, not its target */
	const char *prefix, *base_prefix; /* sys.prefix, sys.base_prefix */
	const char *stdlib_dir;		  /* where encodings/ is: see interpreter_stdlib_of() */
	const char *home;		  /* $HOME */
	const char *user_base;		  /* $PYTHONUSERBASE, else ~/.local */
	const char *const *sys_path;	  /* absolute entries; those in a venv are third-party */
	size_t n_sys_path;
};

/** Absolute directories without links. The strings are owned. */
struct path_list {
	char **paths;
	size_t n;
};

struct interpreter_facts {
	struct rootpath root;
	char *prefix, *base_prefix; /* NULL when unknown */
	struct path_list stdlib, third_party, sys_path;
	struct path_list venv_entries; /* those of sys_path that lie in a venv */
	struct hashmap directories;    /* private: which of them lie in a venv */
	struct hash_key key;
};

/**
 * Work out the facts. Missing prefixes are looked for as CPython does (Modules/getpath.py):
 * pyvenv.cfg beside or above the executable, then lib/pythonX.Y/os.py upwards from it. -ENOMEM.
 */
int interpreter_facts_init(struct interpreter_facts *facts, const struct interpreter_hints *hints) must_check;
void interpreter_facts_deinit(struct interpreter_facts *facts);
#define _cleanup_interpreter_facts_ _cleanup_(interpreter_facts_deinit)

/**
 * Forget the entries of sys.path, and the third-party directories that came from them, and take
 * these: programs change it while they run.
 */
int interpreter_facts_set_sys_path(struct interpreter_facts *facts, const char *const *entries, size_t n) must_check;

/**
 * True if @p path, without links, is in a directory of third-party packages: one of a scheme, or an
 * entry of sys.path with a pyvenv.cfg above it. While sys.path is unknown, any file counts that
 * has a pyvenv.cfg above its directory.
 */
bool interpreter_facts_is_third_party(struct interpreter_facts *facts, const char *path);

/**
 * The standard library's directory if @p path tells: that of a file which only it has, such as
 * .../pythonX.Y/encodings/__init__.py or a module in lib-dynload/. NULL if not; the caller frees.
 */
char *interpreter_stdlib_of(const char *path, unsigned int major, unsigned int minor);

/**
 * The file that tells whether the standard library is where it is taken to be, as the interpreter names it: it runs it
 * before all others. NULL if there is none; the caller frees.
 */
char *interpreter_facts_landmark(struct interpreter_facts *facts, unsigned int major, unsigned int minor);

/** True if @p path, without links, is one of the directories or lies below one. */
bool path_list_covers(const struct path_list *list, const char *path);
