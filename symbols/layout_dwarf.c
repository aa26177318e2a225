#include "symbols/layout_dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/layout.h"

#define DEPTH_MAX 8
#define ALTERNATIVES_MAX 4

/** A field of `struct layout`, and what CPython's versions call it. "a|b": either. */
struct field {
	const char *name;
	size_t at;		   /* in struct layout */
	const char *types, *paths; /* paths "": the size of the struct */
	bool is_modules;	   /* of a module that may be a file of its own: not missed */
};

#define F(member, types, paths)                                                                                        \
	{                                                                                                              \
#member, offsetof(struct layout, member), types, paths, false                                          \
	}
#define TASK(member, paths)                                                                                            \
	{                                                                                                              \
		"task." #member, offsetof(struct layout, task.member), "TaskObj", paths, true                          \
	}

#define RUNTIME "pyruntimestate|_PyRuntimeState"
#define INTERP "_is|PyInterpreterState"
#define TSTATE "_ts|PyThreadState"
#define IFRAME "_PyInterpreterFrame|_interpreter_frame"
#define FRAME "_frame|PyFrameObject"
#define CODE "PyCodeObject"
#define GEN "PyGenObject|_PyGenObject"

/* clang-format off */
static const struct field fields[] = {
	F(runtime.interpreters_head, RUNTIME, "interpreters.head"),
	F(runtime.interpreters_main, RUNTIME, "interpreters.main"),
	F(runtime.gil, RUNTIME, "ceval.gil"),
	F(runtime.tstate_current, RUNTIME, "gilstate.tstate_current"),
	F(runtime.main_tstate, RUNTIME, "main_tstate"),
	F(interp.next, INTERP, "next"),
	F(interp.id, INTERP, "id"),
	F(interp.threads_head, INTERP, "threads.head|tstate_head"),
	F(interp.threads_main, INTERP, "threads.main"),
	F(interp.modules, INTERP, "imports.modules|modules"),
	F(interp.sysdict, INTERP, "sysdict"),
	F(interp.builtins, INTERP, "builtins"),
	F(interp.ceval_gil, INTERP, "ceval.gil"),
	F(interp.gc, INTERP, "gc"),
	F(interp.eval_frame, INTERP, "eval_frame"),
	F(interp.code_object_generation, INTERP, "_code_object_generation"),
	F(tstate.prev, TSTATE, "prev"),
	F(tstate.next, TSTATE, "next"),
	F(tstate.interp, TSTATE, "interp"),
	F(tstate.frame, TSTATE, "frame"),
	F(tstate.cframe, TSTATE, "cframe"),
	F(tstate.current_frame, TSTATE, "current_frame"),
	F(tstate.base_frame, TSTATE, "base_frame"),
	F(tstate.thread_id, TSTATE, "thread_id"),
	F(tstate.native_thread_id, TSTATE, "native_thread_id"),
	F(tstate.datastack_chunk, TSTATE, "datastack_chunk"),
	F(tstate.id, TSTATE, "id"),
	F(cframe.current_frame, "_PyCFrame|_cframe|CFrame", "current_frame"),
	F(cframe.previous, "_PyCFrame|_cframe|CFrame", "previous"),
	F(gil.size, "_gil_runtime_state", ""),
	F(gil.cond, "_gil_runtime_state", "cond"),
	F(gil.last_holder, "_gil_runtime_state", "last_holder"),
	F(gil.locked, "_gil_runtime_state", "locked"),
	F(gil.switch_number, "_gil_runtime_state", "switch_number"),
	F(iframe.executable, IFRAME, "f_executable|f_code"),
	F(iframe.funcobj, IFRAME, "f_funcobj|f_func"),
	F(iframe.previous, IFRAME, "previous"),
	F(iframe.globals, IFRAME, "f_globals"),
	F(iframe.builtins, IFRAME, "f_builtins"),
	F(iframe.locals, IFRAME, "f_locals"),
	F(iframe.frame_obj, IFRAME, "frame_obj"),
	F(iframe.instr_ptr, IFRAME, "instr_ptr|prev_instr"),
	F(iframe.return_offset, IFRAME, "return_offset"),
	F(iframe.owner, IFRAME, "owner"),
	F(iframe.is_entry, IFRAME, "is_entry"),
	F(iframe.localsplus, IFRAME, "localsplus"),
	F(iframe.stacktop, IFRAME, "stackpointer|stacktop"),
	F(frame.f_back, FRAME, "f_back"),
	F(frame.f_code, FRAME, "f_code"),
	F(frame.f_globals, FRAME, "f_globals"),
	F(frame.f_trace, FRAME, "f_trace"),
	F(frame.f_lasti, FRAME, "f_lasti"),
	F(frame.f_lineno, FRAME, "f_lineno"),
	F(frame.f_stacktop, FRAME, "f_stacktop"),
	F(frame.f_valuestack, FRAME, "f_valuestack"),
	F(frame.f_stackdepth, FRAME, "f_stackdepth"),
	F(frame.f_localsplus, FRAME, "f_localsplus"),
	F(gen.gi_frame, GEN, "gi_frame"),
	F(gen.gi_code, GEN, "gi_code"),
	F(gen.gi_frame_state, GEN, "gi_frame_state"),
	F(gen.gi_iframe, GEN, "gi_iframe"),
	F(gen.gi_name, GEN, "gi_name"),
	F(gen.gi_qualname, GEN, "gi_qualname"),
	F(object.ob_type, "_object|PyObject", "ob_type"),
	F(object.ob_size, "PyVarObject", "ob_size"),
	F(code.co_argcount, CODE, "co_argcount"),
	F(code.co_stacksize, CODE, "co_stacksize"),
	F(code.co_flags, CODE, "co_flags"),
	F(code.co_firstlineno, CODE, "co_firstlineno"),
	F(code.co_code, CODE, "co_code"),
	F(code.co_code_adaptive, CODE, "co_code_adaptive"),
	F(code.co_consts, CODE, "co_consts"),
	F(code.co_names, CODE, "co_names"),
	F(code.co_filename, CODE, "co_filename"),
	F(code.co_name, CODE, "co_name"),
	F(code.co_qualname, CODE, "co_qualname"),
	F(code.co_linetable, CODE, "co_linetable|co_lnotab"),
	F(code.co_exceptiontable, CODE, "co_exceptiontable"),
	F(code.co_version, CODE, "co_version"),
	F(code.co_firsttraceable, CODE, "_co_firsttraceable"),
	F(code.co_localsplusnames, CODE, "co_localsplusnames"),
	F(code.co_localspluskinds, CODE, "co_localspluskinds"),
	F(code.co_nlocals, CODE, "co_nlocals"),
	F(code.co_varnames, CODE, "co_varnames"),
	F(code.co_cellvars, CODE, "co_cellvars"),
	F(code.co_freevars, CODE, "co_freevars"),
	F(function.func_code, "PyFunctionObject", "func_code"),
	F(function.func_closure, "PyFunctionObject", "func_closure"),
	F(function.func_qualname, "PyFunctionObject", "func_qualname"),
	F(function.func_module, "PyFunctionObject", "func_module"),
	F(unicode.ascii_size, "PyASCIIObject", ""),
	F(unicode.compact_size, "PyCompactUnicodeObject", ""),
	F(unicode.length, "PyASCIIObject", "length"),
	F(unicode.state, "PyASCIIObject", "state"),
	F(bytes.ob_sval, "PyBytesObject", "ob_sval"),
	F(tuple.ob_item, "PyTupleObject", "ob_item"),
	F(list.ob_item, "PyListObject", "ob_item"),
	F(long_.lv_tag, "_longobject|PyLongObject", "long_value.lv_tag|ob_base.ob_size"),
	F(long_.ob_digit, "_longobject|PyLongObject", "long_value.ob_digit|ob_digit"),
	F(dict.ma_used, "PyDictObject", "ma_used"),
	F(dict.ma_keys, "PyDictObject", "ma_keys"),
	F(dict.ma_values, "PyDictObject", "ma_values"),
	F(keys.dk_size, "_dictkeysobject", "dk_size"),
	F(keys.dk_log2_index_bytes, "_dictkeysobject", "dk_log2_index_bytes"),
	F(keys.dk_kind, "_dictkeysobject", "dk_kind"),
	F(keys.dk_nentries, "_dictkeysobject", "dk_nentries"),
	F(keys.dk_indices, "_dictkeysobject", "dk_indices"),
	F(type.tp_name, "_typeobject|PyTypeObject", "tp_name"),
	F(type.tp_basicsize, "_typeobject|PyTypeObject", "tp_basicsize"),
	F(type.tp_flags, "_typeobject|PyTypeObject", "tp_flags"),
	F(type.tp_dict, "_typeobject|PyTypeObject", "tp_dict"),
	F(type.tp_base, "_typeobject|PyTypeObject", "tp_base"),
	F(type.tp_dictoffset, "_typeobject|PyTypeObject", "tp_dictoffset"),
	F(type.ht_cached_keys, "_heaptypeobject|PyHeapTypeObject", "ht_cached_keys"),
	F(module.md_dict, "PyModuleObject", "md_dict"),
	TASK(size, ""),
	TASK(callback0, "task_callback0"),
	TASK(callbacks, "task_callbacks"),
	TASK(fut_waiter, "task_fut_waiter"),
	TASK(coro, "task_coro"),
	TASK(name, "task_name"),
	TASK(awaited_by, "task_awaited_by"),
	TASK(awaited_by_is_set, "task_awaited_by_is_set"),
	TASK(node, "task_node"),
};
/* clang-format on */

/** The structs that were found, one for each alternative of each field's types. */
struct types {
	Dwarf_Die die[ARRAY_SIZE(fields)][ALTERNATIVES_MAX];
	bool has[ARRAY_SIZE(fields)][ALTERNATIVES_MAX];
	unsigned int n;
};

static bool is_alternative(const char *list, const char *name, size_t *which)
{
	size_t len = strlen(name);

	for (*which = 0; *list && *which < ALTERNATIVES_MAX; ++*which) {
		size_t n = strcspn(list, "|");

		if (n == len && !memcmp(list, name, n))
			return true;
		list += n + (list[n] == '|');
	}
	return false;
}

/** The struct or union behind typedefs and qualifiers; false if there is none, or it is only declared. */
static bool strip(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	int tag = dwarf_tag(die);

	for (int i = 0; i < DEPTH_MAX && (tag == DW_TAG_typedef || tag == DW_TAG_const_type ||
					  tag == DW_TAG_volatile_type || tag == DW_TAG_atomic_type);
	     i++) {
		if (!dwarf_attr_integrate(die, DW_AT_type, &attr) || !dwarf_formref_die(&attr, die))
			return false;
		tag = dwarf_tag(die);
	}
	return (tag == DW_TAG_structure_type || tag == DW_TAG_union_type) && !dwarf_hasattr(die, DW_AT_declaration) &&
	       dwarf_bytesize(die) > 0;
}

static void note_type(struct types *types, Dwarf_Die *die)
{
	int tag = dwarf_tag(die);
	const char *name = dwarf_diename(die);
	Dwarf_Die type = *die;
	size_t which;

	if (!name || (tag != DW_TAG_structure_type && tag != DW_TAG_typedef))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!is_alternative(fields[i].types, name, &which) || types->has[i][which])
			continue;
		if (!strip(&type))
			return;
		types->die[i][which] = type;
		types->has[i][which] = true;
		types->n++;
	}
}

static void find_types(Dwarf *dwarf, struct types *types)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die cu, die;

	while (dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &cu, NULL) == 0) {
		if (dwarf_child(&cu, &die) != 0)
			continue;
		do
			note_type(types, &die);
		while (dwarf_siblingof(&die, &die) == 0);
	}
}

static bool member_offset(Dwarf_Die *member, int64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word value = 0;

	if (dwarf_attr(member, DW_AT_data_member_location, &attr) && dwarf_formudata(&attr, &value) < 0)
		return false;
	*ret = (int64_t)value; /* without one, as in a union: 0 */
	return true;
}

static bool find_member(Dwarf_Die type, const char *path, size_t len, int64_t base, int depth, int64_t *ret);

static bool member_type(Dwarf_Die *member, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr(member, DW_AT_type, &attr) && dwarf_formref_die(&attr, ret) && strip(ret);
}

/** Is it, or is there in it, what @p path names? */
static bool look_into(Dwarf_Die *member, const char *path, size_t len, int64_t base, int depth, int64_t *ret)
{
	const char *name = dwarf_diename(member), *dot = memchr(path, '.', len);
	size_t first = dot ? (size_t)(dot - path) : len;
	Dwarf_Die type;
	int64_t at;

	if (!member_offset(member, &at))
		return false;
	if (!name) /* an anonymous struct */
		return member_type(member, &type) && find_member(type, path, len, base + at, depth + 1, ret);
	if (strlen(name) != first || memcmp(name, path, first) != 0)
		return false;
	if (dot)
		return member_type(member, &type) &&
		       find_member(type, dot + 1, len - first - 1, base + at, depth + 1, ret);
	*ret = base + at;
	return true;
}

static bool find_member(Dwarf_Die type, const char *path, size_t len, int64_t base, int depth, int64_t *ret)
{
	Dwarf_Die member;

	if (depth > DEPTH_MAX || dwarf_child(&type, &member) != 0)
		return false;
	do {
		if (dwarf_tag(&member) == DW_TAG_member && look_into(&member, path, len, base, depth, ret))
			return true;
	} while (dwarf_siblingof(&member, &member) == 0);
	return false;
}

static bool find_field(const struct field *field, Dwarf_Die type, int64_t *ret)
{
	if (!*field->paths) {
		*ret = dwarf_bytesize(&type);
		return true;
	}
	for (const char *path = field->paths; *path;) {
		size_t n = strcspn(path, "|");

		if (find_member(type, path, n, 0, 0, ret))
			return true;
		path += n + (path[n] == '|');
	}
	return false;
}

static void check_field(const struct types *types, size_t i, const struct layout *layout, layout_check_fn *fn,
			void *arg, struct layout_dwarf_result *result)
{
	struct layout_check check = {.name = fields[i].name, .type = "", .found = LAYOUT_ABSENT};
	int64_t found;

	memcpy(&check.expected, (const char *)layout + fields[i].at, sizeof(check.expected));
	if (check.expected == LAYOUT_ABSENT)
		return;
	for (size_t k = 0; k < ALTERNATIVES_MAX && check.found == LAYOUT_ABSENT; k++) {
		if (!types->has[i][k])
			continue;
		check.type = fields[i].types;
		if (find_field(&fields[i], types->die[i][k], &found) && found >= 0 && found < INT32_MAX)
			check.found = (int32_t)found;
	}
	if (check.found == LAYOUT_ABSENT && fields[i].is_modules)
		return;
	if (check.found == LAYOUT_ABSENT)
		result->missing++;
	else if (check.found == check.expected)
		result->right++;
	else
		result->wrong++;
	if (fn)
		fn(arg, &check);
}

static void dwarf_endp(Dwarf **dwarf)
{
	if (*dwarf)
		dwarf_end(*dwarf);
}

int layout_dwarf_check(int fd, const struct layout *layout, layout_check_fn *fn, void *arg,
		       struct layout_dwarf_result *ret)
{
	_cleanup_(dwarf_endp) Dwarf *dwarf = dwarf_begin(fd, DWARF_C_READ);
	_cleanup_free_ struct types *types = calloc(1, sizeof(*types));

	memset(ret, 0, sizeof(*ret));
	if (!types)
		return -ENOMEM;
	if (!dwarf)
		return -ENOENT;
	find_types(dwarf, types);
	if (!types->n)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		check_field(types, i, layout, fn, arg, ret);
	return 0;
}
