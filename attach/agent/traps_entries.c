/*
 * Code is planted when it is entered, for as long as not all there is has been found: up to 3.10 each interpreter calls its
 * evaluator of frames through a pointer (PEP 523). In 3.11 that would have Python functions call each other on the C stack;
 * but the first thing that all code does, and a generator that goes on, is RESUME, whose entries in opcode_targets are lent
 * to us.
 */
#include "traps.h"

/* entry.S */
extern const char trap_resume_entry[] hidden, enter_frame[] hidden;

static uint64_t *evaluator_of(char *interp)
{
	return (uint64_t *)(void *)(interp + agent_data.layout.interp_eval_frame);
}

/* One that is not the runtime's own is left alone. */
static void set_evaluators(uint64_t from, uint64_t to)
{
	const struct agent_layout *l = &agent_data.layout;

	for (char *i = load_ptr((char *)agent_data.runtime, l->runtime_interpreters); i;
	     i = load_ptr(i, l->interp_next))
		if (*evaluator_of(i) == from)
			atomic_store(evaluator_of(i), to);
}

static bool is_resume(uint8_t opcode)
{
	return agent_data.traps.ops[agent_data.traps.base[opcode]] == AGENT_OP_RESUME;
}

static void lend_resumes(bool to_us)
{
	const struct agent_traps *t = &agent_data.traps;

	for (unsigned int op = 0; op < 256; op++)
		if (is_resume((uint8_t)op))
			(void)trap_entry_set((uint8_t)op, to_us ? (uint64_t)trap_resume_entry : t->targets[op]);
}

void entries_hook(void)
{
	char *interp = load_ptr((char *)agent_data.runtime, agent_data.layout.runtime_interpreters);

	if (agent_data.layout.inline_code)
		return lend_resumes(true);
	if (!interp || !agent_data.layout.interp_eval_frame)
		return;
	if (!agent_data.eval_frame)
		agent_data.eval_frame = *evaluator_of(interp);
	set_evaluators(agent_data.eval_frame, (uint64_t)enter_frame);
}

void entries_unhook(void)
{
	if (agent_data.layout.inline_code)
		lend_resumes(false);
	else if (agent_data.eval_frame)
		set_evaluators((uint64_t)enter_frame, agent_data.eval_frame);
}

/* Up to 3.10: eval_frame(frame, throw), or eval_frame(tstate, frame, throw). */
hidden void agent_on_enter(void *first, void *second)
{
	traps_plant(load_ptr(agent_data.layout.frame_is_first ? first : second, agent_data.layout.frame_code));
}

/* 3.11, in place of RESUME: where to go on. */
hidden uint64_t agent_on_resume(uint64_t *regs)
{
	const struct trap_state *s = trap_state();

	traps_plant(load_ptr((void *)regs[s->frame], agent_data.layout.frame_code));
	return agent_data.traps.targets[*trap_address(regs, s->next_instr)];
}
