/** What the agent must know of the runtime it is in: from what symbols/ says to what agent_abi.h holds. */
#pragma once

#include "attach/agent/agent_abi.h"
#include "supervisor/images.h"

/** Fill the C-API, the layout and the traps of @p agent for @p runtime, which is loaded with that bias. */
void agent_config_fill(struct agent *agent, const struct image *runtime, uint64_t bias);

/** How the agent gets to see lines there. */
enum agent_source agent_config_source(const struct image *runtime);
