#include "supervisor/repair.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/agent_config.h"
#include "supervisor/refusal.h"
#include "supervisor/supervisor.h"
#include "supervisor/take_gil.h"

#define EXIT_OWN 1
#define ENDBR_SIZE 4
#define JUMP_SIZE 5

static raddr runtime_addr(const struct program *p, uint64_t vaddr)
{
	return vaddr + p->runtime_bias;
}

/* `jmp *0(%rip)` and where it goes, as attach/hook.c writes it. */
static bool read_stub(const struct remote *r, raddr at, raddr *target)
{
	static const unsigned char jump[6] = {0xff, 0x25, 0, 0, 0, 0};
	unsigned char bytes[14];

	if (remote_read(r, at, bytes, sizeof(bytes)) < 0 || memcmp(bytes, jump, sizeof(jump)))
		return false;
	memcpy(target, bytes + sizeof(jump), sizeof(*target));
	return true;
}

/* An agent's page, of any build: its first words say what it is. Agents lie at the start of a mapping. */
static raddr agent_at(const struct remote *r, raddr target)
{
	for (raddr page = target & ~4095ull; target - page < AGENT_SIZE_MAX; page -= 4096) {
		uint32_t magic;

		if (remote_read(r, page, &magic, sizeof(magic)) < 0)
			return 0;
		if (magic == AGENT_MAGIC)
			return page;
	}
	return 0;
}

/* A jump as attach/hook.c writes it, at a function or behind its ENDBR64. */
struct found {
	raddr at, stub, target;
	const unsigned char *file; /* what the file has there, JUMP_SIZE bytes */
};

static bool find_jump(const struct program *p, const struct remote *r, uint64_t vaddr, struct found *ret)
{
	for (uint64_t skip = 0; vaddr && skip <= ENDBR_SIZE; skip += ENDBR_SIZE) {
		unsigned char bytes[JUMP_SIZE];
		int32_t distance;

		ret->at = runtime_addr(p, vaddr + skip);
		ret->file = elf_image_at(p->runtime->elf, vaddr + skip, JUMP_SIZE);
		if (!ret->file || remote_read(r, ret->at, bytes, JUMP_SIZE) < 0 ||
		    !memcmp(bytes, ret->file, JUMP_SIZE) || bytes[0] != 0xe9)
			continue;
		memcpy(&distance, bytes + 1, sizeof(distance));
		ret->stub = ret->at + JUMP_SIZE + (raddr)(int64_t)distance;
		if (read_stub(r, ret->stub, &ret->target))
			return true;
	}
	return false;
}

/* In one piece, if it lies in one word. */
static int put_back(const struct remote *r, const struct found *f)
{
	raddr word = f->at & ~7ull;
	unsigned char bytes[8];
	int e;

	if (f->at - word + JUMP_SIZE > sizeof(bytes))
		return remote_write(r, f->at, f->file, JUMP_SIZE);
	e = remote_read(r, word, bytes, sizeof(bytes));
	memcpy(bytes + (f->at - word), f->file, JUMP_SIZE);
	return e < 0 ? e : remote_write(r, word, bytes, sizeof(bytes));
}

int repair_waking(const struct program *p, const struct remote *r)
{
	const uint64_t functions[] = {p->runtime->api[API_PyEval_RestoreThread], take_gil_find(p->runtime)};
	struct found f;
	int n = 0, e;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!find_jump(p, r, functions[i], &f) || !arm_is_entry(r, f.target))
			continue;
		e = put_back(r, &f);
		if (e < 0)
			return e;
		n++;
	}
	return n;
}

static uint64_t hooked_function(const struct program *p, enum agent_hook which)
{
	switch (which) {
	case HOOK_EVAL_CODE:
		return p->runtime->api[API_PyEval_EvalCode];
	case HOOK_EVAL_CODE_EX:
		return p->runtime->api[API_PyEval_EvalCodeEx];
	case HOOK_AFTER_FORK:
		return p->runtime->api[API_PyOS_AfterFork_Child];
	case HOOK_UNKNOWN_OPCODE:
		return p->runtime->unknown_opcode;
	case HOOK_LINE_OF:
		return p->runtime->api[API_PyCode_Addr2Line];
	default:
		return 0;
	}
}

bool repair_finds_hook(const struct program *p, const struct remote *r, enum agent_hook which, struct hook *ret,
		       raddr *stub)
{
	raddr resume = p->blob + boot_blob()->data + offsetof(struct agent, resume) + 8u * which;
	struct found f;

	if (!find_jump(p, r, hooked_function(p, which), &f) || f.target != p->blob + boot_blob()->hook[which] ||
	    remote_read(r, resume, &ret->resume, sizeof(ret->resume)) < 0 || !ret->resume ||
	    remote_read(r, f.at, ret->jump, sizeof(ret->jump)) < 0)
		return false;
	ret->patch = f.at;
	memcpy(ret->original, f.file, sizeof(ret->original));
	*stub = f.stub;
	return true;
}

bool repair_finds_stranger(const struct program *p, const struct remote *r)
{
	struct found f;
	raddr agent;

	if (!find_jump(p, r, hooked_function(p, HOOK_EVAL_CODE), &f))
		return false;
	agent = agent_at(r, f.target);
	return agent && agent != p->blob;
}

static int64_t compare_segment(const struct program *p, const struct remote *r, const struct elf_segment *seg)
{
	unsigned char bytes[65536];
	int64_t n = 0;

	for (uint64_t at = 0; at < seg->filesz; at += sizeof(bytes)) {
		size_t len = seg->filesz - at < sizeof(bytes) ? seg->filesz - at : sizeof(bytes);
		const unsigned char *file = elf_image_at(p->runtime->elf, seg->vaddr + at, len);
		int e = file ? remote_read(r, runtime_addr(p, seg->vaddr + at), bytes, len) : -EFAULT;

		if (e < 0)
			return e;
		if (!memcmp(bytes, file, len))
			continue;
		for (size_t i = 0; i < len; i++)
			n += bytes[i] != file[i];
	}
	return n;
}

int64_t repair_count_differences(const struct program *p, const struct remote *r)
{
	const struct elf_image *elf = p->runtime->elf;
	int64_t n = 0;

	for (size_t i = 0; i < elf->n_segments; i++) {
		int64_t own = elf->segments[i].flags & PF_X ? compare_segment(p, r, &elf->segments[i]) : 0;

		if (own < 0)
			return own;
		n += own;
	}
	return n;
}

int repair(pid_t pid)
{
	const struct options options = {0};
	char why[CONTROL_TEXT_MAX];
	struct refusal refusal;
	struct supervisor s;
	sigset_t set;
	int r;

	if (refusal_find(pid, REFUSAL_TRACE, &refusal)) {
		refusal_tell(&refusal);
		return EXIT_OWN;
	}
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	supervisor_init(&s, &options, NULL, -1, -1);
	r = supervisor_repair(&s, pid, why);
	if (r == 1)
		supervisor_run(&s);
	if (r < 0)
		log_error("pid %d: %s", pid, why);
	else if (r == 0)
		printf("nothing of pycov-trace is in pid %d\n", pid);
	else if (s.n_alone)
		printf("pid %d sleeps: the rest is done when it wakes\n", pid);
	else
		printf("pid %d is as it was before\n", pid);
	supervisor_deinit(&s);
	return r < 0 ? EXIT_OWN : 0;
}
