#include "supervisor/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach/procfs.h"
#include "attach/tracee.h"
#include "base/log.h"
#include "supervisor/program_parts.h"
#include "supervisor/summon.h"

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

/* Of a program that cannot be looked into the name must do. */
static bool is_called_python(pid_t pid)
{
	_cleanup_free_ char *exe = procfs_link(pid, "exe");
	const char *name = exe ? strrchr(exe, '/') : NULL;

	return name && (!strncmp(name, "/python", 7) || !strncmp(name, "/pypy", 5));
}

void program_exec(struct program *p, const struct remote *r, struct images *images)
{
	const struct image *image;
	int ret;

	program_deinit(p);
	image = program_exe_image(r->tid, images);
	if (!image || image->presence == CPYTHON_ABSENT) {
		if (image && image->reason && is_called_python(r->tid))
			p->refusal = image->reason;
		return;
	}
	if (image->presence == CPYTHON_DEFINED) {
		p->runtime = image;
		p->refusal = program_reason(p);
		if (p->refusal)
			return;
		p->runtime = NULL;
	}
	if (!program_seccomp_allows(r->tid, images)) {
		p->refusal = image->presence == CPYTHON_LOADABLE ? NULL : PROGRAM_BEHIND_A_FILTER;
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
	program_note_process(p, pid);
	images_foresee(images, p->exe, pid);
}

/* At the entry point, or when a library was loaded. */
static int on_libraries(struct program *p, const struct remote *r, struct images *images, uint32_t why)
{
	int ret = why == AGENT_AT_ENTRY && p->boot.auxv ? boot_clean(&p->boot, r) : 0;

	if (ret < 0)
		return ret;
	ret = program_find_runtime(p, r->tid, images);
	if (ret == -ENOENT)
		return why == AGENT_AT_ENTRY && p->boot.auxv ? program_ask_for_loader_page(p, r, images) : 0;
	if (ret < 0)
		return ret;
	p->refusal = program_reason(p);
	return p->refusal ? 0 : program_ask_for_memory(p, r);
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
		return program_ask_for_memory(p, r);
	return p->request == AGENT_REQUEST_ATTACH && p->phase == PROGRAM_MEMORY ? program_set_up(p, r) : 0;
}

/* A forked child may have come for what its parent was asked. Without the hooks, its traps would be unknown opcodes. */
static bool is_recording(const struct remote *r, const struct program *p)
{
	uint64_t source;

	return remote_read(r, DATA(source), &source, sizeof(source)) < 0 || source != SOURCE_NONE;
}

/* Has the agent a region to write to? It maps that after it was last served. */
static int mapped_region(const struct program *p, const struct remote *r)
{
	int64_t region;
	int ret = program_call_result(p, r, 0, &region);

	return ret < 0 ? ret : region < 0 && region > -4096 ? (int)region : 0;
}

/* What of the request the agent has left for the next one who comes. */
static uint32_t left_of(const struct program *p, const struct remote *r)
{
	uint32_t left, slices;

	if (remote_read(r, DATA(left), &left, sizeof(left)) < 0 ||
	    remote_read(r, DATA(slices), &slices, sizeof(slices)) < 0 || left == AGENT_LEFT_NOTHING)
		return AGENT_LEFT_NOTHING;
	log_debug("pid %d: slice %u", r->tid, slices);
	return left;
}

static int on_done(struct program *p, const struct remote *r)
{
	enum agent_request request = p->request;
	uint32_t left;

	/* Somebody who came to a supervisor that was killed, and has been at it until now. */
	if (p->carrier != r->tid || p->is_to_repeat)
		return 0;
	left = left_of(p, r);
	if (left == AGENT_LEFT_REQUEST || (request == AGENT_REQUEST_DETACH && is_recording(r, p))) {
		p->is_to_repeat = true;
		return 0;
	}
	p->is_to_go_on = left == AGENT_LEFT_WALK;
	if (request == AGENT_REQUEST_GO_ON && !p->is_to_go_on)
		log_debug("pid %d: the rest is done", r->tid);
	p->request = AGENT_REQUEST_NONE;
	p->is_carried_out = true;
	if (request == AGENT_REQUEST_ATTACH && p->phase == PROGRAM_HOOKED)
		return mapped_region(p, r);
	if (request != AGENT_REQUEST_DETACH)
		return 0;
	program_adopt_hooks(p, r, NULL);
	return program_unhook(p, r);
}

static const char *explain(int error)
{
	switch (error) {
	case -EMFILE:
	case -ENFILE:
		return "no file descriptor was free in it: raise its limit (prlimit --nofile), or sample it "
		       "(pycov-trace sample)";
	case -ENOMEM:
		return "no memory could be had in it: raise its limits (prlimit --as, --data), or sample it "
		       "(pycov-trace sample)";
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
		return program_on_boot_call(p, r);
	case PROGRAM_SUMMONED:
		return on_summoned(p, r);
	case PROGRAM_WAITING:
		return on_libraries(p, r, images, why);
	case PROGRAM_MEMORY:
		return program_set_up(p, r);
	case PROGRAM_LOADER:
		return program_watch_loader(p, r, images);
	case PROGRAM_HOOKED:
	case PROGRAM_FORKED:
		return why == AGENT_AT_FORK   ? program_on_fork_child(p, r)
		       : why == AGENT_AT_LOAD ? program_find_another(p, r, images)
					      : 0;
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
	       remote_read(r, program_runtime_addr(p, p->runtime->py.runtime) + (raddr)l->runtime.interpreters_head,
			   &interp, sizeof(interp)) == 0 &&
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

void program_refuse(struct program *p, int error)
{
	p->refusal = explain(error);
}

void program_put_off(struct program *p)
{
	if (p->request == AGENT_REQUEST_ATTACH)
		program_refuse(p, -ENOTSUP);
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
			program_refuse(p, ret);
	}
	return true;
}
