/* Offsets that entry.S needs, taken from the assembler output at build time. */
#include <stddef.h>

#include "agent_abi.h"

#define DEFINE(name, value) __asm__ volatile("# @define " #name " %0" : : "i"(value))

void offsets(void);
void offsets(void)
{
	DEFINE(AGENT_RESUME_EVAL_CODE, offsetof(struct agent, resume[HOOK_EVAL_CODE]));
	DEFINE(AGENT_RESUME_EVAL_CODE_EX, offsetof(struct agent, resume[HOOK_EVAL_CODE_EX]));
	DEFINE(AGENT_RESUME_AFTER_FORK, offsetof(struct agent, resume[HOOK_AFTER_FORK]));
	DEFINE(AGENT_RESUME_RESTORE_THREAD, offsetof(struct agent, resume[HOOK_RESTORE_THREAD]));
	DEFINE(BLOB_RESTORE_THREAD, offsetof(struct agent_blob, hook[HOOK_RESTORE_THREAD]));
	DEFINE(BLOB_HELD, offsetof(struct agent_blob, held));
	DEFINE(AGENT_EVAL_FRAME, offsetof(struct agent, eval_frame));
	DEFINE(AGENT_RESUME_LOADER, offsetof(struct agent, resume[HOOK_LOADER]));
}
