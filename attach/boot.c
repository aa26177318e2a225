#include "attach/boot.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "attach/cave.h"
#include "attach/procfs.h"
#include "attach/tracee.h"
#include "base/log.h"

extern const unsigned char agent_blob_start[], agent_blob_end[];
extern const unsigned char boot_code[], boot_code_end[], boot_code_hint[], boot_code_size[], boot_code_name[],
	boot_code_back[], boot_code_call[];

const struct agent_blob *boot_blob(void)
{
	return (const void *)agent_blob_start;
}

static int find_cave(const struct remote *r, const struct procfs_auxv *aux, size_t need, raddr *ret)
{
	raddr images[] = {aux->base, aux->phdr & ~4095ull, aux->vdso};

	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (cave_in_text(r, images[i], need, ret) == 0)
			return 0;
	return -ENOENT;
}

/* The auxiliary vector lies behind argv and envp, each closed by a NULL. */
static int find_auxv_entry(const struct remote *r, raddr sp, raddr entry, raddr *ret)
{
	uint64_t words[512];
	int nulls = 0;
	uint64_t at = 0; /* word index in the vector's type/value pairs */
	raddr p = sp + 8;

	for (int block = 0; block < 4096; block++, p += sizeof(words)) {
		ssize_t n = remote_read_some(r, p, words, sizeof(words));

		if (n < 0)
			return (int)n;
		for (size_t i = 0; i < (size_t)n / 8; i++) {
			if (nulls < 2) {
				nulls += words[i] == 0;
				continue;
			}
			if (at % 2 == 0 && words[i] == AT_NULL)
				return -ENOENT;
			if (at % 2 == 0 && words[i] == AT_ENTRY && i + 1 < (size_t)n / 8 && words[i + 1] == entry) {
				*ret = p + 8 * (i + 1);
				return 0;
			}
			at++;
		}
		if ((size_t)n < sizeof(words))
			return -ENOENT;
		/* A pair may straddle the blocks: step back so that blocks begin at pairs. */
		if (nulls == 2 && at % 2)
			p -= 8, at--;
	}
	return -ENOENT;
}

static void patch(unsigned char *code, const unsigned char *field, const void *value, size_t size)
{
	memcpy(code + (field - boot_code), value, size);
}

/* Where the agent's memory should be; 0: anywhere. */
static raddr place_of(const struct remote *r, const struct procfs_auxv *aux, unsigned int flags)
{
	raddr at;

	return flags & BOOT_NEAR && procfs_find_gap(r->tid, aux->entry, boot_blob()->size, &at) == 0 ? at : 0;
}

int boot_start(struct boot *b, const struct remote *r, unsigned int flags)
{
	unsigned char code[BOOT_MAX];
	struct user_regs_struct regs;
	struct procfs_auxv aux;
	struct boot new = {.len = (size_t)(boot_code_end - boot_code)};
	raddr cave, hint;
	uint32_t size = boot_blob()->size;
	int ret;

	if (new.len > sizeof(code))
		return -ENOTSUP;
	ret = procfs_auxv(r->tid, &aux);
	if (ret < 0)
		return ret;
	ret = tracee_get_regs(r->tid, &regs);
	if (ret < 0)
		return ret;
	ret = find_cave(r, &aux, new.len, &cave);
	if (ret < 0)
		return ret;
	new.entry = aux.entry;
	if (aux.base) {
		ret = find_auxv_entry(r, regs.rsp, aux.entry, &new.auxv);
		if (ret < 0)
			return ret;
	}
	ret = remote_read(r, cave, new.saved, new.len);
	if (ret < 0)
		return ret;
	memcpy(code, boot_code, new.len);
	hint = place_of(r, &aux, flags);
	patch(code, boot_code_hint, &hint, sizeof(hint));
	patch(code, boot_code_size, &size, sizeof(size));
	patch(code, boot_code_back, &regs.rip, sizeof(regs.rip));
	if (!(flags & BOOT_MEMFD))
		patch(code, boot_code_name, "", 1);
	ret = remote_write(r, cave, code, new.len);
	if (ret < 0)
		return ret;
	new.cave = cave;
	new.call = cave + (raddr)(boot_code_call - boot_code);
	regs.rip = cave;
	ret = tracee_set_regs(r->tid, &regs);
	if (ret < 0)
		return ret;
	*b = new;
	return 0;
}

int boot_write(const struct remote *r, raddr *blob)
{
	size_t size = (size_t)(agent_blob_end - agent_blob_start), data = boot_blob()->data;
	struct user_regs_struct regs;
	int ret;

	ret = tracee_get_regs(r->tid, &regs);
	if (ret < 0)
		return ret;
	if (size < data || boot_blob()->size < size)
		return -EBADMSG;
	/* The data pages are zeros already. */
	ret = remote_write(r, regs.rbx, agent_blob_start, data);
	if (ret == 0)
		*blob = regs.rbx;
	return ret;
}

int boot_complete(const struct remote *r, raddr blob)
{
	uint32_t magic = AGENT_MAGIC;

	return remote_write(r, blob, &magic, sizeof(magic));
}

int boot_memfd(const struct remote *r)
{
	struct user_regs_struct regs;
	int ret = tracee_get_regs(r->tid, &regs);

	return ret < 0 ? ret : (int)regs.rbp;
}

static int leave_calls(const struct remote *r, raddr data, const struct agent_call *calls, uint32_t n)
{
	uint64_t region_call = 1;
	int ret = remote_write(r, data + offsetof(struct agent, calls), calls, n * sizeof(*calls));

	if (ret == 0)
		ret = remote_write(r, data + offsetof(struct agent, region_call), &region_call, sizeof(region_call));
	return ret < 0 ? ret : remote_write(r, data + offsetof(struct agent, ncalls), &n, sizeof(n));
}

int boot_finish(struct boot *b, const struct remote *r, const struct agent_call *calls, uint32_t n, raddr *blob)
{
	raddr new, data;
	uint64_t entry;
	int ret = boot_write(r, &new);

	if (ret < 0)
		return ret;
	data = new + boot_blob()->data;
	ret = remote_write(r, data + offsetof(struct agent, entry), &b->entry, sizeof(b->entry));
	if (ret < 0)
		return ret;
	ret = remote_write(r, data + offsetof(struct agent, auxv_entry), &b->auxv, sizeof(b->auxv));
	if (ret < 0)
		return ret;
	ret = n ? leave_calls(r, data, calls, n) : 0;
	if (ret < 0)
		return ret;
	ret = boot_complete(r, new);
	if (ret < 0)
		return ret;
	*blob = new;
	if (!b->auxv)
		return 0;
	entry = new + boot_blob()->entry_program;
	return remote_write(r, b->auxv, &entry, sizeof(entry));
}

int boot_clean(struct boot *b, const struct remote *r)
{
	int ret = b->cave ? remote_write(r, b->cave, b->saved, b->len) : 0;

	b->cave = 0;
	return ret;
}
