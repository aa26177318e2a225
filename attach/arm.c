#include "attach/arm.h"

#include <errno.h>
#include <string.h>

#include "attach/boot.h"
#include "attach/cave.h"
#include "attach/procfs.h"

extern const unsigned char arm_code[], arm_code_end[], arm_restore_thread[], arm_trace_entry[], arm_pending[],
	arm_code_call[], arm_word[], arm_blob[], arm_size[], arm_resume[], arm_thread_state[], arm_trace_offset[],
	arm_possible[];

static raddr place(const struct arm *a, const unsigned char *symbol)
{
	return a->code + (raddr)(symbol - arm_code);
}

struct room {
	const struct remote *r;
	raddr except, found;
	size_t need;
};

/* Any image will do: the code does not care where it is. */
static int find_room(const struct procfs_map *map, void *arg)
{
	struct room *room = arg;

	if (!map->ino || map->offset || !map->readable || map->start == room->except)
		return 0;
	return cave_in_text(room->r, map->start, room->need, &room->found) == 0;
}

static int find_caves(struct arm *a, const struct remote *r, raddr runtime)
{
	struct room room = {.r = r, .except = runtime, .need = a->code_len};
	raddr cave;
	int e = cave_in_text(r, runtime, ARM_STUB_MAX, &a->stub);

	if (e < 0)
		return e;
	e = cave_in_data(r, runtime, 8, &a->word);
	if (e < 0)
		return e;
	if (cave_in_text(r, runtime, ARM_STUB_MAX + a->code_len, &cave) == 0) {
		a->stub = cave;
		a->code = cave + ARM_STUB_MAX;
		return 0;
	}
	e = procfs_each_map(r->tid, find_room, &room);
	a->code = room.found;
	return e < 0 ? e : e ? 0 : -ENOENT;
}

static int put(const struct remote *r, raddr at, uint64_t value)
{
	return remote_write(r, at, &value, sizeof(value));
}

static void patch(unsigned char *code, const unsigned char *field, uint64_t value)
{
	memcpy(code + (field - arm_code), &value, sizeof(value));
}

static int write_code(struct arm *a, const struct remote *r, raddr agent, const struct arm_tracing *tracing)
{
	unsigned char code[ARM_CODE_MAX];

	memcpy(code, arm_code, a->code_len);
	patch(code, arm_word, a->word);
	patch(code, arm_blob, agent);
	patch(code, arm_size, boot_blob()->size);
	patch(code, arm_resume, a->hook.resume);
	patch(code, arm_thread_state, tracing->thread_state);
	patch(code, arm_trace_offset, tracing->offset);
	patch(code, arm_possible, tracing->count);
	a->call = place(a, arm_code_call);
	return remote_write(r, a->code, code, a->code_len);
}

static void forget_own(struct arm *a, const struct remote *r);

int arm_prepare(struct arm *a, const struct remote *r, raddr restore_thread, raddr runtime, raddr agent,
		const struct arm_tracing *tracing)
{
	struct arm new = {.code_len = (size_t)(arm_code_end - arm_code)};
	struct hook_page page = {.size = ARM_STUB_MAX};
	int e;

	if (new.code_len > ARM_CODE_MAX)
		return -ENOTSUP;
	e = find_caves(&new, r, runtime);
	if (e < 0)
		return e;
	e = remote_read(r, new.code, new.saved_code, new.code_len);
	if (e == 0)
		e = remote_read(r, new.stub, new.saved_stub, sizeof(new.saved_stub));
	if (e < 0)
		return e;
	forget_own(&new, r);
	page.addr = new.stub;
	e = hook_prepare_word(r, &page, restore_thread, place(&new, arm_restore_thread), &new.hook);
	if (e < 0)
		return e;
	e = write_code(&new, r, agent, tracing);
	if (e < 0)
		return e;
	*a = new;
	return 0;
}

int arm_lead_to(const struct arm *a, const struct remote *r, raddr agent)
{
	return put(r, place(a, arm_blob), agent);
}

int arm_set(struct arm *a, const struct remote *r)
{
	int e = put(r, a->word, 1);

	if (e == 0)
		e = hook_arm(r, &a->hook);
	a->is_hooked = e == 0;
	return e;
}

int arm_unset(struct arm *a, const struct remote *r)
{
	int e = put(r, a->word, 0);

	if (e == 0 && a->is_hooked)
		e = hook_disarm(r, &a->hook);
	if (e == 0)
		a->is_hooked = false;
	return e;
}

int arm_inherit(struct arm *a, const struct remote *r)
{
	size_t fixed = (size_t)(arm_word - arm_code);
	unsigned char code[ARM_CODE_MAX];
	int e = remote_read(r, a->code, code, a->code_len);

	if (e < 0)
		return e;
	if (memcmp(code, arm_code, fixed)) {
		e = arm_clean(a, r);
		return e < 0 ? e : -ENOENT;
	}
	if (a->is_hooked)
		return arm_set(a, r);
	a->is_hooked = true;
	return arm_unset(a, r);
}

bool arm_is_waiting(const struct arm *a, const struct remote *r)
{
	uint64_t word;

	return remote_read(r, a->word, &word, sizeof(word)) == 0 && word == 1;
}

bool arm_is_in_way(const struct arm *a, raddr pc)
{
	return pc > a->hook.patch && pc < a->hook.patch + sizeof(a->hook.jump);
}

int arm_trace(const struct arm *a, const struct remote *r, raddr tstate, const struct arm_tracing *tracing)
{
	raddr slot = tstate + tracing->offset;
	uint64_t old;
	int32_t n;
	int e = remote_read(r, slot, &old, sizeof(old));

	if (e < 0 || old == place(a, arm_trace_entry))
		return e;
	if (old)
		return -EBUSY;
	if (tracing->count) {
		e = remote_read(r, tracing->count, &n, sizeof(n));
		n++;
		if (e == 0)
			e = remote_write(r, tracing->count, &n, sizeof(n));
	}
	return e < 0 ? e : put(r, slot, place(a, arm_trace_entry));
}

raddr arm_pending_function(const struct arm *a)
{
	return place(a, arm_pending);
}

#define ENTRY_BYTES 18 /* up to its first call */

bool arm_is_entry(const struct remote *r, raddr addr)
{
	unsigned char bytes[ENTRY_BYTES];

	return remote_read(r, addr, bytes, sizeof(bytes)) == 0 && !memcmp(bytes, arm_restore_thread, sizeof(bytes));
}

/* Is it what a killed one has left? Then what was there before is not known; nobody needs it. */
static void forget_own(struct arm *a, const struct remote *r)
{
	raddr entry = place(a, arm_restore_thread);

	if (!arm_is_entry(r, entry))
		return;
	memset(a->saved_code, 0, sizeof(a->saved_code));
	memset(a->saved_stub, 0, sizeof(a->saved_stub));
}

bool arm_contains(const struct arm *a, raddr pc)
{
	return pc - a->code < a->code_len || pc - a->stub < ARM_STUB_MAX;
}

int arm_clean(struct arm *a, const struct remote *r)
{
	int e = a->code ? remote_write(r, a->code, a->saved_code, a->code_len) : 0;

	if (e == 0 && a->stub)
		e = remote_write(r, a->stub, a->saved_stub, sizeof(a->saved_stub));
	memset(a, 0, sizeof(*a));
	return e;
}
