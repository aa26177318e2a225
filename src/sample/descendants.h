/**
 * The processes below one that is sampled, found by asking /proc again and again: whoever lives for less than the time
 * between two looks may be missed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/births.h"
#include "base/cleanup.h"

struct descendant {
	pid_t pid;
	uint64_t next_ns, wait_ns; /* when it is looked into next, and how long after the last time */
	bool is_seen;
};

/** All zeros is empty. The first is the root; the others in the order in which they were found. */
struct descendants {
	struct descendant *items;
	size_t n, room;
	bool children;	  /* look for children at all */
	pid_t own;	  /* which of them is our own child, whose end costs little to see; 0: none */
	uint64_t scan_ns; /* when to look next */
	uint64_t full_ns; /* and when even if nothing was born meanwhile */
	struct births births;
};

#define DESCENDANTS_MAX 10000

int descendants_add(struct descendants *d, pid_t pid) must_check;
void descendants_drop(struct descendants *d, pid_t pid);
void descendants_deinit(struct descendants *d);

/** Look for new ones and for those that have ended, if it is time; all that is written about is the list. -ENOMEM. */
int descendants_scan(struct descendants *d, uint64_t now_ns) must_check;

/** One of them seems to have ended: let the next scan look. */
void descendants_hurry(struct descendants *d);

/** @p item was looked into and is not to be sampled: ask again, later and later. */
void descendant_postpone(struct descendant *item, uint64_t now_ns);
