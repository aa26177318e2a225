/*
 * What the agent writes into the shared region: files, their lines, and the line tables of code objects.
 *
 * Any number of processes write at once and each may be killed between any two instructions: space is reserved by an
 * atomic on `used`, filled, and published by one release store. Nothing is ever moved or given back.
 */
#include "agent.h"

#define SYS_mremap 25
#define SYS_munmap 11
#define SYS_nanosleep 35
#define SYS_getcwd 79
#define MREMAP_MAYMOVE 1

#define LEAVE_NAP 1000000l /* nanoseconds */

struct agent_alias {
	uint64_t next;
	uint32_t file;
	uint32_t kind, len;
	char text[];
};

struct region_header *region_header(void)
{
	return (struct region_header *)agent_data.region;
}

bool region_enter(struct agent_interp *it)
{
	/* Either we see that it is shut, or who shuts it sees us. */
	__atomic_fetch_add(&it->users, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&agent_data.is_shut, __ATOMIC_SEQ_CST) && atomic_load(&agent_data.region))
		return true;
	region_exit(it);
	return false;
}

void region_exit(struct agent_interp *it)
{
	__atomic_fetch_sub(&it->users, 1, __ATOMIC_RELEASE);
}

void region_forget_users(void)
{
	for (unsigned int i = 0; i < AGENT_INTERPS; i++)
		atomic_store(&agent_data.interps[i].users, 0);
}

static bool has_users(void)
{
	for (unsigned int i = 0; i < AGENT_INTERPS; i++)
		if (__atomic_load_n(&agent_data.interps[i].users, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

/* They need some instructions more, and perhaps a CPU. */
static bool await_users(int naps)
{
	int64_t nap[2] = {0, LEAVE_NAP};

	for (int i = 0; has_users(); i++) {
		void *tstate;

		if (i == naps)
			return false;
		tstate = API(void *, PyEval_SaveThread, void)();
		agent_syscall(SYS_nanosleep, (long)nap, 0, 0, 0, 0, 0);
		API(void, PyEval_RestoreThread, void *)(tstate);
	}
	return true;
}

bool region_leave(int naps)
{
	__atomic_store_n(&agent_data.is_shut, 1, __ATOMIC_SEQ_CST);
	if (!await_users(naps))
		return false;
	atomic_store(&agent_data.region, 0);
	for (uint32_t i = 0; i < REGION_CHUNKS; i++) {
		if (agent_data.chunks[i])
			agent_syscall(SYS_munmap, (long)agent_data.chunks[i], REGION_CHUNK, 0, 0, 0, 0);
		agent_data.chunks[i] = 0;
	}
	memset(agent_data.file_cache, 0, sizeof(agent_data.file_cache));
	memset(agent_data.code_cache, 0, sizeof(agent_data.code_cache));
	agent_data.aliases = 0;
	return true;
}

void region_drop_code(void)
{
	atomic_add(&region_header()->dropped_code, 1);
}

void region_set_status(enum agent_status status)
{
	if (agent_data.region)
		atomic_store(&region_header()->status, (uint32_t)status);
}

/* Map chunk @i: the descriptor is long closed, but a shared mapping can be mapped again, longer (mremap(2), old size
 * 0); the part before the chunk goes at once. */
static char *map_chunk(uint32_t i)
{
	uint64_t none = 0;
	long p;

	p = agent_syscall(SYS_mremap, (long)agent_data.region, 0, (long)(i + 1) * REGION_CHUNK, MREMAP_MAYMOVE, 0, 0);
	if (p < 0 && p > -4096)
		return NULL;
	agent_syscall(SYS_munmap, p, (long)i * REGION_CHUNK, 0, 0, 0, 0);
	agent_syscall(28 /* madvise */, p + (long)i * REGION_CHUNK, REGION_CHUNK, 16 /* DONTDUMP */, 0, 0, 0);
	p += (long)i * REGION_CHUNK;
	if (!__atomic_compare_exchange_n(&agent_data.chunks[i], &none, (uint64_t)p, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		agent_syscall(SYS_munmap, p, REGION_CHUNK, 0, 0, 0, 0);
		return (char *)none;
	}
	return (char *)p;
}

/* The bytes at @offset of the region; NULL when they cannot be mapped. */
static void *region_at(uint32_t offset)
{
	uint32_t i = offset / REGION_CHUNK;
	char *chunk;

	if (i == 0)
		return (char *)agent_data.region + offset;
	if (i >= REGION_CHUNKS)
		return NULL;
	chunk = (char *)atomic_load(&agent_data.chunks[i]);
	if (!chunk)
		chunk = map_chunk(i);
	return chunk ? chunk + offset % REGION_CHUNK : NULL;
}

/* Reserve @size zeroed bytes; 0 when the region is full. */
static uint32_t region_alloc(uint32_t size)
{
	uint32_t *used = &region_header()->used;
	uint32_t old = atomic_load(used), at;

	size = (size + 7) & ~7u;
	do {
		at = old;
		if (at % REGION_CHUNK + size > REGION_CHUNK)
			at = (at / REGION_CHUNK + 1) * REGION_CHUNK;
		if (at > REGION_SIZE - REGION_CHUNK || size > REGION_CHUNK)
			return 0;
	} while (!__atomic_compare_exchange_n(used, &old, at + size, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return at;
}

static uint32_t hash_bytes(const void *data, size_t n, uint64_t h)
{
	const char *p = data;

	for (; n >= 8; n -= 8, p += 8)
		h = (h ^ *(const uint64_t *)p) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	for (; n; n--, p++)
		h = (h ^ (unsigned char)*p) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t find_file(const char *name, uint32_t len, uint32_t hash)
{
	uint32_t at = atomic_load(&region_header()->file_buckets[hash % REGION_FILE_BUCKETS]);

	while (at) {
		struct region_file *file = region_at(at);

		if (!file)
			break;
		if (file->hash == hash && file->name_len == len && !memcmp(file->name, name, len))
			return at;
		at = file->next;
	}
	return 0;
}

/* The refusals hold as soon as their landmark has a record, whether it came before they did or not. */
static bool is_refused(const char *name, uint32_t len)
{
	const char *landmark = atomic_load(&agent_data.refused.holds) ? NULL : refused_landmark();
	uint32_t n = landmark ? (uint32_t)text_length(landmark) : 0;

	if (landmark && !refused_note(name, len) && find_file(landmark, n, hash_bytes(landmark, n, 1)))
		refused_note(landmark, n);
	return refused_is(name, len);
}

static uint32_t add_file(const char *name, uint32_t len)
{
	uint32_t hash = hash_bytes(name, len, 1);
	uint32_t at = find_file(name, len, hash);
	uint32_t *head = &region_header()->file_buckets[hash % REGION_FILE_BUCKETS];
	struct region_file *file;

	if (at)
		return at;
	at = region_alloc(sizeof(*file) + len);
	file = at ? region_at(at) : NULL;
	if (!file) {
		atomic_add(&region_header()->dropped_files, 1);
		return 0;
	}
	file->hash = hash;
	file->name_len = len;
	file->flags = is_refused(name, len) ? REGION_FILE_REFUSED : 0;
	memcpy(file->name, name, len);
	file->next = atomic_load(head);
	while (!__atomic_compare_exchange_n(head, &file->next, at, true, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
	return at;
}

bool region_is_refused(uint32_t at)
{
	const struct region_file *file = at ? region_at(at) : NULL;

	return file && file->flags & REGION_FILE_REFUSED;
}

void region_note_landmark(void)
{
	const char *landmark = refused_landmark();

	if (landmark && atomic_load(&agent_data.refused.holds))
		add_file(landmark, (uint32_t)text_length(landmark));
}

/* ---------------------------------------------------------------------------------------------------- strings */

struct str {
	const unsigned char *data;
	uint32_t len, kind; /* characters; bytes of each: 1, 2 or 4 */
	bool ascii;
};

static bool str_view(const PyObject *o, struct str *s)
{
	const struct agent_layout *l = &agent_data.layout;
	uint32_t state = (uint32_t)load32(o, l->str_state);
	int64_t len = (int64_t)load64(o, l->str_length);

	if (len < 0 || len > REGION_NAME_MAX || !(state & 1u << 5)) /* compact */
		return false;
	s->ascii = state & 1u << 6;
	s->kind = state >> 2 & 7;
	s->len = (uint32_t)len;
	s->data = (const unsigned char *)o + (s->ascii ? l->str_ascii_size : l->str_compact_size);
	return s->kind == 1 || s->kind == 2 || s->kind == 4;
}

static uint32_t str_char(const struct str *s, uint32_t i)
{
	if (s->kind == 1)
		return s->data[i];
	if (s->kind == 2)
		return ((const uint16_t *)(const void *)s->data)[i];
	return ((const uint32_t *)(const void *)s->data)[i];
}

/* As os.fsencode() with UTF-8: lone surrogates that stand for undecodable bytes become those bytes again. */
static uint32_t str_encode(const struct str *s, char *to, uint32_t room)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->len; i++) {
		uint32_t c = str_char(s, i);

		if (n + 4 > room)
			return 0;
		if (c < 0x80) {
			to[n++] = (char)c;
		} else if (c >= 0xdc80 && c <= 0xdcff) {
			to[n++] = (char)(c - 0xdc00);
		} else if (c < 0x800) {
			to[n++] = (char)(0xc0 | c >> 6);
			to[n++] = (char)(0x80 | (c & 63));
		} else if (c < 0x10000) {
			to[n++] = (char)(0xe0 | c >> 12);
			to[n++] = (char)(0x80 | (c >> 6 & 63));
			to[n++] = (char)(0x80 | (c & 63));
		} else {
			to[n++] = (char)(0xf0 | c >> 18);
			to[n++] = (char)(0x80 | (c >> 12 & 63));
			to[n++] = (char)(0x80 | (c >> 6 & 63));
			to[n++] = (char)(0x80 | (c & 63));
		}
	}
	return n;
}

bool str_starts_with(const PyObject *o, const char *text, size_t len)
{
	struct str s;

	return o && str_view(o, &s) && s.ascii && s.len >= len && !memcmp(s.data, text, len);
}

bool str_equals(const PyObject *o, const char *text, size_t len)
{
	return o && load64(o, agent_data.layout.str_length) == len && str_starts_with(o, text, len);
}

/* ------------------------------------------------------------------------------------------------------ files */

static bool alias_matches(const struct agent_alias *a, const struct str *s)
{
	return a->kind == s->kind && a->len == s->len && !memcmp(a->text, s->data, (size_t)s->len * s->kind);
}

/* Names that are relative or not ASCII: what they mean is settled once in a process, at their first sight, as
 * coverage.py settles it; a chdir() later changes nothing. */
static uint32_t file_of_other(const struct str *s)
{
	char name[2 * REGION_NAME_MAX];
	uint32_t n = 0, more, file;
	struct agent_alias *a;

	for (a = (void *)atomic_load(&agent_data.aliases); a; a = (void *)a->next)
		if (alias_matches(a, s))
			return a->file;
	if (str_char(s, 0) != '/') {
		long len = agent_syscall(SYS_getcwd, (long)name, REGION_NAME_MAX, 0, 0, 0, 0);

		if (len <= 1 || name[0] != '/')
			return 0;
		n = (uint32_t)len - 1; /* without the terminating zero */
		if (n > 1)
			name[n++] = '/';
	}
	more = str_encode(s, name + n, sizeof(name) - n);
	if (!more)
		return 0;
	file = add_file(name, n + more);
	a = heap_alloc(sizeof(*a) + (size_t)s->len * s->kind);
	if (!a || !file)
		return file;
	a->file = file;
	a->kind = s->kind;
	a->len = s->len;
	memcpy(a->text, s->data, (size_t)s->len * s->kind);
	a->next = atomic_load(&agent_data.aliases);
	while (!__atomic_compare_exchange_n(&agent_data.aliases, &a->next, (uint64_t)a, true, __ATOMIC_RELEASE,
					    __ATOMIC_ACQUIRE))
		;
	return file;
}

uint32_t region_file_of(const PyObject *o)
{
	struct agent_file_cache *c = &agent_data.file_cache[(uintptr_t)o / 16 % AGENT_FILE_CACHE];
	struct agent_file_cache seen;
	struct str s;
	uint32_t file;

	if (!atomic_load(&agent_data.region)) /* a forked child that is not followed */
		return 0;
	if (!o || !str_view(o, &s) || !s.len || str_char(&s, 0) == '<')
		return 0;
	if (!s.ascii || s.data[0] != '/')
		return file_of_other(&s);
	/* The cache is a hint only (its words may come from two writers): the name decides. */
	seen = *c;
	if (seen.str == (uint64_t)o && seen.len == s.len && seen.file) {
		struct region_file *f = region_at(seen.file);

		if (f && f->name_len == s.len && !memcmp(f->name, s.data, s.len))
			return seen.file;
	}
	file = add_file((const char *)s.data, s.len);
	c->str = (uint64_t)o;
	c->file = file;
	c->len = s.len;
	return file;
}

/* The offset at @slot, made (@size zeroed bytes) when there is none yet. */
static uint32_t slot_get(uint32_t *slot, uint32_t size)
{
	uint32_t at = atomic_load(slot), none = 0;

	if (at)
		return at;
	at = region_alloc(size);
	if (!at)
		return 0;
	if (!__atomic_compare_exchange_n(slot, &none, at, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return none; /* another writer was first; ours stays unused */
	return at;
}

static uint32_t line_chunk(struct region_file *file, uint32_t index)
{
	uint32_t *top, *leaf;
	uint32_t at;

	if (index < REGION_NEAR_CHUNKS)
		return slot_get(&file->near[index], REGION_LINES_PER_CHUNK / 8);
	at = slot_get(&file->far, 4 * REGION_FAR_TOP);
	top = at ? region_at(at) : NULL;
	if (!top)
		return 0;
	at = slot_get(&top[index / REGION_FAR_LEAF % REGION_FAR_TOP], 4 * REGION_FAR_LEAF);
	leaf = at ? region_at(at) : NULL;
	if (!leaf)
		return 0;
	return slot_get(&leaf[index % REGION_FAR_LEAF], REGION_LINES_PER_CHUNK / 8);
}

void region_set_line(uint32_t file_at, int64_t line)
{
	struct region_file *file;
	unsigned char *bits;
	uint32_t at;

	if (!file_at || line <= 0 || line > 0x7fffffff)
		return;
	file = region_at(file_at);
	at = file ? line_chunk(file, (uint32_t)line / REGION_LINES_PER_CHUNK) : 0;
	bits = at ? region_at(at) : NULL;
	if (!bits) {
		atomic_add(&region_header()->dropped_lines, 1);
		return;
	}
	line %= REGION_LINES_PER_CHUNK;
	__atomic_fetch_or(&bits[line / 8], (unsigned char)(1u << line % 8), __ATOMIC_RELAXED);
}

/* ----------------------------------------------------------------------------------------------- code objects */

static uint32_t code_size(const PyObject *code)
{
	const struct agent_layout *l = &agent_data.layout;

	return l->inline_code ? 2 * (uint32_t)load64(code, 16)
			      : (uint32_t)load64(load_ptr(code, l->code_code), l->bytes_size);
}

static bool code_known(const struct region_code *new, const struct region_code *old, const char *name,
		       const char *table)
{
	return old->hash == new->hash && old->file == new->file && old->firstlineno == new->firstlineno &&
	       old->code_size == new->code_size && old->name_len == new->name_len && old->table_len == new->table_len &&
	       !memcmp(old->data, name, old->name_len) && !memcmp(old->data + old->name_len, table, old->table_len);
}

bool region_is_code(uint32_t at, const PyObject *code, uint32_t file)
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *table = load_ptr(code, l->code_linetable);
	const struct region_code *record = at ? region_at(at) : NULL;

	return record && record->file == file && record->firstlineno == load32(code, l->code_firstlineno) &&
	       record->code_size == code_size(code) && record->table_len == load64(table, l->bytes_size) &&
	       !memcmp(record->data + record->name_len, (const char *)table + l->bytes_data, record->table_len);
}

static char *bytecode_in(struct region_code *record)
{
	return record->data + record->name_len + record->table_len;
}

unsigned int region_set_way(uint32_t at, uint64_t unit, unsigned int way)
{
	struct region_code *record = at ? region_at(at) : NULL;
	unsigned char *ways;
	unsigned int shift = 2 * (unit % 4);

	if (!record || unit >= record->kept / 2)
		return 0;
	ways = (unsigned char *)bytecode_in(record) + record->kept + unit / 4;
	return (__atomic_fetch_or(ways, (unsigned char)(way << shift), __ATOMIC_RELAXED) >> shift & 3) | way;
}

uint64_t region_next_unit(uint32_t at, uint64_t unit)
{
	struct region_code *record = at ? region_at(at) : NULL;
	const char *bytecode = record ? bytecode_in(record) : NULL;

	for (unit++; bytecode && unit < record->kept / 2 && !bytecode[2 * unit];) /* CACHE */
		unit++;
	return unit;
}

/* The bytecode as it was compiled, into @to: @size bytes. */
static bool copy_bytecode(PyObject *code, const void *original, char *to, uint32_t size)
{
	const struct agent_layout *l = &agent_data.layout;
	PyObject *bytes = NULL;
	bool ret = original != NULL;

	if (!original && agent_data.api[API_PyCode_GetCode]) {
		bytes = API(PyObject *, PyCode_GetCode, PyObject *)(code);
		if (!bytes)
			API(void, PyErr_Clear, void)();
		ret = bytes && load64(bytes, l->bytes_size) == size;
		original = (const char *)bytes + l->bytes_data;
	}
	if (ret)
		memcpy(to, original, size);
	if (bytes)
		API(void, Py_DecRef, PyObject *)(bytes);
	return ret;
}

uint32_t region_add_code(PyObject *code, uint32_t file, const void *original)
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *table = load_ptr(code, l->code_linetable);
	const PyObject *qualname = load_ptr(code, l->code_qualname ? l->code_qualname : l->code_name);
	struct region_code new = {.file = file, .linetable_kind = l->linetable_kind}, *record;
	const char *bytes = (const char *)table + l->bytes_data;
	char name[512];
	struct str s;
	uint32_t *head, at, room = 0;
	uint64_t size;

	if (!file || !table || !qualname)
		return 0;
	size = load64(table, l->bytes_size);
	new.code_size = code_size(code);
	if (agent_data.branches)
		room = new.code_size + REGION_WAYS_SIZE(new.code_size);
	if (size > REGION_CHUNK / 2 || room > REGION_CHUNK / 4) {
		atomic_add(&region_header()->dropped_code, 1);
		return 0;
	}
	new.table_len = (uint32_t)size;
	new.firstlineno = load32(code, l->code_firstlineno);
	if (str_view(qualname, &s))
		new.name_len = (uint16_t)(s.len > 120 ? 0 : str_encode(&s, name, sizeof(name)));
	if (l->skip_annotate && str_equals(load_ptr(code, l->code_name), "__annotate__", 12))
		new.flags = REGION_CODE_ANNOTATE;
	new.hash = hash_bytes(bytes, new.table_len,
			      hash_bytes(name, new.name_len, (uint64_t)file << 32 | (uint32_t) new.firstlineno));
	head = &region_header()->code_buckets[new.hash % REGION_CODE_BUCKETS];
	new.next = atomic_load(head);
	for (at = new.next; at; at = record->next) {
		record = region_at(at);
		if (!record)
			return 0;
		if (code_known(&new, record, name, bytes))
			return at;
	}
	at = region_alloc(sizeof(new) + new.name_len + new.table_len + room);
	record = at ? region_at(at) : NULL;
	if (!record) {
		atomic_add(&region_header()->dropped_code, 1);
		return 0;
	}
	*record = new;
	memcpy(record->data, name, new.name_len);
	memcpy(record->data + new.name_len, bytes, new.table_len);
	if (room && copy_bytecode(code, original, bytecode_in(record), new.code_size))
		record->kept = new.code_size;
	while (!__atomic_compare_exchange_n(head, &record->next, at, true, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
	return at;
}
