/*
 * Which registers hold what at a trap differs from build to build, but not within one: every bytecode handler is entered
 * through a computed jump, which has no place for code that would move a value. So two small programs of ours are run
 * with all their instructions planted, and at each stop the registers that do not hold what they should are struck out.
 *
 * The first is a straight line: which instruction each stop is at is known without any register, so it is carried on
 * rightly whatever the build. If no register held the address each time (an -O0 build keeps it in memory), that is all.
 * The second has calls, a loop and an exception in it. Were its address lost, it would end in an error of its own
 * ("unknown opcode"), which is dropped. In either case nothing is ever planted in the program.
 *
 * 3.11: two different traps take turns, so that the register that holds the opcode is told from a constant.
 */
#include "traps.h"

#define PY_FILE_INPUT 257
#define SYS_rt_sigprocmask 14
#define EFAULT 14
#define CODES 4
#define UNUSED_OPCODE 254 /* leads to the unknown-opcode label in 3.11 */
#define CALLEE_SAVED                                                                                                   \
	(1u << SAVED_RBX | 1u << SAVED_RBP | 1u << SAVED_R12 | 1u << SAVED_R13 | 1u << SAVED_R14 | 1u << SAVED_R15)

struct calibration {
	struct trap_record records[CODES];
	uint32_t count;
	bool straight;
	uint32_t unit;	/* the straight line: where the search for the next planted instruction begins */
	uint32_t stops; /* so far */
	uint32_t next_instr, frame, opcode; /* bit sets of saved registers */
};

static const char straight_line[] =
	"a = 1\nb = (a, a)\nc = a\ndel a\nc\n"
	"b = c, b\nc = [b, c]\ndel b\nb = c\ndel b, c\n";

static const char winding[] =
	"def f(a, b):\n"
	"    for c in b:\n"
	"        a = a + c\n"
	"    if a:\n"
	"        a = [a]\n"
	"    return a\n"
	"a = f(1, (2, 3))\n"
	"b = f(a[0], {4: 5})\n"
	"try:\n"
	"    a.b\n"
	"except:\n"
	"    b = lambda c: f(c, (c, 1))\n"
	"a = b(2)\n";

/* Only ask the kernel: it reads the 8 bytes before it finds that there is no such operation. */
static bool is_readable(uint64_t p)
{
	return agent_syscall(SYS_rt_sigprocmask, 1000, (long)p, 0, 8, 0, 0) != -EFAULT;
}

static bool is_frame(uint64_t p, const PyObject *code)
{
	const struct agent_layout *l = &agent_data.layout;

	return p >= 4096 && p < 1ull << 47 && p % 8 == 0 && is_readable(p + l->frame_code) &&
	       load_ptr((void *)p, l->frame_code) == code;
}

static bool is_trap(uint8_t opcode)
{
	return opcode == agent_data.traps.opcode ||
	       (agent_data.layout.inline_code && opcode == agent_data.traps.calibration_opcode);
}

/* The next planted instruction of the straight line. */
static uint8_t *expected(struct calibration *c)
{
	const struct trap_record *r = &c->records[0];
	const struct agent_traps *t = &agent_data.traps;

	for (uint32_t unit = c->unit; unit < r->units; unit += 1u + t->caches[r->original[2 * unit]])
		if (is_trap(r->live[2 * unit]))
			return &r->live[2 * unit];
	return NULL;
}

static const struct trap_record *record_around(const struct calibration *c, const uint8_t *at)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct trap_record *r = &c->records[i];

		if ((uint64_t)(at - r->live) < 2ull * r->units && is_trap(*at))
			return r;
	}
	return NULL;
}

/* Where this stop is. */
static uint8_t *locate(struct calibration *c, const uint64_t *regs)
{
	if (c->straight)
		return expected(c);
	for (uint32_t set = c->next_instr; set; set &= set - 1) {
		uint8_t *at = trap_address(regs, (unsigned int)__builtin_ctz(set));

		if (record_around(c, at))
			return at;
	}
	return NULL;
}

static void strike_out(struct calibration *c, const uint64_t *regs, const uint8_t *at, const PyObject *code)
{
	for (unsigned int i = 0; i < SAVED_COUNT; i++) {
		uint32_t bit = 1u << i;

		if (c->next_instr & bit && trap_address(regs, i) != at)
			c->next_instr &= ~bit;
		if (c->frame & bit && !is_frame(regs[i], code))
			c->frame &= ~bit;
		if (c->opcode & bit && (uint8_t)regs[i] != *at)
			c->opcode &= ~bit;
	}
}

uint8_t calibration_stop(struct trap_state *s, uint64_t *regs)
{
	struct calibration *c = s->calibration;
	uint8_t *at = locate(c, regs);
	const struct trap_record *r = at ? record_around(c, at) : NULL;

	if (!r) {
		c->next_instr = 0;
		return agent_data.layout.inline_code ? UNUSED_OPCODE : 0;
	}
	c->stops++;
	strike_out(c, regs, at, r->code);
	c->unit = (uint32_t)(at - r->live) / 2 + 1;
	*at = r->original[at - r->live];
	s->opcode = c->straight ? 0 : (uint16_t)c->opcode;
	return *at;
}

static bool collect(PyObject *code)
{
	struct calibration *c = trap_state()->calibration;
	const struct agent_traps *t = &agent_data.traps;
	struct trap_record *r = &c->records[c->count];

	if (c->count == CODES || !record_init(r, code))
		return false;
	c->count++;
	record_plant_all(r, t->opcode, agent_data.layout.inline_code ? t->calibration_opcode : t->opcode);
	return true;
}

/* Run @p source with all its instructions planted; false if it failed. */
static bool run(struct calibration *c, const char *source)
{
	PyObject *code = API(PyObject *, Py_CompileString, const char *, const char *, int)(source, "<pycov-trace>",
											    PY_FILE_INPUT);
	PyObject *globals = API(PyObject *, PyDict_New, void)(), *result = NULL;

	c->count = c->unit = c->stops = 0;
	if (code && globals) {
		code_walk(code, collect);
		result = API(PyObject *, PyEval_EvalCode, PyObject *, PyObject *, PyObject *)(code, globals, globals);
	}
	if (globals)
		API(void, Py_DecRef, PyObject *)(globals);
	for (uint32_t i = 0; i < c->count; i++)
		record_deinit(&c->records[i]);
	if (code)
		API(void, Py_DecRef, PyObject *)(code);
	if (result)
		API(void, Py_DecRef, PyObject *)(result);
	else
		API(void, PyErr_Clear, void)();
	return result != NULL && c->stops >= 10;
}

/* What survives calls is least likely to be a stale copy. */
static uint8_t choose(uint32_t set)
{
	return (uint8_t)__builtin_ctz(set & CALLEE_SAVED ? set & CALLEE_SAVED : set);
}

static bool is_settled(const struct calibration *c)
{
	return c->next_instr && c->frame && (c->opcode || !agent_data.layout.inline_code);
}

bool traps_calibrate(struct trap_state *s)
{
	uint32_t all = (1u << SAVED_COUNT) - 1;
	struct calibration *c = block_alloc(sizeof(*c));
	bool ok;

	if (!c)
		return false;
	*c = (struct calibration){.straight = true, .next_instr = all, .frame = all, .opcode = all};
	s->calibration = c;
	s->phase = TRAPS_CALIBRATING;
	ok = run(c, straight_line) && is_settled(c);
	if (ok) {
		c->straight = false;
		ok = run(c, winding) && is_settled(c);
	}
	if (ok) {
		s->next_instr = choose(c->next_instr);
		s->frame = choose(c->frame);
		s->opcode = agent_data.layout.inline_code ? (uint16_t)c->opcode : 0;
	}
	s->calibration = NULL;
	block_free(c, sizeof(*c));
	return ok;
}
