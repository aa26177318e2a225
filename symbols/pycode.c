#include "symbols/pycode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bisect.h"
#include "symbols/linetable.h"
#include "symbols/pytext.h"

#define NAME_MAX_CHARS 1024
#define PATH_MAX_CHARS 4096
#define TABLE_MAX ((size_t)4 << 20)
#define CODE_SIZE_MAX ((uint32_t)64 << 20)
#define OBJECT_MAX 256
/* When more is remembered, all is forgotten. */
#define BYTES_MAX ((size_t)128 << 20)

static void code_free(struct pycode *code)
{
	if (!code)
		return;
	free(code->filename);
	free(code->name);
	free(code->lines);
	free(code);
}

static void code_freep(struct pycode **code)
{
	code_free(*code);
}

void pycodes_init(struct pycodes *codes)
{
	memset(codes, 0, sizeof(*codes));
	hash_key_init(&codes->key);
}

static void forget_all(struct pycodes *codes)
{
	for (size_t i = 0; i < codes->map.n_slots; i++)
		code_free(codes->map.slots[i].entry);
	hashmap_deinit(&codes->map);
	memset(&codes->map, 0, sizeof(codes->map));
	codes->bytes = 0;
}

void pycodes_sweep(struct pycodes *codes)
{
	while (codes->old) {
		struct pycode *next = codes->old->next_old;

		code_free(codes->old);
		codes->old = next;
	}
	if (codes->bytes > BYTES_MAX)
		forget_all(codes);
}

void pycodes_deinit(struct pycodes *codes)
{
	pycodes_sweep(codes);
	forget_all(codes);
}

/* ---- the object ---- */

static uint64_t u64_at(const uint8_t *object, int32_t offset)
{
	uint64_t value = 0;

	if (offset >= 0 && offset <= OBJECT_MAX - 8)
		memcpy(&value, object + offset, sizeof(value));
	return value;
}

static uint32_t u32_at(const uint8_t *object, int32_t offset)
{
	uint32_t value = 0;

	if (offset >= 0 && offset <= OBJECT_MAX - 4)
		memcpy(&value, object + offset, sizeof(value));
	return value;
}

/** How much of the object is of interest: all but its bytecode. */
static size_t object_size(const struct layout *l)
{
	int32_t size = l->code_is_inline ? l->code.co_code_adaptive : l->code.size;

	return size > OBJECT_MAX ? OBJECT_MAX : (size_t)size;
}

static int decode_head(const struct pyruntime *python, const uint8_t *object, struct pycode_head *head)
{
	const struct layout *l = python->layout;
	uint64_t units = u64_at(object, l->object.ob_size), traceable;

	if (u64_at(object, l->object.ob_type) != python->code_type)
		return -EAGAIN;
	memset(head, 0, sizeof(*head));
	head->filename = u64_at(object, l->code.co_filename);
	head->name = u64_at(object, l->code.co_name);
	head->qualname = u64_at(object, l->code.co_qualname);
	head->linetable = u64_at(object, l->code.co_linetable);
	head->code = u64_at(object, l->code.co_code);
	head->first_line = (int32_t)u32_at(object, l->code.co_firstlineno);
	head->version = u32_at(object, l->code.co_version);
	if (!l->code_is_inline)
		return 0;
	traceable = u32_at(object, l->code.co_firsttraceable);
	if (units > CODE_SIZE_MAX / 2 || traceable > units)
		return -EAGAIN;
	head->size = (uint32_t)units * 2;
	head->first_traceable = (uint32_t)traceable * 2;
	return 0;
}

/** The length of the line table and its beginning: all that tells apart two that were made at the same place. */
static int get_table_head(const struct layout *l, struct mem_windows *w, struct pycode_head *head)
{
	uint64_t addr = head->linetable + (uint64_t)l->object.ob_size;
	uint64_t len;
	int r = mem_windows_get(w, addr, &len, sizeof(len), 0, PYCODE_HEAD_BYTES);
	size_t skip = (size_t)(l->bytes.ob_sval - l->object.ob_size) + 1;

	if (r < 0)
		return r;
	memcpy(head->table, &len, sizeof(len));
	if (len > PYCODE_HEAD_BYTES - skip - sizeof(len))
		len = PYCODE_HEAD_BYTES - skip - sizeof(len);
	if (len == 0)
		return 0;
	return mem_windows_get(w, head->linetable + (uint64_t)l->bytes.ob_sval, head->table + 8, len, 0, 0);
}

static int get_head(const struct pyruntime *python, struct mem_windows *w, uint64_t addr, struct pycode_head *head)
{
	uint8_t object[OBJECT_MAX];
	int r = mem_windows_get(w, addr, object, object_size(python->layout), 0, 0);

	if (r == 0)
		r = decode_head(python, object, head);
	if (r == 0 && head->version == 0)
		r = get_table_head(python->layout, w, head);
	return r == -EFAULT ? -EAGAIN : r;
}

/* ---- what it refers to ---- */

static int add_line(struct pycode *code, size_t *room, const struct linetable_range *range)
{
	struct pycode_line *lines;

	if (code->n_lines && code->lines[code->n_lines - 1].line == range->line)
		return 0;
	if (code->n_lines == *room) {
		*room = *room ? 2 * *room : 16;
		lines = realloc(code->lines, *room * sizeof(*lines));
		if (!lines)
			return -ENOMEM;
		code->lines = lines;
	}
	code->lines[code->n_lines++] = (struct pycode_line){.start = range->start, .line = range->line};
	return 0;
}

/** What is right of a broken table is kept. */
static int decode_lines(struct pycode *code, const struct layout *l, const uint8_t *bytes, size_t len)
{
	struct linetable_range range;
	struct linetable table;
	size_t room = 0;
	int r;

	linetable_init(&table, l->linetable, bytes, len, code->head.first_line, code->size);
	while ((r = linetable_next(&table, &range)) > 0) {
		r = add_line(code, &room, &range);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_size(const struct pyruntime *python, const struct mem_reader *reader, struct pycode *code)
{
	const struct layout *l = python->layout;
	uint64_t size;
	int r;

	if (l->code_is_inline) {
		code->size = code->head.size;
		return 0;
	}
	r = mem_read_u64(reader, code->head.code + (uint64_t)l->object.ob_size, &size);
	if (r < 0)
		return r;
	if (size > CODE_SIZE_MAX)
		return -EBADMSG;
	code->size = (uint32_t)size;
	return 0;
}

static int read_contents(const struct pyruntime *python, const struct mem_reader *reader, struct pycode *code)
{
	const struct layout *l = python->layout;
	_cleanup_free_ uint8_t *table = NULL;
	size_t len;
	int r = read_size(python, reader, code);

	if (r == 0)
		r = pytext_read(reader, l, code->head.filename, PATH_MAX_CHARS, &code->filename);
	if (r == 0)
		r = pytext_read(reader, l, code->head.qualname ? code->head.qualname : code->head.name, NAME_MAX_CHARS,
				&code->name);
	if (r == 0)
		r = pytext_read_bytes(reader, l, code->head.linetable, TABLE_MAX, &table, &len);
	return r < 0 ? r : decode_lines(code, l, table, len);
}

/** Its head once more, not from a window. */
static int check_again(const struct pyruntime *python, const struct mem_reader *reader, const struct pycode *code)
{
	uint8_t object[OBJECT_MAX];
	struct pycode_head head;
	int r = mem_read(reader, code->addr, object, object_size(python->layout));

	if (r == 0)
		r = decode_head(python, object, &head);
	if (r < 0)
		return r;
	memcpy(head.table, code->head.table, sizeof(head.table));
	return memcmp(&head, &code->head, sizeof(head)) ? -EAGAIN : 0;
}

static int code_new(const struct pyruntime *python, const struct mem_reader *reader, uint64_t addr,
		    const struct pycode_head *head, struct pycode **ret)
{
	_cleanup_(code_freep) struct pycode *code = calloc(1, sizeof(*code));
	int r;

	if (!code)
		return -ENOMEM;
	code->addr = addr;
	code->head = *head;
	r = read_contents(python, reader, code);
	if (r == 0)
		r = check_again(python, reader, code);
	if (r < 0)
		return r == -EFAULT || r == -EBADMSG ? -EAGAIN : r;
	*ret = take_ptr(code);
	return 0;
}

/* ---- the ones that are known ---- */

static bool same_addr(const void *entry, const void *key)
{
	return ((const struct pycode *)entry)->addr == *(const uint64_t *)key;
}

static void retire(struct pycodes *codes, uint64_t hash, struct pycode *code)
{
	hashmap_remove(&codes->map, hash, code);
	code->next_old = codes->old;
	codes->old = code;
}

int pycodes_get(struct pycodes *codes, const struct pyruntime *python, struct mem_windows *w, uint64_t addr,
		struct pycode **ret)
{
	uint64_t hash = hash_bytes(&codes->key, &addr, sizeof(addr));
	struct pycode *code = hashmap_find(&codes->map, hash, same_addr, &addr);
	struct pycode_head head;
	int r;

	if (code && code->generation && code->generation == codes->generation) {
		*ret = code;
		return 0;
	}
	r = get_head(python, w, addr, &head);
	if (r < 0)
		return r;
	if (code && memcmp(&code->head, &head, sizeof(head)) == 0) {
		code->generation = codes->generation;
		*ret = code;
		return 0;
	}
	if (code)
		retire(codes, hash, code);
	r = code_new(python, w->reader, addr, &head, &code);
	if (r < 0)
		return r;
	code->generation = codes->generation;
	r = hashmap_add(&codes->map, hash, code);
	if (r < 0) {
		code_free(code);
		return r;
	}
	codes->bytes +=
		sizeof(*code) + strlen(code->filename) + strlen(code->name) + code->n_lines * sizeof(*code->lines);
	*ret = code;
	return 0;
}

struct pycode *pycodes_peek(const struct pycodes *codes, uint64_t addr)
{
	return hashmap_find(&codes->map, hash_bytes(&codes->key, &addr, sizeof(addr)), same_addr, &addr);
}

struct pycode_line *pycode_find_line(const struct pycode *code, uint32_t offset)
{
	size_t at = BISECT(i, code->n_lines, code->lines[i].start <= offset);

	return at ? &code->lines[at - 1] : NULL;
}
