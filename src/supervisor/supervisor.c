/*
 * One loop: wait for what happened, say what it is, do what it owes the tracee. A tracee is let go as soon as its event
 * is understood. Nothing here writes to a disk: that is the keeper's work. The end of the command alone is passed on to
 * its parent only after its data is safe.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "attach/procfs.h"
#include "attach/threads.h"
#include "attach/tracee.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/refusal.h"
#include "supervisor/repair.h"
#include "supervisor/sampling.h"
#include "supervisor/summon.h"

#define SEIZE_TRIES 20
#define LEAVE_PATIENCE 3000 /* milliseconds, if all sleep */
#define BUSY_PATIENCE 15000 /* if some run: on a busy machine they come when they get a processor */

void supervisor_init(struct supervisor *s, const struct options *options, const struct selection *selection,
		     int keeper_socket, int message_fd)
{
	memset(s, 0, sizeof(*s));
	s->options = options;
	s->selection = selection;
	s->keeper.socket = keeper_socket;
	s->keeper.message_fd = &s->message_fd;
	s->message_fd = message_fd;
	s->front = s->front_heard = -1;
	images_init(&s->images);
}

void supervisor_deinit(struct supervisor *s)
{
	sampling_free(s->sampling);
	processes_deinit(&s->processes);
	images_deinit(&s->images);
	foresight_deinit(&s->foresight);
	keeper_deinit(&s->keeper);
	cleanup_closep(&s->message_fd);
	cleanup_closep(&s->front);
}

/* ---------------------------------------------------------------------------------------------------------- events */

/* What of it is recorded is sampled. */
static void tell_sampling(struct supervisor *s, pid_t pid, uint32_t run)
{
	if (s->options->sample)
		sampling_tell(&s->sampling, s->options, s->selection, &s->keeper, pid, run);
}

static void tell_end(struct supervisor *s, uint32_t run, pid_t pid, bool last)
{
	if (last)
		sampling_flush(s->sampling);
	keeper_end(&s->keeper, run, pid, last);
}

static void save(struct supervisor *s)
{
	sampling_flush(s->sampling);
	keeper_save(&s->keeper);
}

static void finish(struct supervisor *s, bool python_ran, char summary[CONTROL_TEXT_MAX])
{
	sampling_flush(s->sampling);
	sampling_write(s->sampling);
	keeper_finish(&s->keeper, python_ran, summary);
}

/* Say once why a program is not measured. */
static void tell_refusal(struct supervisor *s, struct process *p)
{
	struct program *g = &p->program;
	char command[256];

	/* Of what is being attached to, errand.c says it. */
	if (!g->refusal || g->refusal_told || p->errand.request == AGENT_REQUEST_ATTACH)
		return;
	g->refusal_told = true;
	s->python_ran = true;
	procfs_cmdline(p->pid, command, sizeof(command));
	log_warning("%s (pid %d) is not measured: %s", command, p->pid, g->refusal);
}

/* Say once that a process has a Python that is not measured, beside one that is. */
static void tell_other(struct process *p)
{
	struct program *g = &p->program;
	char command[256], version[CPYTHON_VERSION_SIZE];

	if (!g->other || g->other_told)
		return;
	g->other_told = true;
	procfs_cmdline(p->pid, command, sizeof(command));
	log_warning("Python %s in %s (pid %d) is not measured: another one came first",
		    cpython_version_format(g->other->py.hexversion, version), command, p->pid);
}

/* The program has a region that the keeper does not know yet: it keeps it from when the program has been resumed. */
static void hand_over(struct supervisor *s, struct process *p, struct remote *mem)
{
	struct untold *u = &s->untold;
	struct program *g = &p->program;

	if (g->phase != PROGRAM_HOOKED || g->run.region_fd < 0)
		return;
	s->python_ran = true;
	g->run.id = ++s->last_run;
	program_handed_over(g, &u->run);
	u->is_there = true;
	u->pid = p->pid;
	u->is_copy = p->is_copy;
	u->mem = *mem;
	u->blob = g->blob;
	mem->mem_fd = -1;
}

/*
 * It takes a while, and the program need not wait: the interpreter has to come to life first. The agent is told before
 * the keeper, which needs a processor for it.
 */
static void tell(struct supervisor *s)
{
	struct untold *u = &s->untold;
	const char *text = s->selection && !u->is_copy ? foresight_get(&s->foresight, s->selection, &u->run) : "";

	if (*text)
		program_tell_refused(&u->mem, u->blob, text);
	remote_close(&u->mem);
	keeper_add(&s->keeper, &u->run);
	tell_sampling(s, u->pid, u->run.id);
	run_deinit(&u->run);
	u->is_there = false;
}

/* Is a process of run @id left, other than @but? */
static bool run_goes_on(const struct supervisor *s, uint32_t id, const struct process *but)
{
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		if (t && t->process != but && t->process->program.run.id == id)
			return true;
	}
	return false;
}

/* A forked child was of run @before, and may have got one of its own. */
static void leave_run(struct supervisor *s, const struct process *p, uint32_t before)
{
	if (before && p->program.run.id != before && !run_goes_on(s, before, p))
		tell_end(s, before, 0, true);
}

/* A program ends, with its process or by an exec. A forked child that execs is told of as what it becomes. */
static void end_program(struct supervisor *s, struct process *p, bool execs)
{
	if (p->program.run.id)
		tell_sampling(s, p->pid, 0);
	if (p->program.run.id && !p->is_borrowed)
		tell_end(s, p->program.run.id, execs && p->is_copy ? 0 : p->pid, !run_goes_on(s, p->program.run.id, p));
}

/* A copy of a process for whose agent somebody is to come waits for that as well. */
static void take_after(struct supervisor *s, struct process *child, const struct process *parent)
{
	program_fork(&child->program, &parent->program);
	child->errand = parent->errand;
	child->has_left = parent->has_left;
	child->is_copy = child->is_known = true;
	errand_inherit(s, child, parent->pid);
}

static struct thread *adopt(struct supervisor *s, pid_t tid)
{
	struct procfs_status status;
	struct thread *t, *parent;

	/* A child's first stop may come before its parent's event: find out by ourselves. */
	if (procfs_status(tid, &status) < 0)
		return NULL;
	t = processes_add(&s->processes, tid, status.tgid);
	parent = processes_find(&s->processes, status.ppid);
	if (t && tid == status.tgid && !t->process->is_known && parent && parent->process != t->process) {
		take_after(s, t->process, parent->process);
	}
	return t;
}

static enum agent_fork_mode fork_mode(const struct options *o)
{
	if (o->no_follow)
		return FORK_FORGOTTEN;
	return o->parallel_mode || o->process_contexts ? FORK_OWN : FORK_SHARES;
}

static void on_fork(struct supervisor *s, struct thread *parent, bool is_vfork)
{
	struct procfs_status status;
	struct thread *child;
	unsigned long tid;

	if (tracee_event_message(parent->tid, &tid) < 0)
		return;
	child = processes_find(&s->processes, (pid_t)tid);
	if (!child && thread_is_first((pid_t)tid))
		child = processes_add(&s->processes, (pid_t)tid, (pid_t)tid);
	if (!child) {
		if (procfs_status((pid_t)tid, &status) < 0)
			return;
		child = processes_add(&s->processes, (pid_t)tid, status.tgid);
	}
	if (!child || child->process == parent->process)
		return;
	/* It may have been adopted, and have exec'd, before. */
	if (!child->process->is_known)
		take_after(s, child->process, parent->process);
	child->process->is_borrowed = is_vfork && child->process->program.blob == parent->process->program.blob;
	/* One that gets a run of its own is told of when it has it. */
	if (!child->process->is_borrowed && child->process->program.run.id && fork_mode(s->options) == FORK_SHARES)
		tell_sampling(s, child->process->pid, child->process->program.run.id);
}

static void on_exec(struct supervisor *s, struct thread *t)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct process *p = t->process;

	end_program(s, p, true);
	processes_exec(&s->processes, p);
	p->is_copy = p->is_borrowed = p->has_left = false;
	p->errand = (struct errand){0};
	if (remote_open(&mem, p->pid) < 0)
		return program_deinit(&p->program);
	program_exec(&p->program, &mem, &s->images);
	tell_refusal(s, p);
}

static bool serve_call(struct supervisor *s, struct process *p, struct remote *mem)
{
	uint32_t before = p->program.run.id;

	if (!program_call(&p->program, mem, &s->images))
		return false;
	tell_refusal(s, p);
	tell_other(p);
	leave_run(s, p, before);
	hand_over(s, p, mem);
	return true;
}

/* The same, with others stopped meanwhile. What becomes of them may be anything, so they are let go last. */
static void serve_alone(struct supervisor *s, pid_t tid, struct remote *mem)
{
	struct stops *others = NULL;
	int r = errand_hold(s, tid, &others);
	struct thread *t = processes_find(&s->processes, tid);

	if (t && r < 0)
		program_put_off(&t->process->program);
	else if (t)
		serve_call(s, t->process, mem);
	errand_release(s, others);
}

/* True if the signal is not the program's. */
static bool is_agent_call(struct supervisor *s, struct thread *t, int sig)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};

	if (sig != AGENT_SIGNAL || remote_open(&mem, t->tid) < 0)
		return false;
	if (!program_is_to_patch(&t->process->program, &mem))
		return serve_call(s, t->process, &mem);
	serve_alone(s, t->tid, &mem);
	return true;
}

/*
 * The command is the first process of a pid namespace (a container's): when it ends the kernel kills us as well, so its
 * data is saved before.
 */
static bool is_init(const struct supervisor *s, const struct thread *t)
{
	return s->command == 1 && t && t->process->pid == 1;
}

/* And while it is traced it does not die of a fault of its own: the kernel lets it fault again and again. */
static bool dies_of(const struct thread *t, int sig)
{
	struct procfs_status status;
	siginfo_t info;

	if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE)
		return false;
	return tracee_get_siginfo(t->tid, &info) == 0 && info.si_code > 0 && procfs_status(t->tid, &status) == 0 &&
	       !(status.caught >> (sig - 1) & 1);
}

/* A signal is about to be delivered: which one is to be, 0 for none. */
static int on_signal(struct supervisor *s, struct thread *t, int sig)
{
	if (t && is_agent_call(s, t, sig))
		return 0;
	if (sig == s->options->save_signal) {
		save(s);
		return 0;
	}
	/* It may not be the end, but where it is, what ran is in the file soon. */
	if (sig == SIGTERM && t && t->process->program.run.id)
		save(s);
	return sig;
}

void supervisor_on_stop(struct supervisor *s, pid_t tid, int status)
{
	struct thread *t = processes_find(&s->processes, tid);
	enum stop_kind kind = stop_classify(status);
	log_debug("tid %d stop %x kind %d", tid, status, kind);
	int sig = 0;

	if (!t)
		t = adopt(s, tid);
	if (t && (kind == STOP_FORK || kind == STOP_VFORK))
		on_fork(s, t, kind == STOP_VFORK);
	else if (t && kind == STOP_EXEC)
		on_exec(s, t);
	else if (kind == STOP_SIGNAL)
		sig = on_signal(s, t, status & 0xff);
	else if (kind == STOP_EXIT && is_init(s, t) && tid == s->command)
		finish(s, s->python_ran, NULL);
	if (sig && (is_init(s, t) || (t && t->process->is_init)) && dies_of(t, sig)) {
		if (is_init(s, t))
			finish(s, s->python_ran, NULL);
		tracee_detach(tid, 0);
		return;
	}
	if (kind == STOP_GROUP)
		tracee_listen(tid);
	else
		tracee_continue(tid, sig);
	if (s->untold.is_there)
		tell(s);
	else if (t && t->tid == t->process->pid)
		program_look_ahead(&t->process->program, tid, &s->images);
}

/* The command is dead, and nobody has been told yet. */
static void on_command_end(struct supervisor *s)
{
	finish(s, s->python_ran, NULL);
	log_set_fd(-1);
	cleanup_closep(&s->message_fd);
	s->message_fd = -1;
	s->command = 0;
}

static void on_end(struct supervisor *s, pid_t tid)
{
	struct process *p = processes_remove(&s->processes, tid);

	if (p) {
		end_program(s, p, false);
		supervisor_tell(s, FRONT_ENDED, p->pid, "");
		process_free(p);
	}
	if (tid != s->command)
		return;
	if (s->options->wait && s->processes.n_processes)
		s->is_held = true;
	else
		on_command_end(s);
}

/* ------------------------------------------------------------------------------------------------------------ loop */

struct stop {
	pid_t tid;
	int status;
};

/* Take all stops that are there before acting on any: waitid(2) favours the first in its list. */
static size_t collect_stops(struct stop *stops, size_t room)
{
	siginfo_t info;
	size_t n = 0;

	while (n < room) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG | __WALL) < 0 || !info.si_pid)
			break;
		stops[n++] = (struct stop){info.si_pid, info.si_status};
	}
	return n;
}

enum next {
	NEXT_NOTHING, /* for now */
	NEXT_STOP,
	NEXT_END,
	NEXT_NEVER, /* nobody is left */
};

/* What is to be collected next; a thread that has ended stays a zombie, and its parent uninformed, until reap(). */
static enum next look_at(idtype_t which, pid_t id, pid_t *tid)
{
	siginfo_t info = {0};

	if (waitid(which, (id_t)id, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == ECHILD ? NEXT_NEVER : NEXT_NOTHING;
	*tid = info.si_pid;
	if (!info.si_pid)
		return NEXT_NOTHING;
	/* Stops of tracees are reported whether asked for or not. */
	return info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED ? NEXT_STOP : NEXT_END;
}

/* A zombie that is held would be found again and again: ask for the others one by one. */
static enum next look(const struct supervisor *s, pid_t *tid)
{
	enum next next = NEXT_NOTHING;

	if (!s->is_held)
		return look_at(P_ALL, 0, tid);
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		next = t ? look_at(P_PID, t->tid, tid) : NEXT_NOTHING;
		if (next == NEXT_STOP || next == NEXT_END)
			return next;
	}
	return NEXT_NOTHING;
}

static void reap(pid_t tid)
{
	siginfo_t info;

	waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
}

/* --wait: nobody is left but the command itself. */
static void release_command(struct supervisor *s)
{
	pid_t command = s->command;

	s->is_held = false;
	on_command_end(s);
	reap(command);
}

static bool tells_of_child(const struct stop *stop)
{
	enum stop_kind kind = stop_classify(stop->status);

	return kind == STOP_FORK || kind == STOP_VFORK;
}

/* Parents first: what they say of a child need not be found out then. */
static void serve(struct supervisor *s, const struct stop *stops, size_t n)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++)
			if (tells_of_child(&stops[i]) == (pass == 0))
				supervisor_on_stop(s, stops[i].tid, stops[i].status);
}

/* False when nothing is left to follow. */
static bool dispatch(struct supervisor *s)
{
	struct stop stops[64];
	enum next next;
	size_t n;
	pid_t tid;

	do {
		n = collect_stops(stops, ARRAY_SIZE(stops));
		serve(s, stops, n);
		next = look(s, &tid);
		if (next == NEXT_END) {
			on_end(s, tid);
			if (!(s->is_held && tid == s->command))
				reap(tid);
		}
		if (s->is_held && !s->processes.n_processes)
			release_command(s);
	} while (next == NEXT_STOP || next == NEXT_END);
	return next != NEXT_NEVER;
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
	t->process->program.fork_mode = fork_mode(s->options);
	t->process->program.branches = s->options->branch;
	return 0;
}

/* --------------------------------------------------------------------------------------------------- attaching */

void supervisor_tell(struct supervisor *s, enum front_kind kind, pid_t pid, const char *text)
{
	struct front_message m = {.kind = kind, .pid = pid};

	if (s->front < 0)
		return;
	snprintf(m.text, sizeof(m.text), "%s", text);
	(void)!send(s->front, &m, sizeof(m), MSG_NOSIGNAL);
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
			dispatch(s);
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
		text = error == -ENOENT	   ? "there is no room in it for a few instructions"
		       : error == -ENOTSUP ? "this build of Python cannot be entered"
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
		snprintf(why, CONTROL_TEXT_MAX, "%.500s", refusal.why);
	else if (error == -EPERM)
		snprintf(why, CONTROL_TEXT_MAX,
			 "tracing is refused to us, as by the seccomp profile of a container: start that "
			 "with one that allows it, or sample (pycov-trace sample), which needs none");
	else
		snprintf(why, CONTROL_TEXT_MAX, "%s", strerror(-error));
	return error;
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
	p->program.fork_mode = fork_mode(s->options);
	p->program.branches = s->options->branch;
	r = program_find(&p->program, pid, &s->images);
	if (r == -ENOENT) {
		struct refusal refusal;

		refusal_not_python(pid, &refusal);
		snprintf(why, CONTROL_TEXT_MAX, "%s", refusal.why);
		return r;
	}
	if (r == 0)
		r = errand_begin(s, p, AGENT_REQUEST_ATTACH);
	s->n_attached += r == 0;
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

void supervisor_refused(struct supervisor *s, struct process *p)
{
	p->has_left = true;
	s->n_refused += !p->is_copy;
	supervisor_tell(s, FRONT_REFUSED, p->pid, p->program.refusal);
	if (s->n_refused == s->n_attached)
		supervisor_leave(s);
}

void supervisor_left(struct supervisor *s, struct process *p)
{
	uint32_t id = p->program.run.id;

	p->has_left = true;
	if (!id)
		return;
	tell_sampling(s, p->pid, 0);
	p->program.run.id = 0;
	tell_end(s, id, p->pid, !run_goes_on(s, id, p));
}

void supervisor_tell_left(struct supervisor *s, const struct process *p, const struct remote *r)
{
	int64_t n = repair_count_differences(&p->program, r);
	char text[CONTROL_TEXT_MAX] = "";

	if (n < 0)
		snprintf(text, sizeof(text), "its code could not be compared: %s", strerror((int)-n));
	else if (n)
		snprintf(text, sizeof(text), "%lld bytes of its code are not as in the file", (long long)n);
	supervisor_tell(s, FRONT_LEFT, p->pid, text);
}

static void leave_process(struct supervisor *s, struct process *p)
{
	if (p->has_left || p->is_borrowed || p->errand.request == AGENT_REQUEST_DETACH)
		return;
	if (p->program.request == AGENT_REQUEST_ATTACH)
		errand_cancel(s, p);
	else if (p->errand.request == AGENT_REQUEST_RESET)
		errand_cancel(s, p);
	else if (p->program.phase == PROGRAM_HOOKED && p->errand.state == ERRAND_NONE &&
		 errand_begin(s, p, AGENT_REQUEST_DETACH) < 0)
		p->has_left = true;
}

static void each_process(struct supervisor *s, void (*f)(struct supervisor *s, struct process *p))
{
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		struct thread *t = s->processes.threads.slots[i].entry;

		if (t && t->tid == t->process->pid)
			f(s, t->process);
	}
}

static void be_patient(struct supervisor *s)
{
	s->patient_since = clock_ms();
}

static bool is_out_of_patience(const struct supervisor *s)
{
	int64_t waited = clock_ms() - s->patient_since;

	return waited >= BUSY_PATIENCE || (waited >= LEAVE_PATIENCE && !errands_may_proceed(s));
}

void supervisor_leave(struct supervisor *s)
{
	s->is_leaving = true;
	be_patient(s);
}

/* A thread that sleeps long comes when it wakes, and does what is left to be done without us. */
static void leave_alone(struct supervisor *s, struct process *p)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};

	if (p->errand.state == ERRAND_WAITING && remote_open(&mem, p->pid) == 0)
		(void)!summon_leave_alone(&p->program, &mem);
	s->n_alone += p->errand.state == ERRAND_WAITING;
	p->errand = (struct errand){0};
}

/* True when there is nothing left to wait for. */
static bool has_left(struct supervisor *s)
{
	each_process(s, leave_process);
	if (!errands_pending(s) && !errands_untidy(s))
		return true;
	if (!is_out_of_patience(s))
		return false;
	each_process(s, leave_alone);
	return true;
}

static void ask_for_reset(struct supervisor *s, struct process *p)
{
	(void)s;
	p->is_to_reset = p->program.phase == PROGRAM_HOOKED && !p->is_borrowed && !p->has_left;
}

/* An earlier errand, that of the attach perhaps, is over first: what it does may have been done before all was dropped. */
static void begin_reset(struct supervisor *s, struct process *p)
{
	if (!p->is_to_reset || p->errand.state != ERRAND_NONE)
		return;
	p->is_to_reset = false;
	if (!p->has_left)
		(void)!errand_begin(s, p, AGENT_REQUEST_RESET);
}

static void count_to_reset(struct supervisor *s, struct process *p)
{
	bool is_pending = errand_is_pending(&p->errand) && p->errand.request == AGENT_REQUEST_RESET;

	s->n_to_reset += is_pending || (p->is_to_reset && !p->has_left);
}

/* Who could not be reset while one waited for it is reset later all the same. */
static void step_reset(struct supervisor *s)
{
	if (!s->is_leaving)
		each_process(s, begin_reset);
	if (!s->is_resetting)
		return;
	s->n_to_reset = 0;
	each_process(s, count_to_reset);
	if (s->n_to_reset && !is_out_of_patience(s))
		return;
	keeper_reset_done(&s->keeper, s->n_to_reset);
	s->is_resetting = false;
}

/* ------------------------------------------------------------------------------------------------------- told to */

/* True when it was said that we should go. */
static bool told_to_leave(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) < 0)
		if (errno != EINTR)
			return true;
	return info.ssi_signo != SIGCHLD;
}

/* It says only that we should go; if it is killed, so should we. */
static void hear_front(struct supervisor *s)
{
	char word;

	/* Unread, it would take what we say with it when we end. */
	(void)!recv(s->front_heard, &word, 1, MSG_DONTWAIT);
	if (!s->is_leaving)
		supervisor_leave(s);
	cleanup_closep(&s->front_heard);
	s->front_heard = -1;
}

static void hear_keeper(struct supervisor *s)
{
	if (!keeper_wants_reset(&s->keeper))
		return;
	sampling_forget(s->sampling);
	s->is_resetting = true;
	be_patient(s);
	each_process(s, ask_for_reset);
}

/* False when we are to go at once. */
static bool wait_for_news(struct supervisor *s, int signals, int timeout)
{
	struct pollfd p[] = {{.fd = signals, .events = POLLIN},
			     {.fd = s->keeper.socket, .events = POLLIN},
			     {.fd = s->front_heard, .events = POLLIN}};

	if (poll(p, ARRAY_SIZE(p), timeout) <= 0)
		return true;
	if (p[2].revents)
		hear_front(s);
	if (p[1].revents & (POLLHUP | POLLERR))
		keeper_revive(&s->keeper);
	else if (p[1].revents & POLLIN)
		hear_keeper(s);
	if (!p[0].revents || !told_to_leave(signals))
		return true;
	if (s->front < 0)
		return false;
	supervisor_leave(s);
	return true;
}

static int timeout_of(const struct supervisor *s, int errands)
{
	if (!s->is_leaving && !s->is_resetting)
		return errands;
	return errands < 0 || errands > 20 ? 20 : errands;
}

static void follow(struct supervisor *s, int signals)
{
	while (dispatch(s)) {
		int errands = errands_step(s);

		step_reset(s);
		if (s->is_leaving && has_left(s))
			return;
		if (!wait_for_news(s, signals, timeout_of(s, errands))) {
			/* The kernel lets go of everything we trace; the keeper stays. */
			save(s);
			return;
		}
	}
}

void supervisor_run(struct supervisor *s)
{
	char summary[CONTROL_TEXT_MAX] = "";
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	follow(s, fd);
	close(fd);
	if (s->front < 0)
		return;
	/* If nobody could be measured the data file stays as it is. */
	if (!s->n_refused || s->n_refused < s->n_attached)
		finish(s, true, summary);
	supervisor_tell(s, FRONT_FINISHED, (pid_t)s->n_alone, summary);
	(void)!recv(s->front, summary, 1, MSG_DONTWAIT);
}
