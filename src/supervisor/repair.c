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
static bool leads_to_agent(const struct remote *r, raddr target)
{
	for (raddr page = target & ~4095ull; target - page < AGENT_SIZE_MAX; page -= 4096) {
		uint32_t magic;

		if (remote_read(r, page, &magic, sizeof(magic)) < 0)
			return false;
		if (magic == AGENT_MAGIC)
			return true;
	}
	return false;
}

static bool is_ours(const struct remote *r, raddr at, const unsigned char *bytes)
{
	int32_t distance;
	raddr target;

	if (bytes[0] != 0xe9)
		return false;
	memcpy(&distance, bytes + 1, sizeof(distance));
	return read_stub(r, at + JUMP_SIZE + (raddr)(int64_t)distance, &target) &&
	       (arm_is_entry(r, target) || leads_to_agent(r, target));
}

/* The function at @vaddr, or what follows its ENDBR64: 1 if it was repaired. */
static int repair_function(const struct program *p, const struct remote *r, uint64_t vaddr)
{
	for (uint64_t skip = 0; vaddr && skip <= ENDBR_SIZE; skip += ENDBR_SIZE) {
		raddr at = runtime_addr(p, vaddr + skip), word = at & ~7ull;
		const unsigned char *file = elf_image_at(p->runtime->elf, vaddr + skip, 16);
		unsigned char bytes[16];
		int e;

		if (!file || remote_read(r, at, bytes, JUMP_SIZE) < 0 || !memcmp(bytes, file, JUMP_SIZE) ||
		    !is_ours(r, at, bytes))
			continue;
		if (at - word + JUMP_SIZE > 8) {
			e = remote_write(r, at, file, JUMP_SIZE);
			return e < 0 ? e : 1;
		}
		e = remote_read(r, word, bytes, 8);
		memcpy(bytes + (at - word), file, JUMP_SIZE);
		if (e == 0)
			e = remote_write(r, word, bytes, 8);
		return e < 0 ? e : 1;
	}
	return 0;
}

int repair_functions(const struct program *p, const struct remote *r, bool waking, bool held)
{
	const uint64_t *api = p->runtime->api;
	const uint64_t guarded[] = {api[API_PyEval_EvalCode], api[API_PyEval_EvalCodeEx], api[API_PyOS_AfterFork_Child],
				    p->runtime->unknown_opcode};
	int n = waking ? repair_function(p, r, api[API_PyEval_RestoreThread]) : 0;

	for (size_t i = 0; n >= 0 && held && i < ARRAY_SIZE(guarded); i++) {
		int e = repair_function(p, r, guarded[i]);

		n = e < 0 ? e : n + e;
	}
	return n;
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
