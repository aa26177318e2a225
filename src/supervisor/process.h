/** The processes that are traced, and their threads, by tid. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/hashmap.h"
#include "supervisor/errand.h"
#include "supervisor/program.h"

struct process {
	pid_t pid;
	unsigned int threads; /* that are traced */
	bool is_known;	      /* where it came from was settled */
	bool is_copy;	      /* made by fork, has not exec'd: `program` was taken from the parent */
	bool is_borrowed;     /* made by vfork, has not exec'd: its memory is the parent's */
	bool is_init;	      /* the first process of a pid namespace, not ours */
	bool is_to_reset;     /* as soon as no other errand is in the way */
	bool is_awaited;      /* the user, who has named it, does not know yet whether it is entered */
	bool has_left;	      /* detached: nothing of it is recorded any more */
	struct errand errand;
	struct program program;
};

struct thread {
	pid_t tid;
	struct process *process;
};

struct processes {
	struct hashmap threads; /* of struct thread, by tid */
	unsigned int n_processes;
};

struct thread *processes_find(const struct processes *ps, pid_t tid);

/** Add thread @p tid of process @p pid, which is made if it is new. NULL: no memory. */
struct thread *processes_add(struct processes *ps, pid_t tid, pid_t pid);

/**
 * Thread @p tid is gone. Yields its process if that was the last of its threads: the caller ends it with
 * process_free(). Else NULL.
 */
struct process *processes_remove(struct processes *ps, pid_t tid);

/** Thread @p tid of @p process exec'd: it is the leader from now on, and alone. */
void processes_exec(struct processes *ps, struct process *process);

void process_free(struct process *process);

/** Forget all, letting go of nothing. */
void processes_deinit(struct processes *ps);
