/**
 * A sparse set of line numbers, 1 to LINESET_MAX.
 *
 * Memory follows what is in it, not the highest number: lines close together cost about 150
 * bytes wherever they are, 1 and 2^31-1 together a few KiB. The
 * numbits of coverage.py (bit n%8 of byte n/8 is line n; "coverage/numbits.py") go in and out, in
 * windows, so that the 256 MiB blob of such a line need not be held in memory.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINESET_MAX UINT32_C(0x7fffffff)

/** Members are private, but for `count`. All zeros is the empty set. */
struct lineset {
	void *root;
	uint32_t height;
	uint32_t base;	/* number of the leaf that is the root, when height is 0 */
	uint32_t count; /* lines in the set */
	uint32_t max;	/* highest line, 0 when empty */
};

void lineset_init(struct lineset *set);

/** Free what the set holds; it is empty, and may be used again. */
void lineset_deinit(struct lineset *set);

/** Add one line. -ERANGE if it is 0 or above LINESET_MAX, -ENOMEM; the set is then as it was. */
int lineset_add(struct lineset *set, uint32_t line) must_check;

/** Add every line of @p other (which may be @p set itself). -ENOMEM: some may have been added. */
int lineset_or(struct lineset *set, const struct lineset *other) must_check;

/**
 * Add line @p first_line + i for every bit i that is set in the @p n bytes at @p bytes (bit i is
 * bit i%8 of byte i/8). Line 0 is passed over in silence. -ERANGE if a bit stands for a line above
 * LINESET_MAX, -ENOMEM: the lines before it were added.
 */
int lineset_or_bits(struct lineset *set, uint32_t first_line, const void *bytes, size_t n) must_check;

bool lineset_test(const struct lineset *set, uint32_t line);

/** The smallest line above @p after, or 0 if there is none: start with 0, go on with the result. */
uint32_t lineset_next(const struct lineset *set, uint32_t after);

bool lineset_equal(const struct lineset *a, const struct lineset *b);

/** Bytes of the numbits of the set: max/8 + 1, or 0 for the empty set. */
size_t lineset_numbits_size(const struct lineset *set);

/** Write bytes @p offset to @p offset + @p n of the numbits to @p buf; zeros beyond their end. */
void lineset_numbits_read(const struct lineset *set, size_t offset, void *buf, size_t n);

/** Add the lines of a window of numbits that begins at byte @p offset. As lineset_or_bits(). */
int lineset_or_numbits(struct lineset *set, size_t offset, const void *bytes, size_t n) must_check;
