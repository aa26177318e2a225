/*
 * What a debugger would miss for our events (CPython 3.13 and later).
 *
 * pdb.set_trace() stops at its own line by f_trace_opcodes, which (once there is an f_trace) makes INSTRUCTION a local
 * event of the frame's code, for one tool: sys.settrace(). Then sys.settrace() makes itself the second tool for LINE,
 * after ours, and CPython (3.13.0 to 3.15.2, update_instrumentation_data()) thinks of the code as one of several tools:
 * it starts to keep the tools of each instruction, none to begin with, and no INSTRUCTION event ever comes. If two tools
 * want INSTRUCTION when it is set, it keeps them from the start; so ours wants it for a moment.
 */
#include "agent_monitoring.h"

/* PyTypeObject and PyGetSetDef {name, get, set, doc, closure}, where an object's head has 16 bytes */
#define HEAD_SIZE 16
#define TP_GETSET 248
#define GETSET_SIZE 40
#define GETSET_SET 16

typedef int setter(PyObject *self, PyObject *value, void *closure);

static void want_instructions(struct agent_interp *it, PyObject *code, bool want)
{
	PyObject *monitoring = API(PyObject *, PySys_GetObject, const char *)("monitoring");
	long event = monitoring ? event_number(monitoring, "INSTRUCTION") : -1;

	if (event > 0)
		set_local_events(it, code, (wants(it, code) ? it->local_events : 0) | (want ? event : 0));
	API(void, PyErr_Clear, void)();
}

/* Call the runtime's setter @original, with INSTRUCTION wanted meanwhile. */
static int set_with_instructions(setter *original, PyObject *frame, PyObject *value, void *closure)
{
	struct agent_interp *it = interp_find((uint64_t)API(void *, PyInterpreterState_Get, void)());
	PyObject *code = it ? attr(frame, "f_code") : NULL;
	struct saved_error error;
	int ret;

	if (!code)
		return original(frame, value, closure);
	want_instructions(it, code, true);
	ret = original(frame, value, closure);
	error_save(&error);
	want_instructions(it, code, false);
	drop(code);
	error_restore(&error);
	return ret;
}

static bool is_true(PyObject *value)
{
	bool ret = value && API(long, PyLong_AsLong, PyObject *)(value) == 1;

	API(void, PyErr_Clear, void)();
	return ret;
}

static int on_set_trace_opcodes(PyObject *frame, PyObject *value, void *closure)
{
	setter *original = (setter *)agent_data.frame_setters[0];

	return is_true(value) ? set_with_instructions(original, frame, value, closure)
			      : original(frame, value, closure);
}

static int on_set_trace(PyObject *frame, PyObject *value, void *closure)
{
	setter *original = (setter *)agent_data.frame_setters[1];
	PyObject *wants = attr(frame, "f_trace_opcodes");
	bool opcodes = is_true(wants);

	drop(wants);
	return opcodes ? set_with_instructions(original, frame, value, closure) : original(frame, value, closure);
}

static bool name_equals(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void patch_setter(char *entry, unsigned int which, setter *ours)
{
	uint64_t *set = (uint64_t *)(void *)(entry + GETSET_SET);

	if (*set == (uint64_t)ours)
		return;
	agent_data.frame_setters[which] = *set;
	atomic_store(set, (uint64_t)ours);
}

/* Before 3.13 f_trace_opcodes is a plain member, and nothing needs a cure. */
void debuggers_patch(void)
{
	char *type = (char *)agent_data.api[API_PyFrame_Type], *entry, *trace = NULL, *opcodes = NULL;

	if (!type || agent_data.layout.bytes_size != HEAD_SIZE)
		return;
	for (entry = load_ptr(type, TP_GETSET); entry && load_ptr(entry, 0); entry += GETSET_SIZE) {
		if (name_equals(load_ptr(entry, 0), "f_trace"))
			trace = entry;
		else if (name_equals(load_ptr(entry, 0), "f_trace_opcodes"))
			opcodes = entry;
	}
	if (!trace || !opcodes)
		return;
	patch_setter(opcodes, 0, on_set_trace_opcodes);
	patch_setter(trace, 1, on_set_trace);
}

static void restore_setter(char *entry, unsigned int which, setter *ours)
{
	uint64_t *set = (uint64_t *)(void *)(entry + GETSET_SET);

	if (*set == (uint64_t)ours)
		atomic_store(set, agent_data.frame_setters[which]);
}

void debuggers_restore(void)
{
	char *type = (char *)agent_data.api[API_PyFrame_Type], *entry;

	if (!type || !agent_data.frame_setters[0])
		return;
	for (entry = load_ptr(type, TP_GETSET); entry && load_ptr(entry, 0); entry += GETSET_SIZE) {
		restore_setter(entry, 0, on_set_trace_opcodes);
		restore_setter(entry, 1, on_set_trace);
	}
}
