#include "supervisor/traps_config.h"

#include <errno.h>
#include <string.h>

#include "attach/detour.h"
#include "supervisor/traps_cache.h"
#include "symbols/branches.h"
#include "symbols/dispatch.h"
#include "symbols/opcodes.h"

_Static_assert((int)AGENT_OP_BRANCH_TO == (int)BRANCHES_OP_BRANCH_TO &&
		       (int)AGENT_OP_JUMP_TO == (int)BRANCHES_OP_JUMP_TO &&
		       (int)AGENT_OP_RAISE == (int)BRANCHES_OP_RAISE && (int)AGENT_OP_RESUME == (int)BRANCHES_OP_RESUME,
	       "the same in both");

/* The label gets a jump: nothing may lead into its middle. The switch is where we resume: it must be what it looks like. */
static bool can_be_hooked(const struct elf_image *elf, const struct dispatch *d)
{
	const struct elf_segment *segment = elf_image_code_segment(elf, d->unknown);
	const uint8_t *code = segment ? elf_image_at(elf, segment->vaddr, segment->filesz) : NULL;
	struct detour detour;
	uint64_t at;

	if (!code || d->switch_head - segment->vaddr >= segment->filesz)
		return false;
	at = d->unknown - segment->vaddr;
	/* Where the copy will be is not known yet; any place within reach serves. */
	return detour_plan(code + at, segment->filesz - at, d->unknown, d->unknown + (512u << 20), &detour) == 0 &&
	       detour_check_landings(&detour, code, segment->filesz, segment->vaddr, d->targets,
				     ARRAY_SIZE(d->targets)) == 0 &&
	       detour_check_boundary(code, segment->filesz, segment->vaddr, dispatch_label_before(d, d->switch_head),
				     d->switch_head) == 0;
}

int traps_config_load(struct image *image, const char **reason)
{
	const struct opcodes *ops = opcodes_find(&image->py.layout);
	struct agent_traps *t = &image->traps;
	struct dispatch d;
	int r;

	if (!ops)
		return -ENOTSUP;
	if (traps_cache_load(image) == 0)
		return 0;
	r = dispatch_find(image->elf, &image->py, &d, reason);
	if (r < 0)
		return r;
	if (image->py.layout.traps == LAYOUT_TRAPS_DETOUR && !can_be_hooked(image->elf, &d)) {
		*reason = "its interpreter loop cannot be hooked";
		return -ENOTSUP;
	}
	t->opcode = ops->trap;
	t->calibration_opcode = ops->spare;
	t->switch_reg = d.switch_register;
	t->jump_unit = (uint8_t)branches_jump_unit(ops->minor);
	t->switch_head = d.switch_head;
	t->table = d.table;
	memcpy(t->targets, d.targets, sizeof(t->targets));
	image->unknown_opcode = d.unknown;
	for (unsigned int op = 0; op < 256; op++) {
		t->flags[op] = opcodes_is_plantable(ops, (uint8_t)op) ? TRAP_PLANT : 0;
		t->caches[op] = (uint8_t)opcodes_cache_units(ops, (uint8_t)op);
		t->ops[op] = (uint8_t)branches_op_of(ops->minor, (uint8_t)op);
		t->base[op] = opcodes_base(ops, (uint8_t)op);
		t->adaptive[op] = opcodes_quickened(ops, (uint8_t)op);
	}
	t->flags[ops->extended_arg] |= TRAP_EXTENDED_ARG;
	for (size_t i = 0; i < sizeof(ops->handlers) && ops->handlers[i]; i++)
		t->flags[ops->handlers[i]] |= TRAP_HANDLER;
	if (ops->reraise)
		t->flags[ops->reraise] |= TRAP_RERAISE;
	traps_cache_store(image);
	return 0;
}
