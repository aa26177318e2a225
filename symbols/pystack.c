#include "symbols/pystack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Below a frame lie those that called it: so much is read along. */
#define FRAMES_BELOW 2048
#define FRAME_MAX 512
#define TSTATE_MAX 1024
#define FRAME_ALIGNMENT 7
/* PyFrameObject.f_lasti of a frame that has not begun. */
#define NOT_BEGUN (-1)

void pythreads_deinit(struct pythreads *threads)
{
	free(threads->threads);
	memset(threads, 0, sizeof(*threads));
}

int pystack_init(struct pystack *stack)
{
	memset(stack, 0, sizeof(*stack));
	stack->frames = malloc(PYSTACK_DEPTH_MAX * sizeof(*stack->frames));
	return stack->frames ? 0 : -ENOMEM;
}

void pystack_deinit(struct pystack *stack)
{
	free(stack->frames);
	memset(stack, 0, sizeof(*stack));
}

static int get_u64(struct mem_windows *w, uint64_t addr, uint64_t *ret)
{
	int r = mem_windows_get(w, addr, ret, sizeof(*ret), 0, 0);

	return r == -EFAULT || r == -E2BIG ? -EAGAIN : r;
}

static int get_byte(struct mem_windows *w, uint64_t addr, int8_t *ret)
{
	int r = mem_windows_get(w, addr, ret, sizeof(*ret), 0, 0);

	return r == -EFAULT || r == -E2BIG ? -EAGAIN : r;
}

static uint64_t u64_at(const uint8_t *bytes, size_t size, int32_t offset)
{
	uint64_t value = 0;

	if (offset >= 0 && (size_t)offset + 8 <= size)
		memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static void include(size_t *size, int32_t offset)
{
	if (offset >= 0 && (size_t)offset + 8 > *size)
		*size = (size_t)offset + 8;
}

/* ---- interpreters and threads ---- */

static size_t tstate_size(const struct layout *l)
{
	size_t size = 0;

	include(&size, l->tstate.next);
	include(&size, l->tstate.interp);
	include(&size, l->tstate.frame);
	include(&size, l->tstate.cframe);
	include(&size, l->tstate.current_frame);
	include(&size, l->tstate.thread_id);
	include(&size, l->tstate.native_thread_id);
	return size > TSTATE_MAX ? TSTATE_MAX : size;
}

static int get_tstate(const struct layout *l, struct mem_windows *w, uint64_t tstate, uint8_t bytes[TSTATE_MAX])
{
	int r = mem_windows_get(w, tstate, bytes, tstate_size(l), 0, 0);

	return r == -EFAULT || r == -E2BIG ? -EAGAIN : r;
}

/** What the GIL of @p ret says, which is the same for each thread of an interpreter. */
static int get_gil(const struct layout *l, struct mem_windows *w, struct pythread *ret)
{
	uint8_t bytes[64];
	size_t size = 0;
	int32_t locked;
	int r;

	include(&size, l->gil.last_holder);
	include(&size, l->gil.locked);
	include(&size, l->gil.switch_number);
	if (ret->gil == 0 || size > sizeof(bytes))
		return 0;
	r = mem_windows_get(w, ret->gil, bytes, size, 0, 0);
	if (r < 0)
		return r == -EFAULT || r == -E2BIG ? -EAGAIN : r;
	memcpy(&locked, bytes + l->gil.locked, sizeof(locked));
	ret->has_gil = locked == 1;
	ret->gil_holder = u64_at(bytes, size, l->gil.last_holder);
	ret->gil_switches = u64_at(bytes, size, l->gil.switch_number);
	return 0;
}

static int find_gil(const struct pyruntime *python, struct mem_windows *w, uint64_t interp, uint64_t *ret)
{
	const struct layout *l = python->layout;

	*ret = 0;
	if (!l->gil_is_pointer) {
		*ret = python->addr + (uint64_t)l->runtime.gil;
		return 0;
	}
	return get_u64(w, interp + (uint64_t)l->interp.ceval_gil, ret);
}

static int add_thread(struct pythreads *threads, const struct pythread *thread)
{
	struct pythread *new;

	if (threads->n >= PYSTACK_THREADS_MAX)
		return -EAGAIN;
	if (threads->n == threads->room) {
		size_t room = threads->room ? 2 * threads->room : 16;

		new = realloc(threads->threads, room * sizeof(*new));
		if (!new)
			return -ENOMEM;
		threads->threads = new;
		threads->room = room;
	}
	threads->threads[threads->n++] = *thread;
	return 0;
}

static int list_threads(struct pythreads *threads, const struct layout *l, struct mem_windows *w,
			const struct pythread *common)
{
	uint8_t bytes[TSTATE_MAX];
	size_t size = tstate_size(l);
	uint64_t at;
	int r = get_u64(w, common->interp + (uint64_t)l->interp.threads_head, &at);

	while (r == 0 && at) {
		struct pythread thread = *common;

		thread.tstate = at;
		thread.has_gil = common->has_gil && at == common->gil_holder;
		r = at & 7 ? -EAGAIN : get_tstate(l, w, at, bytes);
		if (r < 0)
			break;
		if (u64_at(bytes, size, l->tstate.interp) != common->interp)
			return -EAGAIN;
		thread.thread_id = u64_at(bytes, size, l->tstate.thread_id);
		thread.native_id = u64_at(bytes, size, l->tstate.native_thread_id);
		r = add_thread(threads, &thread);
		at = u64_at(bytes, size, l->tstate.next);
	}
	return r;
}

static int list_interpreter(struct pythreads *threads, const struct pyruntime *python, struct mem_windows *w,
			    uint64_t interp)
{
	const struct layout *l = python->layout;
	struct pythread common = {.interp = interp};
	uint64_t id = 0;
	int r = get_u64(w, interp + (uint64_t)l->interp.id, &id);

	common.interpreter = (int64_t)id;
	if (r == 0)
		r = find_gil(python, w, interp, &common.gil);
	if (r == 0)
		r = get_gil(l, w, &common);
	return r < 0 ? r : list_threads(threads, l, w, &common);
}

int pythreads_get(struct pythreads *threads, const struct pyruntime *python, struct mem_windows *w)
{
	const struct layout *l = python->layout;
	unsigned int n = 0;
	uint64_t interp;
	int r = get_u64(w, python->addr + (uint64_t)l->runtime.interpreters_head, &interp);

	threads->n = 0;
	if (r == 0 && interp == 0)
		return -ENOENT;
	while (r == 0 && interp) {
		if (interp & 7 || ++n > PYSTACK_INTERPRETERS_MAX)
			return -EAGAIN;
		r = list_interpreter(threads, python, w, interp);
		if (r == 0)
			r = get_u64(w, interp + (uint64_t)l->interp.next, &interp);
	}
	return r;
}

bool pythread_waits_for_gil(const struct pythread *thread, const struct layout *layout, uint64_t futex)
{
	return thread->gil && futex >= thread->gil + (uint64_t)layout->gil.cond &&
	       futex < thread->gil + (uint64_t)layout->gil.size;
}

/* ---- frames ---- */

struct raw_frame {
	uint64_t addr, code, previous;
	int64_t instruction; /* bytes into the bytecode */
	uint8_t owner;
	bool is_entry;
};

static size_t frame_size(const struct layout *l)
{
	size_t size = 0;

	if (l->frames == LAYOUT_FRAMES_OBJECTS) {
		include(&size, l->frame.f_back);
		include(&size, l->frame.f_code);
		include(&size, l->frame.f_lasti);
		return size;
	}
	include(&size, l->iframe.executable);
	include(&size, l->iframe.previous);
	include(&size, l->iframe.instr_ptr);
	if (l->iframe.owner >= 0 && (size_t)l->iframe.owner + 1 > size)
		size = (size_t)l->iframe.owner + 1;
	return size > FRAME_MAX ? FRAME_MAX : size;
}

/* FRAME_OWNED_BY_GENERATOR: the same in all versions with owners (Include/internal/pycore_frame.h). */
#define OWNER_GENERATOR 1

static void decode_frame(const struct layout *l, const uint8_t *bytes, size_t size, struct raw_frame *ret)
{
	int32_t lasti;

	memset(ret, 0, sizeof(*ret));
	if (l->frames == LAYOUT_FRAMES_OBJECTS) {
		ret->code = u64_at(bytes, size, l->frame.f_code);
		ret->previous = u64_at(bytes, size, l->frame.f_back);
		memcpy(&lasti, bytes + l->frame.f_lasti, sizeof(lasti));
		ret->instruction = lasti == NOT_BEGUN ? -1 : (int64_t)lasti * l->lasti_unit;
		ret->is_entry = true;
		return;
	}
	ret->code = u64_at(bytes, size, l->iframe.executable);
	if (l->executable_is_tagged)
		ret->code &= ~(uint64_t)3;
	ret->previous = u64_at(bytes, size, l->iframe.previous);
	ret->instruction =
		(int64_t)(u64_at(bytes, size, l->iframe.instr_ptr) - ret->code - (uint64_t)l->code.co_code_adaptive);
	if (l->iframe.owner >= 0 && (size_t)l->iframe.owner < size)
		ret->owner = bytes[l->iframe.owner];
	/* 3.11 only; since then a call from C has a foreign frame of its own below. */
	if (l->iframe.is_entry >= 0 && (size_t)l->iframe.is_entry < size)
		ret->is_entry = bytes[l->iframe.is_entry] != 0;
}

static int get_frame(const struct layout *l, struct mem_windows *w, uint64_t addr, struct raw_frame *ret)
{
	size_t size = frame_size(l), below = l->frames == LAYOUT_FRAMES_OBJECTS ? 0 : FRAMES_BELOW;
	uint8_t bytes[FRAME_MAX];
	int r;

	if (addr & FRAME_ALIGNMENT)
		return -EAGAIN;
	r = mem_windows_get(w, addr, bytes, size, below, 0);
	if (r < 0)
		return r == -EFAULT || r == -E2BIG ? -EAGAIN : r;
	decode_frame(l, bytes, size, ret);
	ret->addr = addr;
	return 0;
}

static bool is_foreign(const struct layout *l, const struct raw_frame *raw)
{
	return l->frame_owner_foreign && raw->owner >= l->frame_owner_foreign;
}

/**
 * The instruction of @p raw as an offset into its code. False if it lies outside, which cannot be. A frame that is
 * being made, before its first traceable instruction, is one that Python itself does not show.
 */
static bool locate(const struct layout *l, const struct raw_frame *raw, struct pyframe *frame, bool *is_hidden)
{
	int64_t unit = l->lasti_unit, at = raw->instruction;

	*is_hidden = false;
	if (at < -unit || at > frame->code->size || (at >= 0 && at % 2))
		return false;
	if (l->frames != LAYOUT_FRAMES_OBJECTS && raw->owner != OWNER_GENERATOR)
		*is_hidden = at < (int64_t)frame->code->head.first_traceable;
	frame->offset = at < 0 ? NOT_BEGUN : (int32_t)at;
	return true;
}

static int add_frame(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
		     struct mem_windows *w, uint64_t addr, const struct raw_frame *raw)
{
	struct pyframe *frame = &stack->frames[stack->n];
	bool is_hidden;
	int r = pycodes_get(codes, python, w, raw->code, &frame->code);

	if (r < 0)
		return r == -E2BIG ? -EAGAIN : r;
	frame->addr = addr;
	frame->is_entry = raw->is_entry;
	frame->loop = 0;
	if (!locate(python->layout, raw, frame, &is_hidden))
		return -EAGAIN;
	if (!is_hidden)
		stack->n++;
	return 0;
}

int pyframe_get(const struct pyruntime *python, struct pycodes *codes, struct mem_windows *w, uint64_t addr,
		struct pyframe *ret)
{
	struct pystack one = {.frames = ret};
	struct raw_frame raw;
	int r = get_frame(python->layout, w, addr, &raw);

	if (r == 0)
		r = is_foreign(python->layout, &raw) ? -EAGAIN : add_frame(&one, python, codes, w, addr, &raw);
	return r < 0 ? r : one.n ? 0 : -EAGAIN;
}

/** A foreign frame ends what one C call of the loop runs. Most are local variables of that call: @loop. */
static void mark_entry(struct pystack *stack, uint64_t loop)
{
	for (size_t i = stack->n; i > 0 && !stack->frames[i - 1].is_entry; i--)
		stack->frames[i - 1].loop = loop;
	if (stack->n)
		stack->frames[stack->n - 1].is_entry = true;
}

/* PyFrameObject.f_state of 3.10: FRAME_EXECUTING, and FRAME_UNWINDING while it looks for who handles an exception. */
#define STATE_EXECUTING 0
#define STATE_UNWINDING 2

/** 1, or 0 for the frame of a generator that does not run. */
static int object_runs(const struct layout *l, struct mem_windows *w, uint64_t addr)
{
	uint64_t generator;
	int8_t state;
	int r = get_u64(w, addr + (uint64_t)l->frame.f_gen, &generator);

	if (r < 0 || !generator)
		return r < 0 ? r : 1;
	if (l->frame.f_executing >= 0) {
		r = get_byte(w, addr + (uint64_t)l->frame.f_executing, &state);
		return r < 0 ? r : state != 0;
	}
	r = get_byte(w, addr + (uint64_t)l->frame.f_state, &state);
	return r < 0 ? r : state == STATE_EXECUTING || state == STATE_UNWINDING;
}

/** The same where frames of generators lie in them. */
static int embedded_runs(const struct layout *l, struct mem_windows *w, uint64_t addr, const struct raw_frame *raw)
{
	int8_t state;
	int r;

	if (raw->owner != OWNER_GENERATOR)
		return 1;
	r = get_byte(w, addr - (uint64_t)l->gen.gi_iframe + (uint64_t)l->gen.gi_frame_state, &state);
	return r < 0 ? r : state == l->gen_executing;
}

/**
 * 1 if nothing called the frame at @addr, which has none that it goes back to. A generator has none while it does not
 * run, but may be the current frame a moment longer, or have been so when that was read.
 */
static int is_outermost(const struct layout *l, struct mem_windows *w, uint64_t addr, const struct raw_frame *raw)
{
	if (is_foreign(l, raw))
		return 1;
	if (l->frames == LAYOUT_FRAMES_OBJECTS)
		return object_runs(l, w, addr);
	return raw->is_entry ? embedded_runs(l, w, addr, raw) : 0;
}

/** Follow a chain from @frame on; @last: its last frame. */
static int walk_chain(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
		      struct mem_windows *w, uint64_t frame, struct raw_frame *last)
{
	uint64_t turtle = frame, lap = 1, steps = 0;
	struct raw_frame raw;
	int r;

	memset(last, 0, sizeof(*last));
	stack->n = 0;
	stack->is_cut = false;
	while (frame) {
		if (stack->n == PYSTACK_DEPTH_MAX || steps > 4 * PYSTACK_DEPTH_MAX) {
			stack->is_cut = true;
			return 0;
		}
		r = get_frame(python->layout, w, frame, &raw);
		if (r < 0)
			return r;
		if (is_foreign(python->layout, &raw))
			mark_entry(stack, frame);
		else if ((r = add_frame(stack, python, codes, w, frame, &raw)) < 0)
			return r;
		/* Brent: the turtle waits at powers of two. */
		if (steps++ == lap) {
			turtle = frame;
			lap *= 2;
		}
		frame = raw.previous;
		if (frame && frame == turtle)
			return -EAGAIN;
		*last = raw;
	}
	mark_entry(stack, 0);
	return 0;
}

int pystack_walk_from(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
		      struct mem_windows *w, uint64_t frame)
{
	struct raw_frame last;

	return walk_chain(stack, python, codes, w, frame, &last);
}

static int find_frame(const struct layout *l, struct mem_windows *w, uint64_t tstate, uint64_t *ret)
{
	size_t size = tstate_size(l);
	uint8_t bytes[TSTATE_MAX];
	uint64_t cframe;
	int r = get_tstate(l, w, tstate, bytes);

	if (r < 0)
		return r;
	switch (l->frames) {
	case LAYOUT_FRAMES_OBJECTS:
		*ret = u64_at(bytes, size, l->tstate.frame);
		return 0;
	case LAYOUT_FRAMES_CFRAME:
		*ret = 0;
		cframe = u64_at(bytes, size, l->tstate.cframe);
		return cframe ? get_u64(w, cframe + (uint64_t)l->cframe.current_frame, ret) : 0;
	case LAYOUT_FRAMES_CURRENT:
		*ret = u64_at(bytes, size, l->tstate.current_frame);
		return 0;
	}
	return -EAGAIN;
}

/** 0 where the version does not count. */
static int get_generation(const struct layout *l, struct mem_windows *w, uint64_t interp, uint64_t *ret)
{
	int r;

	*ret = 0;
	if (l->interp.code_object_generation < 0 || interp == 0)
		return 0;
	r = get_u64(w, interp + (uint64_t)l->interp.code_object_generation, ret);
	*ret += 1;
	return r;
}

int pystack_walk(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes, struct mem_windows *w,
		 const struct pythread *thread)
{
	const struct layout *l = python->layout;
	struct raw_frame last;
	uint64_t frame;
	int r = find_frame(l, w, thread->tstate, &frame);

	if (r == 0)
		r = walk_chain(stack, python, codes, w, frame, &last);
	if (r < 0 || !frame || stack->is_cut)
		return r;
	r = is_outermost(l, w, last.addr, &last);
	return r < 0 ? r : r ? 0 : -EAGAIN;
}

int pystack_confirm(const struct pyruntime *python, struct pycodes *codes, struct mem_windows *w,
		    const struct pythread *thread)
{
	uint64_t generation;
	int r = get_generation(python->layout, w, thread->interp, &generation);

	if (r < 0 || generation == codes->generation)
		return r;
	codes->generation = generation;
	return -EAGAIN;
}

/** The group of frames from @first on, up to the one that C called, has the frame at @addr among them. */
static bool is_in_group(const struct pystack *stack, size_t first, uint64_t addr)
{
	for (size_t i = first; i < stack->n; i++) {
		if (stack->frames[i].addr == addr)
			return true;
		if (stack->frames[i].is_entry)
			return false;
	}
	return false;
}

static size_t next_group(const struct pystack *stack, size_t first)
{
	while (first < stack->n && !stack->frames[first].is_entry)
		first++;
	return first + 1;
}

/** The first group from @first on that runs @addr has its `loop` at @cframe; returns the group after it. */
static size_t mark_loop(struct pystack *stack, size_t first, uint64_t addr, uint64_t cframe)
{
	for (size_t at = first; at < stack->n; at = next_group(stack, at)) {
		size_t end = next_group(stack, at);

		if (!is_in_group(stack, at, addr))
			continue;
		for (size_t i = at; i < end && i < stack->n; i++)
			stack->frames[i].loop = cframe;
		return end;
	}
	return first; /* what it runs is not shown */
}

int pystack_find_loops(struct pystack *stack, const struct pyruntime *python, struct mem_windows *w,
		       const struct pythread *thread)
{
	const struct layout *l = python->layout;
	uint64_t cframe, current, steps = 0;
	size_t group = 0;
	int r;

	if (l->iframe.is_entry < 0)
		return 0;
	r = get_u64(w, thread->tstate + (uint64_t)l->tstate.cframe, &cframe);
	while (r == 0 && cframe && group < stack->n && steps++ < 2 * PYSTACK_DEPTH_MAX) {
		r = get_u64(w, cframe + (uint64_t)l->cframe.current_frame, &current);
		if (r == 0)
			group = mark_loop(stack, group, current, cframe);
		if (r == 0)
			r = get_u64(w, cframe + (uint64_t)l->cframe.previous, &cframe);
	}
	return r;
}

static bool is_at(const struct pyframe *frame, uint64_t addr, const struct raw_frame *raw, bool is_innermost)
{
	return frame->addr == addr && frame->code->addr == raw->code &&
	       (is_innermost || frame->offset == (raw->instruction < 0 ? NOT_BEGUN : raw->instruction));
}

/** A frame that is being made, which a walk leaves out. */
static bool is_hidden(const struct pyruntime *python, const struct pycodes *codes, const struct raw_frame *raw)
{
	const struct pycode *code = pycodes_peek(codes, raw->code);
	struct pyframe frame = {.code = (struct pycode *)code};
	bool hidden;

	return code && locate(python->layout, raw, &frame, &hidden) && hidden;
}

static int compare(const struct pystack *stack, const struct pyruntime *python, const struct pycodes *codes,
		   struct mem_windows *w, const struct pythread *thread)
{
	uint64_t addr, steps = 0;
	struct raw_frame raw;
	size_t n = 0;
	int r = find_frame(python->layout, w, thread->tstate, &addr);

	for (; r == 0 && addr && steps++ <= 4 * PYSTACK_DEPTH_MAX; addr = raw.previous) {
		r = get_frame(python->layout, w, addr, &raw);
		if (r < 0 || is_foreign(python->layout, &raw))
			continue;
		if (n == stack->n) {
			if (stack->is_cut)
				return 1;
			if (is_hidden(python, codes, &raw))
				continue;
			return 0;
		}
		if (is_at(&stack->frames[n], addr, &raw, n == 0))
			n++;
		else if (!is_hidden(python, codes, &raw))
			return 0;
	}
	if (r < 0 || n != stack->n)
		return r < 0 ? r : 0;
	return n ? is_outermost(python->layout, w, raw.addr, &raw) : 1;
}

int pystack_check(const struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
		  struct mem_windows *w, const struct pythread *thread)
{
	int r = compare(stack, python, codes, w, thread);

	if (r == 1) {
		r = pystack_confirm(python, codes, w, thread);
		r = r == 0 ? 1 : r;
	}
	return r == -EAGAIN ? 0 : r;
}

uint32_t pyframe_line(const struct pyframe *frame)
{
	const struct pycode_line *line;

	if (frame->offset < 0)
		return frame->code->head.first_line > 0 ? (uint32_t)frame->code->head.first_line : 0;
	line = pycode_find_line(frame->code, (uint32_t)frame->offset);
	return line && line->line > 0 ? (uint32_t)line->line : 0;
}
