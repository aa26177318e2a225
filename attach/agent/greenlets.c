/*
 * Frames that no list of the interpreter has: a greenlet that is suspended has its stack put away, in some heap. What the
 * interpreter does to all code that is under way passes them by; here they are found, as objects of the `greenlet`
 * package, which tells the innermost frame of each.
 */
#include "agent.h"

struct greenlets {
	PyObject *type, *getter; /* the class, and the function that reads its gr_frame */
	void *other;		 /* the last type that was seen to be none of them */
	PyObject *found;	 /* a list; NULL: all is zero */
	struct heap_walk walk;
	uint64_t interp;
	bool is_complete;
};

static uint64_t interp_now(void)
{
	return agent_data.api[API_PyInterpreterState_Get] ? (uint64_t)API(void *, PyInterpreterState_Get, void)() : 0;
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

static PyObject *call_with(PyObject *f, PyObject *arg)
{
	PyObject *tuple = f && arg ? API(PyObject *, PyTuple_New, int64_t)(1) : NULL, *ret = NULL;

	if (tuple) {
		API(void, Py_IncRef, PyObject *)(arg);
		API(int, PyTuple_SetItem, PyObject *, int64_t, PyObject *)(tuple, 0, arg);
		ret = API(PyObject *, PyObject_CallObject, PyObject *, PyObject *)(f, tuple);
	}
	drop(tuple);
	if (!ret)
		API(void, PyErr_Clear, void)();
	return ret;
}

void frames_each_code(PyObject *frame, void (*f)(PyObject *code, void *arg), void *arg)
{
	API(void, Py_IncRef, PyObject *)(frame);
	while (frame && (uint64_t)type_of(frame) == agent_data.api[API_PyFrame_Type]) {
		PyObject *code = attr(frame, "f_code"), *back = attr(frame, "f_back");

		if (is_code(code))
			f(code, arg);
		drop(code);
		drop(frame);
		frame = back;
	}
	drop(frame);
}

/* What nobody has imported is not imported for our sake. */
static PyObject *module_if_loaded(const char *name)
{
	PyObject *get = attr(API(PyObject *, PySys_GetObject, const char *)("modules"), "get"), *key, *ret = NULL;

	key = get ? API(PyObject *, PyUnicode_FromString, const char *)(name) : NULL;
	ret = call_with(get, key);
	drop(key);
	drop(get);
	return ret;
}

static bool is_type(PyObject *o)
{
	return o && API(int, PyType_IsSubtype, void *, void *)(type_of(o), (void *)agent_data.api[API_PyType_Type]);
}

static void greenlets_deinit(struct greenlets *g)
{
	heap_walk_end(&g->walk);
	drop(g->found);
	drop(g->getter);
	drop(g->type);
	*g = (struct greenlets){0};
}

/* False, and nothing to be let go, if the program has no greenlets. A class of the program's own may read gr_frame in
 * another way: the package's is asked. */
static bool greenlets_init(struct greenlets *g)
{
	PyObject *module = module_if_loaded("greenlet"), *descriptor;

	g->type = attr(module, "greenlet");
	drop(module);
	descriptor = is_type(g->type) ? attr(g->type, "gr_frame") : NULL;
	g->getter = attr(descriptor, "__get__");
	drop(descriptor);
	g->found = g->getter ? API(PyObject *, PyList_New, int64_t)(0) : NULL;
	if (g->found)
		return true;
	greenlets_deinit(g);
	return false;
}

static bool is_greenlet(struct greenlets *g, void *type)
{
	if (type == g->other)
		return false;
	if (type == g->type || API(int, PyType_IsSubtype, void *, void *)(type, g->type))
		return true;
	g->other = type;
	return false;
}

/* No object may be made here that the collector knows of. */
static int collect(PyObject *o, void *arg)
{
	struct greenlets *g = arg;

	if (is_greenlet(g, type_of(o)) && API(int, PyList_Append, PyObject *, PyObject *)(g->found, o) < 0)
		API(void, PyErr_Clear, void)();
	return 1;
}

/* Borrowed; NULL beyond the end. */
static PyObject *item(PyObject *list, int64_t i)
{
	if (!list || i >= API(int64_t, PyList_Size, PyObject *)(list))
		return NULL;
	return API(PyObject *, PyList_GetItem, PyObject *, int64_t)(list, i);
}

static PyObject *frames_of(const struct greenlets *g)
{
	PyObject *frames = API(PyObject *, PyList_New, int64_t)(0), *o;

	for (int64_t i = 0; frames && (o = item(g->found, i)); i++) {
		PyObject *frame = call_with(g->getter, o);

		/* None if it runs, has not begun or has ended. */
		if (frame && (uint64_t)type_of(frame) == agent_data.api[API_PyFrame_Type])
			API(int, PyList_Append, PyObject *, PyObject *)(frames, frame);
		drop(frame);
	}
	API(void, PyErr_Clear, void)();
	return frames;
}

static struct greenlets *found(void)
{
	return (struct greenlets *)agent_data.greenlets;
}

/* Threads of other interpreters may come for the same request: nothing of those that were found is theirs to touch. */
static struct greenlets *found_here(void)
{
	struct greenlets *g = found();

	if (g && g->found && g->interp != interp_now())
		*g = (struct greenlets){0};
	return g;
}

bool greenlets_find(uint64_t until)
{
	struct greenlets *g;

	if (!found())
		agent_data.greenlets = (uint64_t)heap_alloc(sizeof(*g));
	g = found_here();
	if (!g || (!g->found && !greenlets_init(g)))
		return true;
	g->interp = interp_now();
	if (!g->is_complete)
		g->is_complete = heap_walk(&g->walk, collect, g, until);
	return g->is_complete;
}

void greenlets_forget(void)
{
	struct greenlets *g = found_here();

	if (g)
		greenlets_deinit(g);
}

PyObject *greenlets_frames(void)
{
	struct greenlets *g = found_here(), own = {0};
	PyObject *frames;

	if (g && g->is_complete)
		return frames_of(g);
	if (!greenlets_init(&own))
		return NULL;
	(void)heap_walk(&own.walk, collect, &own, UINT64_MAX);
	frames = frames_of(&own);
	greenlets_deinit(&own);
	return frames;
}

void frames_each_code_of(PyObject *frames, void (*f)(PyObject *code, void *arg), void *arg)
{
	PyObject *frame;

	for (int64_t i = 0; (frame = item(frames, i)); i++)
		frames_each_code(frame, f, arg);
}
