/**
 * Where the fields of CPython's objects are, one row per minor version, and what it can do.
 *
 * Offsets are bytes from the start of the named struct, sizes are bytes, for x86-64 Linux, release
 * builds with a GIL. LAYOUT_ABSENT: the version has no such field. Field names are CPython's; where
 * a field was renamed the newest name is used.
 *
 * To support a new CPython: add its row to layout.c (a build with debug information and `pahole`
 * give the numbers), its table to debug_offsets.c, and an entry to the test interpreters. Nothing
 * else may compare version numbers: ask a capability of the row.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LAYOUT_ABSENT INT32_MIN

/** How the agent gets to see lines. */
enum layout_traps {
	LAYOUT_TRAPS_NONE,    /* not needed: sys.monitoring */
	LAYOUT_TRAPS_REPOINT, /* repoint the trap opcode's entry of opcode_targets */
	LAYOUT_TRAPS_DETOUR,  /* jump at the unknown-opcode label; there is a switch, too */
};

/** Encoding of code.co_linetable; linetable.h decodes them. */
enum layout_linetable {
	LAYOUT_LINETABLE_LNOTAB,    /* 3.8, 3.9: co_lnotab */
	LAYOUT_LINETABLE_DELTAS,    /* 3.10: PEP 626 */
	LAYOUT_LINETABLE_LOCATIONS, /* 3.11+: PEP 657 */
};

/** How the current frame of a thread is found. */
enum layout_frames {
	LAYOUT_FRAMES_OBJECTS, /* tstate.frame is a PyFrameObject; f_lasti is in lasti_unit bytes */
	LAYOUT_FRAMES_CFRAME,  /* tstate.cframe->current_frame is a _PyInterpreterFrame */
	LAYOUT_FRAMES_CURRENT, /* tstate.current_frame is a _PyInterpreterFrame */
};

/** Where the size of the index area and the kind of entries of a dict's keys are. */
enum layout_dict_keys {
	LAYOUT_DICT_KEYS_SIZE, /* dk_size slots of 1, 2, 4, 8 bytes; entries {hash, key, value} */
	LAYOUT_DICT_KEYS_LOG2, /* 1 << dk_log2_index_bytes bytes; dk_kind: {key, value} */
};

/** Where the attributes of an instance are whose type has Py_TPFLAGS_MANAGED_DICT. */
enum layout_managed_dict {
	LAYOUT_MANAGED_DICT_NONE,     /* there are no such types */
	LAYOUT_MANAGED_DICT_POINTERS, /* values 32 bytes before the object, a dict 24 bytes before it */
	LAYOUT_MANAGED_DICT_TAGGED, /* 24 bytes before it; if that is odd, values one byte behind where it points to */
	LAYOUT_MANAGED_DICT_INLINE, /* a dict 24 bytes before it, or else values behind the object */
};

/** How a suspended generator says that it waits for what lies on top of its stack. */
enum layout_delegation {
	LAYOUT_DELEGATION_YIELD_FROM, /* the next instruction is YIELD_FROM */
	LAYOUT_DELEGATION_RESUME,     /* the next instruction is RESUME 2 or RESUME 3 */
	LAYOUT_DELEGATION_STATE,      /* gi_frame_state is gen_delegating */
};

struct layout {
	/* ---- capabilities ---- */
	uint8_t minor; /* of 3.minor; for messages */
	enum layout_traps traps;
	enum layout_linetable linetable;
	enum layout_frames frames;
	enum layout_dict_keys dict_keys;
	enum layout_managed_dict managed_dict;
	enum layout_delegation delegation;
	bool has_monitoring;	   /* sys.monitoring, PEP 669 */
	bool searches_lines;	   /* for each of its LINE events, with PyCode_Addr2Line(), from the table's start */
	bool has_branch_events;	   /* BRANCH_LEFT and BRANCH_RIGHT, disabled separately */
	bool has_debug_offsets;	   /* _PyRuntime starts with _Py_DebugOffsets */
	bool has_version_symbol;   /* exports Py_Version */
	bool has_annotate_code;	   /* code named __annotate__, PEP 649, which coverage.py leaves out */
	bool code_is_inline;	   /* at co_code_adaptive; else co_code is a bytes object */
	bool code_is_shared;	   /* code objects may share a co_code */
	bool code_is_cached;	   /* PyCode_GetCode() keeps a copy of the original bytecode */
	bool code_is_quickened;	   /* the interpreter rewrites opcodes in place */
	bool executable_is_tagged; /* the low two bits of iframe.executable are flags */
	bool long_has_tag;	   /* lv_tag instead of ob_size */
	bool takes_gil_first; /* take_gil(tstate) comes before that is the current one, as PyThreadState_Swap() makes it */
	bool frame_is_first;	 /* interp.eval_frame has no thread state before it */
	bool current_is_own;	 /* each kernel thread has its current thread state, to be asked for without the GIL */
	bool gil_is_pointer;	 /* interp.ceval_gil points at it; else it lies at runtime.gil */
	bool may_have_handlers;	 /* in some builds each opcode is a function of its own (tail calls) */
	bool values_have_header; /* split dict values start 8 bytes into ma_values */
	uint8_t lasti_unit;	 /* bytes per unit of f_lasti */
	uint8_t frame_owner_foreign; /* this owner and above: no Python frame; 0: has no owner */
	int8_t gen_executing;	     /* value of gi_frame_state while it runs */
	int8_t gen_delegating;	     /* and while it waits for another */
	const char *first_symbol;    /* exported by this version and later ones, not by earlier ones */

	/* ---- runtime, interpreter, threads ---- */
	struct {
		int32_t size, interpreters_head, interpreters_main, finalizing, gil, tstate_current, main_tstate, gc,
			tracing_possible;
	} runtime; /* _PyRuntimeState, symbol _PyRuntime */
	struct {
		int32_t next, id, threads_head, threads_main, modules, sysdict, builtins, eval_breaker, ceval_gil, gc,
			eval_frame, monitoring_version, code_object_generation, tracing_possible;
	} interp; /* PyInterpreterState; its size differs between patch releases */
	struct {
		int32_t size, prev, next, interp, status, frame, cframe, current_frame, base_frame, eval_breaker,
			holds_gil, tracing, use_tracing, c_profilefunc, c_tracefunc, thread_id, native_thread_id,
			datastack_chunk, exc_info, id;
	} tstate; /* PyThreadState */
	struct {
		int32_t use_tracing, current_frame, previous;
	} cframe; /* _PyCFrame, on the C stack */
	struct {
		int32_t size, interval, last_holder, locked, switch_number, cond;
	} gil; /* struct _gil_runtime_state */
	struct {
		int32_t generation0, permanent_generation, collecting;
	} gc; /* _gc_runtime_state, at runtime.gc or interp.gc; generation0 points at a list head */
	struct {
		int32_t size, next, prev;
	} gc_head; /* PyGC_Head, size bytes before each object; low two bits of both are flags */

	struct {
		int32_t pending; /* in the interpreter; 0: it has none of its own */
		int32_t busy, lock, count, calls, call_size, n_calls, first, next;
	} pending; /* struct _pending_calls; `lock` is a semaphore's address in 3.12, later a byte */

	/* ---- frames ---- */
	struct {
		int32_t size, executable, funcobj, previous, globals, builtins, locals, frame_obj, instr_ptr,
			return_offset, owner, is_entry, localsplus, stacktop;
	} iframe; /* _PyInterpreterFrame; instr_ptr is prev_instr up to 3.12 */
	struct {
		int32_t size, f_back, f_code, f_globals, f_trace, f_lasti, f_lineno, f_state, f_frame, f_gen,
			f_executing, f_stacktop, f_valuestack, f_stackdepth, f_localsplus;
	} frame; /* PyFrameObject */
	struct {
		int32_t size, gi_frame, gi_code, gi_frame_state, gi_iframe, gi_name, gi_qualname;
	} gen; /* PyGenObject, and the same head in coroutines and asynchronous generators */

	/* ---- objects ---- */
	struct {
		int32_t ob_refcnt, ob_type, ob_size;
	} object; /* PyObject, PyVarObject */
	struct {
		int32_t size, co_argcount, co_stacksize, co_flags, co_firstlineno, co_code, co_code_adaptive, co_consts,
			co_names, co_filename, co_name, co_qualname, co_linetable, co_exceptiontable, co_extra,
			co_version, co_cached, co_executors, co_monitoring, co_instrumentation_version,
			co_firsttraceable, co_tlbc, co_warmup, co_opcache_map, co_localsplusnames, co_localspluskinds,
			co_nlocals, co_varnames, co_cellvars, co_freevars;
	} code; /* PyCodeObject; co_linetable is co_lnotab up to 3.9, co_cached _co_code in 3.11 */
	struct {
		int32_t size, func_globals, func_name, func_qualname, func_code, func_closure, func_dict, func_module,
			vectorcall;
	} function; /* PyFunctionObject */
	struct {
		int32_t ascii_size, compact_size, length, hash, state, utf8_length, utf8;
		uint8_t kind_shift, kind_mask, compact_bit, ascii_bit; /* in the 32-bit state */
	} unicode;						       /* text follows at ascii_size or compact_size */
	struct {
		int32_t ob_sval;
	} bytes; /* PyBytesObject */
	struct {
		int32_t ob_item;
	} tuple, list; /* a tuple's items are inline, a list's ob_item points at them */
	struct {
		int32_t lv_tag, ob_digit;
	} long_; /* PyLongObject: lv_tag is ob_size up to 3.11; 30 bits per 32-bit digit */
	struct {
		int32_t ma_used, ma_keys, ma_values;
	} dict; /* PyDictObject */
	struct {
		int32_t dk_size, dk_log2_size, dk_log2_index_bytes, dk_kind, dk_usable, dk_nentries, dk_indices;
	} keys; /* PyDictKeysObject */
	struct {
		int32_t md_dict, md_name;
	} module; /* PyModuleObject */
	struct {
		int32_t tp_name, tp_basicsize, tp_itemsize, tp_dealloc, tp_hash, tp_richcompare, tp_flags, tp_methods,
			tp_members, tp_getset, tp_dict, tp_new, tp_mro, tp_base, tp_dictoffset, ht_cached_keys;
	} type; /* PyTypeObject; the last of PyHeapTypeObject */
	struct {
		int32_t size, callback0, callbacks, fut_waiter, coro, name, awaited_by, awaited_by_is_set, node;
		int32_t running, head; /* in PyThreadState: the task, the list of tasks */
		int32_t interp_head;   /* in PyInterpreterState: of threads that have ended */
	} task;			       /* TaskObj of _asyncio; what is there from 3.14 on is in _Py_AsyncioDebug, too */
};

/** The row of 3.@p minor; NULL if the version is not supported. */
const struct layout *layout_find(unsigned int minor);

/** The row after @p row, NULL after the last; with NULL the first. */
const struct layout *layout_next(const struct layout *row);
