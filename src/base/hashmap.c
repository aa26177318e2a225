#include "base/hashmap.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

void hash_key_init(struct hash_key *key)
{
	struct timespec now;

	if (getrandom(key->k, sizeof(key->k), GRND_NONBLOCK) == sizeof(key->k))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	key->k[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
	key->k[1] = (uint64_t)(uintptr_t)&now;
}

static uint64_t rotate(uint64_t x, unsigned int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with 1 and 3 rounds. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n)
{
	uint64_t v[4] = {key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d, key->k[0] ^ 0x6c7967656e657261,
			 key->k[1] ^ 0x7465646279746573};
	const char *at = data;
	uint64_t word;
	size_t left;

	for (left = n; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		sip_word(v, word);
	}
	word = 0;
	if (left)
		memcpy(&word, at, left);
	sip_word(v, word | (uint64_t)n << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void *hashmap_find(const struct hashmap *map, uint64_t hash, hashmap_match_fn match, const void *key)
{
	size_t mask = map->n_slots - 1;

	if (!map->count)
		return NULL;
	for (size_t i = hash & mask; map->slots[i].entry; i = (i + 1) & mask)
		if (map->slots[i].hash == hash && match(map->slots[i].entry, key))
			return map->slots[i].entry;
	return NULL;
}

static void put(struct hashmap_slot *slots, size_t n_slots, struct hashmap_slot slot)
{
	size_t mask = n_slots - 1, i = slot.hash & mask;

	while (slots[i].entry)
		i = (i + 1) & mask;
	slots[i] = slot;
}

static int grow(struct hashmap *map)
{
	size_t n = map->n_slots ? map->n_slots * 2 : 8;
	struct hashmap_slot *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_slots; i++)
		if (map->slots[i].entry)
			put(slots, n, map->slots[i]);
	free(map->slots);
	map->slots = slots;
	map->n_slots = n;
	return 0;
}

int hashmap_add(struct hashmap *map, uint64_t hash, void *entry)
{
	if ((map->count + 1) * 4 > map->n_slots * 3) {
		int r = grow(map);

		if (r < 0)
			return r;
	}
	put(map->slots, map->n_slots, (struct hashmap_slot){hash, entry});
	map->count++;
	return 0;
}

bool hashmap_remove(struct hashmap *map, uint64_t hash, const void *entry)
{
	size_t mask = map->n_slots - 1, hole, i;

	if (!map->count)
		return false;
	for (hole = hash & mask; map->slots[hole].entry != entry; hole = (hole + 1) & mask)
		if (!map->slots[hole].entry)
			return false;
	/* Close the hole, so that what was put behind it is still found. */
	for (i = (hole + 1) & mask; map->slots[i].entry; i = (i + 1) & mask) {
		size_t home = map->slots[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole].entry = NULL;
	map->count--;
	return true;
}

void hashmap_deinit(struct hashmap *map)
{
	free(map->slots);
	*map = (struct hashmap){0};
}
