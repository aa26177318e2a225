/* What leads from the runtime's code to the agent: how it is set, and how it is taken back. */
#include "supervisor/program_parts.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "supervisor/agent_config.h"
#include "supervisor/repair.h"

#define PATCHED_MAX 9u /* an ENDBR64, and a jump */

int program_hook_function(struct program *p, const struct remote *r, struct hook_page *page, enum agent_hook which,
			  raddr function)
{
	raddr agent = p->blob + boot_blob()->hook[which];
	struct hook hook;
	int ret = -ENOTSUP;

	/* Threads of interpreters with a GIL of their own may be about to come there: errand_hold(). */
	if (p->request != AGENT_REQUEST_NONE)
		ret = hook_prepare_word(r, page, function, agent, &hook);
	if (ret == -ENOTSUP)
		ret = hook_prepare(r, page, function, agent, &hook);
	if (ret < 0)
		return ret;
	ret = remote_write(r, DATA(resume) + 8u * which, &hook.resume, sizeof(hook.resume));
	if (ret == 0)
		ret = hook_arm(r, &hook);
	if (ret == 0)
		p->hooks[which] = hook;
	return ret;
}

/* What the agent must know, all but `source`, which makes it work. */
static int write_agent(const struct program *p, const struct remote *r)
{
	_cleanup_free_ struct agent *a = calloc(1, sizeof(*a));
	size_t from = offsetof(struct agent, api), to = offsetof(struct agent, resume);

	if (!a)
		return -ENOMEM;
	agent_config_fill(a, p->runtime, p->runtime_bias);
	a->fork_mode = p->fork_mode;
	a->branches = p->branches;
	return remote_write(r, p->blob + boot_blob()->data + from, (char *)a + from, to - from);
}

void program_adopt_hooks(struct program *p, const struct remote *r, struct hook_page *page)
{
	for (unsigned int i = 0; i < HOOK_COUNT; i++) {
		raddr stub;

		if (p->hooks[i].patch || !repair_finds_hook(p, r, (enum agent_hook)i, &p->hooks[i], &stub))
			continue;
		if (page && stub - page->addr < page->size)
			hook_page_keep(page, stub);
	}
}

static int hook(struct program *p, const struct remote *r, struct hook_page *page, enum agent_hook which,
		uint64_t vaddr)
{
	if (p->hooks[which].patch)
		return 0;
	return vaddr ? program_hook_function(p, r, page, which, program_runtime_addr(p, vaddr)) : 0;
}

/* Up to 3.10 the label for unknown opcodes leads to us, in 3.11 two entries of the table of handlers. */
static int hook_interpreter_loop(struct program *p, const struct remote *r, struct hook_page *page,
				 enum agent_source source)
{
	const struct agent_traps *t = &p->runtime->traps;
	raddr stub = p->blob + boot_blob()->trap_table;
	int ret;

	if (source == SOURCE_TRAPS_SWITCH)
		return hook(p, r, page, HOOK_UNKNOWN_OPCODE, p->runtime->unknown_opcode);
	ret = remote_write(r, program_runtime_addr(p, t->table) + 8u * t->opcode, &stub, sizeof(stub));
	if (ret < 0)
		return ret;
	stub = p->blob + boot_blob()->trap_spare;
	return remote_write(r, program_runtime_addr(p, t->table) + 8u * t->calibration_opcode, &stub, sizeof(stub));
}

bool program_patches_at(const struct program *p, raddr pc)
{
	static const enum agent_api hooked[] = {API_PyEval_EvalCode, API_PyOS_AfterFork_Child};

	for (size_t i = 0; i < ARRAY_SIZE(hooked); i++) {
		raddr function = program_runtime_addr(p, p->runtime->api[hooked[i]]);

		if (function && pc - function - 1 < PATCHED_MAX - 1)
			return true;
	}
	return false;
}

int program_set_hooks(struct program *p, const struct remote *r, raddr page_addr)
{
	struct hook_page page = {.addr = page_addr, .size = HOOK_PAGE_SIZE};
	uint64_t source = agent_config_source(p->runtime);
	int ret = write_agent(p, r);

	if (ret < 0)
		return ret;
	program_adopt_hooks(p, r, &page);
	if (source != SOURCE_MONITORING) {
		ret = hook(p, r, &page, HOOK_EVAL_CODE_EX, p->runtime->api[API_PyEval_EvalCodeEx]);
		if (ret < 0)
			return ret;
		ret = hook_interpreter_loop(p, r, &page, (enum agent_source)source);
		if (ret < 0)
			return ret;
	}
	/* Whoever may be in it now would not hold the GIL (faulthandler). And it can be done without. */
	if (p->runtime->py.layout.searches_lines && p->request == AGENT_REQUEST_NONE) {
		ret = hook(p, r, &page, HOOK_LINE_OF, p->runtime->api[API_PyCode_Addr2Line]);
		if (ret < 0 && ret != -ENOTSUP)
			return ret;
	}
	if (p->fork_mode != FORK_SHARES) {
		ret = hook(p, r, &page, HOOK_AFTER_FORK, p->runtime->api[API_PyOS_AfterFork_Child]);
		if (ret < 0)
			return ret;
	}
	ret = hook(p, r, &page, HOOK_EVAL_CODE, p->runtime->api[API_PyEval_EvalCode]);
	if (ret < 0)
		return ret;
	return remote_write(r, DATA(source), &source, sizeof(source));
}

int program_unhook(struct program *p, const struct remote *r)
{
	const struct agent_traps *t = &p->runtime->traps;
	int ret = 0, e;

	for (size_t i = 0; i < HOOK_COUNT; i++) {
		e = p->hooks[i].patch ? hook_disarm(r, &p->hooks[i]) : 0;
		if (e == 0)
			p->hooks[i].patch = 0;
		else
			ret = e;
	}
	if (!p->runtime->py.layout.has_monitoring && agent_config_source(p->runtime) == SOURCE_TRAPS_TABLE) {
		const uint8_t borrowed[] = {t->opcode, t->calibration_opcode};

		for (size_t i = 0; i < sizeof(borrowed); i++) {
			raddr target = program_runtime_addr(p, t->targets[borrowed[i]]);

			e = remote_write(r, program_runtime_addr(p, t->table) + 8u * borrowed[i], &target,
					 sizeof(target));
			ret = e < 0 ? e : ret;
		}
	}
	return ret;
}

/* Agents put the protection of text back as it is in the file. */
static bool is_plain_text(const struct program *p, raddr at)
{
	const struct elf_image *elf = p->runtime->elf;
	uint64_t vaddr = at - p->runtime_bias;

	for (size_t i = 0; i < elf->n_segments; i++)
		if (vaddr - elf->segments[i].vaddr < elf->segments[i].filesz)
			return (elf->segments[i].flags & (PF_R | PF_W | PF_X)) == (PF_R | PF_X);
	return false;
}

/* In one piece, if it lies in one word. */
static int add_undo(const struct program *p, const struct remote *r, const struct hook *hook, struct agent_undo *list,
		    uint32_t *n)
{
	struct agent_undo undo = {.at = hook->patch, .len = sizeof(hook->original)};
	int e = 0;

	if (*n >= AGENT_UNDOS || !is_plain_text(p, hook->patch))
		return 0;
	if (hook_is_in_word(hook->patch)) {
		undo.at &= ~7ull;
		undo.len = sizeof(undo.word);
		e = remote_read(r, undo.at, &undo.word, sizeof(undo.word));
	}
	memcpy((char *)&undo.word + (hook->patch - undo.at), hook->original, sizeof(hook->original));
	if (e == 0)
		list[(*n)++] = undo;
	return e;
}

int program_tell_undo(struct program *p, const struct remote *r)
{
	struct agent_undo list[AGENT_UNDOS] = {0};
	uint32_t n = 0;
	int e = 0;

	program_adopt_hooks(p, r, NULL);
	for (size_t i = 0; e == 0 && i < HOOK_COUNT; i++)
		if (p->hooks[i].patch)
			e = add_undo(p, r, &p->hooks[i], list, &n);
	if (e == 0 && p->arm.is_hooked)
		e = add_undo(p, r, &p->arm.hook, list, &n);
	if (e == 0)
		e = remote_write(r, DATA(undo), list, sizeof(list));
	return e < 0 ? e : remote_write(r, DATA(n_undo), &n, sizeof(n));
}
