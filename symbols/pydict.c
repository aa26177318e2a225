#include "symbols/pydict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/pytext.h"

#define LOG2_MAX 40
#define ENTRIES_MAX 100000 /* looked through for a name */
#define FLAG_INLINE_VALUES ((uint64_t)1 << 2)
#define FLAG_MANAGED_DICT ((uint64_t)1 << 4)
#define MANAGED_DICT (-24)
#define MANAGED_VALUES (-32)
#define VALUES_HEADER 8

static uint64_t at(uint64_t addr, int32_t offset)
{
	return addr + (uint64_t)(int64_t)offset;
}

static unsigned int index_bytes(uint64_t slots)
{
	return slots <= 0xff ? 1 : slots <= 0xffff ? 2 : slots <= UINT32_MAX ? 4 : 8;
}

static int open_keys(const struct mem_reader *reader, const struct layout *l, uint64_t keys, struct pydict *ret)
{
	uint8_t log2, kind = 0;
	uint64_t indices;
	int r = mem_read_u64(reader, at(keys, l->keys.dk_nentries), &ret->n);

	if (r < 0)
		return r;
	if (l->dict_keys == LAYOUT_DICT_KEYS_SIZE) {
		r = mem_read_u64(reader, at(keys, l->keys.dk_size), &indices);
		if (r < 0 || indices > (uint64_t)1 << LOG2_MAX)
			return r < 0 ? r : -EBADMSG;
		indices *= index_bytes(indices);
	} else {
		r = mem_read(reader, at(keys, l->keys.dk_log2_index_bytes), &log2, 1);
		if (r == 0)
			r = mem_read(reader, at(keys, l->keys.dk_kind), &kind, 1);
		if (r < 0 || log2 > LOG2_MAX)
			return r < 0 ? r : -EBADMSG;
		indices = (uint64_t)1 << log2;
	}
	ret->entries = at(keys, l->keys.dk_indices) + indices;
	ret->size = kind ? 16 : 24;
	ret->key = kind ? 0 : 8;
	return 0;
}

int pydict_open(const struct mem_reader *reader, const struct layout *l, uint64_t addr, struct pydict *ret)
{
	uint64_t keys;
	int r = mem_read_u64(reader, at(addr, l->dict.ma_keys), &keys);

	if (r == 0)
		r = mem_read_u64(reader, at(addr, l->dict.ma_values), &ret->values);
	if (r == 0)
		r = open_keys(reader, l, keys, ret);
	if (r == 0 && ret->values && l->values_have_header)
		ret->values += VALUES_HEADER;
	return r;
}

static int open_values(const struct mem_reader *reader, const struct layout *l, uint64_t type, uint64_t values,
		       struct pydict *ret)
{
	uint64_t keys;
	int r = mem_read_u64(reader, at(type, l->type.ht_cached_keys), &keys);

	if (r == 0)
		r = keys ? open_keys(reader, l, keys, ret) : -ENOENT;
	ret->values = values;
	return r;
}

static int open_inline(const struct mem_reader *reader, const struct layout *l, uint64_t addr, uint64_t type,
		       struct pydict *ret)
{
	uint64_t size;
	int r = mem_read_u64(reader, at(type, l->type.tp_basicsize), &size);

	return r < 0 ? r : open_values(reader, l, type, addr + size + VALUES_HEADER, ret);
}

static int open_managed(const struct mem_reader *reader, const struct layout *l, uint64_t addr, uint64_t type,
			uint64_t flags, struct pydict *ret)
{
	uint64_t dict, values = 0;
	int r = mem_read_u64(reader, at(addr, MANAGED_DICT), &dict);

	if (r == 0 && l->managed_dict == LAYOUT_MANAGED_DICT_POINTERS)
		r = mem_read_u64(reader, at(addr, MANAGED_VALUES), &values);
	if (r < 0)
		return r;
	if (l->managed_dict == LAYOUT_MANAGED_DICT_TAGGED && dict & 1) {
		values = dict + 1;
		dict = 0;
	}
	if (values)
		return open_values(reader, l, type, values, ret);
	if (!dict && l->managed_dict == LAYOUT_MANAGED_DICT_INLINE && flags & FLAG_INLINE_VALUES)
		return open_inline(reader, l, addr, type, ret);
	return dict ? pydict_open(reader, l, dict, ret) : -ENOENT;
}

int pydict_open_instance(const struct mem_reader *reader, const struct layout *l, uint64_t addr, struct pydict *ret)
{
	uint64_t type, flags, offset, dict;
	int r = mem_read_u64(reader, at(addr, l->object.ob_type), &type);

	if (r == 0)
		r = mem_read_u64(reader, at(type, l->type.tp_flags), &flags);
	if (r == 0 && l->managed_dict != LAYOUT_MANAGED_DICT_NONE && flags & FLAG_MANAGED_DICT)
		return open_managed(reader, l, addr, type, flags, ret);
	if (r == 0)
		r = mem_read_u64(reader, at(type, l->type.tp_dictoffset), &offset);
	if (r == 0 && (int64_t)offset <= 0)
		return -ENOENT;
	if (r == 0)
		r = mem_read_u64(reader, addr + offset, &dict);
	if (r < 0)
		return r;
	return dict ? pydict_open(reader, l, dict, ret) : -ENOENT;
}

int pydict_get(const struct mem_reader *reader, const struct pydict *dict, uint64_t i, uint64_t pair[2])
{
	int r = mem_read(reader, dict->entries + i * dict->size + dict->key, pair, 2 * sizeof(*pair));

	return r < 0 || !dict->values ? r : mem_read_u64(reader, dict->values + 8 * i, &pair[1]);
}

static bool is_named(const struct mem_reader *reader, const struct layout *l, uint64_t key, const char *name)
{
	_cleanup_free_ char *text = NULL;

	return pytext_read(reader, l, key, strlen(name) + 1, &text) == 0 && !strcmp(text, name);
}

int pydict_find(const struct mem_reader *reader, const struct layout *l, const struct pydict *dict, const char *name,
		uint64_t *ret)
{
	uint64_t pair[2];

	for (uint64_t i = 0; i < dict->n && i < ENTRIES_MAX; i++) {
		int r = pydict_get(reader, dict, i, pair);

		if (r < 0)
			return r;
		if (pair[0] && pair[1] && is_named(reader, l, pair[0], name)) {
			*ret = pair[1];
			return 0;
		}
	}
	return -ENOENT;
}
