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
#define CODES_AT_FIRST 2048
#define LOOKS 256 /* code objects between two looks at the clock */

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

/* The code object that a frame is in. Up to 3.10 the frame keeps to the bytes object it began with: all frames must be met
 * before a code object gets bytes of its own. */
static void plant_running(PyObject *code, void *arg)
{
	struct trap_state *s = trap_state();

	s->plants_in_place = !agent_data.layout.inline_code;
	traps_plant_code(code);
	s->plants_in_place = false;
}

static void plant_below(PyObject *code, void *arg)
{
	code_walk(code, traps_plant_code);
}

/* The stacks of all threads. */
static void each_running(void (*f)(PyObject *code, void *arg))
{
	PyObject *frames = result_of(API(PyObject *, PySys_GetObject, const char *)("_current_frames"));
	PyObject *key, *frame;
	int64_t at = 0;

	while (frames &&
	       API(int, PyDict_Next, PyObject *, int64_t *, PyObject **, PyObject **)(frames, &at, &key, &frame))
		frames_each_code(frame, f, NULL);
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

/*
 * What the garbage collector knows is walked as it lies in memory. gc.get_objects() would need an import, which may not be
 * made just anywhere: in the midst of one, 3.8 to 3.11 lose the lock of the module (gh-91351). Nor does it know what was
 * set aside by gc.freeze(), or belongs to other interpreters.
 */
#define GENERATIONS 3
#define GENERATION_SIZE 24 /* struct gc_generation: PyGC_Head, two ints */
#define GC_FLAGS 3ull

static void each_in_list(char *head, object_visitor *f, void *arg)
{
	size_t size = agent_data.layout.gc_head_size;

	for (char *at = head; (at = (char *)(load64(at, 0) & ~GC_FLAGS)) && at != head;)
		f(at + size, arg);
}

static void each_in_collector(char *gc, object_visitor *f, void *arg)
{
	const struct agent_layout *l = &agent_data.layout;

	for (int i = 0; i < GENERATIONS; i++)
		each_in_list((char *)load_ptr(gc, l->gc_generation0) + i * GENERATION_SIZE, f, arg);
	each_in_list(gc + l->gc_permanent, f, arg);
}

/* Call @f for every object that may be part of a cycle. */
static void each_in_heap(object_visitor *f, void *arg)
{
	const struct agent_layout *l = &agent_data.layout;
	char *runtime = (char *)agent_data.runtime;

	if (l->runtime_gc)
		return each_in_collector(runtime + l->runtime_gc, f, arg);
	for (char *interp = load_ptr(runtime, l->runtime_interpreters); interp;
	     interp = load_ptr(interp, l->interp_next))
		each_in_collector(interp + l->interp_gc, f, arg);
}

struct code_list {
	PyObject **codes; /* each with a reference */
	size_t n, room;
};

/* Make room for one more. */
static bool list_grow(struct code_list *list)
{
	size_t size = list->room * sizeof(*list->codes), room = list->room ? 2 * list->room : CODES_AT_FIRST;
	PyObject **codes = block_alloc(room * sizeof(*codes));

	if (!codes)
		return false;
	if (size) {
		memcpy(codes, list->codes, size);
		block_free(list->codes, size);
	}
	list->codes = codes;
	list->room = room;
	return true;
}

/* Of a function or generator that is not planted yet. Up to here nobody else could run: the heap is walked once. */
static int add_code(PyObject *o, void *arg)
{
	struct code_list *list = arg;
	PyObject *code = code_of(o);

	if (!is_code(code) || record_find(code))
		return 1;
	if (list->n == list->room && !list_grow(list)) {
		region_drop_code();
		return 1;
	}
	API(void, Py_IncRef, PyObject *)(code);
	list->codes[list->n++] = code;
	return 1;
}

/* @start: since when no other thread could run. */
static void plant_heap(uint64_t start)
{
	struct code_list list = {0};

	each_in_heap(add_code, &list);
	for (size_t i = 0; i < list.n; i++) {
		if (!record_find(list.codes[i]))
			code_walk(list.codes[i], traps_plant_code);
		drop(list.codes[i]);
		if (i % LOOKS == 0 && now() - start > SLICE) {
			pause_slice();
			start = now();
			each_running(plant_running);
		}
	}
	if (list.room)
		block_free(list.codes, list.room * sizeof(*list.codes));
}

static void plant_all(void)
{
	uint64_t start = now();
	PyObject *suspended = greenlets_frames(each_in_heap);

	each_running(plant_running);
	frames_each_code_of(suspended, plant_running, NULL);
	each_running(plant_below);
	frames_each_code_of(suspended, plant_below, NULL);
	drop(suspended);
	plant_heap(start);
}

void traps_attach(void)
{
	struct saved_error error;

	error_save(&error);
	if (traps_ready()) {
		traps_rearm();
		plant_all();
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
