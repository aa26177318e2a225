/* Beginning to trace: the command, which waits for us, and processes that run. */
#include "supervisor/supervisor_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach/procfs.h"
#include "attach/threads.h"
#include "attach/tracee.h"
#include "supervisor/refusal.h"
#include "supervisor/repair.h"
#include "supervisor/summon.h"

#define SEIZE_TRIES 20

enum agent_fork_mode supervisor_fork_mode(const struct options *o)
{
	if (o->no_follow)
		return FORK_FORGOTTEN;
	return o->parallel_mode || o->process_contexts ? FORK_OWN : FORK_SHARES;
}

int supervisor_seize(pid_t pid, bool no_follow)
{
	return tracee_seize(pid, (no_follow ? 0 : TRACEE_FOLLOW) | (pid == 1 ? TRACEE_STOP_AT_EXIT : 0));
}

int supervisor_follow(struct supervisor *s, pid_t pid)
{
	struct thread *t = processes_add(&s->processes, pid, pid);

	if (!t)
		return -ENOMEM;
	s->command = pid;
	t->process->program.fork_mode = supervisor_fork_mode(s->options);
	t->process->program.branches = s->options->branch;
	return 0;
}

struct seizure {
	struct supervisor *s;
	pid_t pid;
	unsigned int n_new, n_late;
	int error;
};

/* Refused to us is also a thread that was born meanwhile by one of ours, and is traced by us from birth, and one that is
 * ending. */
static bool needs_no_seizing(pid_t tid, pid_t pid)
{
	struct procfs_status status;

	if (procfs_status(tid, &status) < 0)
		return true;
	return status.tracer == getpid() || (tid != pid && (status.state == 'Z' || status.state == 'X'));
}

static int seize_thread(pid_t tid, void *arg)
{
	struct seizure *z = arg;
	int r;

	if (processes_find(&z->s->processes, tid))
		return 0;
	r = tracee_seize_running(tid, z->s->options->no_follow ? 0 : TRACEE_FOLLOW);
	if (r == -ESRCH /* it has just ended */ || (r == -EPERM && needs_no_seizing(tid, z->pid)))
		return 0;
	if (r == -EAGAIN) {
		z->n_new++;
		z->n_late++;
		return 1;
	}
	if (r == 0 && !processes_add(&z->s->processes, tid, z->pid))
		r = -ENOMEM;
	z->n_new++;
	z->error = r;
	return r < 0;
}

/* Threads that are born meanwhile by traced ones are traced from birth: another pass finds those of the others. */
static int seize_all(struct supervisor *s, pid_t pid)
{
	struct seizure z = {.s = s, .pid = pid};
	int r;

	do {
		z.n_new = 0;
		r = threads_each(pid, seize_thread, &z);
		if (z.n_late && z.n_late < SEIZE_TRIES)
			supervisor_dispatch(s);
	} while (r >= 0 && !z.error && z.n_new && z.n_late < SEIZE_TRIES);
	return r < 0 ? r : z.n_late >= SEIZE_TRIES ? -EBUSY : z.error;
}

static struct process *process_find(const struct supervisor *s, pid_t pid)
{
	struct thread *t = processes_find(&s->processes, pid);

	return t ? t->process : NULL;
}

/* It runs on as it did before; the kernel lets go of it when we end. */
static int refuse(struct process *p, int error, char why[CONTROL_TEXT_MAX])
{
	const char *text = p->program.refusal;

	if (!text)
		text = error == -ENOENT	   ? "there is no room in it for a few instructions; it can be sampled "
					     "(pycov-trace sample)"
		       : error == -ENOTSUP ? "this build of Python cannot be entered; it can be sampled "
					     "(pycov-trace sample)"
		       : error == -ESRCH   ? "it has ended meanwhile"
		       : error == -EEXIST
			       ? "a pycov-trace of another build records in it, and was killed: end that first, by "
				 "the `pycov-trace repair` of that build"
			       : strerror(-error);
	snprintf(why, CONTROL_TEXT_MAX, "%s", text);
	return error;
}

/* Its memory may be read, or we would not have come so far. */
static int refuse_seizure(pid_t pid, int error, char why[CONTROL_TEXT_MAX])
{
	struct refusal refusal;

	if (refusal_find(pid, REFUSAL_TRACE, &refusal))
		snprintf(why, CONTROL_TEXT_MAX, "%.250s%s%.250s", refusal.why, *refusal.advice ? "; " : "",
			 refusal.advice);
	else if (error == -EPERM)
		snprintf(why, CONTROL_TEXT_MAX,
			 "tracing is refused to us, as by the seccomp profile of a container: start that "
			 "with one that allows it, or sample (pycov-trace sample), which needs none");
	else
		snprintf(why, CONTROL_TEXT_MAX, "%s", strerror(-error));
	return error;
}

static bool has_ended(pid_t pid)
{
	struct procfs_status status;

	return procfs_status(pid, &status) < 0 || status.state == 'Z' || status.state == 'X';
}

static int refuse_other(const struct supervisor *s, pid_t pid, char why[CONTROL_TEXT_MAX])
{
	struct refusal refusal;

	refusal_not_python(pid, &refusal);
	snprintf(why, CONTROL_TEXT_MAX, "%.400s%s", refusal.why,
		 s->options->with_children ? "" : "; --with-children takes what it has started");
	return -ENOENT;
}

int supervisor_attach(struct supervisor *s, pid_t pid, char why[CONTROL_TEXT_MAX])
{
	struct procfs_status status, ours;
	struct process *p;
	int r = seize_all(s, pid);

	p = process_find(s, pid);
	if (r < 0 || !p)
		return refuse_seizure(pid, r < 0 ? r : -ESRCH, why);
	p->is_known = true;
	p->is_init = procfs_status(pid, &status) == 0 && status.ns_pid == 1 && procfs_status(getpid(), &ours) == 0 &&
		     !procfs_same_namespace(pid, getpid(), "pid");
	p->program.fork_mode = supervisor_fork_mode(s->options);
	p->program.branches = s->options->branch;
	r = program_find(&p->program, pid, &s->images);
	if (r < 0 && has_ended(pid))
		return refuse_seizure(pid, -ESRCH, why);
	if (r == -ENOENT)
		return refuse_other(s, pid, why);
	if (r == 0)
		r = errand_begin(s, p, AGENT_REQUEST_ATTACH);
	s->n_attached += r == 0;
	p->is_awaited = r == 0;
	return r < 0 ? refuse(p, r, why) : 0;
}

int supervisor_repair(struct supervisor *s, pid_t pid, char why[CONTROL_TEXT_MAX])
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct process *p;
	int r = seize_all(s, pid), n;

	p = process_find(s, pid);
	if (r < 0 || !p)
		return refuse_seizure(pid, r < 0 ? r : -ESRCH, why);
	r = program_find(&p->program, pid, &s->images);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = remote_open(&mem, pid);
	if (r < 0)
		return refuse(p, r, why);
	/* Where there is no agent yet, this is all that leads to us. */
	n = repair_waking(&p->program, &mem);
	supervisor_leave(s);
	if (!summon_finds_agent(&p->program, &mem))
		return repair_finds_stranger(&p->program, &mem) ? refuse(p, -EEXIST, why) : n > 0;
	p->program.phase = PROGRAM_HOOKED;
	r = errand_begin(s, p, AGENT_REQUEST_DETACH);
	return r < 0 ? refuse(p, r, why) : 1;
}

void supervisor_tell_entry(struct supervisor *s, struct process *p, enum front_kind kind)
{
	if (p->is_awaited)
		supervisor_tell(s, kind, p->pid, kind == FRONT_REFUSED ? p->program.refusal : "");
	p->is_awaited = false;
}

void supervisor_refused(struct supervisor *s, struct process *p)
{
	/* Where hooks are set they are to go as any others. */
	p->has_left = p->program.phase != PROGRAM_HOOKED;
	p->program.refusal_told = true;
	s->n_refused += p->is_awaited;
	supervisor_tell_entry(s, p, FRONT_REFUSED);
	if (s->n_refused == s->n_attached)
		supervisor_leave(s);
}
