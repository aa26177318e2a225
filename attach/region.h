/**
 * The supervisor's side of a region (agent_abi.h): made for a target, read while targets write to it.
 *
 * What is in it is the target's: every offset, length and chain is checked, copies are taken before they are judged,
 * and a walk ends after as many steps as the region has room for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/agent/agent_abi.h"
#include "base/cleanup.h"

/** Reference counted: a region is shared by the processes forked from one program. */
struct region {
	unsigned int refs;
	int fd;
	const unsigned char *map;
};

/**
 * Set up the memfd @p fd (taken over) as a region: size, seals, header. -EPERM when the kernel or a limit of our own
 * refuses, -ENOMEM.
 */
int region_new(int fd, struct region **ret) must_check;
struct region *region_ref(struct region *region);
/** NULL is accepted. */
void region_unref(struct region *region);

struct region_counters {
	enum agent_status status;
	uint32_t used, dropped_files, dropped_lines, dropped_code;
};
void region_read_counters(const struct region *region, struct region_counters *ret);

/** What a walk reports. `name` is not terminated and may hold any byte. Any of the callbacks may be NULL; a non-zero
 * return ends the walk with it. `file` numbers are the same in both callbacks. */
struct region_visitor {
	int (*file)(void *arg, uint32_t file, const char *name, size_t len);
	/** 128 bytes of bits: line first_line + i for bit i. */
	int (*lines)(void *arg, uint32_t file, uint32_t first_line, const unsigned char *bits, size_t n);
	int (*code)(void *arg, const struct region_code *code, const char *qualname, const unsigned char *table);
	void *arg;
};
int region_walk(const struct region *region, const struct region_visitor *v) must_check;
