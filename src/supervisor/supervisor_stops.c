/* What each stop and each end of a tracee means, and is owed: it is let go as soon as that is understood. */
#include "supervisor/supervisor_parts.h"

#include "attach/procfs.h"
#include "attach/threads.h"
#include "attach/tracee.h"
#include "base/log.h"

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

/* The process of @tid, which a thread of @parent has made, while both of them wait for us; 0 if it is gone. */
static pid_t process_of(pid_t tid, pid_t parent)
{
	struct procfs_status status;

	if (thread_is_of(tid, parent))
		return parent;
	if (thread_is_of(tid, tid))
		return tid;
	return procfs_status(tid, &status) < 0 ? 0 : status.tgid;
}

static void on_fork(struct supervisor *s, struct thread *parent, bool is_vfork)
{
	struct thread *child;
	unsigned long tid;

	if (tracee_event_message(parent->tid, &tid) < 0)
		return;
	child = processes_find(&s->processes, (pid_t)tid);
	if (!child) {
		pid_t pid = process_of((pid_t)tid, parent->process->pid);

		child = pid ? processes_add(&s->processes, (pid_t)tid, pid) : NULL;
	}
	if (!child || child->process == parent->process)
		return;
	/* It may have been adopted, and have exec'd, before. */
	if (!child->process->is_known)
		take_after(s, child->process, parent->process);
	child->process->is_borrowed = is_vfork && child->process->program.blob == parent->process->program.blob;
	/* One that gets a run of its own is told of when it has it. */
	if (!child->process->is_borrowed && child->process->program.run.id &&
	    supervisor_fork_mode(s->options) == FORK_SHARES)
		supervisor_tell_sampling(s, child->process->pid, child->process->program.run.id);
}

/* It was to be attached to, and has executed something else: that is entered as what one has started is. */
static void note_entry(struct supervisor *s, struct process *p)
{
	const struct program *g = &p->program;

	if (p->errand.state != ERRAND_NONE)
		return;
	if (g->phase == PROGRAM_HOOKED)
		supervisor_tell_entry(s, p, FRONT_ATTACHED);
	else if (g->phase == PROGRAM_UNTOUCHED || g->refusal)
		supervisor_tell_entry(s, p, FRONT_ENDED);
}

static void on_exec(struct supervisor *s, struct thread *t)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct process *p = t->process;

	supervisor_end_program(s, p, true);
	processes_exec(&s->processes, p);
	p->is_copy = p->is_borrowed = p->has_left = false;
	p->errand = (struct errand){0};
	if (remote_open(&mem, p->pid) < 0)
		return program_deinit(&p->program);
	program_exec(&p->program, &mem, &s->images);
	supervisor_tell_refusal(s, p);
	note_entry(s, p);
}

static bool serve_call(struct supervisor *s, struct process *p, struct remote *mem)
{
	uint32_t before = p->program.run.id;

	if (!program_call(&p->program, mem, &s->images))
		return false;
	supervisor_tell_refusal(s, p);
	supervisor_tell_other(p);
	supervisor_leave_run(s, p, before);
	supervisor_hand_over(s, p, mem);
	note_entry(s, p);
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
		supervisor_save(s);
		return 0;
	}
	/* It may not be the end, but where it is, what ran is in the file soon. */
	if (sig == SIGTERM && t && t->process->program.run.id)
		supervisor_save(s);
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
		supervisor_finish(s, s->python_ran, NULL);
	if (sig && (is_init(s, t) || (t && t->process->is_init)) && dies_of(t, sig)) {
		if (is_init(s, t))
			supervisor_finish(s, s->python_ran, NULL);
		tracee_detach(tid, 0);
		return;
	}
	if (kind == STOP_GROUP)
		tracee_listen(tid);
	else
		tracee_continue(tid, sig);
	if (s->untold.is_there)
		supervisor_tell_of_run(s);
	else if (t && t->tid == t->process->pid)
		program_look_ahead(&t->process->program, tid, &s->images);
}

void supervisor_on_command_end(struct supervisor *s)
{
	supervisor_finish(s, s->python_ran, NULL);
	log_set_fd(-1);
	cleanup_closep(&s->message_fd);
	s->message_fd = -1;
	s->command = 0;
}

void supervisor_on_end(struct supervisor *s, pid_t tid)
{
	struct process *p = processes_remove(&s->processes, tid);

	if (p) {
		bool is_entered = p->program.phase == PROGRAM_HOOKED && !p->program.refusal;

		supervisor_end_program(s, p, false);
		supervisor_tell_entry(s, p, is_entered ? FRONT_ATTACHED : FRONT_ENDED);
		process_free(p);
	}
	if (tid != s->command)
		return;
	if (s->options->wait && s->processes.n_processes)
		s->is_held = true;
	else
		supervisor_on_command_end(s);
}
