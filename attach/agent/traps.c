/*
 * The line source of CPython 3.8 to 3.11: one-shot traps in the bytecode.
 *
 * Before a code object runs, the opcode of every instruction that belongs to a line is replaced by the trap; the
 * argument stays. The first of a line that runs brings the interpreter here: all instructions of that line in that code
 * object get their opcodes back, the line is noted, and the interpreter goes on with the opcode that was meant. As all
 * of a line's instructions are planted, it does not matter where control enters it. (On 3.8 and 3.9 it does: see
 * only_starts_count().)
 *
 * 3.11: the trap is a real opcode whose entry in opcode_targets leads here. The code object keeps a copy of its
 * original bytecode by itself once it was asked for it (PyCode_GetCode), and all readers use that: it is our store too.
 * When the code object was quickened meanwhile, an instruction must come back in its adaptive form.
 *
 * 3.8 - 3.10: the trap is an unused opcode, and the interpreter's label for those leads here. The bytecode is a bytes
 * object that code objects share and anybody may read, so each gets a copy of its own to run, and the record keeps the
 * one that was there, for readers (traps_slots.c) and as the store of the originals.
 */
#include "traps.h"

#define SYS_mprotect 10
#define PROT_READ_ONLY 1
#define PROT_READ_WRITE 3

/* 3.9 */
#define TRACEBACK_FRAME 24
#define TRACEBACK_LASTI 32
#define YIELD_VALUE 86
#define RERAISE 48
#define RAISE_VARARGS 130

/* entry.S */
extern const char trap_table_entry[] hidden, trap_spare_entry[] hidden;

/* --------------------------------------------------------------------------------------------------- planting */

/* Has the interpreter rewritten the opcodes of this code object for speed (3.11)? */
static bool is_quickened(const struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;

	return l->code_warmup && *(const int16_t *)((const char *)r->code + l->code_warmup) == 0;
}

static uint8_t restored_opcode(uint8_t opcode, bool quickened)
{
	uint8_t adaptive = quickened ? agent_data.traps.adaptive[opcode] : 0;

	return adaptive ? adaptive : opcode;
}

struct planting {
	const struct trap_record *r;
	uint32_t unit;
	uint32_t argument; /* of EXTENDED_ARG so far */
	bool extended;	   /* this unit belongs to the EXTENDED_ARG before it */
	bool starts;	   /* only first instructions of runs, and handlers */
	uint32_t handler;  /* none has been planted between `unit` and this one */
	bool quickened;	   /* specialised forms may be there: fused with their successors, with data in their caches */
	uint8_t trap, other;
};

/* 3.9: a `raise` of what is being handled. */
static bool is_bare_raise(const struct trap_record *r, uint32_t unit)
{
	return agent_data.traps.flags[RERAISE] & TRAP_RERAISE && r->original[2 * unit] == RAISE_VARARGS &&
	       !r->original[2 * unit + 1];
}

/* As long as it may be wanted where an exception came from. */
static bool keeps_raise(const struct trap_record *r, uint32_t unit)
{
	if (!is_bare_raise(r, unit))
		return false;
	for (uint32_t i = unit + 1; i < r->units; i++)
		if (r->live[2 * i] == agent_data.traps.opcode)
			return true;
	return false;
}

/*
 * The instruction at hand, of @run, names an exception handler (3.9). Only exceptions lead there. What ends an `async for`
 * has them from the line of this instruction, and no line comes of those from the first one.
 */
static void plant_handler(struct planting *p, const struct line_run *run, uint32_t argument)
{
	const struct agent_traps *t = &agent_data.traps;
	uint64_t unit = (uint64_t)p->unit + 1 + argument / 2;
	uint8_t opcode = unit < p->r->units ? p->r->original[2 * unit] : 0;

	if (run->start == 0 && t->ops[opcode] == AGENT_OP_TOLD)
		return;
	if (unit < p->r->units && t->flags[opcode] & TRAP_PLANT)
		p->r->live[2 * unit] = p->trap;
	p->handler = 0;
}

/* Has a handler been planted before @end? */
static bool handler_follows(struct planting *p, uint32_t end)
{
	if (p->handler <= p->unit)
		p->handler = p->unit + 1;
	while (p->handler < end && p->r->live[2 * p->handler] != p->trap)
		p->handler++;
	return p->handler < end;
}

/* Does the instruction at hand count as the start of a line, or tell whether a handler does? */
static bool is_start(struct planting *p, const struct line_run *run, uint8_t flags)
{
	return p->unit == run->start || (flags & TRAP_RERAISE && handler_follows(p, run->end)) ||
	       (is_bare_raise(p->r, p->unit) && handler_follows(p, p->r->units));
}

static void plant_run(struct planting *p, const struct line_run *run)
{
	const struct agent_traps *t = &agent_data.traps;

	while (p->unit < run->end) {
		uint8_t opcode = p->r->original[2 * p->unit], flags = t->flags[opcode], caches = t->caches[opcode];
		uint8_t *live = p->r->live + 2 * p->unit;

		if (run->line > 0 && !p->extended && (flags & TRAP_PLANT) && (!p->starts || is_start(p, run, flags))) {
			uint8_t trap = p->trap;

			*live = trap;
			p->trap = p->other;
			p->other = trap;
			if (p->quickened && caches)
				memset(live + 2, 0, 2u * caches);
		} else if (p->quickened) {
			*live = restored_opcode(opcode, true);
		}
		if (flags & (TRAP_EXTENDED_ARG | TRAP_HANDLER) || p->extended) {
			uint32_t argument = p->argument << 8 | p->r->original[2 * p->unit + 1];

			if (p->starts && flags & TRAP_HANDLER)
				plant_handler(p, run, argument);
			p->extended = flags & TRAP_EXTENDED_ARG;
			p->argument = p->extended ? argument : 0;
		}
		p->unit += 1u + caches;
	}
}

static void plant(const struct trap_record *r, struct planting p)
{
	const struct agent_layout *l = &agent_data.layout;
	struct line_cursor c;
	struct line_run run;

	p.r = r;
	p.quickened = is_quickened(r);
	if (l->code_firsttraceable)
		p.unit = (uint32_t)load32(r->code, l->code_firsttraceable);
	line_cursor_init(&c, r);
	while (p.starts ? line_cursor_next(&c, &run) : line_cursor_next_entry(&c, &run))
		plant_run(&p, &run);
}

void record_plant(const struct trap_record *r)
{
	uint8_t trap = agent_data.traps.opcode;

	plant(r, (struct planting){.trap = trap, .other = trap, .starts = only_starts_count()});
}

void record_plant_all(const struct trap_record *r, uint8_t trap, uint8_t other)
{
	plant(r, (struct planting){.trap = trap, .other = other});
}

bool traps_plant_code(PyObject *code)
{
	uint32_t file = region_file_of(load_ptr(code, agent_data.layout.code_filename));
	struct trap_record *r;

	if (!file)
		return false;
	/* What is below it may be of another file. */
	if (region_is_refused(file) || record_find(code))
		return true;
	r = record_alloc();
	if (!r) {
		region_drop_code();
		return false;
	}
	if (!record_init(r, code)) {
		API(void, PyErr_Clear, void)();
		region_add_code(code, file, NULL);
		record_free(r);
		return true;
	}
	r->file = file;
	r->region_code = region_add_code(code, file, r->original);
	record_add(r);
	record_plant(r);
	if (agent_data.branches)
		branches_plant(r);
	return true;
}

void traps_plant(PyObject *code)
{
	struct saved_error error;

	/* While greenlets are looked for it is not known yet what may be planted where. */
	if (!is_code(code) || !atomic_load(&agent_data.region) || agent_data.is_looking || record_find(code))
		return;
	error_save(&error);
	code_walk(code, traps_plant_code);
	error_restore(&error);
}

/* ------------------------------------------------------------------------------------------------------- hits */

static void restore_run(const struct trap_record *r, const struct line_run *run)
{
	const struct agent_traps *t = &agent_data.traps;
	bool quickened = is_quickened(r);

	for (uint32_t unit = run->start; unit < run->end;) {
		uint8_t opcode = r->original[2 * unit], *live = r->live + 2 * unit;

		/* Line 0: all. */
		if (*live == t->opcode && !(r->marks && branches_keep(r, unit)) && !(run->line && keeps_raise(r, unit)))
			*live = restored_opcode(opcode, quickened);
		unit += 1u + t->caches[opcode];
	}
}

void record_restore(const struct trap_record *r, uint32_t unit)
{
	if (r->live[2 * unit] == agent_data.traps.opcode)
		r->live[2 * unit] = restored_opcode(r->original[2 * unit], is_quickened(r));
}

void record_trap(const struct trap_record *r, uint32_t unit)
{
	uint8_t caches = agent_data.traps.caches[r->original[2 * unit]], *live = r->live + 2 * unit;

	*live = agent_data.traps.opcode;
	if (caches && is_quickened(r))
		memset(live + 2, 0, 2u * caches);
}

void record_restore_all(const struct trap_record *r)
{
	restore_run(r, &(struct line_run){0, r->units, 0});
}

void traps_unplant_all(void)
{
	struct trap_state *s = trap_state();

	for (uint32_t i = 0; s && i < s->nbuckets; i++)
		for (struct trap_record *r = s->buckets[i]; r; r = r->next) {
			branches_forget(r);
			record_restore_all(r);
		}
}

/* 3.9: where the exception was raised that the handler at hand has got; false: outside of this run of the function. */
static bool raised_at(const struct trap_record *r, uint64_t frame, uint32_t *ret)
{
	PyObject *raised[3] = {0}, *none = (PyObject *)agent_data.api[API__Py_NoneStruct], *traceback;
	bool found = false;

	if (!agent_data.api[API_PyErr_GetExcInfo])
		return false;
	API(void, PyErr_GetExcInfo, PyObject **, PyObject **, PyObject **)(&raised[0], &raised[1], &raised[2]);
	traceback = raised[2];
	if (traceback && traceback != none && (uint64_t)load_ptr(traceback, TRACEBACK_FRAME) == frame) {
		*ret = (uint32_t)load32(traceback, TRACEBACK_LASTI) / 2;
		/* Only what is thrown into a generator is raised by a yield. */
		found = *ret < r->units && r->original[2 * *ret] != YIELD_VALUE;
	}
	for (unsigned int i = 0; i < 3; i++)
		if (raised[i])
			API(void, Py_DecRef, PyObject *)(raised[i]);
	return found;
}

/*
 * 3.9: an exception was raised again, or is handled now, but there is no line in it.
 *
 * sys.settrace() gets a line where a handler is entered, unless the exception comes from the first run of instructions,
 * or from the first one of a run (exception_unwind in ceval.c). As a rule it is that of the handler, but the line that
 * was traced last if the exception comes from the same run. So it is in a `with` whose body ends in an `except` that did
 * not match: what raises again, the call of __exit__() and the handler of the `with` all belong to the last line of the
 * `except`. An exception that is raised again has the place in it where it was raised first.
 */
static bool is_raised_again(struct trap_state *s, const struct trap_record *r, uint64_t frame, uint32_t unit)
{
	uint32_t start = record_run_start(r, unit), from = s->reraised.unit, from_start;
	bool known = s->reraised.record == r && s->reraised.frame == frame;

	if (known)
		s->reraised.record = NULL;
	if (agent_data.traps.flags[r->original[2 * unit]] & TRAP_RERAISE || is_bare_raise(r, unit)) {
		s->reraised.record = r;
		s->reraised.frame = frame;
		s->reraised.unit = unit;
		return unit != start;
	}
	if (unit == start)
		return false;
	if (!known && !raised_at(r, frame, &from))
		return false;
	from_start = record_run_start(r, from);
	return from_start == start || from_start == 0 || from == from_start;
}

/* The opcode that was planted over by the trap at hand, whose line has run; 0 if it is none of ours. */
static uint8_t on_trap(struct trap_state *s, const uint64_t *regs)
{
	const PyObject *code = load_ptr((void *)regs[s->frame], agent_data.layout.frame_code);
	uint8_t *at = trap_address(regs, s->next_instr), opcode;
	struct trap_record *r = record_at(code, at);
	uint32_t unit;
	int32_t line;

	if (!r)
		return 0;
	unit = (uint32_t)(at - r->live) / 2;
	opcode = r->original[2 * unit];
	if (opcode == agent_data.traps.opcode)
		return 0;
	/* Bytes planted in place are run by another code object: not its line. */
	if (record_is_in_place(r) && code != r->code)
		return opcode;
	if (r->marks && !branches_hit(r, unit, (void *)regs[s->frame]))
		return opcode;
	if (agent_data.layout.linetable_kind == LINETABLE_LNOTAB && is_raised_again(s, r, regs[s->frame], unit))
		return opcode;
	line = record_for_line(r, unit, restore_run);
	if (*at == agent_data.traps.opcode && !(r->marks && branches_keep(r, unit)) && !keeps_raise(r, unit))
		*at = opcode;
	if (atomic_load(&agent_data.region)) {
		atomic_add(&region_header()->first_hits, 1);
		region_set_line(r->file, line);
	}
	return opcode;
}

/* 3.8 - 3.10. Both ways of dispatch come here, with different registers live, and resume well at the switch. */
hidden uint64_t agent_on_unknown_opcode(uint64_t *regs)
{
	static const uint8_t saved[16] = {SAVED_RAX, SAVED_RCX, SAVED_RDX, SAVED_RBX, SAVED_COUNT, SAVED_RBP,
					  SAVED_RSI, SAVED_RDI, SAVED_R8,  SAVED_R9,  SAVED_R10,   SAVED_R11,
					  SAVED_R12, SAVED_R13, SAVED_R14, SAVED_R15};
	struct trap_state *s = trap_state();
	uint64_t opcode = 0;

	if (s && s->phase == TRAPS_READY)
		opcode = on_trap(s, regs);
	else if (s && s->phase == TRAPS_CALIBRATING)
		opcode = calibration_stop(s, regs);
	if (!opcode)
		return agent_data.resume[HOOK_UNKNOWN_OPCODE];
	regs[saved[agent_data.traps.switch_reg & 15]] = opcode;
	return agent_data.traps.switch_head;
}

/* 3.11: go on at the handler of @opcode, which may look its own number up in a register. */
static uint64_t dispatch(const struct trap_state *s, uint64_t *regs, uint8_t opcode)
{
	for (uint32_t set = s->opcode; set; set &= set - 1) {
		uint64_t *reg = &regs[__builtin_ctz(set)];

		*reg = (*reg & ~0xffull) | opcode;
	}
	return agent_data.traps.targets[opcode];
}

static uint64_t on_borrowed(uint64_t *regs, uint8_t borrowed)
{
	struct trap_state *s = trap_state();
	uint8_t opcode = 0;

	if (s && s->phase == TRAPS_READY)
		opcode = on_trap(s, regs);
	else if (s && s->phase == TRAPS_CALIBRATING)
		opcode = calibration_stop(s, regs);
	return opcode ? dispatch(s, regs, opcode) : agent_data.traps.targets[borrowed];
}

hidden uint64_t agent_on_borrowed_opcode(uint64_t *regs)
{
	return on_borrowed(regs, agent_data.traps.opcode);
}

/* The second one, which is planted in the calibration only. */
hidden uint64_t agent_on_spare_opcode(uint64_t *regs)
{
	return on_borrowed(regs, agent_data.traps.calibration_opcode);
}

/* ----------------------------------------------------------------------------------------------------- lifting */

uint64_t *record_lift(struct trap_record *r)
{
	const struct agent_traps *t = &agent_data.traps;
	size_t size = (r->units + 63) / 64 * sizeof(uint64_t);
	uint64_t *lifted = block_alloc(size);
	bool quickened = is_quickened(r);

	if (!lifted)
		return NULL;
	memset(lifted, 0, size);
	for (uint32_t unit = 0; unit < r->units; unit += 1u + t->caches[r->original[2 * unit]]) {
		uint8_t opcode = r->original[2 * unit], *live = r->live + 2 * unit;

		if (*live != t->opcode || opcode == t->opcode)
			continue;
		*live = restored_opcode(opcode, quickened);
		lifted[unit / 64] |= 1ull << unit % 64;
	}
	return lifted;
}

void record_put_back(struct trap_record *r, uint64_t *lifted)
{
	size_t words = (r->units + 63) / 64;
	bool quickened = is_quickened(r);

	for (size_t i = 0; i < words; i++)
		for (uint64_t set = lifted[i]; set; set &= set - 1) {
			size_t unit = 64 * i + (size_t)__builtin_ctzl(set);

			if (r->live[2 * unit] == restored_opcode(r->original[2 * unit], quickened))
				r->live[2 * unit] = agent_data.traps.opcode;
		}
	block_free(lifted, words * sizeof(uint64_t));
}

/* ---------------------------------------------------------------------------------------------------- install */

static struct trap_state *state_get(void)
{
	struct trap_state *s = trap_state();

	if (!s) {
		s = heap_alloc(sizeof(*s));
		agent_data.trap_state = (uint64_t)s;
		if (!s)
			region_set_status(AGENT_STATUS_NO_MEMORY);
	}
	return s;
}

/* 3.11: lend an entry of opcode_targets to us. The supervisor has written it; but in a library that is loaded late, the
 * loader has relocated the table since, and made it read-only. */
bool trap_entry_set(uint8_t opcode, uint64_t to)
{
	uint64_t *entry = (uint64_t *)agent_data.traps.table + opcode;
	long page = (long)entry & ~4095l;

	if (atomic_load(entry) == to)
		return true;
	if (agent_syscall(SYS_mprotect, page, 4096, PROT_READ_WRITE, 0, 0, 0) < 0)
		return false;
	atomic_store(entry, to);
	agent_syscall(SYS_mprotect, page, 4096, PROT_READ_ONLY, 0, 0, 0);
	return true;
}

static bool borrow_entries(void)
{
	const struct agent_traps *t = &agent_data.traps;

	return !agent_data.layout.inline_code || (trap_entry_set(t->opcode, (uint64_t)trap_table_entry) &&
						  trap_entry_set(t->calibration_opcode, (uint64_t)trap_spare_entry));
}

static void install(struct trap_state *s)
{
	struct saved_error error;

	error_save(&error);
	if (s->phase == TRAPS_NEW)
		s->phase = borrow_entries() && traps_calibrate(s) ? TRAPS_READY : TRAPS_REFUSED;
	if (s->phase == TRAPS_READY)
		slots_patch(s);
	API(void, PyErr_Clear, void)();
	error_restore(&error);
	region_set_status(s->phase == TRAPS_READY ? AGENT_STATUS_MEASURING : AGENT_STATUS_NO_REGISTERS);
}

bool traps_ready(void)
{
	struct trap_state *s = state_get();

	if (!s || s->phase == TRAPS_REFUSED || s->phase == TRAPS_CALIBRATING)
		return false;
	if (!slots_patched(s))
		install(s);
	return s->phase == TRAPS_READY;
}

void traps_on_code(PyObject *code)
{
	/* The runtime starts with frozen code, before it is complete; `<...>` is never recorded. */
	if (region_file_of(load_ptr(code, agent_data.layout.code_filename)) && traps_ready())
		traps_plant(code);
}
