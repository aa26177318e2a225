/*
 * What the supervisor asks of a program that runs: done by one of its own threads, at a moment when that holds the GIL
 * and anything of the C-API may be called: back from a blocking call, at a line, or in a pending call (attach/arm.h).
 */
#include "agent.h"

#define SYS_getpid 39

static void attach(void)
{
	uint64_t source = atomic_load(&agent_data.source);

	/* Nobody served us, or the runtime is only starting: then PyEval_EvalCode() leads here in time. */
	if (!agent_data.region || !agent_data.api[API_Py_IsInitialized] || !API(int, Py_IsInitialized, void)())
		return;
	if (source == SOURCE_MONITORING)
		monitoring_attach();
	else if (source)
		traps_attach();
}

static void detach(void)
{
	bool initialized = agent_data.api[API_Py_IsInitialized] && API(int, Py_IsInitialized, void)();

	if (initialized && agent_data.source == SOURCE_MONITORING)
		monitoring_detach();
	else if (initialized)
		traps_detach();
	atomic_store(&agent_data.source, SOURCE_NONE);
	region_leave();
}

static void reset(void)
{
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
	request = agent_data.request;
	agent_data.request = AGENT_REQUEST_NONE;
	carry_out(request);
	agent_call_supervisor(AGENT_AT_DONE);
	if (error)
		*error = saved;
	atomic_add(&agent_data.inside, -1);
}
