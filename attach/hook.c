#include "attach/hook.h"

#include <errno.h>
#include <string.h>

#include "attach/detour.h"

#define CODE_SIZE (DETOUR_COVERED_MAX + 4)

/* In the page: `jmp *0(%rip)` to the agent, and the function's own start. */
struct stub {
	unsigned char jump[6];
	uint64_t agent;
	unsigned char pad[2];
	unsigned char copy[DETOUR_COPY_MAX];
} __attribute__((packed));

static struct stub stub_make(raddr agent)
{
	struct stub s = {.jump = {0xff, 0x25, 0, 0, 0, 0}, .agent = agent};

	memset(s.copy, 0xcc, sizeof(s.copy));
	return s;
}

/* The loader's r_brk does nothing: a return, and the padding behind it. */
static int plan_empty_function(const unsigned char *code, struct detour *d)
{
	static const unsigned char padding[][4] = {{0x66, 0x2e, 0x0f, 0x1f}, {0x0f, 0x1f, 0x44, 0x00},
						   {0x66, 0x90, 0x66, 0x2e}, {0x90, 0x90, 0x90, 0x90},
						   {0xcc, 0xcc, 0xcc, 0xcc}, {0x66, 0x66, 0x2e, 0x0f}};

	if (code[0] != 0xc3)
		return -ENOTSUP;
	for (size_t i = 0; i < ARRAY_SIZE(padding); i++) {
		if (memcmp(code + 1, padding[i], 4))
			continue;
		d->bytes[0] = 0xc3;
		d->copy_size = 1;
		return 0;
	}
	return -ENOTSUP;
}

static int plan(const struct remote *r, raddr function, raddr copy, struct detour *d)
{
	static const unsigned char endbr[4] = {0xf3, 0x0f, 0x1e, 0xfa};
	unsigned char code[CODE_SIZE + 4];
	int ret = remote_read(r, function, code, sizeof(code));
	size_t skip;

	if (ret < 0)
		return ret;
	ret = detour_plan(code, sizeof(code), function, copy, d);
	if (ret != -ENOTSUP)
		return ret;
	skip = memcmp(code, endbr, sizeof(endbr)) ? 0 : sizeof(endbr);
	d->patch = function + skip;
	return plan_empty_function(code + skip, d);
}

void hook_page_keep(struct hook_page *page, raddr stub)
{
	size_t end = (size_t)(stub - page->addr) + sizeof(struct stub);

	if (page->used < end)
		page->used = end;
}

int hook_prepare(const struct remote *r, struct hook_page *page, raddr function, raddr agent, struct hook *ret)
{
	struct stub stub = stub_make(agent);
	raddr at = page->addr + page->used;
	struct detour d = {0};
	int e;

	if (page->used + sizeof(stub) > page->size)
		return -ENOSPC;
	e = plan(r, function, at + offsetof(struct stub, copy), &d);
	if (e < 0)
		return e;
	e = detour_encode_jump(d.patch, at, ret->jump);
	if (e < 0)
		return e;
	memcpy(stub.copy, d.bytes, d.copy_size);
	e = remote_write(r, at, &stub, sizeof(stub));
	if (e < 0)
		return e;
	page->used += sizeof(stub);
	ret->patch = d.patch;
	ret->resume = at + offsetof(struct stub, copy);
	return remote_read(r, d.patch, ret->original, sizeof(ret->original));
}

/* -------------------------------------------------------------------------------------------- in one aligned word */

int hook_prepare_word(const struct remote *r, struct hook_page *page, raddr function, raddr agent, struct hook *ret)
{
	raddr stub = page->addr + page->used;
	int e;

	if (!hook_is_in_word(function))
		return -ENOTSUP;
	e = hook_prepare(r, page, function, agent, ret);
	if (e < 0)
		return e;
	/* Where the function begins with an ENDBR64, that goes as well: what follows it was moved. */
	if (ret->patch != function) {
		ret->patch = function;
		e = detour_encode_jump(function, stub, ret->jump);
		if (e < 0)
			return e;
	}
	return remote_read(r, function, ret->original, sizeof(ret->original));
}

bool hook_is_in_word(raddr patch)
{
	return patch % 8 + sizeof(((struct hook *)0)->jump) <= 8;
}

/*
 * In one piece where it can be. The kernel copies eight aligned bytes by one instruction, which no processor that it runs on
 * splits; tests/unit/test_hook.c has threads run there meanwhile. Whoever was stopped goes on behind an IRET, by which
 * his processor forgets what it had fetched (Intel SDM 3A, 9.1.3, cross-modifying code).
 */
static int write_jump(const struct remote *r, raddr at, const unsigned char bytes[5])
{
	unsigned char word[8];
	raddr start = at & ~(raddr)7;
	int e;

	if (!hook_is_in_word(at))
		return remote_write(r, at, bytes, 5);
	e = remote_read(r, start, word, sizeof(word));
	if (e < 0)
		return e;
	memcpy(word + (at - start), bytes, 5);
	return remote_write(r, start, word, sizeof(word));
}

int hook_arm(const struct remote *r, const struct hook *hook)
{
	return write_jump(r, hook->patch, hook->jump);
}

int hook_disarm(const struct remote *r, const struct hook *hook)
{
	return write_jump(r, hook->patch, hook->original);
}
