/*
 * Traps in a program that runs already (3.8 - 3.11): every function, generator and running frame that is alive is
 * planted. A large heap is walked in slices, between which other threads run.
 */
#include "traps.h"

#define SYS_nanosleep 35
#define SYS_clock_gettime 228
#define CLOCK_MONOTONIC 1
#define SLICE 8000000ull /* nanoseconds without a pause */
#define PAUSE 500000ull
#define LOOKS 256 /* objects between two looks at the clock */

static uint64_t now(void)
{
	uint64_t t[2] = {0, 0};

	agent_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)t, 0, 0, 0, 0);
	return t[0] * 1000000000ull + t[1];
}

/* Let other threads have the GIL. */
static void pause_slice(void)
{
	uint64_t t[2] = {0, PAUSE};
	void *tstate = API(void *, PyEval_SaveThread, void)();

	agent_syscall(SYS_nanosleep, (long)t, 0, 0, 0, 0, 0);
	API(void, PyEval_RestoreThread, void *)(tstate);
}

static PyObject *attr(PyObject *o, const char *name)
{
	PyObject *ret = o ? API(PyObject *, PyObject_GetAttrString, PyObject *, const char *)(o, name) : NULL;

	if (!ret)
		API(void, PyErr_Clear, void)();
	return ret;
}

static void drop(PyObject *o)
{
	if (o)
		API(void, Py_DecRef, PyObject *)(o);
}

/* The result of f(), NULL without an exception if there is none. */
static PyObject *result_of(PyObject *f)
{
	PyObject *ret = f ? API(PyObject *, PyObject_CallObject, PyObject *, PyObject *)(f, NULL) : NULL;

	if (!ret)
		API(void, PyErr_Clear, void)();
	return ret;
}

/* The code object that a frame is in. Up to 3.10 the frame keeps to the bytes object it began with. */
static void plant_running(PyObject *code)
{
	struct trap_state *s = trap_state();

	if (!is_code(code))
		return;
	s->plants_in_place = !agent_data.layout.inline_code;
	traps_plant_code(code);
	s->plants_in_place = false;
	code_walk(code, traps_plant_code);
}

static void plant_frames_from(PyObject *frame)
{
	API(void, Py_IncRef, PyObject *)(frame);
	while (frame && (uint64_t)type_of(frame) == agent_data.api[API_PyFrame_Type]) {
		PyObject *code = attr(frame, "f_code"), *back = attr(frame, "f_back");

		if (code)
			plant_running(code);
		drop(code);
		drop(frame);
		frame = back;
	}
	drop(frame);
}

/* The stacks of all threads. */
static void plant_frames(void)
{
	PyObject *frames = result_of(API(PyObject *, PySys_GetObject, const char *)("_current_frames"));
	PyObject *key, *frame;
	int64_t at = 0;

	while (frames && API(int, PyDict_Next, PyObject *, int64_t *, PyObject **, PyObject **)(frames, &at, &key, &frame))
		plant_frames_from(frame);
	drop(frames);
}

static PyObject *code_of(PyObject *o)
{
	const struct agent_layout *l = &agent_data.layout;
	uint64_t type = (uint64_t)type_of(o);

	if (type == agent_data.api[API_PyFunction_Type])
		return load_ptr(o, l->function_code);
	if (type == agent_data.api[API_PyGen_Type] || type == agent_data.api[API_PyCoro_Type] ||
	    type == agent_data.api[API_PyAsyncGen_Type])
		return load_ptr(o, l->gen_code);
	return NULL;
}

static void plant_heap(void)
{
	const struct agent_layout *l = &agent_data.layout;
	PyObject *gc = API(PyObject *, PyImport_ImportModule, const char *)("gc"), *get = attr(gc, "get_objects");
	PyObject *list = result_of(get);
	uint64_t start = now();

	API(void, PyErr_Clear, void)();
	for (uint64_t i = 0; list && i < load64(list, l->tuple_size); i++) {
		PyObject *code = code_of(((PyObject **)load_ptr(list, l->list_items))[i]);

		if (is_code(code) && !record_find(code))
			code_walk(code, traps_plant_code);
		if (i % LOOKS == 0 && now() - start > SLICE) {
			pause_slice();
			start = now();
		}
	}
	drop(list);
	drop(get);
	drop(gc);
}

void traps_attach(void)
{
	struct saved_error error;

	error_save(&error);
	if (traps_ready()) {
		traps_rearm();
		plant_frames();
		plant_heap();
	}
	API(void, PyErr_Clear, void)();
	error_restore(&error);
}

/* The pointers of static types that lead through us stay, with nothing left for them to hide: the records must go when
 * their code objects do, and are used again by the next attach. */
void traps_detach(void)
{
	traps_unplant_all();
}
