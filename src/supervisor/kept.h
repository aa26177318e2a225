/** One run as the keeper keeps it: its region, and what of it is recorded already. */
#pragma once

#include "supervisor/recorder.h"
#include "supervisor/run.h"

struct kept {
	struct kept *next;
	struct run run;
	bool is_dirty; /* a process of it has ended since it was drained */
	struct drained drained;
	struct record sampled; /* files that are not in the record yet, by the names that the run has for them */
	int64_t look_at;       /* when to drain it beforehand; CLOCK_MONOTONIC, ms */
	int64_t look_wait;
	/* --parallel-mode: */
	struct record record;
	struct datafile file; /* dirfd -1: not named yet */
};

struct kept *kept_new(void);
void kept_free(struct kept *k);

/** Where what it ran goes: a record of its own, or that of the whole tree. */
struct record *kept_record(struct kept *k, struct recorder *recorder);

/** Add what its region holds now. */
int kept_drain(struct kept *k, struct recorder *recorder) must_check;

/** The same beforehand, without samples. Errors as recorder_drain_early(). */
int kept_drain_early(struct kept *k, struct recorder *recorder) must_check;

/** That is due in @p wait milliseconds. */
void kept_look_in(struct kept *k, int64_t wait);
/** It was done, and @p took so many: the next time is further off. */
void kept_looked(struct kept *k, int64_t took);

struct keeper_sample;
/** @p samples, of @p n struct keeper_sample, of the file that it has as @p name. -ENOMEM. */
int kept_add_samples(struct kept *k, const char *name, const unsigned char *samples, size_t n) must_check;

/** What it recorded so far is dropped. */
void kept_reset(struct kept *k);

/** How many lines, files and functions did not fit into its region. */
uint32_t kept_dropped(const struct kept *k);

/** Its process @p pid has ended: say what it was, and whether it was measured. */
void kept_describe(const struct kept *k, pid_t pid);
