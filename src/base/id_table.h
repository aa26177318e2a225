/**
 * Numbers of things kept in an array of one's own, found by a hash that the caller computes: as hashmap.h, for many
 * small things, at 8 bytes each.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

struct id_slot {
	uint32_t hash;
	uint32_t id; /* + 1; 0: the slot is free */
};

/** All zeros is an empty table. */
struct id_table {
	struct id_slot *slots;
	size_t n_slots, count;
};

/** Is the thing with that number the one that is looked for? */
typedef bool (*id_match_fn)(const void *context, uint32_t id, const void *key);

/** The number of the thing with that hash for which @p match is true, or ID_NONE. */
uint32_t id_table_find(const struct id_table *table, uint32_t hash, id_match_fn match, const void *context,
		       const void *key);

/** Make room for one more, for which id_table_add() then cannot fail. -ENOMEM. */
int id_table_reserve(struct id_table *table) must_check;
void id_table_add(struct id_table *table, uint32_t hash, uint32_t id);

void id_table_deinit(struct id_table *table);
