/*
 * The line source of CPython 3.12 and later: the interpreter's own one-shot line events (PEP 669).
 *
 * PY_START is a global event, so that no code object is missed, however it came to be run: at its first call it asks for
 * LINE in that code object alone, unless its file is refused. C functions are registered for both; that of LINE sets the
 * line's bit. They return DISABLE, whereupon CPython takes the probe out of its bytecode. Into a program that runs already
 * we come too late for the start of what is being run: there LINE is global. Each interpreter has a monitoring state of its
 * own, so this is done at the first code object that is run in each, and undone at the first callback after we have left.
 * The callback's `self` is a capsule: when the interpreter drops the callback (it ends, or the tool id is given away), the
 * capsule's destructor frees our record of it, so that the next
 * interpreter at the same address is installed afresh.
 */
#include "agent_monitoring.h"

#define METH_FASTCALL 0x80
#define TOOL_NAME "pycov-trace"

#define SESSION_LEAVING UINT32_MAX

static const char capsule_name[] = TOOL_NAME;

PyObject *none_new(void)
{
	PyObject *none = (PyObject *)agent_data.api[API__Py_NoneStruct];

	API(void, Py_IncRef, PyObject *)(none);
	return none;
}

/* Remember it in the cache of code objects that were met; true if it is there already. A false match costs a record of
 * what is there. */
static bool was_met(PyObject *code)
{
	uint64_t *seen = agent_data.code_cache[(uint64_t)code / 64 % AGENT_CODE_CACHE];
	uint64_t table = (uint64_t)load_ptr(code, agent_data.layout.code_linetable);

	if (seen[0] == (uint64_t)code && seen[1] == table)
		return true;
	seen[0] = (uint64_t)code;
	seen[1] = table;
	seen[2] = 0;
	return false;
}

static bool is_behind(const struct agent_interp *it)
{
	return atomic_load(&agent_data.source) == SOURCE_NONE || it->session != atomic_load(&agent_data.session);
}

static struct agent_interp *catch_up(struct agent_interp *it);

struct agent_interp *called_for(PyObject *self, PyObject *const *args, int64_t nargs, PyObject **ret)
{
	struct agent_interp *it = API(void *, PyCapsule_GetPointer, PyObject *, const char *)(self, capsule_name);

	*ret = NULL;
	if (!it || nargs < 2 || !is_code(args[0])) {
		API(void, PyErr_Clear, void)();
		it = NULL;
	} else if (is_behind(it)) {
		it = catch_up(it);
	}
	if (!it)
		*ret = none_new();
	return it;
}

struct agent_interp *called_at_region(PyObject *self, PyObject *const *args, int64_t nargs, PyObject **ret)
{
	struct agent_interp *it = called_for(self, args, nargs, ret);

	if (!it || region_enter(it))
		return it;
	*ret = disable_new(it);
	return NULL;
}

PyObject *disable_new(const struct agent_interp *it)
{
	PyObject *disable = (PyObject *)it->disable;

	API(void, Py_IncRef, PyObject *)(disable);
	return disable;
}

bool is_wanted(const PyObject *code)
{
	const struct agent_layout *l = &agent_data.layout;
	uint32_t file = region_file_of(load_ptr(code, l->code_filename));

	return file && !region_is_refused(file) &&
	       !(l->skip_annotate && str_equals(load_ptr(code, l->code_name), "__annotate__", 12));
}

bool wants(struct agent_interp *it, const PyObject *code)
{
	bool ret;

	if (!region_enter(it))
		return false;
	ret = is_wanted(code);
	region_exit(it);
	return ret;
}

/* Code that was loaded before we came is met when it first runs. */
static void note_code(PyObject *code)
{
	uint32_t file = region_file_of(load_ptr(code, agent_data.layout.code_filename));

	if (file && !region_is_refused(file) && !was_met(code))
		region_add_code(code, file, NULL);
}

/* LINE callback: (code, line_number) -> DISABLE. */
static PyObject *on_line(PyObject *self, PyObject *const *args, int64_t nargs)
{
	PyObject *ret;
	struct agent_interp *it = called_at_region(self, args, nargs, &ret);

	if (!it)
		return ret;
	if (agent_data.is_late)
		note_code(args[0]);
	if (!agent_data.is_late || is_wanted(args[0]))
		region_set_line(region_file_of(load_ptr(args[0], agent_data.layout.code_filename)),
				API(long, PyLong_AsLong, PyObject *)(args[1]));
	region_exit(it);
	return disable_new(it);
}

static void on_capsule_gone(PyObject *capsule)
{
	struct agent_interp *it = API(void *, PyCapsule_GetPointer, PyObject *, const char *)(capsule, capsule_name);
	PyObject *setter = it ? (PyObject *)it->set_local_events : NULL;

	if (!it)
		return;
	it->set_local_events = 0;
	atomic_store(&it->interp, 0);
	drop(setter);
}

/* Call @f with the @n arguments @args, which are taken over. */
static PyObject *call_function(PyObject *f, PyObject **args, int n)
{
	PyObject *tuple = API(PyObject *, PyTuple_New, int64_t)(n), *ret = NULL;

	for (int i = 0; i < n; i++) {
		if (tuple && args[i])
			API(int, PyTuple_SetItem, PyObject *, int64_t, PyObject *)(tuple, i, args[i]);
		else
			drop(args[i]);
		if (!args[i]) {
			drop(tuple);
			tuple = NULL;
		}
	}
	if (f && tuple)
		ret = API(PyObject *, PyObject_CallObject, PyObject *, PyObject *)(f, tuple);
	drop(tuple);
	return ret;
}

/* Call method @name of @o. */
static PyObject *call(PyObject *o, const char *name, PyObject **args, int n)
{
	PyObject *method = attr(o, name), *ret = call_function(method, args, n);

	drop(method);
	return ret;
}

static bool ok(PyObject *result)
{
	drop(result);
	return result != NULL;
}

static PyObject *integer(long n)
{
	return API(PyObject *, PyLong_FromLong, long)(n);
}

/* 0, 1, 2 and 5 are set aside for debuggers, coverage, profilers and optimizers. */
static int take_tool_id(PyObject *monitoring)
{
	static const char ids[] = {4, 3};

	for (unsigned i = 0; i < sizeof(ids); i++) {
		PyObject *args[] = {integer(ids[i]), API(PyObject *, PyUnicode_FromString, const char *)(TOOL_NAME)};

		if (ok(call(monitoring, "use_tool_id", args, 2)))
			return ids[i];
		API(void, PyErr_Clear, void)();
	}
	return -1;
}

/* The callback number @which for @it: a builtin function whose self is a capsule around @it. */
static PyObject *callback_new(struct agent_interp *it, unsigned int which, callback *function)
{
	uint64_t *def = agent_data.method_def[which]; /* PyMethodDef: the interpreter keeps a pointer to it */
	PyObject *capsule, *f;

	def[0] = (uint64_t)capsule_name;
	def[1] = (uint64_t)function;
	def[2] = METH_FASTCALL;
	/* One of them is enough to tell that the interpreter is gone. */
	capsule = API(PyObject *, PyCapsule_New, void *, const char *,
		      void (*)(PyObject *))(it, capsule_name, which == CALLBACK_LINE ? on_capsule_gone : NULL);
	if (!capsule)
		return NULL;
	f = API(PyObject *, PyCFunction_NewEx, void *, PyObject *, PyObject *)(def, capsule, NULL);
	drop(capsule);
	return f;
}

struct agent_interp *interp_find(uint64_t interp)
{
	for (unsigned i = 0; i < AGENT_INTERPS; i++)
		if (atomic_load(&agent_data.interps[i].interp) == interp)
			return &agent_data.interps[i];
	return NULL;
}

long event_number(PyObject *monitoring, const char *name)
{
	PyObject *events = attr(monitoring, "events"), *event = attr(events, name);
	long ret = event ? API(long, PyLong_AsLong, PyObject *)(event) : -1;

	drop(event);
	drop(events);
	return ret;
}

void set_local_events(const struct agent_interp *it, PyObject *code, long events)
{
	PyObject *args[] = {integer(it->tool_id), code, integer(events)};

	API(void, Py_IncRef, PyObject *)(code);
	if (!ok(call_function((PyObject *)it->set_local_events, args, 3)))
		API(void, PyErr_Clear, void)();
}

/* PY_START callback: (code, offset) -> DISABLE. */
static PyObject *on_start(PyObject *self, PyObject *const *args, int64_t nargs)
{
	PyObject *ret;
	struct agent_interp *it = called_for(self, args, nargs, &ret);

	if (!it)
		return ret;
	if (wants(it, args[0]))
		set_local_events(it, args[0], it->local_events);
	return disable_new(it);
}

/* ----------------------------------------------------------------------------------------------------- install */

bool register_callback(struct agent_interp *it, PyObject *monitoring, enum callback_number which, long event,
		       callback *function)
{
	PyObject *args[] = {integer(it->tool_id), integer(event), callback_new(it, which, function)};

	return ok(call(monitoring, "register_callback", args, 3));
}

static bool set_events(const struct agent_interp *it, PyObject *monitoring, long events)
{
	PyObject *args[] = {integer(it->tool_id), integer(events)};

	return ok(call(monitoring, "set_events", args, 2));
}

static enum agent_status install(struct agent_interp *it)
{
	PyObject *monitoring = API(PyObject *, PySys_GetObject, const char *)("monitoring"), *disable;
	long line = monitoring ? event_number(monitoring, "LINE") : -1;
	long start = line > 0 ? event_number(monitoring, "PY_START") : -1, branches = 0;
	int id;

	if (start <= 0)
		return AGENT_STATUS_NO_MONITORING;
	disable = attr(monitoring, "DISABLE");
	if (!disable)
		return AGENT_STATUS_NO_MONITORING;
	it->disable = (uint64_t)disable;
	drop(disable); /* sys.monitoring keeps it */
	id = take_tool_id(monitoring);
	if (id < 0)
		return AGENT_STATUS_NO_TOOL_ID;
	it->tool_id = (uint32_t)id;
	it->line_is_global = agent_data.is_late;
	/* To be had when sys is empty already, and destructors run. */
	it->set_local_events = (uint64_t)attr(monitoring, "set_local_events");
	if (agent_data.branches)
		branches = branches_register(it, monitoring);
	it->local_events = line | branches;
	if (!branches == !!agent_data.branches || !register_callback(it, monitoring, CALLBACK_LINE, line, on_line) ||
	    !register_callback(it, monitoring, CALLBACK_START, start, on_start) ||
	    !set_events(it, monitoring, it->line_is_global ? it->local_events : start)) {
		PyObject *args[] = {integer(id)};

		API(void, PyErr_Clear, void)();
		it->tool_id = 0;
		ok(call(monitoring, "free_tool_id", args, 1));
		return AGENT_STATUS_NO_MONITORING;
	}
	/* Code that has not run since an earlier attach keeps what was disabled then. */
	if (agent_data.is_late)
		ok(call(monitoring, "restart_events", NULL, 0));
	line_memos_make();
	debuggers_patch();
	return AGENT_STATUS_MEASURING;
}

static struct agent_interp *claim(uint64_t interp)
{
	for (unsigned i = 0; i < AGENT_INTERPS; i++)
		if (atomic_cas(&agent_data.interps[i].interp, 0, interp))
			return &agent_data.interps[i];
	return NULL;
}

static bool install_here(uint64_t interp)
{
	struct agent_interp *it = claim(interp);
	struct saved_error error;
	enum agent_status status;

	if (!it)
		return false;
	it->tool_id = 0;
	it->session = atomic_load(&agent_data.session);
	error_save(&error);
	status = install(it);
	API(void, PyErr_Clear, void)();
	error_restore(&error);
	if (region_enter(it)) {
		region_set_status(status);
		region_exit(it);
	}
	/* A refused interpreter stays claimed, so that it is asked once only. */
	return true;
}

/* Make sure that the current interpreter is measured. NULL while it cannot be yet. */
static struct agent_interp *ensure_installed(PyObject *code)
{
	uint64_t interp = (uint64_t)API(void *, PyInterpreterState_Get, void)();
	struct agent_interp *it = interp_find(interp);

	if (it)
		return is_behind(it) ? catch_up(it) : it;
	/* The runtime starts with frozen code, before sys is complete; nothing of it is ever recorded. */
	if (str_starts_with(load_ptr(code, agent_data.layout.code_filename), "<frozen", 7))
		return NULL;
	return install_here(interp) ? interp_find(interp) : NULL;
}

/* What is under way in all threads is instrumented when events are set or restarted, but not in greenlets that are
 * suspended. Local events are set at once: changed there and back, they leave the code as all other is. */
static void instrument_now(PyObject *code, void *arg)
{
	struct agent_interp *it = arg;
	long wanted = it->line_is_global ? 0 : it->local_events;

	if (!wants(it, code))
		return;
	set_local_events(it, code, it->local_events - wanted);
	set_local_events(it, code, wanted);
}

static void instrument_greenlets(struct agent_interp *it)
{
	struct saved_error error;
	PyObject *frames;

	if (!it || !it->tool_id)
		return;
	error_save(&error);
	frames = greenlets_frames();
	frames_each_code_of(frames, instrument_now, it);
	drop(frames);
	error_restore(&error);
}

void monitoring_attach(void)
{
	uint64_t interp = (uint64_t)API(void *, PyInterpreterState_Get, void)();

	/* Left by a supervisor that was killed; it may have wanted lines alone. */
	if (interp_find(interp) && !agent_data.branches)
		return monitoring_rearm();
	monitoring_detach();
	/* Without sys.monitoring the interpreter is only starting. */
	if (API(PyObject *, PySys_GetObject, const char *)("monitoring"))
		install_here(interp);
	instrument_greenlets(interp_find(interp));
}

static void unregister_callback(long tool_id, PyObject *monitoring, long event)
{
	PyObject *args[] = {integer(tool_id), integer(event), none_new()};

	ok(call(monitoring, "register_callback", args, 3));
}

static bool has_branches(const struct agent_interp *it)
{
	return it->local_events & (it->local_events - 1);
}

/*
 * With its callback for LINE goes the capsule, and with that our record of the interpreter: another one may have that from
 * then on. An interpreter that was refused has nothing to give back.
 */
static void uninstall(struct agent_interp *it)
{
	PyObject *monitoring = API(PyObject *, PySys_GetObject, const char *)("monitoring");
	long line = monitoring ? event_number(monitoring, "LINE") : -1, id = it->tool_id;
	long start = line > 0 ? event_number(monitoring, "PY_START") : -1, branches[3];
	uint64_t interp = it->interp;

	if (start > 0 && id) {
		unsigned int n = has_branches(it) ? branches_events(monitoring, branches) : 0;
		PyObject *drop_id[] = {integer(id)};

		set_events(it, monitoring, 0);
		instrument_greenlets(it);
		unregister_callback(id, monitoring, start);
		while (n)
			unregister_callback(id, monitoring, branches[--n]);
		it->tool_id = 0;
		unregister_callback(id, monitoring, line);
		ok(call(monitoring, "free_tool_id", drop_id, 1));
	}
	if (it->session == SESSION_LEAVING)
		(void)atomic_cas(&it->interp, interp, 0);
}

/* Give back what the current interpreter has, once: what we call may call us. */
static void leave(struct agent_interp *it)
{
	struct saved_error error;

	if (__atomic_exchange_n(&it->session, SESSION_LEAVING, __ATOMIC_ACQ_REL) == SESSION_LEAVING)
		return;
	error_save(&error);
	uninstall(it);
	API(void, PyErr_Clear, void)();
	error_restore(&error);
}

void monitoring_detach(void)
{
	struct agent_interp *it = interp_find((uint64_t)API(void *, PyInterpreterState_Get, void)());

	if (!it)
		return;
	leave(it);
	debuggers_restore();
}

static void restart(struct agent_interp *it)
{
	struct saved_error error;
	PyObject *monitoring;

	it->session = atomic_load(&agent_data.session);
	error_save(&error);
	monitoring = API(PyObject *, PySys_GetObject, const char *)("monitoring");
	if (monitoring)
		ok(call(monitoring, "restart_events", NULL, 0));
	API(void, PyErr_Clear, void)();
	error_restore(&error);
	instrument_greenlets(it);
}

void monitoring_rearm(void)
{
	struct agent_interp *it = interp_find((uint64_t)API(void *, PyInterpreterState_Get, void)());

	if (!it)
		return;
	restart(it);
	region_set_status(AGENT_STATUS_MEASURING);
}

/*
 * Requests are carried out in one interpreter. A thread of another one finds here, in a callback or a hook, that it was left
 * or armed anew meanwhile, and does the same in its own. Returns it if it is measured.
 */
static struct agent_interp *catch_up(struct agent_interp *it)
{
	uint64_t interp = it->interp;

	if (it->session == SESSION_LEAVING)
		return NULL;
	if (atomic_load(&agent_data.source) == SOURCE_NONE) {
		leave(it);
		return NULL;
	}
	if (it->tool_id && has_branches(it) == !!agent_data.branches) {
		restart(it);
		return it;
	}
	leave(it);
	return install_here(interp) ? interp_find(interp) : NULL;
}

static bool add_code(PyObject *code)
{
	uint32_t file = region_file_of(load_ptr(code, agent_data.layout.code_filename));

	if (file && !region_is_refused(file))
		region_add_code(code, file, NULL);
	return file != 0;
}

void monitoring_on_code(PyObject *code)
{
	struct agent_interp *it = ensure_installed(code);

	if (!it || !region_enter(it))
		return;
	/* eval() in a loop: the same code object again. */
	if (!was_met(code))
		code_walk(code, add_code);
	region_exit(it);
}
