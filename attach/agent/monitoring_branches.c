/*
 * Branches, on CPython 3.12 and later. Which instruction went which way is all that is recorded here: what lines that
 * means is worked out elsewhere (symbols/branches.h).
 *
 * From 3.14 on each way of a branch has an event of its own, which is disabled after its first time. Before, there is one
 * for both, which can only be disabled when both were taken: a branch that is run often and always goes the same way
 * calls us each time.
 */
#include "agent_monitoring.h"

/* Where the code object is recorded. The cache is a hint, and what it leads to is compared. */
static uint32_t record_of(PyObject *code)
{
	uint64_t *seen = agent_data.code_cache[(uint64_t)code / 64 % AGENT_CODE_CACHE];
	uint64_t table = (uint64_t)load_ptr(code, agent_data.layout.code_linetable);
	uint32_t file = region_file_of(load_ptr(code, agent_data.layout.code_filename)), at = (uint32_t)seen[2];

	if (!file)
		return 0;
	if (seen[0] == (uint64_t)code && seen[1] == table && at && region_is_code(at, code, file))
		return at;
	at = region_add_code(code, file, NULL);
	seen[2] = at;
	seen[1] = table;
	seen[0] = (uint64_t)code;
	return at;
}

static uint64_t unit_of(PyObject *offset)
{
	return (uint64_t)API(long, PyLong_AsLong, PyObject *)(offset) / 2;
}

static PyObject *once(PyObject *self, PyObject *const *args, int64_t nargs, unsigned int way)
{
	PyObject *ret;
	struct agent_interp *it = called_at_region(self, args, nargs, &ret);

	if (!it)
		return ret;
	if (!agent_data.is_late || is_wanted(args[0]))
		region_set_way(record_of(args[0]), unit_of(args[1]), way);
	region_exit(it);
	return disable_new(it);
}

/* PY_RETURN callback: (code, offset, value) -> DISABLE. */
static PyObject *on_return(PyObject *self, PyObject *const *args, int64_t nargs)
{
	return once(self, args, nargs, REGION_WAY_ON);
}

/* BRANCH_LEFT: (code, offset, destination) -> DISABLE. */
static PyObject *on_left(PyObject *self, PyObject *const *args, int64_t nargs)
{
	return once(self, args, nargs, REGION_WAY_ON);
}

/* BRANCH_RIGHT, the same. */
static PyObject *on_right(PyObject *self, PyObject *const *args, int64_t nargs)
{
	return once(self, args, nargs, REGION_WAY_JUMP);
}

/* Note which way (code, offset, destination) goes: all that were taken; 0: nobody wants to know. */
static unsigned int note_way(PyObject *const *args)
{
	uint64_t unit = unit_of(args[1]);
	uint32_t record;
	unsigned int way;

	if (agent_data.is_late && !is_wanted(args[0]))
		return 0;
	record = record_of(args[0]);
	way = unit_of(args[2]) == region_next_unit(record, unit) ? REGION_WAY_ON : REGION_WAY_JUMP;
	return region_set_way(record, unit, way);
}

/* BRANCH: (code, offset, destination) -> DISABLE once both ways were taken. */
static PyObject *on_either(PyObject *self, PyObject *const *args, int64_t nargs)
{
	PyObject *ret;
	struct agent_interp *it = called_at_region(self, args, nargs, &ret);
	unsigned int way = 0;

	if (!it)
		return ret;
	if (nargs >= 3)
		way = note_way(args);
	region_exit(it);
	return !way || way == (REGION_WAY_ON | REGION_WAY_JUMP) ? disable_new(it) : none_new();
}

/* Is the event there, of the name @name? */
static long find_event(PyObject *monitoring, const char *name)
{
	long event = event_number(monitoring, name);

	API(void, PyErr_Clear, void)();
	return event > 0 ? event : 0;
}

unsigned int branches_events(PyObject *monitoring, long ret[3])
{
	ret[0] = find_event(monitoring, "PY_RETURN");
	ret[1] = find_event(monitoring, "BRANCH_LEFT");
	ret[2] = find_event(monitoring, "BRANCH_RIGHT");
	if (ret[1] && ret[2])
		return 3;
	ret[1] = find_event(monitoring, "BRANCH");
	return 2;
}

long branches_register(struct agent_interp *it, PyObject *monitoring)
{
	long events[3];
	unsigned int n = branches_events(monitoring, events);

	if (!register_callback(it, monitoring, CALLBACK_RETURN, events[0], on_return) ||
	    !register_callback(it, monitoring, CALLBACK_ON, events[1], n == 3 ? on_left : on_either))
		return 0;
	if (n < 3)
		return events[0] | events[1];
	if (!register_callback(it, monitoring, CALLBACK_JUMP, events[2], on_right))
		return 0;
	return events[0] | events[1] | events[2];
}
