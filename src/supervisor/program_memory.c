/*
 * The memory and the region that an agent needs: it makes the system calls for them by itself, at the end of one call,
 * and the results are there at the next one.
 */
#include "supervisor/program_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "attach/procfs.h"
#include "attach/region.h"

#define HOOK_DISTANCE_MAX (1ull << 30)

int program_leave_calls(struct program *p, const struct remote *r, const struct agent_call *calls, uint32_t n)
{
	int ret = remote_write(r, DATA(calls), calls, n * sizeof(*calls));

	return ret < 0 ? ret : remote_write(r, DATA(ncalls), &n, sizeof(n));
}

int program_call_result(const struct program *p, const struct remote *r, unsigned int i, int64_t *ret)
{
	return remote_read(r, DATA(calls) + i * sizeof(struct agent_call) + offsetof(struct agent_call, result), ret,
			   sizeof(*ret));
}

int program_page_call(const struct remote *r, raddr near, struct agent_call *call)
{
	raddr at;
	int ret = procfs_find_gap(r->tid, near, HOOK_PAGE_SIZE, &at);

	if (ret < 0)
		return ret;
	*call = (struct agent_call){SYS_mmap,
				    {at, HOOK_PAGE_SIZE, PROT_READ | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0},
				    0};
	return 0;
}

/* The agent's own page for hooks, if it is near the runtime; else 0. */
static raddr own_page(const struct program *p)
{
	raddr page = p->blob + boot_blob()->hooks, near = program_runtime_addr(p, p->runtime->api[API_PyEval_EvalCode]);

	return (page > near ? page - near : near - page) < HOOK_DISTANCE_MAX ? page : 0;
}

/* A memfd. Its name is written where the last call would be. */
static int memfd_call(const struct program *p, const struct remote *r, struct agent_call *call)
{
	static const char name[16] = "pycov-trace";
	raddr name_at = DATA(calls) + (AGENT_CALLS - 1) * sizeof(struct agent_call);

	*call = (struct agent_call){SYS_memfd_create, {name_at, MFD_CLOEXEC | MFD_ALLOW_SEALING}, 0};
	return remote_write(r, name_at, name, sizeof(name));
}

int program_ask_for_memory(struct program *p, const struct remote *r)
{
	struct agent_call calls[2];
	uint32_t n = 0;
	raddr page;
	/* An agent that was here before has its page still. */
	int ret = remote_read(r, DATA(hook_page), &page, sizeof(page));

	if (ret == 0 && !page && own_page(p)) {
		page = own_page(p);
		ret = remote_write(r, DATA(hook_page), &page, sizeof(page));
	}
	if (ret == 0 && p->ready_fd < 0)
		ret = memfd_call(p, r, &calls[n++]);
	if (ret == 0 && !page)
		ret = program_page_call(r, program_runtime_addr(p, p->runtime->api[API_PyEval_EvalCode]), &calls[n++]);
	if (ret == 0 && !n)
		return program_set_up(p, r);
	if (ret == 0)
		ret = program_leave_calls(p, r, calls, n);
	if (ret == 0)
		p->phase = PROGRAM_MEMORY;
	return ret;
}

static int open_target_fd(pid_t pid, int64_t fd)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/fd/%lld", pid, (long long)fd);
	ret = open(path, O_RDWR | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

/* How the agent maps the region at @memfd; the last of them is left out where others close it. */
#define REGION_CALLS(memfd)                                                                                            \
	{                                                                                                              \
		{SYS_mmap, {0, REGION_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)(memfd), 0}, 0},            \
			{SYS_madvise, {AGENT_ARG_RESULT(0), REGION_CHUNK, MADV_DONTDUMP}, 0},                          \
			{SYS_close, {(uint64_t)(memfd)}, 0},                                                           \
	}

/* It has one since the boot. */
static int share_ready_region(struct program *p, const struct remote *r)
{
	uint64_t region_call = AGENT_REGION_IS_READY;

	p->run.region_fd = take_fd(p->ready_fd);
	return remote_write(r, DATA(region_call), &region_call, sizeof(region_call));
}

/* Take the memfd that the agent has made as the region, and let the agent map it. */
static int share_region(struct program *p, const struct remote *r)
{
	uint64_t region_call = 1;
	int64_t memfd;
	int ret, fd;

	if (p->ready_fd >= 0)
		return share_ready_region(p, r);
	ret = program_call_result(p, r, 0, &memfd);
	if (ret < 0)
		return ret;
	if (memfd < 0) /* the kernel has no rule by which it would refuse one: a filter has */
		return memfd == -EMFILE || memfd == -ENFILE || memfd == -ENOMEM ? (int)memfd : -ENOSYS;
	fd = open_target_fd(r->tid, memfd);
	if (fd < 0)
		return fd;
	p->run.region_fd = fd;
	ret = region_create(fd);
	if (ret < 0)
		return ret;
	ret = remote_write(r, DATA(region_call), &region_call, sizeof(region_call));
	return ret < 0 ? ret : program_leave_calls(p, r, (const struct agent_call[])REGION_CALLS(memfd), 3);
}

int program_set_up(struct program *p, const struct remote *r)
{
	int64_t page;
	int ret = remote_read(r, DATA(hook_page), &page, sizeof(page));

	if (ret == 0 && !page)
		ret = program_call_result(p, r, p->ready_fd < 0 ? 1 : 0, &page);
	if (ret < 0 || (page < 0 && page > -4096))
		return ret < 0 ? ret : (int)page;
	ret = remote_write(r, DATA(hook_page), &page, sizeof(page));
	if (ret < 0)
		return ret;
	ret = share_region(p, r);
	if (ret < 0)
		return ret;
	ret = program_set_hooks(p, r, (raddr)page);
	if (ret == 0)
		p->phase = PROGRAM_HOOKED;
	return ret;
}

int program_on_fork_child(struct program *p, const struct remote *r)
{
	struct agent_call call;
	int ret;

	if (p->phase == PROGRAM_FORKED) {
		p->phase = PROGRAM_HOOKED;
		run_deinit(&p->run);
		p->run.hexversion = p->runtime->py.hexversion;
		run_note_process(&p->run, r->tid);
		p->run.library = procfs_link(r->tid, "exe");
		return share_region(p, r);
	}
	ret = memfd_call(p, r, &call);
	if (ret == 0)
		ret = program_leave_calls(p, r, &call, 1);
	if (ret == 0)
		p->phase = PROGRAM_FORKED;
	return ret;
}

/* A program that is to have a runtime gets its region at once, which saves a stop. The boot code closes the memfd. */
int program_on_boot_call(struct program *p, const struct remote *r)
{
	int memfd = p->exe ? boot_memfd(r) : -1, ret;

	p->ready_fd = memfd >= 0 ? open_target_fd(r->tid, memfd) : -1;
	if (p->ready_fd >= 0 && region_create(p->ready_fd) < 0) {
		close(p->ready_fd);
		p->ready_fd = -1;
	}
	ret = boot_finish(&p->boot, r, (const struct agent_call[])REGION_CALLS(memfd), p->ready_fd >= 0 ? 2 : 0,
			  &p->blob);

	p->phase = ret == 0 ? PROGRAM_WAITING : PROGRAM_UNTOUCHED;
	return ret;
}
