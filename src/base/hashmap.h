/**
 * A table of pointers to entries that the caller owns, found by a hash that the caller computes.
 *
 * Keys of hostile targets go in, so hash them with hash_bytes() and a key of one's own: nobody can
 * then prepare names that collide. The order of the slots depends on that key; sort what is shown.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k[2];
};

/** Fill @p key with random bits, as good as can be had without waiting. */
void hash_key_init(struct hash_key *key);

/** SipHash-1-3 of the @p n bytes at @p data. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n);

struct hashmap_slot {
	uint64_t hash;
	void *entry; /* NULL: the slot is free */
};

/** All zeros is an empty map. For iteration: `slots` has `n_slots` slots, `count` of them used. */
struct hashmap {
	struct hashmap_slot *slots;
	size_t n_slots, count;
};

typedef bool (*hashmap_match_fn)(const void *entry, const void *key);

/** The entry with that hash for which @p match is true, or NULL. */
void *hashmap_find(const struct hashmap *map, uint64_t hash, hashmap_match_fn match, const void *key);

/** Put in @p entry, which must not be NULL nor in the map. -ENOMEM leaves the map as it was. */
int hashmap_add(struct hashmap *map, uint64_t hash, void *entry) must_check;

/** Take out @p entry, which was added with that hash; false if it is not in. Others may move. */
bool hashmap_remove(struct hashmap *map, uint64_t hash, const void *entry);

/** Free the table, not the entries. */
void hashmap_deinit(struct hashmap *map);
