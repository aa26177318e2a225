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

static void attach(void)
{
	uint64_t source = atomic_load(&agent_data.source);

	/* Nobody served us, or the runtime is only starting: then PyEval_EvalCode() leads here in time. */
	if (!agent_data.region || agent_data.is_shut || !agent_data.api[API_Py_IsInitialized] ||
	    !API(int, Py_IsInitialized, void)())
		return;
	atomic_add(&agent_data.session, 1);
	if (source == SOURCE_MONITORING)
		monitoring_attach();
	else if (source)
		traps_attach();
}

static void detach(void)
{
	bool initialized = agent_data.api[API_Py_IsInitialized] && API(int, Py_IsInitialized, void)();

	if (agent_data.source == SOURCE_MONITORING) {
		/* From then on nobody begins anew, whatever runs while we leave. */
		atomic_store(&agent_data.source, SOURCE_NONE);
		if (initialized)
			monitoring_detach();
	} else if (initialized) {
		traps_detach();
	}
	atomic_store(&agent_data.source, SOURCE_NONE);
	(void)region_leave();
}

static void reset(void)
{
	atomic_add(&agent_data.session, 1);
	if (agent_data.source == SOURCE_MONITORING)
		monitoring_rearm();
	else
		traps_rearm();
}

static void carry_out(uint32_t request)
{
	switch (request) {
	case AGENT_REQUEST_ATTACH:
		return attach();
	case AGENT_REQUEST_DETACH:
		return detach();
	case AGENT_REQUEST_RESET:
		return reset();
	}
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
