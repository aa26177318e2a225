#include "traps_config.h"

#include <errno.h>
#include <string.h>

#include "symbols/dispatch.h"
#include "symbols/opcodes.h"

int traps_config_load(struct image *image, const char **reason)
{
	const struct opcodes *ops = opcodes_find(&image->py.layout);
	struct agent_traps *t = &image->traps;
	struct dispatch d;
	int r;

	if (!ops)
		return -ENOTSUP;
	r = dispatch_find(image->elf, &image->py, &d, reason);
	if (r < 0)
		return r;
	t->opcode = ops->trap;
	t->calibration_opcode = ops->spare;
	t->switch_reg = d.switch_register;
	t->switch_head = d.switch_head;
	t->table = d.table;
	memcpy(t->targets, d.targets, sizeof(t->targets));
	image->unknown_opcode = d.unknown;
	for (unsigned int op = 0; op < 256; op++) {
		t->flags[op] = opcodes_is_plantable(ops, (uint8_t)op) ? TRAP_PLANT : 0;
		t->caches[op] = (uint8_t)opcodes_cache_units(ops, (uint8_t)op);
		t->base[op] = opcodes_base(ops, (uint8_t)op);
		t->adaptive[op] = opcodes_quickened(ops, (uint8_t)op);
	}
	t->flags[ops->extended_arg] |= TRAP_EXTENDED_ARG;
	for (size_t i = 0; i < sizeof(ops->handlers) && ops->handlers[i]; i++)
		t->flags[ops->handlers[i]] |= TRAP_HANDLER;
	return 0;
}
