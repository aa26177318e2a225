/** Words for what an agent says of itself (enum agent_status). */
#pragma once

#include "attach/agent/agent_abi.h"

/** Why it does not measure; NULL: it does, or cannot say yet. */
const char *complaint_of(enum agent_status status);
