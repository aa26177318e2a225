/**
 * The stack of compiled code of a stopped thread, as attach/unwind.h finds it, and names for it, as elfutils does: by
 * symbol tables and separate debug information.
 *
 * elfutils believes files of the target's choice; what is made of them is bounded, but it is a large library.
 */
#pragma once

#include "attach/unwind.h"

struct native;

struct native_symbol {
	uint64_t ip;
	char *function; /* NULL: not known */
	char *file;	/* the program or library; NULL: none */
	uint64_t size;	/* of the function; 0: not known */
	uint32_t tag;	/* the caller's; 0 at first */
};

/** For the threads of @p pid. -ENOMEM. */
int native_new(pid_t pid, struct native **ret) must_check;
void native_free(struct native *native);

/** As unwinder_walk(). Symbols found before may be gone. */
int native_unwind(struct native *native, pid_t tid, struct unwind_frame frames[UNWIND_DEPTH_MAX], size_t *n,
		  bool *is_whole) must_check;

/** What is at @p ip; NULL: no memory. Valid until the next native_unwind(). */
struct native_symbol *native_symbol_find(struct native *native, uint64_t ip);
