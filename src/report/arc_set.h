/** Sets of arcs: from a line to one that follows it, or to the negative of the first line of the code object left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/** (from, to) in one number that sorts like them; never 0. */
typedef uint64_t arc_key;

static inline arc_key arc_key_of(int32_t from, int32_t to)
{
	return (uint64_t)((uint32_t)from ^ 0x80000000u) << 32 | ((uint32_t)to ^ 0x80000000u);
}

static inline int32_t arc_from(arc_key key)
{
	return (int32_t)((uint32_t)(key >> 32) ^ 0x80000000u);
}

static inline int32_t arc_to(arc_key key)
{
	return (int32_t)((uint32_t)key ^ 0x80000000u);
}

/** All zeros: empty. */
struct arc_set {
	arc_key *keys;
	size_t n, room;
};

/** -ENOMEM. */
int arc_set_add(struct arc_set *set, arc_key key) must_check;
void arc_set_deinit(struct arc_set *set);
#define _cleanup_arc_set_ _cleanup_(arc_set_deinit)

/** Nothing is added any more: sort them, each once. What follows wants that. */
void arc_set_finish(struct arc_set *set);
bool arc_set_has(const struct arc_set *set, arc_key key);
/** The index of the first arc from line @p from; set->n if there is none. */
size_t arc_set_find(const struct arc_set *set, int32_t from);
