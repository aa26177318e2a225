/**
 * The keeper: the process that holds what a tree records, and writes it. The supervisor, its child, only traces; when
 * that is killed, the keeper still has every region, waits for the programs to end, and writes what they did.
 *
 * They talk over a socket. What the supervisor says is in order; only keeper_finish() waits for an answer.
 */
#pragma once

#include "attach/agent/agent_abi.h"
#include "cli/options.h"
#include "supervisor/control.h"
#include "supervisor/recorder.h"
#include "supervisor/run.h"

/** The supervisor's end. */
struct keeper {
	int socket;		   /* -1: there is none (any more) */
	struct recorder *recorder; /* for another keeper, which has its descriptors; NULL: there will be none */
	const int *message_fd;	   /* the same; -1: nothing is to be said any more */
	struct link_run *runs;	   /* that it was told of */
	unsigned int n_successors;
};

void keeper_deinit(struct keeper *k);

/** It was killed. True if another one has taken its place. */
bool keeper_revive(struct keeper *k);

/** A program was hooked; its descriptors are sent along. */
void keeper_add(struct keeper *k, const struct run *run);
/** Process @p pid (0: none that is worth a word) of that run is gone, or has exec'd; @p last: it was the last one. */
void keeper_end(struct keeper *k, uint32_t id, pid_t pid, bool last);
/** What the agents of run @p id say of themselves; AGENT_STATUS_NONE if that is not known. */
enum agent_status keeper_status(const struct keeper *k, uint32_t id);
/** Write what there is now. */
void keeper_save(struct keeper *k);
/** The command has ended: write what there is, say the last words. Waits. @p summary, if not NULL, gets
 * what there is. @p python_ran: something was, or should have been, measured. False if it could not be written. */
bool keeper_finish(struct keeper *k, bool python_ran, char summary[CONTROL_TEXT_MAX]);

/** How often a line was found running. */
struct keeper_sample {
	uint32_t line, count;
};

#define KEEPER_SAMPLES_MAX 512

/** In run @p id, of the file that it has as @p file, since it was told of that last. */
void keeper_samples(struct keeper *k, uint32_t id, const char *file, const struct keeper_sample *samples, size_t n);

/** It has said something: true if everything recorded was dropped, and is to count again (`reset`). */
bool keeper_wants_reset(struct keeper *k);
/** It does, but in @p n_left processes of which no thread has come yet. */
void keeper_reset_done(struct keeper *k, unsigned int n_left);

/** What the keeper process does, with @p is_successor in the place of one that was killed, until the supervisor, @p supervisor, and all programs have ended. */
void keeper_run(int socket, pid_t supervisor, struct recorder *recorder, int message_fd, bool is_successor);
