/*
 * One loop: wait for what happened, say what it is, do what it owes the tracee. A tracee is let go as soon as its event
 * is understood. Nothing here writes to a disk: that is the keeper's work. The end of the command alone is passed on to
 * its parent only after its data is safe.
 */
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "attach/procfs.h"
#include "attach/tracee.h"
#include "base/log.h"

void supervisor_init(struct supervisor *s, const struct options *options, int keeper_socket, int message_fd)
{
	memset(s, 0, sizeof(*s));
	s->options = options;
	s->keeper.socket = keeper_socket;
	s->message_fd = message_fd;
	images_init(&s->images);
}

void supervisor_deinit(struct supervisor *s)
{
	processes_deinit(&s->processes);
	images_deinit(&s->images);
	cleanup_closep(&s->keeper.socket);
	cleanup_closep(&s->message_fd);
}

/* ---------------------------------------------------------------------------------------------------------- events */

/* Say once why a program is not measured. */
static void tell_refusal(struct supervisor *s, struct process *p)
{
	struct program *g = &p->program;
	char command[256];

	if (!g->refusal || g->refusal_told)
		return;
	g->refusal_told = true;
	s->python_ran = true;
	procfs_cmdline(p->pid, command, sizeof(command));
	log_warning("%s (pid %d) is not measured: %s", command, p->pid, g->refusal);
}

/* The program has a region that the keeper does not know yet: it keeps it from now on. */
static void hand_over(struct supervisor *s, struct program *g)
{
	if (g->phase != PROGRAM_HOOKED || g->run.region_fd < 0)
		return;
	s->python_ran = true;
	g->run.id = ++s->last_run;
	keeper_add(&s->keeper, &g->run);
	program_handed_over(g);
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
		keeper_end(&s->keeper, before, 0, true);
}

/* A program ends, with its process or by an exec. A forked child that execs is told of as what it becomes. */
static void end_program(struct supervisor *s, struct process *p, bool execs)
{
	if (p->program.run.id && !p->is_borrowed)
		keeper_end(&s->keeper, p->program.run.id, execs && p->is_copy ? 0 : p->pid,
			   !run_goes_on(s, p->program.run.id, p));
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
		program_fork(&t->process->program, &parent->process->program);
		t->process->is_copy = t->process->is_known = true;
	}
	return t;
}

static void on_fork(struct supervisor *s, struct thread *parent, bool is_vfork)
{
	struct procfs_status status;
	struct thread *child;
	unsigned long tid;

	if (tracee_event_message(parent->tid, &tid) < 0)
		return;
	child = processes_find(&s->processes, (pid_t)tid);
	if (!child) {
		if (procfs_status((pid_t)tid, &status) < 0)
			return;
		child = processes_add(&s->processes, (pid_t)tid, status.tgid);
	}
	if (!child || child->process == parent->process)
		return;
	/* It may have been adopted, and have exec'd, before. */
	if (!child->process->is_known) {
		program_fork(&child->process->program, &parent->process->program);
		child->process->is_copy = child->process->is_known = true;
	}
	child->process->is_borrowed =  is_vfork && child->process->program.blob == parent->process->program.blob;
}

static void on_exec(struct supervisor *s, struct thread *t)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct process *p = t->process;

	end_program(s, p, true);
	processes_exec(&s->processes, p);
	p->is_copy = p->is_borrowed = false;
	if (remote_open(&mem, p->pid) < 0)
		return program_deinit(&p->program);
	program_exec(&p->program, &mem, &s->images);
	tell_refusal(s, p);
}

/* True if the signal is not the program's. */
static bool is_agent_call(struct supervisor *s, struct thread *t, int sig)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	uint32_t before;

	if (sig != AGENT_SIGNAL || remote_open(&mem, t->tid) < 0)
		return false;
	before = t->process->program.run.id;
	if (!program_call(&t->process->program, &mem, &s->images))
		return false;
	tell_refusal(s, t->process);
	leave_run(s, t->process, before);
	hand_over(s, &t->process->program);
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
		keeper_save(&s->keeper);
		return 0;
	}
	/* It may not be the end, but where it is, what ran is in the file soon. */
	if (sig == SIGTERM && t && t->process->program.run.id)
		keeper_save(&s->keeper);
	return sig;
}

static void on_stop(struct supervisor *s, pid_t tid, int status)
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
		keeper_finish(&s->keeper, s->python_ran);
	if (sig && is_init(s, t) && dies_of(t, sig)) {
		keeper_finish(&s->keeper, s->python_ran);
		tracee_detach(tid, 0);
		return;
	}
	if (kind == STOP_GROUP)
		tracee_listen(tid);
	else
		tracee_continue(tid, sig);
}

/* The command is dead, and nobody has been told yet. */
static void on_command_end(struct supervisor *s)
{
	keeper_finish(&s->keeper, s->python_ran);
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

/* False when nothing is left to follow. */
static bool dispatch(struct supervisor *s)
{
	struct stop stops[64];
	enum next next;
	size_t n;
	pid_t tid;

	do {
		n = collect_stops(stops, ARRAY_SIZE(stops));
		for (size_t i = 0; i < n; i++)
			on_stop(s, stops[i].tid, stops[i].status);
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

static enum agent_fork_mode fork_mode(const struct options *o)
{
	if (o->no_follow)
		return FORK_FORGOTTEN;
	return o->parallel_mode || o->process_contexts ? FORK_OWN : FORK_SHARES;
}

int supervisor_follow(struct supervisor *s, pid_t pid)
{
	int r = tracee_seize(pid, (s->options->no_follow ? 0 : TRACEE_FOLLOW) | (pid == 1 ? TRACEE_STOP_AT_EXIT : 0));
	struct thread *t;

	if (r < 0)
		return r;
	t = processes_add(&s->processes, pid, pid);
	if (!t)
		return -ENOMEM;
	s->command = pid;
	t->process->program.fork_mode = fork_mode(s->options);
	return 0;
}

/* True when it was said that we should go. */
static bool told_to_leave(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) < 0)
		if (errno != EINTR)
			return true;
	return info.ssi_signo != SIGCHLD;
}

void supervisor_run(struct supervisor *s)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	while (dispatch(s)) {
		if (told_to_leave(fd)) {
			/* The kernel lets go of everything we trace; the keeper stays. */
			keeper_save(&s->keeper);
			break;
		}
	}
	close(fd);
}
