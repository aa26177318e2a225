/**
 * The supervisor's side of a region (agent_abi.h): made for a target, read while targets write to it.
 *
 * What is in it is the target's: a walk works on a copy, which nobody changes meanwhile, every offset, length and chain
 * in it is checked, and it ends after as many steps as the region has room for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/agent/agent_abi.h"
#include "base/cleanup.h"

/**
 * Make the memfd @p fd a region: size, seals, header. Done by us, not by the target, whose RLIMIT_FSIZE may be low.
 * -errno of what was refused.
 */
int region_create(int fd) must_check;

/** True if @p fd, open for writing, is a region. */
bool region_is_valid(int fd);

/**
 * True once no process has the region mapped for writing: all that it will ever hold is in it. Exact, and true for
 * processes that nobody traces: the kernel seals a memfd against writing only then (fcntl(2), F_SEAL_WRITE).
 */
bool region_is_over(int fd);

struct region_counters {
	enum agent_status status;
	uint32_t used, dropped_files, dropped_lines, dropped_code;
};
/** All zeros when it cannot be read. */
void region_read_counters(int fd, struct region_counters *ret);

#define REGION_SEEN 1

/** What a walk reports. `name` is not terminated and may hold any byte. Any of the callbacks may be NULL; a non-zero
 * return ends the walk with it. `file` numbers are the same in both callbacks. */
struct region_visitor {
	/** @p refused: by the agent, as it was told; nothing else is there of the file. */
	int (*file)(void *arg, uint32_t file, const char *name, size_t len, bool refused);
	/** 128 bytes of bits: line first_line + i for bit i. */
	int (*lines)(void *arg, uint32_t file, uint32_t first_line, const unsigned char *bits, size_t n);
	/** @p number is its own, from now on. Behind @p table there are @p code->kept bytes of bytecode, and its ways
	 * (REGION_WAY_*). REGION_SEEN: an earlier walk has shown it, so what was put in its chain before need not be shown. */
	int (*code)(void *arg, uint32_t number, const struct region_code *code, const char *qualname,
		    const unsigned char *table);
	void *arg;
};
/** Forget which lines have run and which ways were taken; what runs meanwhile may be forgotten or not. Errors as region_walk(). */
int region_forget_lines(int fd) must_check;

/** -EIO, -ENOMEM; -EBADMSG: it contradicts itself, and what was found before was reported. */
int region_walk(int fd, const struct region_visitor *v) must_check;
