/*
 * A radix tree that grows upwards. The leaves are bitmaps of 1,024 lines; while all lines of a set
 * fall into one leaf, wherever it is, that leaf is the root. Each level of nodes above has 128
 * slots: 131,072, 16 million and 2^31 lines for heights of 1 to 3. So the common file, and a
 * function far down in one, costs a single allocation, no order of insertion is slow, and hostile
 * numbers cost little.
 *
 * A leaf's words are the numbits of its lines, in the byte order of the only machine we run on.
 */
#include "base/lineset.h"

#include <string.h>

#define LEAF_BITS 10
#define LEAF_LINES (1u << LEAF_BITS)
#define LEAF_BYTES (LEAF_LINES / 8)
#define LEAF_WORDS (LEAF_LINES / 64)
#define NODE_BITS 7
#define NODE_SLOTS (1u << NODE_BITS)
#define HEIGHT_MAX 3

_Static_assert(LEAF_BITS + HEIGHT_MAX * NODE_BITS == 31, "the tree spans LINESET_MAX");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are used as numbits");

struct leaf {
	uint64_t words[LEAF_WORDS];
};

struct node {
	void *slots[NODE_SLOTS];
};

void lineset_init(struct lineset *set)
{
	*set = (struct lineset){0};
}

static void tree_free(void *tree, unsigned int height)
{
	if (tree && height > 0) {
		struct node *node = tree;

		for (size_t i = 0; i < NODE_SLOTS; i++)
			tree_free(node->slots[i], height - 1);
	}
	free(tree);
}

void lineset_deinit(struct lineset *set)
{
	tree_free(set->root, set->height);
	lineset_init(set);
}

static unsigned int height_of(uint32_t line)
{
	unsigned int height = 0;

	while (line >> (LEAF_BITS + height * NODE_BITS))
		height++;
	return height;
}

static unsigned int slot_of(uint32_t line, unsigned int height)
{
	return (line >> (LEAF_BITS + (height - 1) * NODE_BITS)) & (NODE_SLOTS - 1);
}

/** True if the tree, as high as it is, has a place for @p line. */
static bool spans(const struct lineset *set, uint32_t line)
{
	if (set->height == 0)
		return line >> LEAF_BITS == set->base;
	return height_of(line) <= set->height;
}

/** The place of the leaf of @p line in a tree that spans it; NULL when out of memory. */
static void **leaf_place(struct lineset *set, uint32_t line)
{
	void **at = &set->root;

	for (unsigned int height = set->height; height > 0; height--) {
		if (!*at)
			*at = calloc(1, sizeof(struct node));
		if (!*at)
			return NULL;
		at = &((struct node *)*at)->slots[slot_of(line, height)];
	}
	return at;
}

/** Make a tree that spans @p line of the leaf which is the root. */
static int grow_leaf(struct lineset *set, uint32_t line)
{
	uint32_t first = set->base << LEAF_BITS;
	void *leaf = take_ptr(set->root), **place;

	set->height = height_of(line > first ? line : first);
	place = leaf_place(set, first);
	if (place) {
		*place = leaf;
		return 0;
	}
	tree_free(set->root, set->height);
	set->root = leaf;
	set->height = 0;
	return -ENOMEM;
}

/** Put nodes on top of the tree until it spans @p line. */
static int grow(struct lineset *set, uint32_t line)
{
	if (!set->root) {
		set->height = 0;
		set->base = line >> LEAF_BITS;
	}
	if (!spans(set, line) && set->height == 0)
		return grow_leaf(set, line);
	while (!spans(set, line)) {
		struct node *node = calloc(1, sizeof(*node));

		if (!node)
			return -ENOMEM;
		node->slots[0] = set->root;
		set->root = node;
		set->height++;
	}
	return 0;
}

/** The leaf that holds @p line, made if it is not there; NULL when out of memory. */
static struct leaf *leaf_make(struct lineset *set, uint32_t line)
{
	void **place = grow(set, line) < 0 ? NULL : leaf_place(set, line);

	if (place && !*place)
		*place = calloc(1, sizeof(struct leaf));
	return place ? *place : NULL;
}

static const struct leaf *leaf_find(const struct lineset *set, uint32_t line)
{
	const void *at = spans(set, line) ? set->root : NULL;

	for (unsigned int height = set->height; at && height > 0; height--)
		at = ((const struct node *)at)->slots[slot_of(line, height)];
	return at;
}

/** The first leaf at or after that of *@p line, whose first line is then in *@p line; or NULL. */
static const struct leaf *tree_next(const void *tree, unsigned int height, uint32_t base, uint32_t *line)
{
	const struct node *node = tree;

	if (!tree)
		return NULL;
	if (height == 0) {
		*line = base;
		return tree;
	}
	for (unsigned int i = *line > base ? slot_of(*line, height) : 0; i < NODE_SLOTS; i++) {
		uint32_t below = base + (i << (LEAF_BITS + (height - 1) * NODE_BITS));
		const struct leaf *leaf = tree_next(node->slots[i], height - 1, below, line);

		if (leaf)
			return leaf;
	}
	return NULL;
}

static const struct leaf *leaf_next(const struct lineset *set, uint32_t *line)
{
	if (*line > set->max)
		return NULL;
	return tree_next(set->root, set->height, set->height ? 0 : set->base << LEAF_BITS, line);
}

/** Or @p bits into the word that holds @p line, and keep count and max. */
static void leaf_or_word(struct lineset *set, struct leaf *leaf, uint32_t line, uint64_t bits)
{
	uint64_t *word = &leaf->words[line % LEAF_LINES / 64], fresh = bits & ~*word;
	uint32_t highest;

	if (!fresh)
		return;
	*word |= fresh;
	set->count += (uint32_t)__builtin_popcountll(fresh);
	highest = (line & ~UINT32_C(63)) + 63 - (uint32_t)__builtin_clzll(fresh);
	if (highest > set->max)
		set->max = highest;
}

int lineset_add(struct lineset *set, uint32_t line)
{
	struct leaf *leaf;

	if (line == 0 || line > LINESET_MAX)
		return -ERANGE;
	leaf = leaf_make(set, line);
	if (!leaf)
		return -ENOMEM;
	leaf_or_word(set, leaf, line, UINT64_C(1) << line % 64);
	return 0;
}

int lineset_or(struct lineset *set, const struct lineset *other)
{
	const struct leaf *from;

	for (uint32_t line = 0; (from = leaf_next(other, &line)); line += LEAF_LINES) {
		struct leaf *to = leaf_make(set, line);

		if (!to)
			return -ENOMEM;
		for (uint32_t i = 0; i < LEAF_WORDS; i++)
			leaf_or_word(set, to, line + i * 64, from->words[i]);
	}
	return 0;
}

/** Add the lines from @p line on for the bits of @p bits; @p line is any number, bits != 0. */
static int or_word(struct lineset *set, uint64_t line, uint64_t bits)
{
	while (bits) {
		uint64_t at = line + (uint64_t)__builtin_ctzll(bits);
		struct leaf *leaf;

		bits &= bits - 1;
		if (at == 0)
			continue;
		if (at > LINESET_MAX)
			return -ERANGE;
		leaf = leaf_make(set, (uint32_t)at);
		if (!leaf)
			return -ENOMEM;
		if (line % 64 == 0) { /* the usual case: the word is one of the leaf's */
			uint64_t all = bits | UINT64_C(1) << at % 64;

			leaf_or_word(set, leaf, (uint32_t)at, all);
			return 0;
		}
		leaf_or_word(set, leaf, (uint32_t)at, UINT64_C(1) << at % 64);
	}
	return 0;
}

static int or_bits(struct lineset *set, uint64_t line, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t bits = 0;
		int r;

		memcpy(&bits, bytes + i, n - i < 8 ? n - i : 8);
		if (!bits)
			continue;
		r = or_word(set, line + i * 8, bits);
		if (r < 0)
			return r;
	}
	return 0;
}

int lineset_or_bits(struct lineset *set, uint32_t first_line, const void *bytes, size_t n)
{
	if (n > SIZE_MAX / 16)
		return -ERANGE;
	return or_bits(set, first_line, bytes, n);
}

int lineset_or_numbits(struct lineset *set, size_t offset, const void *bytes, size_t n)
{
	if (n > SIZE_MAX / 32 || offset > SIZE_MAX / 32)
		return -ERANGE;
	return or_bits(set, (uint64_t)offset * 8, bytes, n);
}

bool lineset_test(const struct lineset *set, uint32_t line)
{
	const struct leaf *leaf = line <= LINESET_MAX ? leaf_find(set, line) : NULL;

	return leaf && leaf->words[line % LEAF_LINES / 64] >> line % 64 & 1;
}

/** The first line of @p leaf at or after its bit @p bit, as a bit number; LEAF_LINES if none. */
static uint32_t leaf_scan(const struct leaf *leaf, uint32_t bit)
{
	uint64_t mask = ~UINT64_C(0) << bit % 64;

	for (uint32_t i = bit / 64; i < LEAF_WORDS; i++, mask = ~UINT64_C(0))
		if (leaf->words[i] & mask)
			return i * 64 + (uint32_t)__builtin_ctzll(leaf->words[i] & mask);
	return LEAF_LINES;
}

uint32_t lineset_next(const struct lineset *set, uint32_t after)
{
	uint32_t from = after + 1, line = from;
	const struct leaf *leaf;

	if (after >= set->max)
		return 0;
	while ((leaf = leaf_next(set, &line))) {
		uint32_t bit = leaf_scan(leaf, from > line ? from - line : 0);

		if (bit < LEAF_LINES)
			return line + bit;
		line += LEAF_LINES;
	}
	return 0;
}

bool lineset_equal(const struct lineset *a, const struct lineset *b)
{
	const struct leaf *leaf, *twin;

	if (a->count != b->count || a->max != b->max)
		return false;
	for (uint32_t line = 0; (leaf = leaf_next(a, &line)); line += LEAF_LINES) {
		twin = leaf_find(b, line);
		if (leaf_scan(leaf, 0) == LEAF_LINES)
			continue;
		if (!twin || memcmp(leaf, twin, sizeof(*leaf)) != 0)
			return false;
	}
	return true;
}

size_t lineset_numbits_size(const struct lineset *set)
{
	return set->count ? set->max / 8 + 1 : 0;
}

void lineset_numbits_read(const struct lineset *set, size_t offset, void *buf, size_t n)
{
	const struct leaf *leaf;
	uint32_t line;

	memset(buf, 0, n);
	if (offset >= lineset_numbits_size(set))
		return;
	line = (uint32_t)offset * 8;
	while ((leaf = leaf_next(set, &line))) {
		size_t start = line / 8, skip = start < offset ? offset - start : 0;
		size_t to = start + skip - offset, len = LEAF_BYTES - skip;

		if (to >= n)
			return;
		memcpy((char *)buf + to, (const char *)leaf->words + skip, len < n - to ? len : n - to);
		line += LEAF_LINES;
	}
}
