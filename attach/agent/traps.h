/*
 * One-shot bytecode traps (CPython 3.8 - 3.11), inside the agent. traps.c is what happens at a code object and at a
 * trap, traps_records.c keeps code objects and their bytecode, traps_lines.c knows which instructions are which line's,
 * traps_calibrate.c finds out which registers the interpreter loop uses, traps_slots.c hides the traps from everybody
 * else.
 *
 * All of it runs with the GIL held, so nothing is locked.
 */
#pragma once

#include "agent.h"

/* A code object that has, or had, traps in it. It goes when the code object does (SLOT_DEALLOC). */
struct trap_record {
	struct trap_record *next;
	PyObject *code;
	uint8_t *live;		  /* the bytecode that runs */
	const uint8_t *original;  /* as it was compiled: base opcodes, inside a bytes object */
	struct line_index *index; /* of a large code object, from its first hit on */
	uint32_t units;		  /* of two bytes: opcode and argument */
	uint32_t file;
	/* traps_branches.c; NULL unless branches are recorded */
	struct trap_mark *marks;      /* of each unit */
	struct trap_pending *pending; /* branches whose way is not seen yet */
	uint32_t region_code;	      /* where it is recorded */
	uint32_t watched;	      /* how many branches must be looked at each time */
};

/* ---------------------------------------------------------------------------------------- lines: traps_lines.c */

/* enum layout_linetable of symbols/layout.h */
#define LINETABLE_LNOTAB 0
#define LINETABLE_DELTAS 1

/* Code units [start, end) belong to @line; to none if it is not positive. */
struct line_run {
	uint32_t start, end;
	int32_t line;
};

struct line_cursor {
	const uint8_t *p, *limit;
	uint32_t at, units;
	int32_t line;
	uint8_t kind;
	struct line_run ahead;
};

/** Before the first run of @p r. */
hidden void line_cursor_init(struct line_cursor *c, const struct trap_record *r);
/** The next run, in the order of the bytecode; neighbours have different lines. False after the last. */
hidden bool line_cursor_next(struct line_cursor *c, struct line_run *run);
/** The next entry of the table: a run or a part of one. Not to be mixed with line_cursor_next(). */
hidden bool line_cursor_next_entry(struct line_cursor *c, struct line_run *run);

/* 3.8, 3.9: a line counts when control comes to its start, as it does for sys.settrace(). The end of an `if` belongs to
 * the last line of its body there, which has not run whenever that is jumped to. */
static inline bool only_starts_count(void)
{
	return agent_data.layout.linetable_kind == LINETABLE_LNOTAB;
}

/** Where the run begins that @p unit is in. */
hidden uint32_t record_run_start(const struct trap_record *r, uint32_t unit);

/** @p r is about to go. */
hidden void record_forget_lines(struct trap_record *r);

/** Call @p f for each run of the line that @p unit belongs to; that line, 0 if there is none. */
hidden int32_t record_for_line(struct trap_record *r, uint32_t unit,
			       void (*f)(const struct trap_record *r, const struct line_run *run));

/* ------------------------------------------------------------------------------------ branches: traps_branches.c */

/** The traps that are in @p r are those of lines: add those that tell of branches. */
hidden void branches_plant(struct trap_record *r);
/** The trap at @p unit was met in @p frame, which goes on with the instruction that was meant. True if it is one of a line. */
hidden bool branches_hit(struct trap_record *r, uint32_t unit, const void *frame);
/** The line of @p unit has run. True if the trap there must stay all the same. */
hidden bool branches_keep(const struct trap_record *r, uint32_t unit);
/** All of it is forgotten; the traps stay. */
hidden void branches_forget(struct trap_record *r);

/* ----------------------------------------------------------------------------------------------------- state */

/* Pointers of CPython's static types and modules that lead through us, and what they were. */
enum trap_slot {
	SLOT_DEALLOC,	   /* code.tp_dealloc */
	SLOT_COMPARE,	   /* code.tp_richcompare */
	SLOT_GETATTRO,	   /* code.tp_getattro */
	SLOT_REPLACE,	   /* code.replace() */
	SLOT_ADAPTIVE,	   /* code._co_code_adaptive, its getter */
	SLOT_FUNCTION_NEW, /* function.tp_new */
	SLOT_SET_CODE,	   /* function.__code__ = */
	SLOT_SET_LINENO,   /* frame.f_lineno = */
	SLOT_DUMP,	   /* marshal.dump() */
	SLOT_DUMPS,	   /* marshal.dumps() */
	SLOT_COUNT
};

enum trap_phase {
	TRAPS_NEW = 0,
	TRAPS_CALIBRATING,
	TRAPS_READY,
	TRAPS_REFUSED, /* no registers to go by: nothing is ever planted */
};

#define BLOCK_CLASSES 40
#define IN_PLACE_MAX 512

struct trap_state {
	uint32_t phase;	    /* enum trap_phase */
	uint8_t next_instr; /* index of the saved register */
	uint8_t frame;
	uint16_t opcode; /* 3.11: bit set of saved registers */
	struct trap_record **buckets;
	uint32_t nbuckets; /* a power of two */
	uint32_t nrecords;
	struct trap_record *free_records;
	void *free_blocks[BLOCK_CLASSES]; /* by the logarithm of their size */
	struct calibration *calibration;
	struct decoded *decoded; /* traps_lines.c */
	uint64_t original[SLOT_COUNT];
	bool plants_in_place; /* record_init() is to keep the bytes object that runs */
	uint32_t n_in_place;
	struct {
		const struct trap_record *record; /* NULL for none */
		uint64_t frame;
		uint32_t unit;
	} reraised;				    /* 3.9: where an exception was raised again last */
	struct trap_record *in_place[IN_PLACE_MAX]; /* whose bytes object may be that of others, too */
	struct heap_walk walk;			    /* while a running program is planted */
	bool is_walking;
};

static inline struct trap_state *trap_state(void)
{
	return (struct trap_state *)agent_data.trap_state;
}

/* ----------------------------------------------------------------------------------- records: traps_records.c */

/* Memory that comes back, unlike heap_alloc()'s. Not zeroed. */
hidden void *block_alloc(size_t size);
hidden void block_free(void *p, size_t size);

/** Room for one more record in the table; NULL without memory. */
hidden struct trap_record *record_alloc(void);
hidden void record_free(struct trap_record *r);
/** Give the code object @p code bytecode that may be changed; false if there is none or no memory. */
hidden bool record_init(struct trap_record *r, PyObject *code);
/** Before or after the code object is freed. */
hidden void record_deinit(struct trap_record *r);
/** Put it into the table. */
hidden void record_add(struct trap_record *r);
/** The record of @p code, NULL if it was never planted. */
hidden struct trap_record *record_find(const PyObject *code);
/**
 * The record that planted @p at. The code object that runs, @p code, leads to it; the search is for an address that is not
 * ours, as a rule, and there happens before the interpreter raises an error or prints.
 */
hidden struct trap_record *record_at(const PyObject *code, const uint8_t *at);
/** Is the bytes object that it runs one that others may run, too? */
hidden bool record_is_in_place(const struct trap_record *r);
/** Forget @p code, which is about to be freed; what is to be let go afterwards, or NULL. */
hidden PyObject *record_forget(const PyObject *code);
/** Does the code object have its bytecode in a bytes object of ours, and which is it? Else NULL. */
hidden PyObject *record_live_object(const struct trap_record *r);
hidden PyObject *record_original_object(const struct trap_record *r);

/* ------------------------------------------------------------------------------------------ planting: traps.c */

hidden void record_plant(const struct trap_record *r);
/** Plant every instruction that can be, with @p trap and @p other in turn. */
hidden void record_plant_all(const struct trap_record *r, uint8_t trap, uint8_t other);
/* Put the original opcodes in place of the traps of @p r for a while. */
hidden uint64_t *record_lift(struct trap_record *r);
/** Give the instruction at @p unit its opcode back. */
hidden void record_restore(const struct trap_record *r, uint32_t unit);
/** And all of them. */
hidden void record_restore_all(const struct trap_record *r);
/** Put the trap in its place. */
hidden void record_trap(const struct trap_record *r, uint32_t unit);
hidden void record_put_back(struct trap_record *r, uint64_t *lifted);

/** Plant @p code and all code objects below it that are not planted yet. */
hidden void traps_plant(PyObject *code);
/** Plant @p code alone, as traps_plant(). For code_walk(). */
hidden bool traps_plant_code(PyObject *code);
/** Be ready to plant; false if it cannot be. */
hidden bool traps_ready(void);
/** Take every trap out, for good. */
hidden void traps_unplant_all(void);
/** 3.11: let the entry of opcode_targets for @p opcode lead to @p to. */
hidden bool trap_entry_set(uint8_t opcode, uint64_t to);

/* ------------------------------------------------------------------------------------------- traps_entries.c */

/** From now on, until entries_unhook(), whatever code is entered is planted first. In all interpreters. */
hidden void entries_hook(void);
hidden void entries_unhook(void);

/* ---------------------------------------------------------------------------------- traps_slots.c, _calibrate.c */

/** Lead the slots through us, where they do not yet. */
hidden void slots_patch(struct trap_state *s);
hidden bool slots_patched(const struct trap_state *s);

/** Find out which registers hold what; false if it cannot be told. */
hidden bool traps_calibrate(struct trap_state *s);
/** At a trap while TRAPS_CALIBRATING: the opcode to go on with, 0 to raise an error (3.8 - 3.10). */
hidden uint8_t calibration_stop(struct trap_state *s, uint64_t *regs);

/* ------------------------------------------------------------------------------------------ the saved registers */

/* clang-format off */
/* As save_general in entry.S leaves them, the last pushed first. */
enum saved_reg {
	SAVED_R15, SAVED_R14, SAVED_R13, SAVED_R12, SAVED_R11, SAVED_R10, SAVED_R9, SAVED_R8,
	SAVED_RDI, SAVED_RSI, SAVED_RBP, SAVED_RBX, SAVED_RDX, SAVED_RCX, SAVED_RAX, SAVED_COUNT
};
/* clang-format on */

/* The code unit that the trap stands in. */
static inline uint8_t *trap_address(const uint64_t *regs, unsigned int next_instr)
{
	/* Up to 3.10 the loop steps over an instruction before it dispatches it. */
	return (uint8_t *)regs[next_instr] - (agent_data.layout.inline_code ? 0 : 2);
}
