#include "symbols/layout.h"

#include <stddef.h>

#define NA LAYOUT_ABSENT

/*
 * Read from the DWARF of pyenv builds (GCC 12) and of Debian's packages, and, from 3.13 on, from
 * _Py_DebugOffsets (Include/internal/pycore_debug_offsets.h). The builds are named at each row.
 * Definitions: Include/cpython/{code,funcobject,unicodeobject,pystate}.h and
 * Include/internal/pycore_{frame,interp,runtime,gc,dict,gil}.h of the version; interpreter frames
 * moved from Python objects to pycore_frame.h in 3.11.
 *
 * gc.generation0 is used rather than the array `generations`: Debian's 3.13 packs PyGC_Head to 4
 * bytes and so moves the array, but not the pointer. 3.14.0 - 3.14.4 have another collector and no
 * generation0 (there the lists are at interp.gc + 24, + 48, + 72); 3.14.5 went back (gh-148726).
 */

/* What has been the same in all of 3.8 - 3.15. */
#define COMMON(CACHED_KEYS)                                                                                            \
	.gil = {.size = 208, .interval = 0, .last_holder = 8, .locked = 16, .switch_number = 24, .cond = 32},          \
	.gc_head = {.size = 16, .next = 0, .prev = 8}, .object = {.ob_refcnt = 0, .ob_type = 8, .ob_size = 16},        \
	.bytes = {.ob_sval = 32}, .list = {.ob_item = 24}, .long_ = {.lv_tag = 16, .ob_digit = 24},                    \
	.dict = {.ma_used = 16, .ma_keys = 32, .ma_values = 40},                                                       \
	.type = {                                                                                                      \
		.tp_name = 24,                                                                                         \
		.tp_basicsize = 32,                                                                                    \
		.tp_itemsize = 40,                                                                                     \
		.tp_dealloc = 48,                                                                                      \
		.tp_hash = 120,                                                                                        \
		.tp_richcompare = 200,                                                                                 \
		.tp_flags = 168,                                                                                       \
		.tp_methods = 232,                                                                                     \
		.tp_members = 240,                                                                                     \
		.tp_getset = 248,                                                                                      \
		.tp_dict = 264,                                                                                        \
		.tp_new = 312,                                                                                         \
		.tp_mro = 344,                                                                                         \
		.tp_base = 256,                                                                                        \
		.tp_dictoffset = 288,                                                                                  \
		.ht_cached_keys = CACHED_KEYS,                                                                         \
	}

static const struct layout layouts[] = {
	{ /* pyenv 3.8.18 */
		.minor = 8,
		.frame_is_first = true,
		.traps = LAYOUT_TRAPS_DETOUR,
		.linetable = LAYOUT_LINETABLE_LNOTAB,
		.frames = LAYOUT_FRAMES_OBJECTS,
		.dict_keys = LAYOUT_DICT_KEYS_SIZE,
		.lasti_unit = 1,
		.first_symbol = "PyCode_NewWithPosOnlyArgs",
		.runtime = {
			.size = 1464, .interpreters_head = 32, .interpreters_main = 40,
			.finalizing = 16, .gil = 1152, .tstate_current = 1368, .main_tstate = NA,
			.gc = 344, .tracing_possible = 588,
		},
		.interp = {
			.next = 0, .id = 16, .threads_head = 8, .threads_main = NA, .modules = 56,
			.sysdict = 72, .builtins = 80, .eval_breaker = NA, .ceval_gil = NA,
			.gc = NA, .eval_frame = 568, .monitoring_version = NA,
			.code_object_generation = NA,
		},
		.tstate = {
			.size = 264, .prev = 0, .next = 8, .interp = 16, .status = NA, .frame = 24,
			.cframe = NA, .current_frame = NA, .base_frame = NA, .eval_breaker = NA,
			.holds_gil = NA, .tracing = 44, .use_tracing = 48, .c_profilefunc = 56,
			.c_tracefunc = 64, .thread_id = 176, .native_thread_id = NA,
			.datastack_chunk = NA, .exc_info = 144, .id = 256,
		},
		.cframe = { .use_tracing = NA, .current_frame = NA, .previous = NA },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.iframe = {
			.size = NA, .executable = NA, .funcobj = NA, .previous = NA, .globals = NA,
			.builtins = NA, .locals = NA, .frame_obj = NA, .instr_ptr = NA,
			.return_offset = NA, .owner = NA, .is_entry = NA, .localsplus = NA, .stacktop = NA,
		},
		.frame = {
			.size = 368, .f_back = 24, .f_code = 32, .f_globals = 48, .f_trace = 80,
			.f_lasti = 104, .f_lineno = 108, .f_state = NA, .f_frame = NA, .f_gen = 96,
			.f_executing = 116, .f_stacktop = 72, .f_valuestack = 64, .f_stackdepth = NA,
			.f_localsplus = 360,
		},
		.gen = {
			.size = 96, .gi_frame = 16, .gi_code = 32, .gi_frame_state = NA,
			.gi_iframe = NA, .gi_name = 48, .gi_qualname = 56,
		},
		.code = {
			.size = 176, .co_argcount = 16, .co_stacksize = 32, .co_flags = 36,
			.co_firstlineno = 40, .co_code = 48, .co_code_adaptive = NA,
			.co_consts = 56, .co_names = 64, .co_filename = 104, .co_name = 112,
			.co_qualname = NA, .co_linetable = 120, .co_exceptiontable = NA,
			.co_extra = 144, .co_version = NA, .co_cached = NA, .co_executors = NA,
			.co_monitoring = NA, .co_instrumentation_version = NA,
			.co_firsttraceable = NA, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = 152,
			.co_localsplusnames = NA, .co_localspluskinds = NA,
			.co_nlocals = 28, .co_varnames = 72, .co_cellvars = 88,
			.co_freevars = 80,
		},
		.function = {
			.size = 120, .func_globals = 24, .func_name = 64, .func_qualname = 104,
			.func_code = 16, .func_closure = 48, .func_dict = 72, .func_module = 88, .vectorcall = 112,
		},
		.unicode = {
			.ascii_size = 48, .compact_size = 72, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 48, .utf8 = 56, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = 8, .dk_log2_size = NA, .dk_log2_index_bytes = NA, .dk_kind = NA,
			.dk_usable = 24, .dk_nentries = 32, .dk_indices = 40,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 144, .callback0 = 24, .callbacks = 40, .fut_waiter = 104, .coro = 112, .name = 120,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(872),
	},
	{ /* pyenv 3.9.18, Debian 3.9.2 */
		.minor = 9,
		.takes_gil_first = true,
		.traps = LAYOUT_TRAPS_DETOUR,
		.linetable = LAYOUT_LINETABLE_LNOTAB,
		.frames = LAYOUT_FRAMES_OBJECTS,
		.dict_keys = LAYOUT_DICT_KEYS_SIZE,
		.lasti_unit = 1,
		.first_symbol = "PyFrame_GetCode",
		.runtime = {
			.size = 656, .interpreters_head = 32, .interpreters_main = 40,
			.finalizing = 16, .gil = 352, .tstate_current = 568, .main_tstate = NA,
			.gc = NA,
		},
		.interp = {
			.next = 0, .id = 24, .threads_head = 8, .threads_main = NA, .modules = 856,
			.sysdict = 872, .builtins = 880, .eval_breaker = 72, .ceval_gil = NA,
			.gc = 616, .eval_frame = 1400, .monitoring_version = NA,
			.code_object_generation = NA, .tracing_possible = 68,
		},
		.tstate = {
			.size = 264, .prev = 0, .next = 8, .interp = 16, .status = NA, .frame = 24,
			.cframe = NA, .current_frame = NA, .base_frame = NA, .eval_breaker = NA,
			.holds_gil = NA, .tracing = 44, .use_tracing = 48, .c_profilefunc = 56,
			.c_tracefunc = 64, .thread_id = 176, .native_thread_id = NA,
			.datastack_chunk = NA, .exc_info = 144, .id = 256,
		},
		.cframe = { .use_tracing = NA, .current_frame = NA, .previous = NA },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.iframe = {
			.size = NA, .executable = NA, .funcobj = NA, .previous = NA, .globals = NA,
			.builtins = NA, .locals = NA, .frame_obj = NA, .instr_ptr = NA,
			.return_offset = NA, .owner = NA, .is_entry = NA, .localsplus = NA, .stacktop = NA,
		},
		.frame = {
			.size = 368, .f_back = 24, .f_code = 32, .f_globals = 48, .f_trace = 80,
			.f_lasti = 104, .f_lineno = 108, .f_state = NA, .f_frame = NA, .f_gen = 96,
			.f_executing = 116, .f_stacktop = 72, .f_valuestack = 64, .f_stackdepth = NA,
			.f_localsplus = 360,
		},
		.gen = {
			.size = 96, .gi_frame = 16, .gi_code = 32, .gi_frame_state = NA,
			.gi_iframe = NA, .gi_name = 48, .gi_qualname = 56,
		},
		.code = {
			.size = 176, .co_argcount = 16, .co_stacksize = 32, .co_flags = 36,
			.co_firstlineno = 40, .co_code = 48, .co_code_adaptive = NA,
			.co_consts = 56, .co_names = 64, .co_filename = 104, .co_name = 112,
			.co_qualname = NA, .co_linetable = 120, .co_exceptiontable = NA,
			.co_extra = 144, .co_version = NA, .co_cached = NA, .co_executors = NA,
			.co_monitoring = NA, .co_instrumentation_version = NA,
			.co_firsttraceable = NA, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = 152,
			.co_localsplusnames = NA, .co_localspluskinds = NA,
			.co_nlocals = 28, .co_varnames = 72, .co_cellvars = 88,
			.co_freevars = 80,
		},
		.function = {
			.size = 120, .func_globals = 24, .func_name = 64, .func_qualname = 104,
			.func_code = 16, .func_closure = 48, .func_dict = 72, .func_module = 88, .vectorcall = 112,
		},
		.unicode = {
			.ascii_size = 48, .compact_size = 72, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 48, .utf8 = 56, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = 8, .dk_log2_size = NA, .dk_log2_index_bytes = NA, .dk_kind = NA,
			.dk_usable = 24, .dk_nentries = 32, .dk_indices = 40,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 184, .callback0 = 24, .callbacks = 40, .fut_waiter = 144, .coro = 152, .name = 160,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(864),
	},
	{ /* pyenv 3.10.13 */
		.minor = 10,
		.takes_gil_first = true,
		.traps = LAYOUT_TRAPS_DETOUR,
		.linetable = LAYOUT_LINETABLE_DELTAS,
		.frames = LAYOUT_FRAMES_OBJECTS,
		.dict_keys = LAYOUT_DICT_KEYS_SIZE,
		.code_is_shared = true,
		.lasti_unit = 2,
		.first_symbol = "PyIter_Send",
		.runtime = {
			.size = 672, .interpreters_head = 32, .interpreters_main = 40,
			.finalizing = 16, .gil = 352, .tstate_current = 568, .main_tstate = NA,
			.gc = NA,
		},
		.interp = {
			.next = 0, .id = 24, .threads_head = 8, .threads_main = NA, .modules = 856,
			.sysdict = 872, .builtins = 880, .eval_breaker = 68, .ceval_gil = NA,
			.gc = 616, .eval_frame = 1368, .monitoring_version = NA,
			.code_object_generation = NA,
		},
		.tstate = {
			.size = 280, .prev = 0, .next = 8, .interp = 16, .status = NA, .frame = 24,
			.cframe = 48, .current_frame = NA, .base_frame = NA, .eval_breaker = NA,
			.holds_gil = NA, .tracing = 44, .use_tracing = NA, .c_profilefunc = 56,
			.c_tracefunc = 64, .thread_id = 176, .native_thread_id = NA,
			.datastack_chunk = NA, .exc_info = 144, .id = 256,
		},
		.cframe = { .use_tracing = 0, .current_frame = NA, .previous = 8 },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.iframe = {
			.size = NA, .executable = NA, .funcobj = NA, .previous = NA, .globals = NA,
			.builtins = NA, .locals = NA, .frame_obj = NA, .instr_ptr = NA,
			.return_offset = NA, .owner = NA, .is_entry = NA, .localsplus = NA, .stacktop = NA,
		},
		.frame = {
			.size = 360, .f_back = 24, .f_code = 32, .f_globals = 48, .f_trace = 72,
			.f_lasti = 96, .f_lineno = 100, .f_state = 108, .f_frame = NA, .f_gen = 88,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = 64, .f_stackdepth = 80,
			.f_localsplus = 352,
		},
		.gen = {
			.size = 88, .gi_frame = 16, .gi_code = 24, .gi_frame_state = NA,
			.gi_iframe = NA, .gi_name = 40, .gi_qualname = 48,
		},
		.code = {
			.size = 176, .co_argcount = 16, .co_stacksize = 32, .co_flags = 36,
			.co_firstlineno = 40, .co_code = 48, .co_code_adaptive = NA,
			.co_consts = 56, .co_names = 64, .co_filename = 104, .co_name = 112,
			.co_qualname = NA, .co_linetable = 120, .co_exceptiontable = NA,
			.co_extra = 144, .co_version = NA, .co_cached = NA, .co_executors = NA,
			.co_monitoring = NA, .co_instrumentation_version = NA,
			.co_firsttraceable = NA, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = 152,
			.co_localsplusnames = NA, .co_localspluskinds = NA,
			.co_nlocals = 28, .co_varnames = 72, .co_cellvars = 88,
			.co_freevars = 80,
		},
		.function = {
			.size = 128, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 120,
		},
		.unicode = {
			.ascii_size = 48, .compact_size = 72, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 48, .utf8 = 56, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = 8, .dk_log2_size = NA, .dk_log2_index_bytes = NA, .dk_kind = NA,
			.dk_usable = 24, .dk_nentries = 32, .dk_indices = 40,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 192, .callback0 = 24, .callbacks = 40, .fut_waiter = 152, .coro = 160, .name = 168,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(872),
	},
	{ /* pyenv 3.11.7, Debian 3.11.2 */
		.minor = 11,
		.takes_gil_first = true,
		.traps = LAYOUT_TRAPS_REPOINT,
		.linetable = LAYOUT_LINETABLE_LOCATIONS,
		.frames = LAYOUT_FRAMES_CFRAME,
		.dict_keys = LAYOUT_DICT_KEYS_LOG2,
		.managed_dict = LAYOUT_MANAGED_DICT_POINTERS,
		.delegation = LAYOUT_DELEGATION_RESUME,
		.has_version_symbol = true,
		.code_is_inline = true,
		.code_is_cached = true,
		.code_is_quickened = true,
		.lasti_unit = 2,
		.frame_owner_foreign = 3,
		.first_symbol = "PyFrame_GetLasti",
		.runtime = {
			.size = 166688, .interpreters_head = 40, .interpreters_main = 48,
			.finalizing = 24, .gil = 360, .tstate_current = 576, .main_tstate = NA,
			.gc = NA,
		},
		.interp = {
			.next = 0, .id = 48, .threads_head = 16, .threads_main = NA, .modules = 888,
			.sysdict = 904, .builtins = 912, .eval_breaker = 100, .ceval_gil = NA,
			.gc = 648, .eval_frame = 1424, .monitoring_version = NA,
			.code_object_generation = NA,
		},
		.tstate = {
			.size = 360, .prev = 0, .next = 8, .interp = 16, .status = NA, .frame = NA,
			.cframe = 56, .current_frame = NA, .base_frame = NA, .eval_breaker = NA,
			.holds_gil = NA, .tracing = 44, .use_tracing = NA, .c_profilefunc = 64,
			.c_tracefunc = 72, .thread_id = 152, .native_thread_id = 160,
			.datastack_chunk = 296, .exc_info = 120, .id = 240,
		},
		.cframe = { .use_tracing = 0, .current_frame = 8, .previous = 16 },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.iframe = {
			.size = 80, .executable = 32, .funcobj = 0, .previous = 48, .globals = 8,
			.builtins = 16, .locals = 24, .frame_obj = 40, .instr_ptr = 56,
			.return_offset = NA, .owner = 69, .is_entry = 68, .localsplus = 72, .stacktop = 64,
		},
		.frame = {
			.size = 56, .f_back = 16, .f_code = NA, .f_globals = NA, .f_trace = 32,
			.f_lasti = NA, .f_lineno = 40, .f_state = NA, .f_frame = 24, .f_gen = NA,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = NA, .f_stackdepth = NA,
			.f_localsplus = NA,
		},
		.gen = {
			.size = 88, .gi_frame = NA, .gi_code = 16, .gi_frame_state = 75,
			.gi_iframe = 80, .gi_name = 32, .gi_qualname = 40,
		},
		.code = {
			.size = 192, .co_argcount = 56, .co_stacksize = 68, .co_flags = 48,
			.co_firstlineno = 72, .co_code = NA, .co_code_adaptive = 184,
			.co_consts = 24, .co_names = 32, .co_filename = 112, .co_name = 120,
			.co_qualname = 128, .co_linetable = 136, .co_exceptiontable = 40,
			.co_extra = 176, .co_version = NA, .co_cached = 152, .co_executors = NA,
			.co_monitoring = NA, .co_instrumentation_version = NA,
			.co_firsttraceable = 168, .co_tlbc = NA, .co_warmup = 52,
			.co_opcache_map = NA,
			.co_localsplusnames = 96, .co_localspluskinds = 104,
			.co_nlocals = NA, .co_varnames = NA, .co_cellvars = NA,
			.co_freevars = NA,
		},
		.function = {
			.size = 136, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 120,
		},
		.unicode = {
			.ascii_size = 48, .compact_size = 72, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 48, .utf8 = 56, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = NA, .dk_log2_size = 8, .dk_log2_index_bytes = 9, .dk_kind = 10,
			.dk_usable = 16, .dk_nentries = 24, .dk_indices = 32,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 176, .callback0 = 24, .callbacks = 40, .fut_waiter = 128, .coro = 136, .name = 144,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(872),
	},
	{ /* pyenv 3.12.1 */
		.minor = 12,
		.current_is_own = true,
		.traps = LAYOUT_TRAPS_NONE,
		.linetable = LAYOUT_LINETABLE_LOCATIONS,
		.frames = LAYOUT_FRAMES_CFRAME,
		.dict_keys = LAYOUT_DICT_KEYS_LOG2,
		.managed_dict = LAYOUT_MANAGED_DICT_TAGGED,
		.delegation = LAYOUT_DELEGATION_RESUME,
		.has_monitoring = true,
		.searches_lines = true,
		.has_version_symbol = true,
		.code_is_inline = true,
		.code_is_cached = true,
		.code_is_quickened = true,
		.long_has_tag = true,
		.gil_is_pointer = true,
		.lasti_unit = 2,
		.frame_owner_foreign = 3,
		.first_symbol = "PyUnstable_Code_New",
		.runtime = {
			.size = 459944, .interpreters_head = 40, .interpreters_main = 48,
			.finalizing = 24, .gil = NA, .tstate_current = NA, .main_tstate = NA,
			.gc = NA,
		},
		.interp = {
			.next = 0, .id = 8, .threads_head = 72, .threads_main = NA, .modules = 944,
			.sysdict = 352, .builtins = 360, .eval_breaker = 368, .ceval_gil = 384,
			.gc = 112, .eval_frame = 1744, .monitoring_version = 48,
			.code_object_generation = NA,
		},
		.tstate = {
			.size = 288, .prev = 0, .next = 8, .interp = 16, .status = 24, .frame = NA,
			.cframe = 56, .current_frame = NA, .base_frame = NA, .eval_breaker = NA,
			.holds_gil = NA, .tracing = 44, .use_tracing = NA, .c_profilefunc = 64,
			.c_tracefunc = 72, .thread_id = 136, .native_thread_id = 144,
			.datastack_chunk = 232, .exc_info = 104, .id = 224,
		},
		.cframe = { .use_tracing = NA, .current_frame = 0, .previous = 8 },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.pending = {
			.pending = 400, .busy = 0, .lock = 8, .count = 16, .calls = 24, .call_size = 16,
			.n_calls = 32, .first = 536, .next = 540,
		},
		.iframe = {
			.size = 80, .executable = 0, .funcobj = 16, .previous = 8, .globals = 24,
			.builtins = 32, .locals = 40, .frame_obj = 48, .instr_ptr = 56,
			.return_offset = 68, .owner = 70, .is_entry = NA, .localsplus = 72, .stacktop = 64,
		},
		.frame = {
			.size = 56, .f_back = 16, .f_code = NA, .f_globals = NA, .f_trace = 32,
			.f_lasti = NA, .f_lineno = 40, .f_state = NA, .f_frame = 24, .f_gen = NA,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = NA, .f_stackdepth = NA,
			.f_localsplus = NA,
		},
		.gen = {
			.size = 80, .gi_frame = NA, .gi_code = NA, .gi_frame_state = 67,
			.gi_iframe = 72, .gi_name = 24, .gi_qualname = 32,
		},
		.code = {
			.size = 200, .co_argcount = 52, .co_stacksize = 64, .co_flags = 48,
			.co_firstlineno = 68, .co_code = NA, .co_code_adaptive = 192,
			.co_consts = 24, .co_names = 32, .co_filename = 112, .co_name = 120,
			.co_qualname = 128, .co_linetable = 136, .co_exceptiontable = 40,
			.co_extra = 184, .co_version = 92, .co_cached = 152, .co_executors = NA,
			.co_monitoring = 168, .co_instrumentation_version = 160,
			.co_firsttraceable = 176, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = NA,
			.co_localsplusnames = 96, .co_localspluskinds = 104,
			.co_nlocals = NA, .co_varnames = NA, .co_cellvars = NA,
			.co_freevars = NA,
		},
		.function = {
			.size = 144, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 128,
		},
		.unicode = {
			.ascii_size = 40, .compact_size = 56, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 40, .utf8 = 48, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = NA, .dk_log2_size = 8, .dk_log2_index_bytes = 9, .dk_kind = 10,
			.dk_usable = 16, .dk_nentries = 24, .dk_indices = 32,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 176, .callback0 = 24, .callbacks = 40, .fut_waiter = 128, .coro = 136, .name = 144,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(880),
	},
	{ /* pyenv 3.13.0, Debian 3.13.5 and 3.13.18 */
		.minor = 13,
		.current_is_own = true,
		.traps = LAYOUT_TRAPS_NONE,
		.linetable = LAYOUT_LINETABLE_LOCATIONS,
		.frames = LAYOUT_FRAMES_CURRENT,
		.dict_keys = LAYOUT_DICT_KEYS_LOG2,
		.managed_dict = LAYOUT_MANAGED_DICT_INLINE,
		.delegation = LAYOUT_DELEGATION_STATE,
		.has_monitoring = true,
		.searches_lines = true,
		.has_debug_offsets = true,
		.has_version_symbol = true,
		.code_is_inline = true,
		.code_is_cached = true,
		.code_is_quickened = true,
		.long_has_tag = true,
		.gil_is_pointer = true,
		.values_have_header = true,
		.lasti_unit = 2,
		.frame_owner_foreign = 3,
		.gen_delegating = -1,
		.first_symbol = "PyList_GetItemRef",
		.runtime = {
			.size = 283320, .interpreters_head = 632, .interpreters_main = 640,
			.finalizing = 608, .gil = NA, .tstate_current = NA, .main_tstate = 664,
			.gc = NA,
		},
		.interp = {
			.next = 7264, .id = 7272, .threads_head = 7344, .threads_main = 7352,
			.modules = 7656, .sysdict = 7640, .builtins = 7648, .eval_breaker = NA,
			.ceval_gil = 16, .gc = 7400, .eval_frame = 8472, .monitoring_version = 0,
			.code_object_generation = NA,
		},
		.tstate = {
			.size = 304, .prev = 0, .next = 8, .interp = 16, .status = 32, .frame = NA,
			.cframe = NA, .current_frame = 72, .base_frame = NA, .eval_breaker = 24,
			.holds_gil = NA, .tracing = 60, .use_tracing = NA, .c_profilefunc = 80,
			.c_tracefunc = 88, .thread_id = 152, .native_thread_id = 160,
			.datastack_chunk = 232, .exc_info = 120, .id = 224,
		},
		.cframe = { .use_tracing = NA, .current_frame = NA, .previous = NA },
		.gc = { .generation0 = 96, .permanent_generation = 104, .collecting = 200 },
		.pending = {
			.pending = 32, .busy = 0, .lock = 8, .count = 12, .calls = 24, .call_size = 24,
			.n_calls = 300, .first = 7224, .next = 7228,
		},
		.iframe = {
			.size = 80, .executable = 0, .funcobj = 16, .previous = 8, .globals = 24,
			.builtins = 32, .locals = 40, .frame_obj = 48, .instr_ptr = 56,
			.return_offset = 68, .owner = 70, .is_entry = NA, .localsplus = 72, .stacktop = 64,
		},
		.frame = {
			.size = 72, .f_back = 16, .f_code = NA, .f_globals = NA, .f_trace = 32,
			.f_lasti = NA, .f_lineno = 40, .f_state = NA, .f_frame = 24, .f_gen = NA,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = NA, .f_stackdepth = NA,
			.f_localsplus = NA,
		},
		.gen = {
			.size = 80, .gi_frame = NA, .gi_code = NA, .gi_frame_state = 67,
			.gi_iframe = 72, .gi_name = 24, .gi_qualname = 32,
		},
		.code = {
			.size = 208, .co_argcount = 52, .co_stacksize = 64, .co_flags = 48,
			.co_firstlineno = 68, .co_code = NA, .co_code_adaptive = 200,
			.co_consts = 24, .co_names = 32, .co_filename = 112, .co_name = 120,
			.co_qualname = 128, .co_linetable = 136, .co_exceptiontable = 40,
			.co_extra = 192, .co_version = 92, .co_cached = 160, .co_executors = 152,
			.co_monitoring = 176, .co_instrumentation_version = 168,
			.co_firsttraceable = 184, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = NA,
			.co_localsplusnames = 96, .co_localspluskinds = 104,
			.co_nlocals = NA, .co_varnames = NA, .co_cellvars = NA,
			.co_freevars = NA,
		},
		.function = {
			.size = 144, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 128,
		},
		.unicode = {
			.ascii_size = 40, .compact_size = 56, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 40, .utf8 = 48, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 24 },
		.keys = {
			.dk_size = NA, .dk_log2_size = 8, .dk_log2_index_bytes = 9, .dk_kind = 10,
			.dk_usable = 16, .dk_nentries = 24, .dk_indices = 32,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 144, .callback0 = 24, .callbacks = 40, .fut_waiter = 112, .coro = 120, .name = 128,
			.awaited_by = NA, .awaited_by_is_set = NA, .node = NA, .running = NA,
			.head = NA, .interp_head = NA,
		},
		COMMON(880),
	},
	{ /* Debian 3.14.10, 3.14.8 */
		.minor = 14,
		.current_is_own = true,
		.traps = LAYOUT_TRAPS_NONE,
		.linetable = LAYOUT_LINETABLE_LOCATIONS,
		.frames = LAYOUT_FRAMES_CURRENT,
		.dict_keys = LAYOUT_DICT_KEYS_LOG2,
		.managed_dict = LAYOUT_MANAGED_DICT_INLINE,
		.delegation = LAYOUT_DELEGATION_STATE,
		.has_monitoring = true,
		.has_branch_events = true,
		.has_debug_offsets = true,
		.has_version_symbol = true,
		.has_annotate_code = true,
		.code_is_inline = true,
		.code_is_cached = true,
		.code_is_quickened = true,
		.executable_is_tagged = true,
		.long_has_tag = true,
		.gil_is_pointer = true,
		.may_have_handlers = true,
		.values_have_header = true,
		.lasti_unit = 2,
		.frame_owner_foreign = 3,
		.gen_delegating = -1,
		.first_symbol = "PyLong_Export",
		.runtime = {
			.size = 316616, .interpreters_head = 808, .interpreters_main = 816,
			.finalizing = 784, .gil = NA, .tstate_current = NA, .main_tstate = 840,
			.gc = NA,
		},
		.interp = {
			.next = 7272, .id = 7280, .threads_head = 7344, .threads_main = 7360,
			.modules = 7688, .sysdict = 7672, .builtins = 7680, .eval_breaker = NA,
			.ceval_gil = 16, .gc = 7408, .eval_frame = 8520, .monitoring_version = 0,
			.code_object_generation = 7992,
		},
		.tstate = {
			.size = 832, .prev = 0, .next = 8, .interp = 16, .status = 32, .frame = NA,
			.cframe = NA, .current_frame = 72, .base_frame = NA, .eval_breaker = 24,
			.holds_gil = 36, .tracing = 60, .use_tracing = NA, .c_profilefunc = 80,
			.c_tracefunc = 88, .thread_id = 152, .native_thread_id = 160,
			.datastack_chunk = 232, .exc_info = 120, .id = 224,
		},
		.cframe = { .use_tracing = NA, .current_frame = NA, .previous = NA },
		.gc = { .generation0 = 256, .permanent_generation = 96, .collecting = 192 },
		.pending = {
			.pending = 32, .busy = 0, .lock = 8, .count = 12, .calls = 24, .call_size = 24,
			.n_calls = 300, .first = 7224, .next = 7228,
		},
		.iframe = {
			.size = 88, .executable = 0, .funcobj = 16, .previous = 8, .globals = 24,
			.builtins = 32, .locals = 40, .frame_obj = 48, .instr_ptr = 56,
			.return_offset = 72, .owner = 74, .is_entry = NA, .localsplus = 80, .stacktop = 64,
		},
		.frame = {
			.size = 80, .f_back = 16, .f_code = NA, .f_globals = NA, .f_trace = 32,
			.f_lasti = NA, .f_lineno = 40, .f_state = NA, .f_frame = 24, .f_gen = NA,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = NA, .f_stackdepth = NA,
			.f_localsplus = NA,
		},
		.gen = {
			.size = 160, .gi_frame = NA, .gi_code = NA, .gi_frame_state = 67,
			.gi_iframe = 72, .gi_name = 24, .gi_qualname = 32,
		},
		.code = {
			.size = 216, .co_argcount = 52, .co_stacksize = 64, .co_flags = 48,
			.co_firstlineno = 68, .co_code = NA, .co_code_adaptive = 208,
			.co_consts = 24, .co_names = 32, .co_filename = 112, .co_name = 120,
			.co_qualname = 128, .co_linetable = 136, .co_exceptiontable = 40,
			.co_extra = 200, .co_version = 92, .co_cached = 160, .co_executors = 152,
			.co_monitoring = 176, .co_instrumentation_version = 168,
			.co_firsttraceable = 192, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = NA,
			.co_localsplusnames = 96, .co_localspluskinds = 104,
			.co_nlocals = NA, .co_varnames = NA, .co_cellvars = NA,
			.co_freevars = NA,
		},
		.function = {
			.size = 152, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 136,
		},
		.unicode = {
			.ascii_size = 40, .compact_size = 56, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 40, .utf8 = 48, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 32 },
		.keys = {
			.dk_size = NA, .dk_log2_size = 8, .dk_log2_index_bytes = 9, .dk_kind = 10,
			.dk_usable = 16, .dk_nentries = 24, .dk_indices = 32,
		},
		.module = { .md_dict = 16, .md_name = 48 },
		.task = {
			.size = 168, .callback0 = 24, .callbacks = 40, .fut_waiter = 120, .coro = 128, .name = 136,
			.awaited_by = 96, .awaited_by_is_set = 109, .node = 152, .running = 872,
			.head = 880, .interp_head = 10880,
		},
		COMMON(880),
	},
	{ /* Debian 3.15.2, 3.15.0 */
		.minor = 15,
		.current_is_own = true,
		.traps = LAYOUT_TRAPS_NONE,
		.linetable = LAYOUT_LINETABLE_LOCATIONS,
		.frames = LAYOUT_FRAMES_CURRENT,
		.dict_keys = LAYOUT_DICT_KEYS_LOG2,
		.managed_dict = LAYOUT_MANAGED_DICT_INLINE,
		.delegation = LAYOUT_DELEGATION_STATE,
		.has_monitoring = true,
		.has_branch_events = true,
		.has_debug_offsets = true,
		.has_version_symbol = true,
		.has_annotate_code = true,
		.code_is_inline = true,
		.code_is_cached = true,
		.code_is_quickened = true,
		.executable_is_tagged = true,
		.long_has_tag = true,
		.gil_is_pointer = true,
		.may_have_handlers = true,
		.values_have_header = true,
		.lasti_unit = 2,
		.frame_owner_foreign = 3,
		.gen_executing = 4,
		.gen_delegating = 2,
		.first_symbol = "PyBytesWriter_Create",
		.runtime = {
			.size = 346568, .interpreters_head = 936, .interpreters_main = 944,
			.finalizing = 912, .gil = NA, .tstate_current = NA, .main_tstate = 968,
			.gc = NA,
		},
		.interp = {
			.next = 7264, .id = 7272, .threads_head = 7336, .threads_main = 7352,
			.modules = 7592, .sysdict = 7576, .builtins = 7584, .eval_breaker = NA,
			.ceval_gil = 16, .gc = 7400, .eval_frame = 8472, .monitoring_version = 0,
			.code_object_generation = 7944,
		},
		.tstate = {
			.size = 888, .prev = 0, .next = 8, .interp = 16, .status = 32, .frame = NA,
			.cframe = NA, .current_frame = 72, .base_frame = 80, .eval_breaker = 24,
			.holds_gil = 36, .tracing = 64, .use_tracing = NA, .c_profilefunc = 104,
			.c_tracefunc = 112, .thread_id = 176, .native_thread_id = 184,
			.datastack_chunk = 256, .exc_info = 144, .id = 248,
		},
		.cframe = { .use_tracing = NA, .current_frame = NA, .previous = NA },
		.gc = { .generation0 = 168, .permanent_generation = 80, .collecting = 112 },
		.pending = {
			.pending = 32, .busy = 0, .lock = 8, .count = 12, .calls = 24, .call_size = 24,
			.n_calls = 300, .first = 7224, .next = 7228,
		},
		.iframe = {
			.size = 88, .executable = 0, .funcobj = 16, .previous = 8, .globals = 24,
			.builtins = 32, .locals = 40, .frame_obj = 48, .instr_ptr = 56,
			.return_offset = 72, .owner = 74, .is_entry = NA, .localsplus = 80, .stacktop = 64,
		},
		.frame = {
			.size = 80, .f_back = 16, .f_code = NA, .f_globals = NA, .f_trace = 32,
			.f_lasti = NA, .f_lineno = 40, .f_state = NA, .f_frame = 24, .f_gen = NA,
			.f_executing = NA, .f_stacktop = NA, .f_valuestack = NA, .f_stackdepth = NA,
			.f_localsplus = NA,
		},
		.gen = {
			.size = 160, .gi_frame = NA, .gi_code = NA, .gi_frame_state = 67,
			.gi_iframe = 72, .gi_name = 24, .gi_qualname = 32,
		},
		.code = {
			.size = 216, .co_argcount = 52, .co_stacksize = 64, .co_flags = 48,
			.co_firstlineno = 68, .co_code = NA, .co_code_adaptive = 208,
			.co_consts = 24, .co_names = 32, .co_filename = 112, .co_name = 120,
			.co_qualname = 128, .co_linetable = 136, .co_exceptiontable = 40,
			.co_extra = 200, .co_version = 92, .co_cached = 160, .co_executors = 152,
			.co_monitoring = 176, .co_instrumentation_version = 168,
			.co_firsttraceable = 192, .co_tlbc = NA, .co_warmup = NA,
			.co_opcache_map = NA,
			.co_localsplusnames = 96, .co_localspluskinds = 104,
			.co_nlocals = NA, .co_varnames = NA, .co_cellvars = NA,
			.co_freevars = NA,
		},
		.function = {
			.size = 152, .func_globals = 16, .func_name = 32, .func_qualname = 40,
			.func_code = 48, .func_closure = 72, .func_dict = 88, .func_module = 104, .vectorcall = 136,
		},
		.unicode = {
			.ascii_size = 40, .compact_size = 56, .length = 16, .hash = 24, .state = 32,
			.utf8_length = 40, .utf8 = 48, .kind_shift = 2, .kind_mask = 7,
			.compact_bit = 5, .ascii_bit = 6,
		},
		.tuple = { .ob_item = 32 },
		.keys = {
			.dk_size = NA, .dk_log2_size = 8, .dk_log2_index_bytes = 9, .dk_kind = 10,
			.dk_usable = 16, .dk_nentries = 24, .dk_indices = 32,
		},
		.module = { .md_dict = 16, .md_name = 40 },
		.task = {
			.size = 168, .callback0 = 24, .callbacks = 40, .fut_waiter = 120, .coro = 128, .name = 136,
			.awaited_by = 96, .awaited_by_is_set = 109, .node = 152, .running = 1032,
			.head = 1048, .interp_head = 10856,
		},
		COMMON(888),
	},
};

#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct layout *layout_find(unsigned int minor)
{
	for (size_t i = 0; i < N_LAYOUTS; i++) {
		if (layouts[i].minor == minor)
			return &layouts[i];
	}
	return NULL;
}

const struct layout *layout_next(const struct layout *row)
{
	if (!row)
		return &layouts[0];
	return row + 1 < layouts + N_LAYOUTS ? row + 1 : NULL;
}
