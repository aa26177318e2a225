/*
 * Watching the loader of a program in which no Python was found (yet): it calls a function of its own, which debuggers
 * know (link.h, struct r_debug), whenever it has mapped a library.
 */
#include "supervisor/program_parts.h"

#include <errno.h>

#include "attach/procfs.h"

/* The address of r_debug, which the loader has left in the program's dynamic section (DT_DEBUG). */
static int find_r_debug(const struct remote *r, const struct image *exe, raddr *ret)
{
	struct procfs_auxv aux;
	uint64_t dyn[2];
	raddr at;
	int e = procfs_auxv(r->tid, &aux);

	if (e < 0)
		return e;
	if (!exe || !exe->elf || !exe->elf->is_dynamic)
		return -ENOENT;
	at = exe->elf->dynamic.vaddr + (aux.entry - exe->elf->entry);
	for (size_t i = 0; i < exe->elf->dynamic.count; i++, at += sizeof(dyn)) {
		e = remote_read(r, at, dyn, sizeof(dyn));
		if (e < 0)
			return e;
		if (dyn[0] == 21 /* DT_DEBUG */ && dyn[1]) {
			*ret = dyn[1];
			return 0;
		}
	}
	return -ENOENT;
}

struct r_debug_head {
	int32_t version, pad;
	uint64_t map, brk;
	int32_t state, pad2;
};

static int read_r_debug(const struct remote *r, struct images *images, raddr *at, struct r_debug_head *ret)
{
	int e = find_r_debug(r, program_exe_image(r->tid, images), at);

	return e < 0 ? e : remote_read(r, *at, ret, sizeof(*ret));
}

int program_ask_for_loader_page(struct program *p, const struct remote *r, struct images *images)
{
	struct r_debug_head head;
	struct agent_call call;
	raddr at;
	int ret = read_r_debug(r, images, &at, &head);

	if (ret < 0)
		return ret;
	ret = program_page_call(r, head.brk, &call);
	if (ret < 0)
		return ret;
	ret = program_leave_calls(p, r, &call, 1);
	if (ret == 0)
		p->phase = PROGRAM_LOADER;
	return ret;
}

int program_watch_loader(struct program *p, const struct remote *r, struct images *images)
{
	struct hook_page page = {.size = HOOK_PAGE_SIZE};
	struct r_debug_head head;
	raddr at, state;
	int64_t result;
	int ret = program_call_result(p, r, 0, &result);

	if (ret < 0)
		return ret;
	p->phase = PROGRAM_WAITING;
	if (result < 0 && result > -4096)
		return (int)result;
	page.addr = (raddr)result;
	ret = read_r_debug(r, images, &at, &head);
	if (ret < 0)
		return ret;
	state = at + offsetof(struct r_debug_head, state);
	ret = remote_write(r, DATA(loader_state), &state, sizeof(state));
	if (ret < 0)
		return ret;
	return program_hook_function(p, r, &page, HOOK_LOADER, head.brk);
}
