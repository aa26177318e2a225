/**
 * A profile: what the samples of a run add up to, in memory that is bounded however long it runs.
 *
 * Strings, functions, frames (a line of a function) and call nodes are each kept once, in arrays whose indexes are
 * their ids and never change. A node is a frame called from its parent node; each thread has a root of its own, so
 * that a writer may tell threads apart or merge them. A node's number is higher than its parent's: an array walked
 * backwards meets children before parents, without recursion.
 *
 * Names come from hostile targets: any bytes. Writers make them fit their format.
 *
 * The order of samples is kept only if asked for (formats with a time axis). When `max_runs` are held, neighbours are
 * merged, the survivor drawn by lot in proportion to its time: a coarser picture of the whole time, in place of a sharp
 * one of its beginning.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Flags of a frame. */
enum {
	PROFILE_FRAME_NATIVE = 1, /* of compiled code: `file` is a source file or the object file */
	PROFILE_FRAME_ASYNC = 2,  /* awaited by the next frame outward, which is not its caller */
};

/** Flags of a sample. */
enum {
	PROFILE_ON_CPU = 1,   /* the thread ran or was ready to run */
	PROFILE_GIL = 2,      /* it held the GIL */
	PROFILE_IDLE = 4,     /* it waited */
	PROFILE_GIL_WAIT = 8, /* it waited for the GIL */
};

/** One frame of a stack as it is added; strings may be NULL, which is "?". */
struct profile_frame {
	const char *function; /* qualified name */
	const char *file;
	uint32_t line; /* 0: not known */
	unsigned flags;
};

/** What is summed up, of a node, a process or the whole. Times in nanoseconds. */
struct profile_counts {
	uint64_t samples;
	uint64_t weight_ns; /* time the samples stand for */
	uint64_t cpu_ns;    /* the part of it with PROFILE_ON_CPU */
	uint64_t gil_ns;    /* the part of it with PROFILE_GIL */
};

struct profile_function {
	uint32_t name, file; /* strings */
	bool native;
};

struct profile_line {
	uint32_t function;
	uint32_t line;
	unsigned flags; /* PROFILE_FRAME_* */
};

#define PROFILE_NONE UINT32_MAX

struct profile_node {
	uint32_t parent; /* PROFILE_NONE: the root of a thread */
	uint32_t frame;	 /* PROFILE_NONE: the root of a thread */
	struct profile_counts own;
};

struct profile_process {
	pid_t pid;     /* 0: those above the limit, together */
	uint32_t name; /* string */
	uint32_t n_threads;
	struct profile_counts counts;
	uint64_t idle_ns, gil_wait_ns;
};

/** Samples of one thread in a row with the same stack. */
struct profile_run {
	uint64_t time_ns; /* of the first, less the time that it stands for */
	uint64_t weight_ns;
	uint32_t node;
	uint32_t samples;
};

struct profile_thread {
	uint32_t process;
	pid_t tid;		    /* 0: those above the limit, together */
	uint32_t name;		    /* string; the last one given that is not empty */
	uint32_t root;		    /* node */
	uint64_t first_ns, last_ns; /* times of samples */
	uint64_t samples;
	struct profile_run *runs; /* n_runs, in order of time; none without keep_order */
	size_t n_runs, runs_allocated;
	uint32_t last, depth; /* node of the last sample */
};

/** Limits; 0 in a member takes the default in brackets. */
struct profile_options {
	bool keep_order;	 /* keep runs */
	uint32_t max_nodes;	 /* [2,000,000], about 120 MB */
	uint32_t max_frames;	 /* [1,000,000] */
	uint32_t max_threads;	 /* [10,000] */
	uint32_t max_processes;	 /* [2,000] */
	size_t max_runs;	 /* [4,000,000] of all threads together, about 100 MB */
	size_t max_string_bytes; /* [64 MB]; one string is cut at 4,096 bytes */
};

#define PROFILE_DEPTH_MAX 4096 /* frames of a stack; the outermost beyond it are left out */

/** What the limits cost; all zeros when they were not reached. */
struct profile_lost {
	uint64_t deep;	  /* samples whose outermost frames were left out */
	uint64_t nodes;	  /* samples counted at a caller, because there were too many nodes */
	uint64_t names;	  /* frames whose names or line were replaced by "?" */
	uint64_t threads; /* samples in the thread that stands for those above the limit */
	uint64_t merged;  /* runs merged into a neighbour */
};

/** What the sampler says of the run; writers show it. */
struct profile_info {
	uint32_t rate;		  /* asked for, per second */
	uint64_t started_unix_ns; /* wall clock at time_ns == started_ns */
	uint64_t started_ns;	  /* on the clock of time_ns */
	uint64_t duration_ns;
	uint64_t torn;	  /* samples dropped because they could not be right */
	uint64_t unread;  /* samples dropped because the target could not be read */
	uint64_t late;	  /* ticks that were missed */
	const char *what; /* command or "pid 123"; NULL */
};

/** Public members are for reading. */
struct profile {
	struct profile_options options;
	struct profile_info info;
	struct profile_lost lost;
	struct profile_counts counts; /* of all */
	uint64_t idle_ns, gil_wait_ns;

	const char **strings; /* string 0 is "", string 1 is "?" */
	uint32_t n_strings;
	struct profile_function *functions;
	uint32_t n_functions;
	struct profile_line *frames;
	uint32_t n_frames;
	struct profile_node *nodes;
	uint32_t n_nodes;
	struct profile_process *processes;
	uint32_t n_processes;
	struct profile_thread *threads;
	uint32_t n_threads;
	size_t n_runs;

	struct profile_private *private;
};

/** @p options may be NULL. -ENOMEM. */
int profile_new(const struct profile_options *options, struct profile **ret) must_check;

/** NULL is accepted. */
void profile_free(struct profile *p);

static inline void profile_freep(struct profile **p)
{
	profile_free(*p);
}
#define _cleanup_profile_ _cleanup_(profile_freep)

/** Set what is known of the run, strings copied; may be called again. -ENOMEM. */
int profile_set_info(struct profile *p, const struct profile_info *info) must_check;

/**
 * Count a sample: @p n frames, innermost first (none: a thread that runs no Python), which stands for the @p weight_ns
 * up to @p time_ns.
 * The times of one thread should not go back. @p thread_name and @p process_name may be NULL. -ENOMEM: not counted.
 */
int profile_add(struct profile *p, pid_t pid, pid_t tid, const char *thread_name, const char *process_name,
		uint64_t time_ns, uint64_t weight_ns, unsigned flags, const struct profile_frame *frames,
		size_t n) must_check;

/** The id of a frame, for profile_add_ids(): for a sampler that knows frames it saw before. -ENOMEM. */
int profile_frame_id(struct profile *p, const struct profile_frame *frame, uint32_t *ret) must_check;

/** As profile_add(), with ids of profile_frame_id(). */
int profile_add_ids(struct profile *p, pid_t pid, pid_t tid, const char *thread_name, const char *process_name,
		    uint64_t time_ns, uint64_t weight_ns, unsigned flags, const uint32_t *frames, size_t n) must_check;

/** Count a sample of a thread that has the stack of its last one. -ENOENT: it has no last one that is its own. -ENOMEM. */
int profile_add_again(struct profile *p, pid_t pid, pid_t tid, uint64_t time_ns, uint64_t weight_ns,
		      unsigned flags) must_check;

/** Shorthands for writers. */
static inline const char *profile_function_name(const struct profile *p, uint32_t function)
{
	return p->strings[p->functions[function].name];
}

static inline const char *profile_function_file(const struct profile *p, uint32_t function)
{
	return p->strings[p->functions[function].file];
}

/** A line of Python: lines 0 and native frames are not among them. */
struct profile_source_line {
	const char *file; /* of the profile */
	uint32_t line;
	struct profile_counts own;   /* samples in which the line was running */
	struct profile_counts total; /* samples in which it was anywhere in the stack, once each */
};

/** All lines with samples, sorted by file (as strcmp() has it) and line. The caller frees @p ret. -ENOMEM. */
int profile_source_lines(const struct profile *p, struct profile_source_line **ret, size_t *n) must_check;
