/*
 * Who else looks at bytecode, and how new code objects come about: pointers in CPython's static types and in its marshal
 * module lead through here. They are data, are patched once in a process (also for a runtime that is initialised again:
 * these types outlive it), and stay.
 *
 * code.tp_dealloc         an address is no identity: the record goes with the code object
 * code.tp_richcompare     compares bytecode
 * function.tp_new         types.FunctionType(code): code that no PyEval_EvalCode() sees
 * function.__code__       the same
 * code._co_code_adaptive  (3.11) for `dis` with adaptive=True
 * and where bytecode is not asked for through PyCode_GetCode() (up to 3.10):
 * code.tp_getattro        code.co_code
 * code.replace            hands the bytecode to the new code object
 * frame.f_lineno          its setter analyses the blocks of the function
 * marshal.dump, dumps
 */
#include "traps.h"

/* PyTypeObject, the same in all versions. */
#define TP_DEALLOC 48
#define TP_GETATTRO 144
#define TP_FLAGS 168
#define TP_RICHCOMPARE 200
#define TP_METHODS 232
#define TP_GETSET 248
#define TP_NEW 312

#define FLAG_LIST (1ull << 25)
#define FLAG_TUPLE (1ull << 26)
#define FLAG_DICT (1ull << 29)

/* PyMethodDef {name, function, flags, doc}, PyGetSetDef {name, get, set, doc, closure} */
#define METHOD_SIZE 32
#define GETSET_SIZE 40
#define METH_FASTCALL 0x80

#define CFUNCTION_DEF 16 /* PyCFunctionObject.m_ml */
#define LIST_ITEMS 24	 /* PyListObject.ob_item */
#define DEPTH 200	 /* of what is given to marshal */

#define ORIGINAL(ret, slot, ...) ((ret(*)(__VA_ARGS__))trap_state()->original[slot])

/* --------------------------------------------------------------------------------------- code comes, code goes */

static void on_dealloc(PyObject *code)
{
	PyObject *held = record_forget(code);

	ORIGINAL(void, SLOT_DEALLOC, PyObject *)(code);
	if (held)
		API(void, Py_DecRef, PyObject *)(held);
}

static PyObject *on_function_new(void *type, PyObject *args, PyObject *kwargs)
{
	PyObject *f = ORIGINAL(PyObject *, SLOT_FUNCTION_NEW, void *, PyObject *, PyObject *)(type, args, kwargs);

	if (f)
		traps_plant(load_ptr(f, agent_data.layout.function_code));
	return f;
}

static int on_set_code(PyObject *f, PyObject *code, void *closure)
{
	int r = ORIGINAL(int, SLOT_SET_CODE, PyObject *, PyObject *, void *)(f, code, closure);

	if (r == 0)
		traps_plant(code);
	return r;
}

/* ------------------------------------------------------------------------- 3.11: readers of what really runs */

static PyObject *compare_lifted(PyObject *a, PyObject *b, int op)
{
	struct trap_record *x = record_find(a), *y = record_find(b);
	uint64_t *of_x = x ? record_lift(x) : NULL, *of_y = y ? record_lift(y) : NULL;
	PyObject *ret = ORIGINAL(PyObject *, SLOT_COMPARE, PyObject *, PyObject *, int)(a, b, op);

	if (of_y)
		record_put_back(y, of_y);
	if (of_x)
		record_put_back(x, of_x);
	return ret;
}

static PyObject *on_get_adaptive(PyObject *code, void *closure)
{
	struct trap_record *r = record_find(code);
	uint64_t *lifted = r ? record_lift(r) : NULL;
	PyObject *ret = ORIGINAL(PyObject *, SLOT_ADAPTIVE, PyObject *, void *)(code, closure);

	if (lifted)
		record_put_back(r, lifted);
	return ret;
}

/* ------------------------------------------------------------------------------- up to 3.10: the bytecode object */

static PyObject **code_slot(PyObject *code)
{
	return (PyObject **)((char *)code + agent_data.layout.code_code);
}

/* Let @code be seen with its original bytecode; true if it was not already. */
static bool show_original(PyObject *code)
{
	struct trap_record *r = is_code(code) ? record_find(code) : NULL;

	if (!r || *code_slot(code) != record_live_object(r))
		return false;
	*code_slot(code) = record_original_object(r);
	return true;
}

static void show_live(PyObject *code)
{
	struct trap_record *r = is_code(code) ? record_find(code) : NULL;

	if (r)
		*code_slot(code) = record_live_object(r);
}

static PyObject *on_compare(PyObject *a, PyObject *b, int op)
{
	bool x, y;
	PyObject *ret;

	if (agent_data.layout.inline_code)
		return compare_lifted(a, b, op);
	x = show_original(a);
	y = show_original(b);
	ret = ORIGINAL(PyObject *, SLOT_COMPARE, PyObject *, PyObject *, int)(a, b, op);
	if (y)
		show_live(b);
	if (x)
		show_live(a);
	return ret;
}

static PyObject *on_getattro(PyObject *code, PyObject *name)
{
	bool shown = str_equals(name, "co_code", 7) && show_original(code);
	PyObject *ret = ORIGINAL(PyObject *, SLOT_GETATTRO, PyObject *, PyObject *)(code, name);

	if (shown)
		show_live(code);
	return ret;
}

static PyObject *on_replace(PyObject *code, PyObject *const *args, int64_t nargs, PyObject *names)
{
	bool shown = show_original(code);
	PyObject *ret = ORIGINAL(PyObject *, SLOT_REPLACE, PyObject *, PyObject *const *, int64_t,
				 PyObject *)(code, args, nargs, names);

	if (shown)
		show_live(code);
	return ret;
}

static int on_set_lineno(PyObject *frame, PyObject *value, void *closure)
{
	PyObject *code = load_ptr(frame, agent_data.layout.frame_code);
	bool shown = show_original(code);
	int r = ORIGINAL(int, SLOT_SET_LINENO, PyObject *, PyObject *, void *)(frame, value, closure);

	if (shown)
		show_live(code);
	return r;
}

/* ------------------------------------------------------------------------------------------------------ marshal */

static void show_all(PyObject *o, bool original, int depth);

static void show_items(PyObject *const *items, uint64_t n, bool original, int depth)
{
	for (uint64_t i = 0; i < n; i++)
		show_all(items[i], original, depth);
}

static void show_dict(PyObject *dict, bool original, int depth)
{
	PyObject *key, *value;
	int64_t at = 0;

	while (API(int, PyDict_Next, PyObject *, int64_t *, PyObject **, PyObject **)(dict, &at, &key, &value)) {
		show_all(key, original, depth);
		show_all(value, original, depth);
	}
}

static bool is_set(const PyObject *o)
{
	uint64_t type = (uint64_t)type_of(o);

	return agent_data.api[API__PySet_NextEntry] &&
	       (type == agent_data.api[API_PySet_Type] || type == agent_data.api[API_PyFrozenSet_Type]);
}

static void show_set(PyObject *set, bool original, int depth)
{
	PyObject *key;
	int64_t at = 0, hash;

	while (API(int, _PySet_NextEntry, PyObject *, int64_t *, PyObject **, int64_t *)(set, &at, &key, &hash))
		show_all(key, original, depth);
}

/* Show all code objects that marshal would find below @o with their original bytecode, or again as they are. */
static void show_all(PyObject *o, bool original, int depth)
{
	const struct agent_layout *l = &agent_data.layout;
	uint64_t flags;

	if (!o || depth <= 0)
		return;
	if (is_code(o)) {
		if (original)
			show_original(o);
		else
			show_live(o);
		show_all(load_ptr(o, l->code_consts), original, depth - 1);
		return;
	}
	flags = load64(type_of(o), TP_FLAGS);
	if (flags & FLAG_TUPLE)
		show_items((void *)((char *)o + l->tuple_items), load64(o, l->tuple_size), original, depth - 1);
	else if (flags & FLAG_LIST)
		show_items(load_ptr(o, LIST_ITEMS), load64(o, l->tuple_size), original, depth - 1);
	else if (flags & FLAG_DICT && agent_data.api[API_PyDict_Next])
		show_dict(o, original, depth - 1);
	else if (is_set(o))
		show_set(o, original, depth - 1);
}

static PyObject *dump(enum trap_slot slot, PyObject *module, PyObject *const *args, int64_t nargs)
{
	PyObject *ret;

	if (nargs > 0)
		show_all(args[0], true, DEPTH);
	ret = ((PyObject * (*)(PyObject *, PyObject *const *, int64_t)) trap_state()->original[slot])(module, args,
												      nargs);
	if (nargs > 0)
		show_all(args[0], false, DEPTH);
	return ret;
}

static PyObject *on_dump(PyObject *module, PyObject *const *args, int64_t nargs)
{
	return dump(SLOT_DUMP, module, args, nargs);
}

static PyObject *on_dumps(PyObject *module, PyObject *const *args, int64_t nargs)
{
	return dump(SLOT_DUMPS, module, args, nargs);
}

/* ----------------------------------------------------------------------------------------------------- patching */

static void patch(struct trap_state *s, enum trap_slot slot, uint64_t *where, void *ours)
{
	if (!*where || *where == (uint64_t)ours)
		return;
	s->original[slot] = *where;
	*where = (uint64_t)ours;
}

static bool text_equals(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The entry called @name of a table of PyMethodDef or PyGetSetDef. */
static uint64_t *entry_find(void *table, size_t size, const char *name)
{
	for (char *entry = table; entry && load_ptr(entry, 0); entry += size)
		if (text_equals(load_ptr(entry, 0), name))
			return (uint64_t *)(void *)entry;
	return NULL;
}

#define GETTER 1
#define SETTER 2

static void patch_getset(struct trap_state *s, enum trap_slot slot, const char *type, const char *name, int which,
			 void *ours)
{
	uint64_t *entry = entry_find(load_ptr(type, TP_GETSET), GETSET_SIZE, name);

	if (entry)
		patch(s, slot, &entry[which], ours);
}

static void patch_builtin(struct trap_state *s, enum trap_slot slot, PyObject *module, const char *name, void *ours)
{
	PyObject *f = API(PyObject *, PyObject_GetAttrString, PyObject *, const char *)(module, name);

	if (!f)
		return;
	if ((uint64_t)type_of(f) == agent_data.api[API_PyCFunction_Type]) {
		uint64_t *def = load_ptr(f, CFUNCTION_DEF);

		if ((uint32_t)def[2] == METH_FASTCALL)
			patch(s, slot, &def[1], ours);
	}
	API(void, Py_DecRef, PyObject *)(f);
}

static void patch_readers(struct trap_state *s)
{
	char *code = (char *)agent_data.api[API_PyCode_Type];
	uint64_t *replace = entry_find(load_ptr(code, TP_METHODS), METHOD_SIZE, "replace");
	PyObject *marshal = API(PyObject *, PyImport_ImportModule, const char *)("marshal");

	patch(s, SLOT_GETATTRO, (uint64_t *)(code + TP_GETATTRO), on_getattro);
	if (replace)
		patch(s, SLOT_REPLACE, &replace[1], on_replace);
	patch_getset(s, SLOT_SET_LINENO, (char *)agent_data.api[API_PyFrame_Type], "f_lineno", SETTER, on_set_lineno);
	if (!marshal)
		return;
	patch_builtin(s, SLOT_DUMP, marshal, "dump", on_dump);
	patch_builtin(s, SLOT_DUMPS, marshal, "dumps", on_dumps);
	API(void, Py_DecRef, PyObject *)(marshal);
}

bool slots_patched(const struct trap_state *s)
{
	return s->phase == TRAPS_READY &&
	       load64((void *)agent_data.api[API_PyCode_Type], TP_DEALLOC) == (uint64_t)on_dealloc;
}

void slots_patch(struct trap_state *s)
{
	char *code = (char *)agent_data.api[API_PyCode_Type], *function = (char *)agent_data.api[API_PyFunction_Type];

	patch(s, SLOT_DEALLOC, (uint64_t *)(code + TP_DEALLOC), on_dealloc);
	patch(s, SLOT_COMPARE, (uint64_t *)(code + TP_RICHCOMPARE), on_compare);
	patch(s, SLOT_FUNCTION_NEW, (uint64_t *)(function + TP_NEW), on_function_new);
	patch_getset(s, SLOT_SET_CODE, function, "__code__", SETTER, on_set_code);
	if (agent_data.layout.inline_code)
		patch_getset(s, SLOT_ADAPTIVE, code, "_co_code_adaptive", GETTER, on_get_adaptive);
	if (!agent_data.layout.inline_code)
		patch_readers(s);
}
