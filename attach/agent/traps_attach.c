/*
 * Traps in a program that runs already (3.8 - 3.11): every function, generator and running frame that is alive is
 * planted. What runs at the moment is first, and what is entered from then on is planted then (traps_entries.c), so that
 * nothing is missed while a large heap is walked, in slices.
 */
#include "traps.h"

#define PLANTED 64 /* so much work as to look at so many objects */

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

/* Of a function or generator that is not planted yet. */
static int plant_object(PyObject *o, void *arg)
{
	PyObject *code = code_of(o);

	if (!is_code(code) || record_find(code))
		return 1;
	code_walk(code, traps_plant_code);
	return PLANTED;
}

static void plant_what_runs(void)
{
	PyObject *suspended = greenlets_frames();

	each_running(plant_running);
	frames_each_code_of(suspended, plant_running, NULL);
	each_running(plant_below);
	frames_each_code_of(suspended, plant_below, NULL);
	drop(suspended);
}

void traps_attach(void)
{
	struct saved_error error;
	struct trap_state *s;

	error_save(&error);
	agent_data.is_looking = 0;
	if (traps_ready()) {
		s = trap_state();
		traps_rearm();
		plant_what_runs();
		heap_walk_end(&s->walk);
		s->is_walking = true;
		entries_hook();
	}
	API(void, PyErr_Clear, void)();
	error_restore(&error);
}

static void end_walk(struct trap_state *s)
{
	entries_unhook();
	heap_walk_end(&s->walk);
	s->is_walking = false;
}

bool traps_are_complete(void)
{
	return !trap_state() || !trap_state()->is_walking;
}

bool traps_go_on(uint64_t until)
{
	struct trap_state *s = trap_state();
	struct saved_error error;

	if (!s || !s->is_walking)
		return true;
	error_save(&error);
	/* The program may have put an evaluator of its own in our place. */
	if (s->walk.slices)
		each_running(plant_running);
	if (heap_walk(&s->walk, plant_object, NULL, until))
		end_walk(s);
	API(void, PyErr_Clear, void)();
	error_restore(&error);
	return !s->is_walking;
}

/* The pointers of static types that lead through us stay, with nothing left for them to hide: the records must go when
 * their code objects do, and are used again by the next attach. */
void traps_detach(void)
{
	if (trap_state() && trap_state()->is_walking)
		end_walk(trap_state());
	traps_unplant_all();
}
