#include "supervisor/summon.h"

#include <errno.h>
#include <string.h>

#include "attach/procfs.h"
#include "supervisor/repair.h"
#include "supervisor/take_gil.h"
#include "symbols/elf_symbol.h"

#define THREADS_MAX 100000
#define CFRAMES_LOOKED_AT 100
#define CALLS_TO_DO_BIT 4 /* _PY_CALLS_TO_DO_BIT, 3.13+ */
#define DATA(field) (p->blob + boot_blob()->data + offsetof(struct agent, field))

static raddr runtime_addr(const struct program *p, uint64_t vaddr)
{
	return vaddr + p->runtime_bias;
}

/* ------------------------------------------------------------------------------------------- what is there already */

struct agent_search {
	const struct remote *r;
	raddr found;
};

/* An agent of this very build: another one might understand nothing of what we say. */
static int search_agent(const struct procfs_map *map, void *arg)
{
	struct agent_search *s = arg;
	const struct agent_blob *ours = boot_blob();
	unsigned char bytes[4096];

	if (map->ino || !map->executable || !map->readable || map->end - map->start < ours->data)
		return 0;
	for (uint32_t at = 0; at < ours->data; at += (uint32_t)sizeof(bytes)) {
		size_t n = ours->data - at < sizeof(bytes) ? ours->data - at : sizeof(bytes);

		if (remote_read(s->r, map->start + at, bytes, n) < 0)
			return 0;
		/* The first word is the magic one, which the image in the file does not have. */
		if (at == 0 &&
		    (memcmp(bytes, &(uint32_t){AGENT_MAGIC}, 4) || memcmp(bytes + 4, (char *)ours + 4, n - 4)))
			return 0;
		if (at && memcmp(bytes, (char *)ours + at, n))
			return 0;
	}
	s->found = map->start;
	return 1;
}

static int search_errno(const struct procfs_map *map, void *arg)
{
	struct agent_search *s = arg;
	_cleanup_elf_image_ struct elf_image *elf = NULL;
	_cleanup_close_ int fd = -1;
	const char *reason;
	struct elf_symbol symbol;
	uint64_t bias;

	if (!map->executable || !map->ino || (!strstr(map->path, "libc") && !strstr(map->path, "ld-musl")))
		return 0;
	fd = procfs_open_map(s->r->tid, map);
	if (fd < 0 || elf_image_new(fd, &elf, &reason) < 0 || elf_symbol_find(elf, "__errno_location", &symbol) < 0 ||
	    elf_image_bias(elf, map->offset, map->start, true, &bias) < 0)
		return 0;
	s->found = symbol.vaddr + bias;
	return 1;
}

static raddr search(const struct remote *r, int (*f)(const struct procfs_map *map, void *arg))
{
	struct agent_search s = {.r = r};

	return procfs_each_map(r->tid, f, &s) > 0 ? s.found : 0;
}

/* ---------------------------------------------------------------------------------------------------- the request */

int summon_tell_waking(const struct program *p, const struct remote *r)
{
	static const enum agent_api needed[] = {API_PyThreadState_Swap, API_PyThreadState_GetUnchecked,
						API__PyThreadState_UncheckedGet, API_PyEval_RestoreThread,
						API_PyEval_SaveThread};
	const struct layout *l = &p->runtime->py.layout;
	uint64_t holder = runtime_addr(p, p->runtime->py.runtime) + (raddr)l->runtime.gil + (raddr)l->gil.last_holder;
	uint32_t summoned = p->summoned;
	int e = remote_write(r, DATA(resume) + 8u * HOOK_RESTORE_THREAD, &p->arm.hook.resume,
			     sizeof(p->arm.hook.resume));

	for (size_t i = 0; e == 0 && i < ARRAY_SIZE(needed); i++) {
		uint64_t vaddr = p->runtime->api[needed[i]], at = vaddr ? runtime_addr(p, vaddr) : 0;

		e = remote_write(r, DATA(api) + 8u * needed[i], &at, sizeof(at));
	}
	if (e == 0)
		e = remote_write(r, DATA(gil_holder), &holder, sizeof(holder));
	if (e == 0)
		e = remote_write(r, DATA(summoned), &summoned, sizeof(summoned));
	return e < 0 ? e : remote_write(r, DATA(arm_word), &p->arm.word, sizeof(p->arm.word));
}

/* Tell an agent that is there what it will be asked for. */
static int tell_agent(const struct program *p, const struct remote *r, uint32_t request)
{
	uint32_t late = 1, alone = 0, undos = 0;
	int e = remote_write(r, DATA(n_undo), &undos, sizeof(undos));

	if (e == 0)
		e = remote_write(r, DATA(request), &request, sizeof(request));
	if (e == 0)
		e = remote_write(r, DATA(is_alone), &alone, sizeof(alone));
	if (e == 0)
		e = remote_write(r, DATA(is_late), &late, sizeof(late));
	return e < 0 ? e : summon_tell_waking(p, r);
}

static struct arm_tracing tracing_of(const struct program *p, const struct remote *r)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr runtime = runtime_addr(p, p->runtime->py.runtime);
	struct arm_tracing t = {0};
	uint64_t interp;

	if (l->has_monitoring)
		return t;
	t.thread_state = runtime_addr(p, p->runtime->api[API_PyThreadState_Get]);
	t.offset = (raddr)l->tstate.c_tracefunc;
	if (l->runtime.tracing_possible > 0)
		t.count = runtime + (raddr)l->runtime.tracing_possible;
	else if (l->interp.tracing_possible > 0 &&
		 remote_read(r, runtime + (raddr)l->runtime.interpreters_main, &interp, sizeof(interp)) == 0 && interp)
		t.count = interp + (raddr)l->interp.tracing_possible;
	return t;
}

static int prepare_at(struct program *p, const struct remote *r, const struct arm_tracing *tracing)
{
	return arm_prepare(&p->arm, r, p->waking, p->runtime_base, p->blob, tracing);
}

static int prepare(struct program *p, const struct remote *r, const struct arm_tracing *tracing)
{
	uint64_t take_gil = p->waking ? 0 : take_gil_find(p->runtime);
	int e;

	if (p->waking)
		return prepare_at(p, r, tracing);
	if (take_gil) {
		p->waking = runtime_addr(p, take_gil);
		p->summoned = p->runtime->py.layout.current_is_own ? SUMMONED_BEFORE : SUMMONED_AFTER;
		e = prepare_at(p, r, tracing);
		if (e != -ENOTSUP)
			return e;
	}
	p->waking = runtime_addr(p, p->runtime->api[API_PyEval_RestoreThread]);
	p->summoned = SUMMONED_RESTORED;
	return prepare_at(p, r, tracing);
}

int summon_begin(struct program *p, const struct remote *r, enum agent_request request)
{
	struct arm_tracing tracing = tracing_of(p, r);
	int e;

	if (!p->blob)
		p->blob = search(r, search_agent);
	if (request == AGENT_REQUEST_ATTACH && repair_finds_stranger(p, r))
		return -EEXIST;
	/* What a killed one has left would be in the way. */
	e = repair_waking(p, r);
	if (e < 0)
		return e;
	e = prepare(p, r, &tracing);
	if (e < 0)
		return e;
	p->arm.errno_location = search(r, search_errno);
	if (p->blob)
		e = tell_agent(p, r, request);
	if (e < 0)
		return e;
	if (request == AGENT_REQUEST_ATTACH)
		p->phase = p->blob ? PROGRAM_WAITING : PROGRAM_SUMMONED;
	p->request = request;
	p->carrier = 0;
	p->is_carried_out = p->is_to_repeat = p->is_to_go_on = false;
	return 0;
}

bool summon_finds_agent(struct program *p, const struct remote *r)
{
	uint64_t source = 0, region = 0;

	p->blob = search(r, search_agent);
	if (!p->blob || remote_read(r, DATA(source), &source, sizeof(source)) < 0 ||
	    remote_read(r, DATA(region), &region, sizeof(region)) < 0)
		return false;
	return source || region;
}

int summon_repeat(struct program *p, const struct remote *r)
{
	int e = summon_cancel(p, r);

	p->is_to_repeat = false;
	p->carrier = 0;
	if (e == 0)
		e = arm_lead_to(&p->arm, r, p->blob);
	return e < 0 ? e : tell_agent(p, r, p->request);
}

int summon_go_on(struct program *p, const struct remote *r)
{
	p->request = AGENT_REQUEST_GO_ON;
	p->is_carried_out = p->is_to_go_on = false;
	return summon_repeat(p, r);
}

int summon_set(struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (arm_is_in_way(&p->arm, threads[i].pc))
			return -EAGAIN;
	return arm_set(&p->arm, r);
}

int summon_inherit(struct program *p, const struct remote *r)
{
	int e = arm_inherit(&p->arm, r);

	/* The thread that was at it has no copy. */
	if (e == 0 && p->arm.is_hooked && p->blob)
		e = tell_agent(p, r, p->request);
	return e;
}

int summon_leave_alone(struct program *p, const struct remote *r)
{
	uint32_t alone = 1;

	if (!p->blob)
		return -ENOENT;
	if (p->request == AGENT_REQUEST_DETACH)
		(void)!program_tell_undo(p, r);
	return remote_write(r, DATA(is_alone), &alone, sizeof(alone));
}

/* ------------------------------------------------------------------------------------------------ who has the GIL */

struct holder {
	raddr interp, tstate;
};

static bool read_word(const struct remote *r, raddr at, uint64_t *ret)
{
	return remote_read(r, at, ret, sizeof(*ret)) == 0;
}

/* The thread state that holds the GIL of the main interpreter, or of the only one there is. */
static bool find_holder(const struct program *p, const struct remote *r, struct holder *ret)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr runtime = runtime_addr(p, p->runtime->py.runtime), gil = runtime + (raddr)l->runtime.gil;
	int32_t locked;

	if (!read_word(r, runtime + (raddr)l->runtime.interpreters_main, &ret->interp) || !ret->interp)
		return false;
	if (l->gil_is_pointer && (!read_word(r, ret->interp + (raddr)l->interp.ceval_gil, &gil) || !gil))
		return false;
	return remote_read(r, gil + (raddr)l->gil.locked, &locked, sizeof(locked)) == 0 && locked == 1 &&
	       read_word(r, gil + (raddr)l->gil.last_holder, &ret->tstate) && ret->tstate;
}

bool summon_gil_is_held(const struct program *p, const struct remote *r)
{
	struct holder h;

	return find_holder(p, r, &h);
}

/* ------------------------------------------------------------------------------------ up to 3.11: a trace function */

static int write_int(const struct remote *r, raddr at, int32_t value)
{
	return remote_write(r, at, &value, sizeof(value));
}

/*
 * 3.10 and 3.11: is @cframe, which the thread's state names, the one of the stack that ends at @sp? Where greenlets switch,
 * the contents of the stack are exchanged a moment before the state is: then something else is there. They form a list,
 * the innermost first, up to one in the thread state.
 */
static bool cframe_is_there(const struct program *p, const struct remote *r, const struct holder *h, raddr cframe,
			    raddr sp)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr below = sp;

	for (int i = 0; i < CFRAMES_LOOKED_AT && cframe - h->tstate >= (raddr)l->tstate.size; i++) {
		if (cframe <= below)
			return false;
		below = cframe;
		if (!read_word(r, cframe + (raddr)l->cframe.previous, &cframe))
			return false;
	}
	return true;
}

/* Only while the thread is stopped: some of it may be on its stack, which ends at @sp. */
static int set_trace(const struct program *p, const struct remote *r, const struct holder *h, raddr sp)
{
	const struct layout *l = &p->runtime->py.layout;
	struct arm_tracing tracing = tracing_of(p, r);
	uint8_t all = 255;
	raddr cframe = 0;
	int e;

	if (l->tstate.use_tracing <= 0) {
		if (!read_word(r, h->tstate + (raddr)l->tstate.cframe, &cframe))
			return -EFAULT;
		if (!cframe_is_there(p, r, h, cframe, sp))
			return -EAGAIN;
	}
	e = arm_trace(&p->arm, r, h->tstate, &tracing);
	if (e < 0)
		return e;
	if (l->tstate.use_tracing > 0)
		return write_int(r, h->tstate + (raddr)l->tstate.use_tracing, 1);
	cframe += (raddr)l->cframe.use_tracing;
	return l->code_is_quickened ? remote_write(r, cframe, &all, 1) : write_int(r, cframe, 1);
}

/* --------------------------------------------------------------------------------------- 3.12+: a pending call */

struct pending {
	raddr at;
	int32_t first, next, count;
};

static bool read_pending(const struct program *p, const struct remote *r, raddr interp, struct pending *ret)
{
	const struct layout *l = &p->runtime->py.layout;

	ret->at = interp + (raddr)l->pending.pending;
	return remote_read(r, ret->at + (raddr)l->pending.first, &ret->first, 4) == 0 &&
	       remote_read(r, ret->at + (raddr)l->pending.next, &ret->next, 4) == 0 &&
	       remote_read(r, ret->at + (raddr)l->pending.count, &ret->count, 4) == 0 && ret->first >= 0 &&
	       ret->next >= 0 && ret->first < l->pending.n_calls && ret->next < l->pending.n_calls;
}

/* Nobody is changing the list, or about to look at it. */
static bool pending_is_free(const struct program *p, const struct remote *r, const struct pending *q)
{
	const struct layout *l = &p->runtime->py.layout;
	uint64_t busy, lock;
	uint32_t value;

	if (!read_word(r, q->at + (raddr)l->pending.busy, &busy) ||
	    !read_word(r, q->at + (raddr)l->pending.lock, &lock))
		return false;
	if (l->tstate.eval_breaker > 0)
		return !busy && !(lock & 0xff);
	/* 3.12: an int, and a POSIX semaphore: its value is 1 when it is free. */
	return !(uint32_t)busy && lock && remote_read(r, lock, &value, sizeof(value)) == 0 && value == 1;
}

static raddr call_at(const struct layout *l, const struct pending *q, int32_t i)
{
	return q->at + (raddr)l->pending.calls + (raddr)(i * l->pending.call_size);
}

/* Is our call in the list? */
static bool pending_has(const struct program *p, const struct remote *r, const struct pending *q)
{
	const struct layout *l = &p->runtime->py.layout;
	uint64_t f;

	for (int32_t i = q->first; i != q->next; i = (i + 1) % l->pending.n_calls)
		if (read_word(r, call_at(l, q, i), &f) && f == arm_pending_function(&p->arm))
			return true;
	return false;
}

/* How many there are up to @next; in 3.12 whether there are any. Worked out anew: one of us may have been killed between
 * one word and the next. */
static int write_count(const struct program *p, const struct remote *r, const struct pending *q, int32_t next)
{
	const struct layout *l = &p->runtime->py.layout;
	int32_t n = (next - q->first + l->pending.n_calls) % l->pending.n_calls;

	return write_int(r, q->at + (raddr)l->pending.count, l->tstate.eval_breaker > 0 ? n : n > 0);
}

/* 1 if it was put into the list, 0 if it is there already. */
static int queue_call(const struct program *p, const struct remote *r, raddr interp)
{
	const struct layout *l = &p->runtime->py.layout;
	uint64_t call[3] = {arm_pending_function(&p->arm), 0, 0};
	struct pending q;
	int e;

	if (!read_pending(p, r, interp, &q) || !pending_is_free(p, r, &q))
		return -EAGAIN;
	if (pending_has(p, r, &q))
		return write_count(p, r, &q, q.next);
	if ((q.next + 1) % l->pending.n_calls == q.first || (q.next == q.first && q.count > 0))
		return -EAGAIN;
	e = remote_write(r, call_at(l, &q, q.next), call, (size_t)l->pending.call_size);
	if (e == 0)
		e = write_int(r, q.at + (raddr)l->pending.next, (q.next + 1) % l->pending.n_calls);
	if (e == 0)
		e = write_count(p, r, &q, (q.next + 1) % l->pending.n_calls);
	return e < 0 ? e : 1;
}

/* Take it out again, if it is the last one and nobody is at the list: whoever looks finds nothing to do. Only while all
 * threads that run are stopped: one that takes it out at the same moment would leave the list in disorder. */
static void unqueue_call(const struct program *p, const struct remote *r, raddr interp)
{
	const struct layout *l = &p->runtime->py.layout;
	struct pending q;
	int32_t last;
	uint64_t f;

	if (!read_pending(p, r, interp, &q) || q.first == q.next || !pending_is_free(p, r, &q))
		return;
	last = (q.next + l->pending.n_calls - 1) % l->pending.n_calls;
	if (!read_word(r, call_at(l, &q, last), &f) || f != arm_pending_function(&p->arm))
		return;
	if (write_int(r, q.at + (raddr)l->pending.next, last) == 0)
		(void)!write_count(p, r, &q, last);
}

/* Have the thread of that state, or in 3.12 any, look at what is pending. */
static int set_breaker(const struct program *p, const struct remote *r, raddr interp, raddr tstate)
{
	const struct layout *l = &p->runtime->py.layout;
	uint64_t breaker;

	if (l->tstate.eval_breaker <= 0)
		return write_int(r, interp + (raddr)l->interp.eval_breaker, 1);
	if (!read_word(r, tstate + (raddr)l->tstate.eval_breaker, &breaker))
		return -EFAULT;
	if (breaker & CALLS_TO_DO_BIT)
		return 0;
	breaker |= CALLS_TO_DO_BIT;
	return remote_write(r, tstate + (raddr)l->tstate.eval_breaker, &breaker, sizeof(breaker));
}

static int add_pending(const struct program *p, const struct remote *r, const struct holder *h)
{
	int e = queue_call(p, r, h->interp);

	return e < 0 ? e : set_breaker(p, r, h->interp, h->tstate);
}

/* --------------------------------------------------------------------------------------------------- hurry, and end */

/* One that waits in the kernel and holds the GIL nevertheless, as programs with an embedded Python do: what it finds when
 * it comes back is in its thread state, or in the interpreter. Python frames of its own must not be on its stack. */
static void hurry_waiting(const struct program *p, const struct remote *r, const struct holder *h)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr cframe;

	if (l->has_monitoring) {
		(void)!add_pending(p, r, h);
		return;
	}
	if (l->tstate.use_tracing <= 0 && (!read_word(r, h->tstate + (raddr)l->tstate.cframe, &cframe) ||
					   cframe - h->tstate >= (raddr)l->tstate.size))
		return;
	(void)!set_trace(p, r, h, 0);
}

/* Nobody has the GIL. A thread may come back to it by a way of its own: where PyEval_RestoreThread() was inlined, as in
 * some builds into reads of files. From 3.12 on it can be met all the same, when it next looks at what is pending. */
static void hurry_all(const struct program *p, const struct remote *r)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr runtime = runtime_addr(p, p->runtime->py.runtime), interp, tstate;

	if (!l->has_monitoring || !read_word(r, runtime + (raddr)l->runtime.interpreters_main, &interp) || !interp ||
	    queue_call(p, r, interp) != 1 || !read_word(r, interp + (raddr)l->interp.threads_head, &tstate))
		return;
	for (int i = 0; tstate && i < THREADS_MAX; i++)
		if (set_breaker(p, r, interp, tstate) < 0 || !read_word(r, tstate + (raddr)l->tstate.next, &tstate))
			return;
}

void summon_hurry(const struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n)
{
	const struct layout *l = &p->runtime->py.layout;
	struct holder h;
	uint64_t id;

	if (!arm_is_waiting(&p->arm, r))
		return;
	if (!find_holder(p, r, &h))
		return hurry_all(p, r);
	if (!read_word(r, h.tstate + (raddr)l->tstate.thread_id, &id))
		return;
	for (size_t i = 0; i < n; i++) {
		if (threads[i].fs_base != id)
			continue;
		if (l->has_monitoring)
			(void)!add_pending(p, r, &h);
		else
			(void)!set_trace(p, r, &h, threads[i].sp);
		return;
	}
	hurry_waiting(p, r, &h);
}

/* Does a trace function or a pending call lead to what is to go? Thread states are in a list that must end. */
static bool is_led_to(const struct program *p, const struct remote *r)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr runtime = runtime_addr(p, p->runtime->py.runtime), interp, tstate;
	struct pending q;
	uint64_t f;

	if (!read_word(r, runtime + (raddr)l->runtime.interpreters_main, &interp) || !interp)
		return false;
	if (l->has_monitoring)
		return read_pending(p, r, interp, &q) && pending_has(p, r, &q);
	if (!read_word(r, interp + (raddr)l->interp.threads_head, &tstate))
		return false;
	for (int i = 0; tstate && i < THREADS_MAX; i++) {
		if (read_word(r, tstate + (raddr)l->tstate.c_tracefunc, &f) && arm_contains(&p->arm, f))
			return true;
		if (!read_word(r, tstate + (raddr)l->tstate.next, &tstate))
			return false;
	}
	return false;
}

int summon_cancel(struct program *p, const struct remote *r)
{
	return p->arm.code ? arm_unset(&p->arm, r) : 0;
}

bool summon_is_near(const struct program *p, raddr pc)
{
	return arm_contains(&p->arm, pc) || (p->blob && pc - p->blob < boot_blob()->data);
}

bool summon_is_inside(const struct program *p, const struct remote *r, pid_t pid)
{
	uint32_t inside, of;

	return p->blob && remote_read(r, DATA(inside), &inside, sizeof(inside)) == 0 && inside &&
	       remote_read(r, DATA(inside_pid), &of, sizeof(of)) == 0 && of == (uint32_t)pid;
}

/* A trace function that is left goes at the next line that is traced; but a greenlet that was switched to does not trace, if
 * we came a moment before that. */
static void remind(const struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n)
{
	const struct layout *l = &p->runtime->py.layout;
	struct holder h;
	uint64_t id, f;

	if (l->has_monitoring || !find_holder(p, r, &h) || !read_word(r, h.tstate + (raddr)l->tstate.thread_id, &id) ||
	    !read_word(r, h.tstate + (raddr)l->tstate.c_tracefunc, &f) || !arm_contains(&p->arm, f))
		return;
	for (size_t i = 0; i < n; i++)
		if (threads[i].fs_base == id)
			(void)!set_trace(p, r, &h, threads[i].sp);
}

static void take_back_call(const struct program *p, const struct remote *r)
{
	const struct layout *l = &p->runtime->py.layout;
	raddr interp;

	if (l->has_monitoring &&
	    read_word(r, runtime_addr(p, p->runtime->py.runtime) + (raddr)l->runtime.interpreters_main, &interp) &&
	    interp)
		unqueue_call(p, r, interp);
}

int summon_end(struct program *p, const struct remote *r, const struct summon_thread *threads, size_t n)
{
	if (!p->arm.code)
		return 0;
	take_back_call(p, r);
	if (p->arm.is_hooked)
		return -EAGAIN;
	if (is_led_to(p, r)) {
		remind(p, r, threads, n);
		return -EAGAIN;
	}
	return arm_clean(&p->arm, r);
}
