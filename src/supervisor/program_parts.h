/** What program.c and the other files program_*.c know of each other. */
#pragma once

#include <stddef.h>

#include "attach/hook.h"
#include "supervisor/program.h"

#define HOOK_PAGE_SIZE AGENT_HOOK_PAGE

/* Where a field of the agent of program `p` is. */
#define DATA(field) (p->blob + boot_blob()->data + offsetof(struct agent, field))

static inline raddr program_runtime_addr(const struct program *p, uint64_t vaddr)
{
	return vaddr ? vaddr + p->runtime_bias : 0;
}

/* program_find.c */

/** The file that process @p pid runs; NULL if it cannot be looked into. */
const struct image *program_exe_image(pid_t pid, struct images *images);

/** What /proc says of @p pid goes into the run. */
void program_note_process(struct program *p, pid_t pid);

/** Find the runtime among what is mapped. -ENOENT. */
int program_find_runtime(struct program *p, pid_t pid, struct images *images) must_check;
/** The loader has mapped what may be one more. */
int program_find_another(struct program *p, const struct remote *r, struct images *images) must_check;

/** Why the runtime that was found cannot be measured; NULL if it can. */
const char *program_reason(const struct program *p);

/**
 * System calls that we make in the target run under its seccomp filters. Filters that we are under ourselves (those of
 * a container, say) let through what we do; others are not tried.
 */
#define PROGRAM_BEHIND_A_FILTER                                                                                        \
	"a seccomp filter of its own forbids what measuring needs; it can be sampled (pycov-trace sample)"
bool program_seccomp_allows(pid_t pid, const struct images *images);

/* program_memory.c */

/** Have the agent make @p n system calls. */
int program_leave_calls(struct program *p, const struct remote *r, const struct agent_call *calls,
			uint32_t n) must_check;
int program_call_result(const struct program *p, const struct remote *r, unsigned int i, int64_t *ret) must_check;
/** The one for a page for hooks near @p near. */
int program_page_call(const struct remote *r, raddr near, struct agent_call *call) must_check;

/** The first call of all, by the boot code. */
int program_on_boot_call(struct program *p, const struct remote *r) must_check;
/** A runtime was found: have made what is missing, if something is, */
int program_ask_for_memory(struct program *p, const struct remote *r) must_check;
/** and use it: the agent records from now on. */
int program_set_up(struct program *p, const struct remote *r) must_check;
/** A forked child asks for a region of its own, in two steps. */
int program_on_fork_child(struct program *p, const struct remote *r) must_check;

/* program_loader.c */

/** There is no runtime yet: have a page made for the hook, */
int program_ask_for_loader_page(struct program *p, const struct remote *r, struct images *images) must_check;
/** and set it. */
int program_watch_loader(struct program *p, const struct remote *r, struct images *images) must_check;

/* program_hooks.c */

/** The agent knows how to go on before anything leads to it. */
int program_hook_function(struct program *p, const struct remote *r, struct hook_page *page, enum agent_hook which,
			  raddr function) must_check;
/** All that the agent records with; the stubs go to the page at @p page. */
int program_set_hooks(struct program *p, const struct remote *r, raddr page) must_check;
/**
 * What an earlier one has hooked for this agent stays so throughout: threads may be on the way in other interpreters,
 * and traps that are planted need it. @p page, if not NULL: what it has there is kept.
 */
void program_adopt_hooks(struct program *p, const struct remote *r, struct hook_page *page);
