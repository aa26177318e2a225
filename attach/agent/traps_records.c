/*
 * The records of code objects that have traps: a table of them, by code object, and for each the two bytecodes, the one
 * that runs and the original. traps.c says why there are two.
 */
#include "traps.h"

static uint32_t size_class(size_t size)
{
	return size <= 64 ? 6 : 64 - (uint32_t)__builtin_clzl(size - 1);
}

void *block_alloc(size_t size)
{
	struct trap_state *s = trap_state();
	uint32_t class = size_class(size);
	void *p = s->free_blocks[class];

	if (!p)
		return heap_alloc((size_t)1 << class);
	s->free_blocks[class] = *(void **)p;
	return p;
}

void block_free(void *p, size_t size)
{
	void **head = &trap_state()->free_blocks[size_class(size)];

	if (!p)
		return;
	*(void **)p = *head;
	*head = p;
}

/* ------------------------------------------------------------------------------------------------------ the table */

static struct trap_record **bucket_of(const struct trap_state *s, const PyObject *code)
{
	return &s->buckets[((uint64_t)code * 0x9e3779b97f4a7c15ull >> 32) & (s->nbuckets - 1)];
}

struct trap_record *record_find(const PyObject *code)
{
	struct trap_state *s = trap_state();
	struct trap_record *r;

	if (!s->nbuckets)
		return NULL;
	for (r = *bucket_of(s, code); r && r->code != code; r = r->next)
		;
	return r;
}

static bool record_has(const struct trap_record *r, const uint8_t *at)
{
	return (uint64_t)(at - r->live) < 2ull * r->units;
}

struct trap_record *record_at(const PyObject *code, const uint8_t *at)
{
	struct trap_state *s = trap_state();
	struct trap_record *r = record_find(code);

	if (r && record_has(r, at))
		return r;
	for (uint32_t i = 0; i < s->nbuckets; i++)
		for (r = s->buckets[i]; r; r = r->next)
			if (record_has(r, at))
				return r;
	return NULL;
}

static bool grow_buckets(struct trap_state *s)
{
	struct trap_record **old = s->buckets;
	uint32_t n = s->nbuckets, more = n ? 2 * n : 512;
	struct trap_record **new = block_alloc(more * sizeof(*new));

	if (!new)
		return false;
	memset(new, 0, more * sizeof(*new));
	s->buckets = new;
	s->nbuckets = more;
	for (uint32_t i = 0; i < n; i++) {
		struct trap_record *r, *next;

		for (r = old[i]; r; r = next) {
			struct trap_record **bucket = bucket_of(s, r->code);

			next = r->next;
			r->next = *bucket;
			*bucket = r;
		}
	}
	block_free(old, n * sizeof(*old));
	return true;
}

struct trap_record *record_alloc(void)
{
	struct trap_state *s = trap_state();
	struct trap_record *r = s->free_records;

	if (s->nrecords >= s->nbuckets && !grow_buckets(s))
		return NULL;
	if (!r)
		return heap_alloc(sizeof(*r));
	s->free_records = r->next;
	return r;
}

void record_free(struct trap_record *r)
{
	struct trap_state *s = trap_state();

	r->next = s->free_records;
	s->free_records = r;
}

void record_add(struct trap_record *r)
{
	struct trap_state *s = trap_state();
	struct trap_record **bucket = bucket_of(s, r->code);

	r->next = *bucket;
	*bucket = r;
	s->nrecords++;
}

/* --------------------------------------------------------------------------------------------------- the bytecode */

PyObject *record_live_object(const struct trap_record *r)
{
	return r->live - agent_data.layout.bytes_data;
}

PyObject *record_original_object(const struct trap_record *r)
{
	return (PyObject *)(r->original - agent_data.layout.bytes_data);
}

static bool init_inline(struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;
	PyObject *bytes = API(PyObject *, PyCode_GetCode, PyObject *)(r->code);
	const uint8_t *cached;

	if (!bytes)
		return false;
	API(void, Py_DecRef, PyObject *)(bytes);
	cached = load_ptr(r->code, l->code_cached);
	if (!cached)
		return false;
	r->units = (uint32_t)load64(r->code, 16);
	r->live = (uint8_t *)r->code + l->code_code;
	r->original = cached + l->bytes_data;
	return load64(cached, l->bytes_size) == 2ull * r->units;
}

static struct trap_record *in_place_find(const struct trap_state *s, const uint8_t *live)
{
	for (uint32_t i = 0; i < s->n_in_place; i++)
		if (s->in_place[i]->live == live)
			return s->in_place[i];
	return NULL;
}

static void in_place_forget(struct trap_state *s, const struct trap_record *r)
{
	for (uint32_t i = 0; i < s->n_in_place; i++)
		if (s->in_place[i] == r)
			s->in_place[i] = s->in_place[--s->n_in_place];
}

bool record_is_in_place(const struct trap_record *r)
{
	const struct trap_state *s = trap_state();

	return s->n_in_place && in_place_find(s, r->live) == r;
}

/* A frame is in the bytes object right now, so that is what must be planted; the copy is for readers. */
static bool init_in_place(struct trap_record *r, PyObject *bytes, uint64_t size)
{
	const struct agent_layout *l = &agent_data.layout;
	struct trap_state *s = trap_state();
	PyObject *copy;

	r->live = (uint8_t *)bytes + l->bytes_data;
	if (s->n_in_place >= IN_PLACE_MAX || in_place_find(s, r->live))
		return false;
	copy = API(PyObject *, PyBytes_FromStringAndSize, const void *, int64_t)(r->live, (int64_t)size);
	if (!copy)
		return false;
	API(int64_t, PyObject_Hash, PyObject *)(bytes);
	r->original = (uint8_t *)copy + l->bytes_data;
	s->in_place[s->n_in_place++] = r;
	return true;
}

/* The bytes object, or if there are traps in it the one without them. With a reference that is the caller's. */
static PyObject *untrapped(PyObject *bytes)
{
	const struct trap_record *r = in_place_find(trap_state(), (uint8_t *)bytes + agent_data.layout.bytes_data);

	if (!r)
		return bytes;
	API(void, Py_IncRef, PyObject *)(record_original_object(r));
	API(void, Py_DecRef, PyObject *)(bytes);
	return record_original_object(r);
}

/* The copy has the hash of the original for ever: it is computed now, and kept. */
static bool init_copy(struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;
	PyObject *bytes = load_ptr(r->code, l->code_code), *copy;
	uint64_t size = bytes ? load64(bytes, l->bytes_size) : 0;

	if (size < 2 || size % 2 || size > UINT32_MAX)
		return false;
	r->units = (uint32_t)(size / 2);
	if (trap_state()->plants_in_place)
		return init_in_place(r, bytes, size);
	if (trap_state()->n_in_place) {
		bytes = untrapped(bytes);
		*(PyObject **)((char *)r->code + l->code_code) = bytes;
	}
	r->original = (uint8_t *)bytes + l->bytes_data;
	copy = API(PyObject *, PyBytes_FromStringAndSize, const void *, int64_t)(r->original, (int64_t)size);
	if (!copy)
		return false;
	API(int64_t, PyObject_Hash, PyObject *)(copy);
	r->live = (uint8_t *)copy + l->bytes_data;
	*(PyObject **)((char *)r->code + l->code_code) = copy;
	return true;
}

bool record_init(struct trap_record *r, PyObject *code)
{
	*r = (struct trap_record){.code = code};
	return agent_data.layout.inline_code ? init_inline(r) : init_copy(r);
}

void record_deinit(struct trap_record *r)
{
	record_forget_lines(r);
	branches_forget(r);
	if (!agent_data.layout.inline_code)
		API(void, Py_DecRef, PyObject *)(record_original_object(r));
}

PyObject *record_forget(const PyObject *code)
{
	struct trap_state *s = trap_state();
	struct trap_record **at, *r;
	PyObject *held;

	if (!s->nbuckets)
		return NULL;
	for (at = bucket_of(s, code); *at && (*at)->code != code; at = &(*at)->next)
		;
	r = *at;
	if (!r)
		return NULL;
	*at = r->next;
	s->nrecords--;
	if (s->reraised.record == r)
		s->reraised.record = NULL;
	held = agent_data.layout.inline_code ? NULL : record_original_object(r);
	branches_forget(r);
	if (record_is_in_place(r)) {
		/* Others may run these bytes on. */
		record_restore_all(r);
		in_place_forget(s, r);
	}
	record_forget_lines(r);
	record_free(r);
	return held;
}
