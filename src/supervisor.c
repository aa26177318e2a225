/*
 * One loop: wait for what happened, say what it is, do what it owes the tracee. A tracee is let go as soon as its event
 * is understood; nothing here waits for a disk while one is stopped, with one exception: the end of the command itself
 * is passed on to its parent only after its data is safe.
 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "attach/procfs.h"
#include "attach/tracee.h"
#include "base/log.h"

int supervisor_init(struct supervisor *s, const struct options *options)
{
	memset(s, 0, sizeof(*s));
	s->options = options;
	images_init(&s->images);
	return recorder_init(&s->recorder, options);
}

void supervisor_deinit(struct supervisor *s)
{
	processes_deinit(&s->processes);
	images_deinit(&s->images);
	recorder_deinit(&s->recorder);
}

/* ------------------------------------------------------------------------------------------- what is said of them */

/* Say once why a program is not measured. */
static void tell_refusal(struct process *p)
{
	struct program *g = &p->program;

	if (!g->refusal || g->refusal_told)
		return;
	g->refusal_told = true;
	log_warning("%s (pid %d) is not measured: %s", g->exe ? g->exe : "a program", p->pid, g->refusal);
}

/* What the agent has to say of itself, now that its program ends. */
static const char *agent_complaint(enum agent_status status)
{
	switch (status) {
	case AGENT_STATUS_NO_TOOL_ID:
		return "is not measured: other tools hold the sys.monitoring tool ids 3 and 4";
	case AGENT_STATUS_NO_MONITORING:
		return "is not measured: sys.monitoring could not be used";
	case AGENT_STATUS_NO_REGISTERS:
		return "is not measured: this build of Python keeps its instruction pointer in memory (-O0?)";
	case AGENT_STATUS_NO_MEMORY:
		return "is not fully measured: it had no memory left";
	default:
		return NULL;
	}
}

static void describe(struct supervisor *s, struct process *p)
{
	const struct program *g = &p->program;
	char version[CPYTHON_VERSION_SIZE];
	struct region_counters c;
	const char *complaint;

	if (g->phase != PROGRAM_HOOKED)
		return;
	s->n_measured++;
	region_read_counters(g->region, &c);
	s->dropped += c.dropped_files + c.dropped_lines + c.dropped_code;
	complaint = agent_complaint(c.status);
	if (complaint)
		log_warning("%s (pid %d) %s", g->exe ? g->exe : "a program", p->pid, complaint);
	log_info("pid %d: Python %s: %s", p->pid, cpython_version_format(g->runtime->py.hexversion, version),
		 g->command ? g->command : "?");
}

/* ---------------------------------------------------------------------------------------------------------- events */

static void drain(struct supervisor *s, struct process *p)
{
	int r;

	s->python_ran |= p->program.runtime != NULL;
	if (!p->program.region)
		return;
	s->unsaved = true;
	r = recorder_drain(&s->recorder, &p->program);
	if (r < 0)
		log_error("the data of pid %d is damaged or did not fit: %s", p->pid, strerror(-r));
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
	if (t && tid == status.tgid && !t->process->is_copy && parent && parent->process != t->process) {
		program_fork(&t->process->program, &parent->process->program);
		t->process->is_copy = true;
	}
	return t;
}

static void on_fork(struct supervisor *s, struct thread *parent)
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
	if (!child || child->process == parent->process || child->process->is_copy)
		return;
	program_fork(&child->process->program, &parent->process->program);
	child->process->is_copy = true;
}

static void on_exec(struct supervisor *s, struct thread *t)
{
	struct process *p = t->process;

	describe(s, p);
	drain(s, p);
	processes_exec(&s->processes, p);
	remote_close(&p->mem);
	if (remote_open(&p->mem, p->pid) < 0)
		return;
	p->is_copy = true;
	program_exec(&p->program, &p->mem, &s->images);
	tell_refusal(p);
}

/* True if the signal is not the program's. */
static bool is_agent_call(struct supervisor *s, struct thread *t, int sig)
{
	struct remote mem = t->process->mem;

	if (sig != AGENT_SIGNAL)
		return false;
	mem.tid = t->tid;
	if (!program_call(&t->process->program, &mem, &s->images))
		return false;
	tell_refusal(t->process);
	return true;
}

static void on_stop(struct supervisor *s, pid_t tid, int status)
{
	struct thread *t = processes_find(&s->processes, tid);
	enum stop_kind kind = stop_classify(status);
	log_debug("tid %d stop %x kind %d", tid, status, kind);
	int sig = 0;

	if (!t)
		t = adopt(s, tid);
	if (t && kind == STOP_FORK)
		on_fork(s, t);
	else if (t && kind == STOP_EXEC)
		on_exec(s, t);
	else if (kind == STOP_SIGNAL && !(t && is_agent_call(s, t, status & 0xff)))
		sig = status & 0xff;
	if (kind == STOP_GROUP)
		tracee_listen(tid);
	else
		tracee_continue(tid, sig);
}

static void save(struct supervisor *s)
{
	int r = recorder_save(&s->recorder);

	s->unsaved = false;
	if (r < 0)
		log_error("cannot write %s: %s", s->recorder.file.path, s->recorder.file.why);
}

static void drain_all(struct supervisor *s)
{
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		struct thread *t = s->processes.threads.slots[i].entry;

		if (t && t->tid == t->process->pid)
			drain(s, t->process);
	}
}

/* The command is dead, and nobody has been told yet. */
static void on_command_end(struct supervisor *s)
{
	drain_all(s);
	if (recorder_add_unexecuted(&s->recorder) < 0)
		log_error("the files that never ran could not all be added: out of memory");
	save(s);
	if (!s->python_ran)
		log_warning("%s ran no Python: nothing was measured", s->options->command[0]);
	if (s->dropped)
		log_warning("%u lines, files or functions did not fit and are missing", s->dropped);
	log_info("%u Python %s measured, data in %s", s->n_measured, s->n_measured == 1 ? "program" : "programs",
		 s->recorder.file.path);
	/* Whoever reads our standard error to its end waits for the command only. */
	log_set_fd(-1);
	if (s->message_fd >= 0)
		close(s->message_fd);
	s->message_fd = -1;
	s->command = 0;
}

static void on_end(struct supervisor *s, pid_t tid)
{
	struct process *p = processes_remove(&s->processes, tid);

	if (p) {
		describe(s, p);
		drain(s, p);
		process_free(p);
	}
	if (tid == s->command)
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
static enum next look(pid_t *tid)
{
	siginfo_t info = {0};

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == ECHILD ? NEXT_NEVER : NEXT_NOTHING;
	*tid = info.si_pid;
	if (!info.si_pid)
		return NEXT_NOTHING;
	/* Stops of tracees are reported whether asked for or not. */
	return info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED ? NEXT_STOP : NEXT_END;
}

static void reap(pid_t tid)
{
	siginfo_t info;

	waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
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
		next = look(&tid);
		if (next == NEXT_END) {
			on_end(s, tid);
			reap(tid);
		}
	} while (next == NEXT_STOP || next == NEXT_END);
	return next != NEXT_NEVER;
}

int supervisor_follow(struct supervisor *s, pid_t pid)
{
	int r = tracee_seize(pid);

	if (r < 0)
		return r;
	s->command = pid;
	return processes_add(&s->processes, pid, pid) ? 0 : -ENOMEM;
}

void supervisor_run(struct supervisor *s)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	while (dispatch(s))
		if (read(fd, &info, sizeof(info)) < 0 && errno != EINTR)
			break;
	close(fd);
	if (s->command)
		on_command_end(s);
	else if (s->unsaved)
		save(s);
}
