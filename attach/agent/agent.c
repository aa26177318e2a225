/*
 * The agent: code of ours inside a CPython process. It is entered once when the program starts, then whenever the
 * runtime is about to run a module's (or exec's, or eval's) code object, and by the probes of its line source.
 *
 * Nothing here may change what the program sees: no exception is raised or lost, no reference is kept that the program
 * could miss, no descriptor stays open.
 */
#include "agent.h"

#define SYS_close 3
#define SYS_mprotect 10
#define SYS_munmap 11
#define SYS_rt_sigprocmask 14
#define SYS_getpid 39
#define SYS_gettid 186
#define SYS_tgkill 234
#define SYS_memfd_create 319

struct agent agent_data __attribute__((section(".data"), aligned(4096)));

/* Stop for the supervisor, if there is one: the signal is ignored by default, and taken away by a tracer. */
void agent_call_supervisor(enum agent_why why)
{
	uint64_t unblock = 1ull << (AGENT_SIGNAL - 1), mask = 0;

	agent_data.ncalls = 0;
	if (agent_data.is_alone)
		return;
	agent_data.why = why;
	agent_syscall(SYS_rt_sigprocmask, 1, (long)&unblock, (long)&mask, 8, 0, 0);
	agent_syscall(SYS_tgkill, agent_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0),
		      agent_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), AGENT_SIGNAL, 0, 0, 0);
	agent_syscall(SYS_rt_sigprocmask, 2, (long)&mask, 0, 8, 0, 0);
	agent_data.why = 0;
}

static long argument(uint64_t arg)
{
	uint64_t i = arg - AGENT_ARG_RESULT(0);

	return i < AGENT_CALLS ? agent_data.calls[i].result : (long)arg;
}

static void make_calls(void)
{
	for (uint32_t i = 0; i < agent_data.ncalls && i < AGENT_CALLS; i++) {
		struct agent_call *c = &agent_data.calls[i];

		c->result = agent_syscall((long)c->nr, argument(c->args[0]), argument(c->args[1]), argument(c->args[2]),
					  argument(c->args[3]), argument(c->args[4]), argument(c->args[5]));
		if (c->nr == SYS_memfd_create && c->result >= 0)
			agent_data.memfd = (uint64_t)c->result + 1;
		else if (c->nr == SYS_close && c->args[0] + 1 == agent_data.memfd)
			agent_data.memfd = 0;
	}
}

/* The supervisor went away half-way: leave no descriptor open. */
static void close_memfd(void)
{
	if (agent_data.memfd)
		agent_syscall(SYS_close, (long)agent_data.memfd - 1, 0, 0, 0, 0, 0);
	agent_data.memfd = 0;
}

/* The region that there was is that of the parent, or of a supervisor that was killed. */
static void take_region(uint64_t region)
{
	if (agent_data.region && !region_leave(LEAVE_NAPS)) {
		atomic_store(&((struct region_header *)region)->status, (uint32_t)AGENT_STATUS_IN_USE);
		agent_syscall(SYS_munmap, (long)region, REGION_CHUNK, 0, 0, 0, 0);
		return;
	}
	agent_data.chunks[0] = region;
	atomic_store(&agent_data.region, region);
	region_note_landmark();
	atomic_store(&agent_data.is_shut, 0);
}

/* The region that was asked for; 0: there is none. */
static uint64_t region_of_calls(void)
{
	uint64_t call = agent_data.region_call, region;

	agent_data.region_call = 0;
	region = call == AGENT_REGION_IS_READY ? agent_data.ready_region
					       : (uint64_t)agent_data.calls[(call - 1) % AGENT_CALLS].result;
	if (call == AGENT_REGION_IS_READY)
		agent_data.ready_region = 0;
	return region < -4096ull ? region : 0;
}

/* Do what the supervisor asks for, until it asks for no more. */
void agent_serve(enum agent_why why)
{
	uint64_t region;

	do {
		agent_call_supervisor(why);
		if (!agent_data.ncalls && agent_data.region_call != AGENT_REGION_IS_READY) {
			/* Nothing more to do, or the supervisor died before it had said all. */
			agent_data.region_call = 0;
			return close_memfd();
		}
		make_calls();
	} while (!agent_data.region_call);
	region = region_of_calls();
	if (region) {
		agent_data.rearm = why == AGENT_AT_FORK;
		take_region(region);
	}
}

/* The data pages came with the code, not writable. */
bool agent_make_writable(void)
{
	return agent_syscall(SYS_mprotect, (long)&agent_data, sizeof(agent_data), 3, 0, 0, 0) == 0;
}

/* The boot code's memfd is closed when this returns. */
hidden void agent_boot(void)
{
	if (!agent_make_writable())
		return;
	make_calls();
	if (agent_data.region_call)
		agent_data.ready_region = region_of_calls();
	/* With a loader, agent_program() comes later. */
	if (!agent_data.auxv_entry)
		agent_serve(AGENT_AT_ENTRY);
}

hidden uint64_t agent_program(void)
{
	uint64_t entry = agent_data.entry;

	if (!agent_make_writable())
		return entry;
	if (agent_data.auxv_entry)
		*(uint64_t *)agent_data.auxv_entry = entry;
	agent_serve(AGENT_AT_ENTRY);
	return entry;
}

/* <link.h>; the list of libraries, which nobody changes while the loader is at r_brk. */
struct library {
	uint64_t bias;
	const char *name;
	uint64_t dynamic;
	const struct library *next;
};

#define STATE_TO_LIST (-16) /* in struct r_debug, from r_state to r_map */
#define LIBRARIES_MAX 65536

static bool is_called_libpython(const char *name)
{
	static const char wanted[] = "libpython";
	const char *base = name;

	for (const char *c = name; *c; c++)
		if (*c == '/')
			base = c + 1;
	for (size_t i = 0; i < sizeof(wanted) - 1; i++)
		if (base[i] != wanted[i])
			return false;
	return true;
}

static uint32_t count_libpythons(void)
{
	const struct library *l = *(const struct library **)(agent_data.loader_state + STATE_TO_LIST);
	uint32_t n = 0;

	for (uint32_t i = 0; l && i < LIBRARIES_MAX; i++, l = l->next)
		n += l->name && is_called_libpython(l->name);
	return n;
}

/* The supervisor is called for each library until there is a runtime, then for what may be another one. */
hidden void agent_on_loader(void)
{
	uint32_t n;

	/* RT_CONSISTENT: the list of libraries is complete. */
	if (load32((void *)agent_data.loader_state, 0) != 0)
		return;
	if (!atomic_load(&agent_data.source))
		return agent_serve(AGENT_AT_LOAD);
	n = count_libpythons();
	if (n > agent_data.libpythons)
		agent_serve(AGENT_AT_LOAD);
	agent_data.libpythons = n;
}

/* In a forked child, before CPython has put itself in order: no function of its may be called. */
hidden void agent_before_fork_child(void)
{
	if (!agent_data.region)
		return;
	region_forget_users();
	if (agent_data.fork_mode == FORK_FORGOTTEN)
		(void)region_leave(0);
	else if (agent_data.fork_mode == FORK_OWN)
		agent_serve(AGENT_AT_FORK);
}

hidden void agent_after_fork_child(void)
{
	if (!agent_data.rearm)
		return;
	agent_data.rearm = 0;
	if (agent_data.source == SOURCE_MONITORING)
		monitoring_rearm();
	else
		traps_rearm();
}

void error_save(struct saved_error *e)
{
	API(void, PyErr_Fetch, PyObject **, PyObject **, PyObject **)(&e->type, &e->value, &e->traceback);
}

void error_restore(const struct saved_error *e)
{
	API(void, PyErr_Restore, PyObject *, PyObject *, PyObject *)(e->type, e->value, e->traceback);
}

void code_walk(PyObject *code, bool (*f)(PyObject *code))
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *consts = load_ptr(code, l->code_consts);
	uint64_t n;

	if (!f(code) || !consts)
		return;
	n = load64(consts, l->tuple_size);
	for (uint64_t i = 0; i < n; i++) {
		PyObject *item = load_ptr(consts, l->tuple_items + 8 * i);

		if (is_code(item))
			code_walk(item, f);
	}
}

hidden void agent_on_eval_code(PyObject *code)
{
	uint64_t source = atomic_load(&agent_data.source);

	if (!source || !atomic_load(&agent_data.region) || !is_code(code))
		return;
	if (source == SOURCE_MONITORING)
		monitoring_on_code(code);
	else
		traps_on_code(code);
}
