#include "supervisor/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "attach/hook.h"
#include "attach/procfs.h"
#include "attach/region.h"
#include "attach/tracee.h"
#include "base/log.h"
#include "supervisor/agent_config.h"
#include "supervisor/repair.h"
#include "supervisor/summon.h"
#include "symbols/elf_symbol.h"

#define HOOK_PAGE_SIZE AGENT_HOOK_PAGE
#define HOOK_DISTANCE_MAX (1ull << 30)
#define PATCHED_MAX 9u /* an ENDBR64, and a jump */
#define DATA(field) (p->blob + boot_blob()->data + offsetof(struct agent, field))

void program_init(struct program *p)
{
	memset(p, 0, sizeof(*p));
	p->ready_fd = -1;
	run_init(&p->run);
}

void program_deinit(struct program *p)
{
	enum agent_fork_mode fork_mode = p->fork_mode;
	bool branches = p->branches;

	run_deinit(&p->run);
	cleanup_closep(&p->ready_fd);
	program_init(p);
	p->fork_mode = fork_mode;
	p->branches = branches;
}

void program_handed_over(struct program *p, struct run *ret)
{
	*ret = p->run;
	run_init(&p->run);
	p->run.id = ret->id;
}

void program_tell_refused(const struct remote *r, raddr blob, const char *text)
{
	raddr at = blob + boot_blob()->data + offsetof(struct agent, refused);
	uint32_t ready = 1;

	if (remote_write(r, at + offsetof(struct agent_refused, text), text, AGENT_REFUSED_TEXT) == 0)
		(void)!remote_write(r, at + offsetof(struct agent_refused, ready), &ready, sizeof(ready));
}

void program_fork(struct program *child, const struct program *parent)
{
	program_deinit(child);
	*child = *parent;
	run_init(&child->run);
	child->ready_fd = -1;
	child->run.id = parent->run.id;
}

/* ------------------------------------------------------------------------------------------------ looking around */

struct runtime_search {
	pid_t pid;
	struct images *images;
	const struct image *but; /* not this one */
	const struct image *found;
	uint64_t bias;
	raddr base;	      /* of the image at hand */
	bool wants_libpython; /* no others */
	char *path;
	uint64_t last_ino;
	dev_t last_dev;
};

static bool is_libpython(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && !strncmp(name, "/libpython", 10);
}

static int search_map(const struct procfs_map *map, void *arg)
{
	struct runtime_search *s = arg;
	_cleanup_close_ int fd = -1;
	const struct image *image;

	if (map->ino && !map->offset)
		s->base = map->start;
	if (!map->executable || !map->ino || (map->ino == s->last_ino && map->dev == s->last_dev))
		return 0;
	if (s->wants_libpython && !is_libpython(map->path))
		return 0;
	s->last_ino = map->ino;
	s->last_dev = map->dev;
	fd = procfs_open_map(s->pid, map);
	if (fd < 0 || images_get(s->images, fd, &image) < 0 || image->presence != CPYTHON_DEFINED || image == s->but)
		return 0;
	if (elf_image_bias(image->elf, map->offset, map->start, true, &s->bias) < 0)
		return 0;
	s->found = image;
	s->path = strdup(map->path);
	return 1;
}

static void note_process(struct program *p, pid_t pid)
{
	run_deinit(&p->run);
	run_note_process(&p->run, pid);
}

/* Find the runtime among what is mapped. -ENOENT. */
static int find_runtime(struct program *p, pid_t pid, struct images *images)
{
	struct runtime_search s = {.pid = pid, .images = images};
	int r = 0;

	/* Of a program that needs a libpython the other files need not be looked at. */
	s.wants_libpython = p->exe && p->exe->presence == CPYTHON_LINKED;
	if (s.wants_libpython)
		r = procfs_each_map(pid, search_map, &s);
	if (!s.found && r >= 0) {
		s = (struct runtime_search){.pid = pid, .images = images};
		r = procfs_each_map(pid, search_map, &s);
	}
	if (r < 0)
		return r;
	if (!s.found)
		return -ENOENT;
	p->runtime = s.found;
	p->runtime_bias = s.bias;
	p->runtime_base = s.base;
	if (p->run.pid != pid)
		note_process(p, pid);
	free(p->run.library);
	p->run.library = s.path;
	p->run.hexversion = p->runtime->py.hexversion;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- the boot */

/* System calls that we make in the target run under its seccomp filters. Filters that we are under ourselves (those of
 * a container, say) let through what we do; others are not tried. */
static bool seccomp_allows(pid_t pid, const struct images *images)
{
	const struct procfs_status *ours = &images->ours;
	struct procfs_status theirs;

	if (procfs_status(pid, &theirs) < 0 || !ours->tgid)
		return false;
	return theirs.seccomp == ours->seccomp && theirs.seccomp_filters == ours->seccomp_filters;
}

static const struct image *exe_image(pid_t pid, struct images *images)
{
	_cleanup_close_ int fd = procfs_open_exe(pid);
	const struct image *image;

	return fd >= 0 && images_get(images, fd, &image) == 0 ? image : NULL;
}

/* Of a program that cannot be looked into the name must do. */
static bool is_called_python(pid_t pid)
{
	_cleanup_free_ char *exe = procfs_link(pid, "exe");
	const char *name = exe ? strrchr(exe, '/') : NULL;

	return name && (!strncmp(name, "/python", 7) || !strncmp(name, "/pypy", 5));
}

/* Why the runtime that was found cannot be measured; NULL if it can. */
static const char *reason_of(const struct program *p)
{
	if (p->runtime->error < 0)
		return p->runtime->reason;
	return NULL;
}

void program_exec(struct program *p, const struct remote *r, struct images *images)
{
	const struct image *image;
	int ret;

	program_deinit(p);
	image = exe_image(r->tid, images);
	if (!image || image->presence == CPYTHON_ABSENT) {
		if (image && image->reason && is_called_python(r->tid))
			p->refusal = image->reason;
		return;
	}
	if (image->presence == CPYTHON_DEFINED) {
		p->runtime = image;
		p->refusal = reason_of(p);
		if (p->refusal)
			return;
		p->runtime = NULL;
	}
	if (!seccomp_allows(r->tid, images)) {
		p->refusal = image->presence == CPYTHON_LOADABLE
				     ? NULL
				     : "a seccomp filter of its own forbids what measuring needs";
		return;
	}
	if (image->presence != CPYTHON_LOADABLE)
		p->exe = image;
	ret = boot_start(&p->boot, r, (p->exe ? BOOT_MEMFD : 0) | (image->presence == CPYTHON_DEFINED ? BOOT_NEAR : 0));
	if (ret == 0)
		p->phase = PROGRAM_BOOTING;
	else if (ret != -ESRCH && image->presence != CPYTHON_LOADABLE)
		p->refusal = "no room in it for the first step of measuring";
}

void program_look_ahead(struct program *p, pid_t pid, struct images *images)
{
	/* Until its next call was answered it can neither change what is said of it nor end, but by being killed. */
	if (p->phase != PROGRAM_WAITING || !p->exe || !p->boot.auxv || p->run.pid == pid)
		return;
	note_process(p, pid);
	images_foresee(images, p->exe, pid);
}

/* ------------------------------------------------------------------------------------- memory, made by the agent */

static int leave_calls(struct program *p, const struct remote *r, const struct agent_call *calls, uint32_t n)
{
	int ret = remote_write(r, DATA(calls), calls, n * sizeof(*calls));

	return ret < 0 ? ret : remote_write(r, DATA(ncalls), &n, sizeof(n));
}

static int call_result(const struct program *p, const struct remote *r, unsigned int i, int64_t *ret)
{
	return remote_read(r, DATA(calls) + i * sizeof(struct agent_call) + offsetof(struct agent_call, result), ret,
			   sizeof(*ret));
}

/* A page for hooks near @near. */
static int page_call(const struct remote *r, raddr near, struct agent_call *call)
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

static raddr runtime_addr(const struct program *p, uint64_t vaddr)
{
	return vaddr ? vaddr + p->runtime_bias : 0;
}

/* The agent's own page for hooks, if it is near the runtime; else 0. */
static raddr own_page(const struct program *p)
{
	raddr page = p->blob + boot_blob()->hooks, near = runtime_addr(p, p->runtime->api[API_PyEval_EvalCode]);

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

static int set_up(struct program *p, const struct remote *r);

static int ask_for_memory(struct program *p, const struct remote *r)
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
		ret = page_call(r, runtime_addr(p, p->runtime->api[API_PyEval_EvalCode]), &calls[n++]);
	if (ret == 0 && !n)
		return set_up(p, r);
	if (ret == 0)
		ret = leave_calls(p, r, calls, n);
	if (ret == 0)
		p->phase = PROGRAM_MEMORY;
	return ret;
}

/* The agent knows how to go on before anything leads to it. */
static int hook_function(struct program *p, const struct remote *r, struct hook_page *page, enum agent_hook which,
			 raddr function)
{
	raddr agent = p->blob + boot_blob()->hook[which];
	struct hook hook;
	int ret = -ENOTSUP;

	/* Threads of interpreters with a GIL of their own may be about to come there: errand_hold(). */
	if (p->request != AGENT_REQUEST_NONE)
		ret = hook_prepare_word(r, page, function, agent, &hook);
	if (ret == -ENOTSUP)
		ret = hook_prepare(r, page, function, agent, &hook);
	if (ret < 0)
		return ret;
	ret = remote_write(r, DATA(resume) + 8u * which, &hook.resume, sizeof(hook.resume));
	if (ret == 0)
		ret = hook_arm(r, &hook);
	if (ret == 0)
		p->hooks[which] = hook;
	return ret;
}

/* The address of r_debug, which the loader has left in the program's dynamic section (DT_DEBUG). */
static int find_r_debug(const struct program *p, const struct remote *r, const struct image *exe, raddr *ret)
{
	struct procfs_auxv aux;
	uint64_t dyn[2];
	raddr at;
	int e = procfs_auxv(r->tid, &aux);

	(void)p;
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

static int read_r_debug(struct program *p, const struct remote *r, struct images *images, raddr *at,
			struct r_debug_head *ret)
{
	int e = find_r_debug(p, r, exe_image(r->tid, images), at);

	return e < 0 ? e : remote_read(r, *at, ret, sizeof(*ret));
}

static int ask_for_loader_page(struct program *p, const struct remote *r, struct images *images)
{
	struct r_debug_head head;
	struct agent_call call;
	raddr at;
	int ret = read_r_debug(p, r, images, &at, &head);

	if (ret < 0)
		return ret;
	ret = page_call(r, head.brk, &call);
	if (ret < 0)
		return ret;
	ret = leave_calls(p, r, &call, 1);
	if (ret == 0)
		p->phase = PROGRAM_LOADER;
	return ret;
}

static int watch_loader(struct program *p, const struct remote *r, struct images *images)
{
	struct hook_page page = {.size = HOOK_PAGE_SIZE};
	struct r_debug_head head;
	raddr at, state;
	int64_t result;
	int ret = call_result(p, r, 0, &result);

	if (ret < 0)
		return ret;
	p->phase = PROGRAM_WAITING;
	if (result < 0 && result > -4096)
		return (int)result;
	page.addr = (raddr)result;
	ret = read_r_debug(p, r, images, &at, &head);
	if (ret < 0)
		return ret;
	state = at + offsetof(struct r_debug_head, state);
	ret = remote_write(r, DATA(loader_state), &state, sizeof(state));
	if (ret < 0)
		return ret;
	return hook_function(p, r, &page, HOOK_LOADER, head.brk);
}

/* ------------------------------------------------------------------------------------------------------- the hooks */

/* What the agent must know, all but `source`, which makes it work. */
static int write_agent(const struct program *p, const struct remote *r)
{
	_cleanup_free_ struct agent *a = calloc(1, sizeof(*a));
	size_t from = offsetof(struct agent, api), to = offsetof(struct agent, resume);

	if (!a)
		return -ENOMEM;
	agent_config_fill(a, p->runtime, p->runtime_bias);
	a->fork_mode = p->fork_mode;
	a->branches = p->branches;
	return remote_write(r, p->blob + boot_blob()->data + from, (char *)a + from, to - from);
}

/* What an earlier one has hooked for this agent stays so throughout: threads may be on the way in other interpreters,
 * and traps that are planted need it. */
static void adopt_hooks(struct program *p, const struct remote *r, struct hook_page *page)
{
	for (unsigned int i = 0; i < HOOK_COUNT; i++) {
		raddr stub;

		if (p->hooks[i].patch || !repair_finds_hook(p, r, (enum agent_hook)i, &p->hooks[i], &stub))
			continue;
		if (page && stub - page->addr < page->size)
			hook_page_keep(page, stub);
	}
}

static int hook(struct program *p, const struct remote *r, struct hook_page *page, enum agent_hook which,
		uint64_t vaddr)
{
	if (p->hooks[which].patch)
		return 0;
	return vaddr ? hook_function(p, r, page, which, runtime_addr(p, vaddr)) : 0;
}

/* Up to 3.10 the label for unknown opcodes leads to us, in 3.11 two entries of the table of handlers. */
static int hook_interpreter_loop(struct program *p, const struct remote *r, struct hook_page *page,
				 enum agent_source source)
{
	const struct agent_traps *t = &p->runtime->traps;
	raddr stub = p->blob + boot_blob()->trap_table;
	int ret;

	if (source == SOURCE_TRAPS_SWITCH)
		return hook(p, r, page, HOOK_UNKNOWN_OPCODE, p->runtime->unknown_opcode);
	ret = remote_write(r, runtime_addr(p, t->table) + 8u * t->opcode, &stub, sizeof(stub));
	if (ret < 0)
		return ret;
	stub = p->blob + boot_blob()->trap_spare;
	return remote_write(r, runtime_addr(p, t->table) + 8u * t->calibration_opcode, &stub, sizeof(stub));
}

bool program_patches_at(const struct program *p, raddr pc)
{
	static const enum agent_api hooked[] = {API_PyEval_EvalCode, API_PyOS_AfterFork_Child};

	for (size_t i = 0; i < ARRAY_SIZE(hooked); i++) {
		raddr function = runtime_addr(p, p->runtime->api[hooked[i]]);

		if (function && pc - function - 1 < PATCHED_MAX - 1)
			return true;
	}
	return false;
}

static int set_hooks(struct program *p, const struct remote *r, raddr page_addr)
{
	struct hook_page page = {.addr = page_addr, .size = HOOK_PAGE_SIZE};
	uint64_t source = agent_config_source(p->runtime);
	int ret = write_agent(p, r);

	if (ret < 0)
		return ret;
	adopt_hooks(p, r, &page);
	if (source != SOURCE_MONITORING) {
		ret = hook(p, r, &page, HOOK_EVAL_CODE_EX, p->runtime->api[API_PyEval_EvalCodeEx]);
		if (ret < 0)
			return ret;
		ret = hook_interpreter_loop(p, r, &page, (enum agent_source)source);
		if (ret < 0)
			return ret;
	}
	/* Whoever may be in it now would not hold the GIL (faulthandler). And it can be done without. */
	if (p->runtime->py.layout.searches_lines && p->request == AGENT_REQUEST_NONE) {
		ret = hook(p, r, &page, HOOK_LINE_OF, p->runtime->api[API_PyCode_Addr2Line]);
		if (ret < 0 && ret != -ENOTSUP)
			return ret;
	}
	if (p->fork_mode != FORK_SHARES) {
		ret = hook(p, r, &page, HOOK_AFTER_FORK, p->runtime->api[API_PyOS_AfterFork_Child]);
		if (ret < 0)
			return ret;
	}
	ret = hook(p, r, &page, HOOK_EVAL_CODE, p->runtime->api[API_PyEval_EvalCode]);
	if (ret < 0)
		return ret;
	return remote_write(r, DATA(source), &source, sizeof(source));
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
	ret = call_result(p, r, 0, &memfd);
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
	return ret < 0 ? ret : leave_calls(p, r, (const struct agent_call[])REGION_CALLS(memfd), 3);
}

static int set_up(struct program *p, const struct remote *r)
{
	int64_t page;
	int ret = remote_read(r, DATA(hook_page), &page, sizeof(page));

	if (ret == 0 && !page)
		ret = call_result(p, r, p->ready_fd < 0 ? 1 : 0, &page);
	if (ret < 0 || (page < 0 && page > -4096))
		return ret < 0 ? ret : (int)page;
	ret = remote_write(r, DATA(hook_page), &page, sizeof(page));
	if (ret < 0)
		return ret;
	ret = share_region(p, r);
	if (ret < 0)
		return ret;
	ret = set_hooks(p, r, (raddr)page);
	if (ret == 0)
		p->phase = PROGRAM_HOOKED;
	return ret;
}

/* The loader has mapped what may be one more runtime. */
static int on_another(struct program *p, const struct remote *r, struct images *images)
{
	struct runtime_search s = {.pid = r->tid, .images = images, .but = p->runtime};
	int ret = procfs_each_map(r->tid, search_map, &s);

	if (s.found)
		p->other = s.found;
	free(s.path);
	return ret < 0 ? ret : 0;
}

/* A forked child asks for a region of its own, in two steps. */
static int on_fork_child(struct program *p, const struct remote *r)
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
		ret = leave_calls(p, r, &call, 1);
	if (ret == 0)
		p->phase = PROGRAM_FORKED;
	return ret;
}

int program_unhook(struct program *p, const struct remote *r)
{
	const struct agent_traps *t = &p->runtime->traps;
	int ret = 0, e;

	for (size_t i = 0; i < HOOK_COUNT; i++) {
		e = p->hooks[i].patch ? hook_disarm(r, &p->hooks[i]) : 0;
		if (e == 0)
			p->hooks[i].patch = 0;
		else
			ret = e;
	}
	if (!p->runtime->py.layout.has_monitoring && agent_config_source(p->runtime) == SOURCE_TRAPS_TABLE) {
		const uint8_t borrowed[] = {t->opcode, t->calibration_opcode};

		for (size_t i = 0; i < sizeof(borrowed); i++) {
			raddr target = runtime_addr(p, t->targets[borrowed[i]]);

			e = remote_write(r, runtime_addr(p, t->table) + 8u * borrowed[i], &target, sizeof(target));
			ret = e < 0 ? e : ret;
		}
	}
	return ret;
}

/* Agents put the protection of text back as it is in the file. */
static bool is_plain_text(const struct program *p, raddr at)
{
	const struct elf_image *elf = p->runtime->elf;
	uint64_t vaddr = at - p->runtime_bias;

	for (size_t i = 0; i < elf->n_segments; i++)
		if (vaddr - elf->segments[i].vaddr < elf->segments[i].filesz)
			return (elf->segments[i].flags & (PF_R | PF_W | PF_X)) == (PF_R | PF_X);
	return false;
}

/* In one piece, if it lies in one word. */
static int add_undo(const struct program *p, const struct remote *r, const struct hook *hook, struct agent_undo *list,
		    uint32_t *n)
{
	struct agent_undo undo = {.at = hook->patch, .len = sizeof(hook->original)};
	int e = 0;

	if (*n >= AGENT_UNDOS || !is_plain_text(p, hook->patch))
		return 0;
	if (hook_is_in_word(hook->patch)) {
		undo.at &= ~7ull;
		undo.len = sizeof(undo.word);
		e = remote_read(r, undo.at, &undo.word, sizeof(undo.word));
	}
	memcpy((char *)&undo.word + (hook->patch - undo.at), hook->original, sizeof(hook->original));
	if (e == 0)
		list[(*n)++] = undo;
	return e;
}

int program_tell_undo(struct program *p, const struct remote *r)
{
	struct agent_undo list[AGENT_UNDOS] = {0};
	uint32_t n = 0;
	int e = 0;

	adopt_hooks(p, r, NULL);
	for (size_t i = 0; e == 0 && i < HOOK_COUNT; i++)
		if (p->hooks[i].patch)
			e = add_undo(p, r, &p->hooks[i], list, &n);
	if (e == 0 && p->arm.is_hooked)
		e = add_undo(p, r, &p->arm.hook, list, &n);
	if (e == 0)
		e = remote_write(r, DATA(undo), list, sizeof(list));
	return e < 0 ? e : remote_write(r, DATA(n_undo), &n, sizeof(n));
}

/* ------------------------------------------------------------------------------------------------------- the calls */

/* A program that is to have a runtime gets its region at once, which saves a stop. The boot code closes the memfd. */
static int on_boot_call(struct program *p, const struct remote *r)
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

/* At the entry point, or when a library was loaded. */
static int on_libraries(struct program *p, const struct remote *r, struct images *images, uint32_t why)
{
	int ret = why == AGENT_AT_ENTRY && p->boot.auxv ? boot_clean(&p->boot, r) : 0;

	if (ret < 0)
		return ret;
	ret = find_runtime(p, r->tid, images);
	if (ret == -ENOENT)
		return why == AGENT_AT_ENTRY && p->boot.auxv ? ask_for_loader_page(p, r, images) : 0;
	if (ret < 0)
		return ret;
	p->refusal = reason_of(p);
	return p->refusal ? 0 : ask_for_memory(p, r);
}

int program_find(struct program *p, pid_t pid, struct images *images)
{
	int ret = find_runtime(p, pid, images);

	if (ret < 0)
		return ret;
	p->refusal = reason_of(p)				  ? reason_of(p)
		     : !p->runtime->api[API_PyEval_RestoreThread] ? "it does not export PyEval_RestoreThread()"
		     : !seccomp_allows(pid, images) ? "a seccomp filter of its own forbids what measuring needs"
						    : NULL;
	return p->refusal ? -ENOTSUP : 0;
}

/* A thread of a running program has come for us, in memory that it has just mapped. It goes on into it if it is complete,
 * whatever becomes of us. */
static int on_summoned(struct program *p, const struct remote *r)
{
	uint32_t request = p->request, late = 1;
	int ret = boot_write(r, &p->blob);

	if (ret == 0)
		ret = summon_tell_waking(p, r);
	if (ret == 0)
		ret = remote_write(r, DATA(request), &request, sizeof(request));
	if (ret == 0)
		ret = remote_write(r, DATA(is_late), &late, sizeof(late));
	if (ret == 0)
		ret = remote_write(r, DATA(errno_location), &p->arm.errno_location, sizeof(p->arm.errno_location));
	if (ret == 0)
		ret = boot_complete(r, p->blob);
	if (ret < 0)
		p->blob = 0;
	else
		p->phase = PROGRAM_WAITING;
	return ret;
}

/* It holds the GIL. */
static int on_held(struct program *p, const struct remote *r)
{
	if (p->request != AGENT_REQUEST_NONE)
		p->carrier = r->tid;
	if (p->request == AGENT_REQUEST_ATTACH && p->phase == PROGRAM_WAITING)
		return ask_for_memory(p, r);
	return p->request == AGENT_REQUEST_ATTACH && p->phase == PROGRAM_MEMORY ? set_up(p, r) : 0;
}

/* A forked child may have come for what its parent was asked. Without the hooks, its traps would be unknown opcodes. */
static bool is_recording(const struct remote *r, const struct program *p)
{
	uint64_t source;

	return remote_read(r, DATA(source), &source, sizeof(source)) < 0 || source != SOURCE_NONE;
}

static int on_done(struct program *p, const struct remote *r)
{
	enum agent_request request = p->request;

	/* Somebody who came to a supervisor that was killed, and has been at it until now. */
	if (p->carrier != r->tid || p->is_to_repeat)
		return 0;
	if (request == AGENT_REQUEST_DETACH && is_recording(r, p)) {
		p->is_to_repeat = true;
		return 0;
	}
	p->request = AGENT_REQUEST_NONE;
	p->is_carried_out = true;
	if (request != AGENT_REQUEST_DETACH)
		return 0;
	adopt_hooks(p, r, NULL);
	return program_unhook(p, r);
}

static const char *explain(int error)
{
	switch (error) {
	case -EMFILE:
	case -ENFILE:
		return "no file descriptor was free";
	case -ENOMEM:
		return "no memory could be had in it";
	case -ENOTSUP:
		return "its functions cannot be hooked";
	case -ENOSYS:
		return "memfd_create() is forbidden there, as by a seccomp filter; it can be sampled (pycov-trace sample)";
	default:
		return "it could not be prepared";
	}
}

static int serve(struct program *p, const struct remote *r, struct images *images, uint32_t why)
{
	if (why == AGENT_AT_HELD)
		return on_held(p, r);
	if (why == AGENT_AT_DONE)
		return on_done(p, r);
	switch (p->phase) {
	case PROGRAM_BOOTING:
		return on_boot_call(p, r);
	case PROGRAM_SUMMONED:
		return on_summoned(p, r);
	case PROGRAM_WAITING:
		return on_libraries(p, r, images, why);
	case PROGRAM_MEMORY:
		return set_up(p, r);
	case PROGRAM_LOADER:
		return watch_loader(p, r, images);
	case PROGRAM_HOOKED:
	case PROGRAM_FORKED:
		return why == AGENT_AT_FORK ? on_fork_child(p, r) : why == AGENT_AT_LOAD ? on_another(p, r, images) : 0;
	default:
		return 0;
	}
}

/* Is it the agent that stopped here? A thread may be in its code, too, when the program's own signal comes. */
static bool is_calling(const struct program *p, const struct remote *r, uint32_t *why)
{
	struct user_regs_struct regs;

	*why = 0;
	if (p->phase == PROGRAM_UNTOUCHED || tracee_get_regs(r->tid, &regs) < 0)
		return false;
	if (p->phase == PROGRAM_BOOTING || p->phase == PROGRAM_SUMMONED)
		return regs.rip == (p->phase == PROGRAM_BOOTING ? p->boot.call : p->arm.call);
	return regs.rip - p->blob < boot_blob()->data && remote_read(r, DATA(why), why, sizeof(*why)) == 0 && *why;
}

/* Has it several interpreters, which may have GILs of their own? */
static bool is_parallel(const struct program *p, const struct remote *r)
{
	const struct layout *l = p->runtime ? &p->runtime->py.layout : NULL;
	uint64_t interp, next;

	return l && l->gil_is_pointer &&
	       remote_read(r, runtime_addr(p, p->runtime->py.runtime) + (raddr)l->runtime.interpreters_head, &interp,
			   sizeof(interp)) == 0 &&
	       interp && remote_read(r, interp + (raddr)l->interp.next, &next, sizeof(next)) == 0 && next;
}

bool program_is_to_patch(const struct program *p, const struct remote *r)
{
	uint32_t why;

	if (p->request == AGENT_REQUEST_NONE || !is_parallel(p, r) || !is_calling(p, r, &why))
		return false;
	return (why == AGENT_AT_HELD && p->request == AGENT_REQUEST_ATTACH && p->phase == PROGRAM_MEMORY) ||
	       (why == AGENT_AT_DONE && p->request == AGENT_REQUEST_DETACH);
}

void program_put_off(struct program *p)
{
	if (p->request == AGENT_REQUEST_ATTACH)
		p->refusal = explain(-ENOTSUP);
	else
		p->is_to_repeat = true;
}

bool program_call(struct program *p, const struct remote *r, struct images *images)
{
	uint32_t why;
	int ret;

	if (!is_calling(p, r, &why))
		return false;
	ret = serve(p, r, images, why);
	if (ret < 0 && ret != -ESRCH) {
		log_debug("pid %d: %s in phase %d", r->tid, strerror(-ret), p->phase);
		if (p->runtime && !p->refusal)
			p->refusal = explain(ret);
	}
	return true;
}
