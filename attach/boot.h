/**
 * Getting the agent into a program that has just been exec'd, so that the program survives our death at any moment.
 *
 * At the exec stop a few instructions (agent/boot.S) are written into the unused end of a page of text, and the
 * instruction pointer is set to them: one change, after which everything goes by itself. They map memory, call us (a
 * rendezvous), and go on; if the memory holds a complete agent by then they enter it. The agent makes the calls that were
 * left for it, and waits for the loader by taking AT_ENTRY's place in the auxiliary vector.
 */
#pragma once

#include <stddef.h>

#include "attach/agent/agent_abi.h"
#include "attach/remote.h"

#define BOOT_MAX 512

/** A boot under way. All zeros: none. */
struct boot {
	raddr cave;  /* where the code is; 0: none */
	raddr call;  /* instruction pointer at its rendezvous */
	raddr entry; /* the program's entry point */
	raddr auxv;  /* address of AT_ENTRY's value on the stack; 0: the program has no loader */
	size_t len;
	unsigned char saved[BOOT_MAX];
};

#define BOOT_NEAR 1u  /* the agent's memory is to be near the program's own, if there is room */
#define BOOT_MEMFD 2u /* boot_memfd() will be asked for */

/** Start at the exec stop of @p r's thread. On error nothing was changed: -ENOENT (no room for the code), -ESRCH, ... */
int boot_start(struct boot *b, const struct remote *r, unsigned int flags) must_check;

/**
 * At the rendezvous: a memfd that the boot has made, open in the program until it goes on there; or the negative errno
 * with which that failed. -EPERM: it was not asked for.
 */
int boot_memfd(const struct remote *r) must_check;

/**
 * Put the agent into the memory that was mapped; its address goes to *@p blob. It begins with @p n of @p calls, of which
 * the first one's result is a region, unless @p n is 0.
 */
int boot_finish(struct boot *b, const struct remote *r, const struct agent_call *calls, uint32_t n,
		raddr *blob) must_check;

/** The same in two steps, for what was not booted: between them what the agent must know before anybody enters it. */
int boot_write(const struct remote *r, raddr *blob) must_check;
int boot_complete(const struct remote *r, raddr blob) must_check;

/** Put back what was where the boot code is; only when it no longer runs. */
int boot_clean(struct boot *b, const struct remote *r) must_check;

/** The agent's own image: its first bytes. */
const struct agent_blob *boot_blob(void);
