/*
 * The contract between the supervisor and the agent: everything that lies in memory both sides see.
 * The agent is freestanding code in the target; the supervisor fills `struct agent` before it is used and reads
 * the region at any time, while any number of processes write to it.
 *
 * Addresses in the target are uint64_t. Every size is asserted, so that both sides agree.
 */
#pragma once

#include <stdint.h>

#define AGENT_ABI 5
#define AGENT_SIZE_MAX (1u << 20) /* of its image */
#define AGENT_MAGIC 0x54435650u	  /* "PVCT", written last: a blob without it is never entered */

/* The signal by which the agent calls the supervisor: ignored by default, so nothing happens when nobody traces. */
#define AGENT_SIGNAL 23 /* SIGURG */

/* ------------------------------------------------------------------------------------------------ the C-API */

/* Exported symbols of the runtime that the agent uses. Not every version has all: supervisor/images.c says which must be. */
#define AGENT_API(X)                                                                                                   \
	X(PyEval_EvalCode)                                                                                             \
	X(PyEval_EvalCodeEx)                                                                                           \
	X(PyOS_AfterFork_Child)                                                                                        \
	X(PyEval_RestoreThread)                                                                                        \
	X(PyThreadState_Get)                                                                                           \
	X(PyEval_SaveThread)                                                                                           \
	X(PyEval_AcquireThread)                                                                                        \
	X(PyThreadState_Swap)                                                                                          \
	X(_PyThreadState_UncheckedGet)                                                                                 \
	X(PyThreadState_GetUnchecked)                                                                                  \
	X(Py_IsInitialized)                                                                                            \
	X(PyInterpreterState_Get)                                                                                      \
	X(Py_IncRef)                                                                                                   \
	X(Py_DecRef)                                                                                                   \
	X(PyErr_Fetch)                                                                                                 \
	X(PyErr_Restore)                                                                                               \
	X(PyErr_Clear)                                                                                                 \
	X(PyErr_GetExcInfo)                                                                                            \
	X(PySys_GetObject)                                                                                             \
	X(PyObject_GetAttrString)                                                                                      \
	X(PyObject_CallObject)                                                                                         \
	X(PyObject_Hash)                                                                                               \
	X(PyTuple_New)                                                                                                 \
	X(PyTuple_SetItem)                                                                                             \
	X(PyList_New)                                                                                                  \
	X(PyList_Append)                                                                                               \
	X(PyList_Size)                                                                                                 \
	X(PyList_GetItem)                                                                                              \
	X(PyLong_FromLong)                                                                                             \
	X(PyLong_AsLong)                                                                                               \
	X(PyUnicode_FromString)                                                                                        \
	X(PyBytes_FromStringAndSize)                                                                                   \
	X(PyCFunction_NewEx)                                                                                           \
	X(PyCapsule_New)                                                                                               \
	X(PyCapsule_GetPointer)                                                                                        \
	X(PyDict_New)                                                                                                  \
	X(PyDict_Next)                                                                                                 \
	X(PyImport_ImportModule)                                                                                       \
	X(PyCode_GetCode)                                                                                              \
	X(PyCode_Addr2Line)                                                                                            \
	X(Py_CompileString)                                                                                            \
	X(PyType_IsSubtype)                                                                                            \
	X(PyUnstable_GC_VisitObjects)                                                                                  \
	X(PyType_Type)                                                                                                 \
	X(PyCode_Type)                                                                                                 \
	X(PyFunction_Type)                                                                                             \
	X(PyFrame_Type)                                                                                                \
	X(PyCFunction_Type)                                                                                            \
	X(PyGen_Type)                                                                                                  \
	X(PyCoro_Type)                                                                                                 \
	X(PyAsyncGen_Type)                                                                                             \
	X(_PySet_NextEntry)                                                                                            \
	X(PySet_Type)                                                                                                  \
	X(PyFrozenSet_Type)                                                                                            \
	X(_Py_NoneStruct)

enum agent_api {
#define X(name) API_##name,
	AGENT_API(X)
#undef X
		API_COUNT
};

/* ------------------------------------------------------------------------------------------- object layouts */

/* Offsets in bytes; the subset of symbols/layout.h that the agent reads. */
struct agent_layout {
	uint16_t code_filename, code_name, code_qualname; /* qualname 0: use the name */
	uint16_t code_firstlineno, code_consts, code_linetable, code_code;
	uint16_t code_flags, code_exceptiontable, code_cached; /* 3.11: _co_code */
	uint16_t code_warmup, code_firsttraceable;
	uint16_t str_length, str_state, str_ascii_size, str_compact_size;
	uint16_t bytes_size, bytes_data;
	uint16_t tuple_size, tuple_items;
	uint16_t frame_code; /* from the frame pointer a bytecode handler holds to the code object */
	uint16_t function_code, gen_code;
	uint8_t linetable_kind; /* enum linetable_kind of symbols/linetable.h */
	uint8_t inline_code;	/* bytecode is inside the code object (3.11+) */
	uint8_t minor;
	uint8_t skip_annotate; /* functions named __annotate__ are not recorded (3.14+) */
	uint16_t runtime_interpreters,
		runtime_gc; /* the collector's state: of the runtime, or (0) of each interpreter */
	uint16_t interp_next, interp_gc;
	uint16_t gc_generation0, gc_permanent, gc_collecting, gc_head_size;
	uint16_t interp_eval_frame; /* a function of the frame, or of the thread state and the frame */
	uint8_t frame_is_first;
};

/* ------------------------------------------------------------------------------------------------ the region */

/* A memfd of REGION_SIZE bytes (sparse), mapped in the target chunk by chunk. Append-only and lock-free: reserve with
 * an atomic on `used`, fill, publish by a release store of the offset that leads there. Offset 0 is "none".
 * Readers must treat all of it as hostile. No record straddles a chunk. */
#define REGION_MAGIC 0x6e6f69676572630aull
#define REGION_SIZE (512u << 20)
#define REGION_CHUNK (4u << 20)
#define REGION_CHUNKS (REGION_SIZE / REGION_CHUNK)
#define REGION_FILE_BUCKETS 8192u
#define REGION_CODE_BUCKETS 32768u
#define REGION_NAME_MAX 4096u

#define REGION_LINES_PER_CHUNK 1024u /* a line chunk: 128 bytes of bits */
#define REGION_NEAR_CHUNKS 32u	     /* lines below 32768 are found directly */
#define REGION_FAR_TOP 2048u	     /* the rest through two levels: 2048 * 1024 * 1024 lines */
#define REGION_FAR_LEAF 1024u

/* Why a process whose agent runs is not, or not fully, measured. */
enum agent_status {
	AGENT_STATUS_NONE = 0,	    /* the interpreter has not come to life yet */
	AGENT_STATUS_MEASURING,	    /* installed */
	AGENT_STATUS_NO_TOOL_ID,    /* sys.monitoring: both free tool ids are taken */
	AGENT_STATUS_NO_MONITORING, /* sys.monitoring could not be used */
	AGENT_STATUS_NO_REGISTERS,  /* traps: no register holds the instruction pointer (an -O0 build?) */
	AGENT_STATUS_NO_MEMORY,
	AGENT_STATUS_IN_USE, /* an interpreter does not come out of the region of an earlier attach */
};

struct region_header {
	uint64_t magic;
	uint32_t abi;
	uint32_t used;		/* atomic: bytes given out, from the start of the file */
	uint32_t status;	/* atomic: enum agent_status of the latest process that said so */
	uint32_t dropped_files; /* atomic counters of what did not fit */
	uint32_t dropped_lines;
	uint32_t dropped_code;
	uint32_t first_hits; /* atomic: how often a probe fired */
	uint32_t reserved[7];
	uint32_t file_buckets[REGION_FILE_BUCKETS]; /* atomic heads: offset of a struct region_file */
	uint32_t code_buckets[REGION_CODE_BUCKETS]; /* atomic heads: offset of a struct region_code */
};

/* A source file, by the absolute name the interpreter knows it under. Two records of one name may exist. */
struct region_file {
	uint32_t next;
	uint32_t hash;
	uint32_t name_len;
	uint32_t far; /* atomic: offset of REGION_FAR_TOP offsets of REGION_FAR_LEAF offsets of line chunks */
	uint32_t near[REGION_NEAR_CHUNKS]; /* atomic: offsets of line chunks */
	uint32_t flags;
	char name[];
};

#define REGION_FILE_REFUSED 1u /* nothing of it is recorded: see struct agent_refused */

/* A code object that was met: what reports need to know of its lines without asking Python. */
struct region_code {
	uint32_t next;
	uint32_t hash;
	uint32_t file; /* offset of its struct region_file */
	int32_t firstlineno;
	uint32_t code_size; /* bytes of bytecode */
	uint32_t table_len;
	uint16_t name_len;
	uint8_t linetable_kind;
	uint8_t flags;
	uint32_t kept; /* bytes of bytecode that are here: all, or, where no branches are recorded, 0 */
	char data[];   /* the qualified name, the line table; the bytecode as it was compiled, its ways */
};

#define REGION_CODE_ANNOTATE 1u /* an __annotate__ function: its lines are not statements */

/* Two bits for each code unit of two bytes, that of the instruction itself and not of an EXTENDED_ARG before it. */
#define REGION_WAY_ON 1u   /* it went on to the next instruction; it returned, if that is what it does */
#define REGION_WAY_JUMP 2u /* it jumped */
#define REGION_WAYS_SIZE(kept) (((kept) / 2 + 3) / 4)

_Static_assert(sizeof(struct region_header) == 64 + 4 * (REGION_FILE_BUCKETS + REGION_CODE_BUCKETS), "region header");
_Static_assert(sizeof(struct region_file) == 20 + 4 * REGION_NEAR_CHUNKS, "region file");
_Static_assert(sizeof(struct region_code) == 32, "region code");

/* ------------------------------------------------------------------------------------- calling the supervisor */

/* At a rendezvous the supervisor may leave system calls for the agent to make; each result is stored back and an
 * argument may name an earlier result of the batch. */
#define AGENT_CALLS 6
#define AGENT_ARG_RESULT(n) (0x7ec5a11000000000ull + (n)) /* "the result of call n" */

struct agent_call {
	uint64_t nr;
	uint64_t args[6];
	int64_t result;
};

enum agent_why {
	AGENT_AT_ENTRY = 1, /* the loader has mapped the program's libraries, nothing of it has run */
	AGENT_AT_LOAD = 2,  /* the loader has mapped or unmapped a library */
	AGENT_AT_FORK = 3,  /* in a forked child, which wants a region of its own */
	AGENT_AT_HELD = 4,  /* with the GIL, on the supervisor's request */
	AGENT_AT_DONE = 5,  /* the request was carried out */
};

/* What the agent is to do when it next comes to hold the GIL in a place where anything may be called (attach/arm.h). */
enum agent_request {
	AGENT_REQUEST_NONE = 0,
	AGENT_REQUEST_ATTACH, /* begin to record: what exists, what runs and what is to come */
	AGENT_REQUEST_DETACH, /* end it, and leave the interpreter as it was */
	AGENT_REQUEST_RESET,  /* what has run before counts again */
	AGENT_REQUEST_GO_ON,  /* with what an attach has left for later */
};

/* What there is left to do of a request: a thread holds the GIL for some milliseconds at a time. */
enum agent_left {
	AGENT_LEFT_NOTHING = 0,
	AGENT_LEFT_REQUEST, /* it is to be asked for again */
	AGENT_LEFT_WALK,    /* it was carried out; AGENT_REQUEST_GO_ON */
};

/* ------------------------------------------------------------------------------------------------------ hooks */

/* Functions of the target that lead through the agent. */
enum agent_hook {
	HOOK_EVAL_CODE,	     /* PyEval_EvalCode(co, globals, locals) */
	HOOK_EVAL_CODE_EX,   /* PyEval_EvalCodeEx(co, ...) */
	HOOK_UNKNOWN_OPCODE, /* 3.8 - 3.10: the interpreter loop's label for opcodes it does not know */
	HOOK_LOADER,	     /* the loader's r_brk */
	HOOK_AFTER_FORK,     /* PyOS_AfterFork_Child(), only when fork_mode asks for it */
	HOOK_RESTORE_THREAD, /* PyEval_RestoreThread() or take_gil(), while a request waits */
	HOOK_LINE_OF,	     /* PyCode_Addr2Line(), in place of it; only where line events have to search */
	HOOK_COUNT
};

/* When HOOK_RESTORE_THREAD(tstate) has its visitor do what he has come for. */
enum agent_summoned {
	SUMMONED_RESTORED, /* PyEval_RestoreThread(): when that has returned */
	SUMMONED_AFTER,	   /* take_gil(): when that has returned, and the thread state has been made the current one */
	SUMMONED_BEFORE,   /* take_gil(): before it, between PyEval_RestoreThread() and PyEval_SaveThread() */
};

/* What becomes of the region in a child that was forked by Python. */
enum agent_fork_mode {
	FORK_SHARES,	/* it writes into its parent's */
	FORK_OWN,	/* it gets one of its own, and lines count again */
	FORK_FORGOTTEN, /* nothing is recorded */
};

enum agent_source {
	SOURCE_NONE = 0,
	SOURCE_MONITORING,   /* 3.12+: sys.monitoring */
	SOURCE_TRAPS_TABLE,  /* 3.11: a borrowed opcode, by its entry in opcode_targets */
	SOURCE_TRAPS_SWITCH, /* 3.8 - 3.10: an unused opcode, by the unknown-opcode label */
};

/* What traps need to know of the interpreter loop. Opcode tables are indexed by opcode. */
#define TRAP_PLANT 1u	     /* may be replaced by the trap */
#define TRAP_EXTENDED_ARG 2u /* the next unit belongs to the same instruction */
#define TRAP_HANDLER 4u	     /* 3.9: leads to an exception handler, whose start counts as that of a line */
#define TRAP_RERAISE 8u	     /* 3.9: but not if it is entered from one of these that belongs to the same line */

/* For branches: what an instruction does to the flow (enum branches_op of symbols/branches.h). */
enum agent_op {
	AGENT_OP_PLAIN,
	AGENT_OP_EXTENDED,
	AGENT_OP_BRANCH,
	AGENT_OP_BRANCH_BACK,
	AGENT_OP_BRANCH_TO,
	AGENT_OP_JUMP,
	AGENT_OP_JUMP_BACK,
	AGENT_OP_JUMP_TO,
	AGENT_OP_SEND,
	AGENT_OP_RETURN,
	AGENT_OP_RAISE,
	AGENT_OP_SETUP,
	AGENT_OP_FINALLY,
	AGENT_OP_FINALLY_END,
	AGENT_OP_TOLD,
	AGENT_OP_RESUME,
};

struct agent_traps {
	uint8_t opcode;		    /* the trap */
	uint8_t calibration_opcode; /* 3.11: a second one, borrowed for the calibration only */
	uint8_t switch_reg;	    /* 3.8 - 3.10: number of the register that `switch_head` compares */
	uint8_t jump_unit;	    /* how many bytes the arguments of jumps count */
	uint8_t pad[4];
	uint64_t switch_head;  /* 3.8 - 3.10: where to resume */
	uint64_t table;	       /* 3.11: address of opcode_targets */
	uint64_t targets[256]; /* original entries of opcode_targets, as addresses */
	uint8_t flags[256];    /* TRAP_* */
	uint8_t ops[256];      /* enum agent_op */
	uint8_t caches[256];   /* 3.11: inline cache units behind the instruction */
	uint8_t base[256];     /* 3.11: _PyOpcode_Deopt */
	uint8_t adaptive[256]; /* 3.11: what quickening turns it into, 0 for nothing */
};

/* ------------------------------------------------------------------------------------------ what nobody wants */

/*
 * Directories in which the selection refuses every file, so that their code need not be measured first. Worked out by
 * the supervisor while the program runs on, from where its standard library should be; it holds once the interpreter has
 * named the file `landmark`. A file is refused if its name is below one of the directories, literally and with no
 * symbolic link on the way from there, and holds none of the texts that might be selected.
 */
#define AGENT_REFUSED_TEXT 2048u

struct agent_refused {
	uint32_t ready;		       /* atomic: `text` is complete */
	uint32_t holds;		       /* the agent's own: the landmark was seen */
	char text[AGENT_REFUSED_TEXT]; /* each closed by a zero: the landmark; directories, and ""; texts, and "" */
};

/* --------------------------------------------------------------------------------------------- the agent's own */

struct agent_interp {
	uint64_t interp;	   /* atomic: PyInterpreterState *, 0 when free */
	uint64_t disable;	   /* sys.monitoring.DISABLE */
	int64_t local_events;	   /* the numbers of LINE and, for branches, of those that tell of them, together */
	uint64_t set_local_events; /* sys.monitoring's function; a reference */
	uint32_t tool_id;
	uint32_t line_is_global; /* not of each code object that was met */
	uint32_t users;		 /* atomic: threads of it that are at the region (region_enter()) */
	uint32_t session;	 /* that of the agent when it was armed; UINT32_MAX: it is giving back what it has */
};

#define AGENT_INTERPS 64
#define AGENT_CALLBACKS 5
#define AGENT_FILE_CACHE 512 /* direct mapped, by the address of co_filename */
#define AGENT_CODE_CACHE 256

struct agent_file_cache {
	uint64_t str;
	uint32_t file;
	uint32_t len;
};

/* Bytes of the program's text, to be put back by a thread that comes when the supervisor has gone. */
struct agent_undo {
	uint64_t at;
	uint64_t word; /* the first `len` bytes of it */
	uint64_t len;  /* 8: in one piece, `at` is aligned */
};

#define AGENT_UNDOS 8

#define AGENT_REGION_IS_READY 0x100 /* in place of a call */

struct agent_alias; /* a name that is not itself the file's absolute name */
struct trap_state;  /* traps.c */

/* Filled by the supervisor up to `region`; private to the agent from there on. In the blob's only writable page(s). */
struct agent {
	uint32_t abi;
	uint32_t size;
	uint32_t why;
	uint32_t ncalls; /* system calls left by the supervisor; 0: go on */
	struct agent_call calls[AGENT_CALLS];
	uint64_t entry;	       /* the program's own entry point */
	uint64_t auxv_entry;   /* address of the AT_ENTRY value to put back, or 0 */
	uint64_t loader_state; /* address of r_debug.r_state, for HOOK_LOADER */
	uint64_t region_call;  /* 1 + index of the call of the last batch whose result is the region, 0: none */
	uint64_t ready_region; /* one that the boot has mapped: for AGENT_REGION_IS_READY as `region_call`; 0: none */

	uint64_t memfd; /* 1 + a descriptor of ours that is still open, 0: none */

	uint64_t gil_holder;	 /* SUMMONED_AFTER: where it is written who has the GIL */
	uint64_t arm_word;	 /* attach/arm.h: what its visitor has taken */
	uint64_t errno_location; /* of the program's libc: the function, or 0 */
	uint64_t hook_page;	 /* executable page near the runtime, once one is in use; 0: none */
	uint32_t request;	 /* enum agent_request */
	uint32_t is_alone;	 /* the supervisor has gone: do not call it */
	uint32_t summoned;	 /* enum agent_summoned */
	uint32_t is_late;	 /* it came into a running program: code objects may not have been seen */

	uint64_t source; /* enum agent_source; set last: hooks do nothing before */
	uint64_t api[API_COUNT];
	struct agent_layout layout;
	uint64_t runtime;   /* _PyRuntime */
	uint32_t fork_mode; /* enum agent_fork_mode */
	uint32_t rearm;	    /* the region was renewed: what has run before counts again */
	uint32_t branches;  /* are to be recorded beside lines */
	uint32_t pad;
	struct agent_traps traps;
	uint64_t resume[HOOK_COUNT];  /* relocated first instructions of the hooked functions */
	struct agent_refused refused; /* written later, at any time */

	uint64_t region; /* atomic: where chunk 0 is mapped; 0: nothing is recorded */
	uint64_t chunks[REGION_CHUNKS];

	struct agent_interp interps[AGENT_INTERPS];
	uint64_t method_def[AGENT_CALLBACKS][4]; /* PyMethodDef of the callbacks */
	uint64_t frame_setters[2]; /* 3.13+: the runtime's own of frame.f_trace_opcodes and frame.f_trace */
	struct agent_file_cache file_cache[AGENT_FILE_CACHE];
	uint64_t code_cache[AGENT_CODE_CACHE][3];
	uint64_t aliases;    /* struct agent_alias *: atomic head */
	uint64_t heap;	     /* atomic: next free byte of the agent's own memory (heap.c) */
	uint64_t trap_state; /* struct trap_state * */
	uint64_t line_memos; /* atomic: line_memo.c's own */
	uint32_t inside; /* threads of process `inside_pid` that carry out a request, and return to where they came */
	uint32_t inside_pid;
	uint32_t is_shut;		     /* atomic: the region is not to be entered any more */
	uint32_t n_undo;		     /* atomic; written last: how many there are of `undo` */
	uint32_t session;		     /* atomic: another number whenever all lines are to count again */
	uint32_t libpythons;		     /* libraries of such a name, when one was loaded last */
	struct agent_undo undo[AGENT_UNDOS]; /* with the GIL held, once we were left */
	uint32_t left;			     /* enum agent_left, of the latest request */
	uint32_t slices;		     /* of this request so far */
	uint32_t is_looking;		     /* nothing is to be planted yet */
	uint64_t leaving_since;		     /* when a detach first found somebody at the region */
	uint64_t greenlets;		     /* greenlets.c's own */
	uint64_t eval_frame;		     /* up to 3.10: what interpreters call instead of us */
};

/* The first bytes of the blob; all are offsets from its start. */
struct agent_blob {
	uint32_t magic;		   /* AGENT_MAGIC once complete */
	uint32_t entry_boot;	   /* called by the boot code */
	uint32_t entry_program;	   /* put into AT_ENTRY */
	uint32_t data;		   /* struct agent, page aligned */
	uint32_t size;		   /* of all, in memory */
	uint32_t hook[HOOK_COUNT]; /* where each detour leads */
	uint32_t trap_table;	   /* 3.11: what the borrowed entry of opcode_targets leads to */
	uint32_t trap_spare;	   /* and that of the calibration opcode */
	uint32_t held;		   /* called with the GIL held */
	uint32_t hooks;		   /* AGENT_HOOK_PAGE bytes that the agent leaves alone, executable */
};

#define AGENT_HOOK_PAGE 4096u
