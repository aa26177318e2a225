/*
 * What the supervisor asks of a program that runs: done by one of its own threads, at a moment when that holds the GIL
 * and anything of the C-API may be called: back from a blocking call, at a line, or in a pending call (attach/arm.h).
 */
#include "agent.h"

#define SYS_mprotect 10
#define SYS_getpid 39
#define PROT_TEXT 5 /* PROT_READ|PROT_EXEC */
#define PROT_PATCH 7
#define PAGE_MASK 4095ul

#define SLICE 6000000ull	  /* nanoseconds that a thread gives us at a time */
#define LEAVE_LIMIT 2000000000ull /* nanoseconds that we come again for */
#define LEAVE_NAPS_AT_A_TIME 5

static bool is_initialized(void)
{
	return agent_data.api[API_Py_IsInitialized] && API(int, Py_IsInitialized, void)();
}

/* Greenlets that are suspended are found before anything else is done: what is done with them is done to them all. */
static bool look(uint64_t until)
{
	struct saved_error error;
	bool ret;

	error_save(&error);
	ret = greenlets_find(until);
	API(void, PyErr_Clear, void)();
	error_restore(&error);
	agent_data.is_looking = !ret;
	return ret;
}

static enum agent_left attach(uint64_t until)
{
	uint64_t source = atomic_load(&agent_data.source);

	/* Nobody served us, or the runtime is only starting: then PyEval_EvalCode() leads here in time. */
	if (!agent_data.region || agent_data.is_shut || !source || !is_initialized())
		return AGENT_LEFT_NOTHING;
	if (!look(until))
		return AGENT_LEFT_REQUEST;
	atomic_add(&agent_data.session, 1);
	if (source == SOURCE_MONITORING) {
		monitoring_attach();
		return AGENT_LEFT_NOTHING;
	}
	traps_attach();
	return traps_go_on(until) ? AGENT_LEFT_NOTHING : AGENT_LEFT_WALK;
}

/* Somebody of another interpreter may be at the region. */
static enum agent_left leave_region(bool alone)
{
	bool ok = region_leave(alone ? LEAVE_NAPS : LEAVE_NAPS_AT_A_TIME);

	if (!agent_data.leaving_since)
		agent_data.leaving_since = agent_now();
	if (!ok && !alone && agent_now() - agent_data.leaving_since < LEAVE_LIMIT)
		return AGENT_LEFT_REQUEST;
	agent_data.leaving_since = 0;
	return AGENT_LEFT_NOTHING;
}

static enum agent_left detach(uint64_t until)
{
	bool initialized = is_initialized();

	if (agent_data.source == SOURCE_MONITORING) {
		if (initialized && !look(until))
			return AGENT_LEFT_REQUEST;
		/* From then on nobody begins anew, whatever runs while we leave. */
		atomic_store(&agent_data.source, SOURCE_NONE);
		if (initialized)
			monitoring_detach();
	} else if (initialized) {
		traps_detach();
	}
	atomic_store(&agent_data.source, SOURCE_NONE);
	return leave_region(until == UINT64_MAX);
}

static enum agent_left reset(uint64_t until)
{
	if (agent_data.source == SOURCE_MONITORING && !look(until))
		return AGENT_LEFT_REQUEST;
	atomic_add(&agent_data.session, 1);
	if (agent_data.source == SOURCE_MONITORING)
		monitoring_rearm();
	else
		traps_rearm();
	return traps_are_complete() ? AGENT_LEFT_NOTHING : AGENT_LEFT_WALK;
}

static enum agent_left go_on(uint64_t until)
{
	if (agent_data.source == SOURCE_NONE || agent_data.source == SOURCE_MONITORING || !is_initialized())
		return AGENT_LEFT_NOTHING;
	return traps_go_on(until) ? AGENT_LEFT_NOTHING : AGENT_LEFT_WALK;
}

static enum agent_left begin(uint32_t request, uint64_t until)
{
	switch (request) {
	case AGENT_REQUEST_ATTACH:
		return attach(until);
	case AGENT_REQUEST_DETACH:
		return detach(until);
	case AGENT_REQUEST_RESET:
		return reset(until);
	case AGENT_REQUEST_GO_ON:
		return go_on(until);
	default:
		return AGENT_LEFT_NOTHING;
	}
}

/* Where nobody is there to have us come again it is all done now. */
static void carry_out(uint32_t request)
{
	enum agent_left left;

	agent_data.left = AGENT_LEFT_NOTHING;
	if (request == AGENT_REQUEST_NONE)
		return;
	left = begin(request, agent_data.is_alone ? UINT64_MAX : agent_now() + SLICE);
	agent_data.left = left;
	agent_data.slices = left == AGENT_LEFT_NOTHING ? 0 : agent_data.slices + 1;
	if (left == AGENT_LEFT_REQUEST)
		return;
	agent_data.is_looking = 0;
	if (is_initialized())
		greenlets_forget();
}

static void put_back(const struct agent_undo *u)
{
	long start = (long)(u->at & ~PAGE_MASK);
	long len = (long)((u->at + u->len + PAGE_MASK) & ~PAGE_MASK) - start;

	/* Others run there meanwhile. Where this is forbidden it stays. */
	if (agent_syscall(SYS_mprotect, start, len, PROT_PATCH, 0, 0, 0) != 0)
		return;
	if (u->len == sizeof(u->word))
		atomic_store((uint64_t *)u->at, u->word);
	for (uint64_t i = 0; u->len < sizeof(u->word) && i < u->len; i++)
		((volatile unsigned char *)u->at)[i] = (unsigned char)(u->word >> 8 * i);
	agent_syscall(SYS_mprotect, start, len, PROT_TEXT, 0, 0, 0);
}

/* The supervisor went before anybody came: what it would have taken out of the text. */
static void undo_alone(void)
{
	uint32_t n = atomic_load(&agent_data.n_undo);

	atomic_store(&agent_data.n_undo, 0);
	for (uint32_t i = 0; i < n && i < AGENT_UNDOS; i++)
		put_back(&agent_data.undo[i]);
}

/* A forked child has none of the others. */
static void come_in(void)
{
	uint32_t pid = (uint32_t)agent_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);

	if (agent_data.inside_pid != pid)
		atomic_store(&agent_data.inside, 0);
	agent_data.inside_pid = pid;
	atomic_add(&agent_data.inside, 1);
}

hidden void agent_held(void)
{
	int *error = NULL, saved = 0;
	uint32_t request;

	if (!agent_make_writable())
		return;
	come_in();
	if (agent_data.errno_location)
		error = ((int *(*)(void))(uintptr_t)agent_data.errno_location)();
	if (error)
		saved = *error;
	agent_serve(AGENT_AT_HELD);
	/* The next may be asked for at any time. */
	request = __atomic_exchange_n(&agent_data.request, AGENT_REQUEST_NONE, __ATOMIC_ACQ_REL);
	carry_out(request);
	agent_call_supervisor(AGENT_AT_DONE);
	if (request == AGENT_REQUEST_DETACH)
		undo_alone();
	if (error)
		*error = saved;
	atomic_add(&agent_data.inside, -1);
}

/*
 * Out of take_gil() the thread state of a thread that has come back is not yet its current one. If it has another one
 * already this is no thread that comes back, but an interpreter that begins, or a forked child in which nothing may be
 * called: it is left to the next one.
 */
static void leave_to_next(void)
{
	atomic_store((uint64_t *)agent_data.arm_word, 1);
}

/* The thread of @tstate is about to call take_gil(): it may as well have had the GIL just before. */
hidden void agent_waking(void *tstate)
{
	uint64_t current = agent_data.api[API_PyThreadState_GetUnchecked];

	if (agent_data.summoned != SUMMONED_BEFORE || !agent_make_writable())
		return;
	/* What leads to take_gil() must stay until it was called. */
	come_in();
	if (!current)
		current = agent_data.api[API__PyThreadState_UncheckedGet];
	if (((void *(*)(void))current)())
		return leave_to_next();
	API(void, PyEval_RestoreThread, void *)(tstate);
	agent_held();
	API(void *, PyEval_SaveThread, void)();
}

typedef void *swap(void *tstate);

/* It has the GIL. */
hidden void agent_woken(void *tstate)
{
	swap *set_current = (swap *)agent_data.api[API_PyThreadState_Swap];
	void *current;

	if (agent_data.summoned == SUMMONED_RESTORED)
		return agent_held();
	if (agent_data.summoned == SUMMONED_BEFORE) {
		/* Where the data pages never could be written to, agent_waking() has not counted it. */
		if (atomic_load(&agent_data.inside))
			atomic_add(&agent_data.inside, -1);
		return;
	}
	if (load64((void *)agent_data.gil_holder, 0) != (uint64_t)tstate)
		return leave_to_next();
	current = set_current(tstate);
	if (!current)
		agent_held();
	set_current(current);
	if (current)
		leave_to_next();
}
