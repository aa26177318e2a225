/** What the agent's bytecode traps need to know of an interpreter (CPython 3.8 - 3.11), from its file. */
#pragma once

#include "supervisor/images.h"

/** Fill image->traps and image->unknown_opcode. -ENOTSUP with *@p reason (static) when traps cannot work there. */
int traps_config_load(struct image *image, const char **reason) must_check;
