#include "supervisor/errand.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach/procfs.h"
#include "attach/stop.h"
#include "attach/threads.h"
#include "attach/tracee.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/complaint.h"
#include "supervisor/summon.h"
#include "supervisor/supervisor.h"

#define STOP_LIMIT 20000000ll /* nanoseconds that we wait for threads to stop */
#define STOP_DOUBLINGS 5      /* of that, while one gets no processor in time */
#define STOP_NAP 30000l
#define HOLD_TRIES 1000
#define VAIN_LIMIT 300 /* milliseconds without a sign of one that has come */
#define RAN_LATELY 500 /* milliseconds: several steps */
#define SLICE_GAP 5    /* milliseconds at least in which the program runs between two parts of a request */

/* ---------------------------------------------------------------------------------------------- threads that run */

struct stopped {
	int status; /* of waitid(2), 0: it has not stopped yet */
	struct summon_thread thread;
};

struct stops {
	struct stopped *list;
	size_t n;
	bool complete;	/* all threads that run are among them, and stopped */
	bool is_in_way; /* a thread of the process is in instructions that are to be changed */
};

static bool note_stop(struct stopped *s, int status)
{
	struct user_regs_struct regs;

	s->status = status;
	if (tracee_get_regs(s->thread.tid, &regs) < 0)
		return false;
	if (stop_classify(status) == STOP_NEW)
		thread_stop_mend(s->thread.tid, &regs);
	s->thread.pc = regs.rip;
	s->thread.sp = regs.rsp;
	s->thread.fs_base = regs.fs_base;
	return true;
}

static bool is_in_way(const struct program *p, raddr pc)
{
	return arm_is_in_way(&p->arm, pc) || program_patches_at(p, pc);
}

static bool wait_for(const struct program *p, struct stops *stops)
{
	bool all = true;

	for (size_t i = 0; i < stops->n; i++) {
		struct stopped *s = &stops->list[i];
		siginfo_t info = {0};

		if (s->status)
			continue;
		if (waitid(P_PID, (id_t)s->thread.tid, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid)
			all = note_stop(s, info.si_status) && all;
		if (s->status)
			stops->is_in_way |= is_in_way(p, s->thread.pc);
		else
			all = false;
	}
	return all;
}

/* One that came to a supervisor which was killed may still be at it, deep in what the agent calls. */
static bool is_inside(const struct process *p, const struct remote *r)
{
	struct procfs_status status;

	return procfs_status(p->pid, &status) == 0 && summon_is_inside(&p->program, r, status.ns_pid);
}

/* False if a thread is not where it can be told that it does not come back to our instructions. */
static bool is_nowhere_near(const struct supervisor *sv, const struct process *p, const struct stops *stops)
{
	raddr pc;

	for (size_t i = 0; i < stops->n; i++)
		if (summon_is_near(&p->program, stops->list[i].thread.pc))
			return false;
	for (size_t i = 0; i < sv->processes.threads.n_slots; i++) {
		const struct thread *t = sv->processes.threads.slots[i].entry;

		/* who waits may be on its way back to our instructions */
		if (t && t->process == p && thread_where(t->tid, &pc) == THREAD_WAITS &&
		    summon_is_near(&p->program, pc))
			return false;
	}
	return true;
}

static void interrupt_running(const struct supervisor *sv, struct process *p, pid_t except, struct stops *stops)
{
	raddr pc;

	for (size_t i = 0; i < sv->processes.threads.n_slots; i++) {
		const struct thread *t = sv->processes.threads.slots[i].entry;

		enum thread_state state;

		if (!t || t->process != p || t->tid == except)
			continue;
		state = thread_where(t->tid, &pc);
		/* one in a system call is let be: an interruption would wake it; SIGSTOP stops threads anywhere */
		stops->is_in_way |= state == THREAD_WAITS && is_in_way(&p->program, pc);
		if (state == THREAD_RUNS)
			p->errand.ran = clock_ms();
		if (state == THREAD_RUNS && tracee_interrupt(t->tid) == 0)
			stops->list[stops->n++] = (struct stopped){.thread.tid = t->tid};
	}
}

/* Stop the threads that run, but for @except, for as short as can be. */
static int stop_running(struct supervisor *sv, struct process *p, pid_t except, struct stops *stops)
{
	unsigned int doublings = p->errand.n_missed < STOP_DOUBLINGS ? p->errand.n_missed : STOP_DOUBLINGS;
	int64_t limit = clock_ns() + (STOP_LIMIT << doublings);

	stops->list = calloc(p->threads + 1, sizeof(*stops->list));
	if (!stops->list)
		return -ENOMEM;
	interrupt_running(sv, p, except, stops);
	while (!(stops->complete = wait_for(&p->program, stops)) && clock_ns() < limit)
		nanosleep(&(struct timespec){0, STOP_NAP}, NULL);
	p->errand.n_missed = stops->complete ? 0 : p->errand.n_missed + 1;
	return 0;
}

/* They go on with what their stops stand for. One that has not stopped by now will be let go as it does. */
static void resume(struct supervisor *sv, struct stops *stops)
{
	for (size_t i = 0; i < stops->n; i++)
		if (stops->list[i].status)
			supervisor_on_stop(sv, stops->list[i].thread.tid, stops->list[i].status);
	free(stops->list);
}

int errand_hold(struct supervisor *s, pid_t carrier, struct stops **ret)
{
	_cleanup_free_ struct stops *stops = calloc(1, sizeof(*stops));
	const struct thread *t;
	int e;

	for (int i = 0; stops && i < HOLD_TRIES; i++) {
		t = processes_find(&s->processes, carrier);
		if (!t)
			return -ESRCH;
		*stops = (struct stops){0};
		e = stop_running(s, t->process, carrier, stops);
		if (e < 0)
			return e;
		if (stops->complete && !stops->is_in_way) {
			*ret = take_ptr(stops);
			return 0;
		}
		resume(s, stops);
		nanosleep(&(struct timespec){0, STOP_NAP}, NULL);
	}
	return stops ? -EAGAIN : -ENOMEM;
}

void errand_release(struct supervisor *s, struct stops *stops)
{
	if (stops)
		resume(s, stops);
	free(stops);
}

static struct summon_thread *threads_of(const struct stops *stops, size_t *n)
{
	struct summon_thread *ret = calloc(stops->n + 1, sizeof(*ret));

	*n = 0;
	for (size_t i = 0; ret && i < stops->n; i++)
		if (stops->list[i].status)
			ret[(*n)++] = stops->list[i].thread;
	return ret;
}

/* ------------------------------------------------------------------------------------------------------- the steps */

static void say_attached(struct supervisor *s, struct process *p)
{
	if (p->errand.request == AGENT_REQUEST_ATTACH && p->program.refusal)
		return supervisor_refused(s, p);
	/* Not of children that were born meanwhile: nobody named them. */
	if (p->errand.request == AGENT_REQUEST_ATTACH)
		supervisor_tell_entry(s, p, FRONT_ATTACHED);
}

/* What its agent says of itself by now. */
static void note_complaint(const struct supervisor *s, struct process *p)
{
	const char *complaint = p->program.run.id ? complaint_of(keeper_status(&s->keeper, p->program.run.id)) : NULL;

	if (p->errand.request == AGENT_REQUEST_ATTACH && complaint && !p->program.refusal)
		p->program.refusal = complaint;
}

/* Somebody is to come again, as soon as they come now. */
static void begin_anew(struct errand *e)
{
	e->state = ERRAND_PREPARED;
	e->since = clock_ms();
}

static void carried_out(struct supervisor *s, struct process *p, const struct remote *r)
{
	bool goes_on = p->program.is_to_go_on;

	(void)!summon_cancel(&p->program, r);
	if (p->errand.request == AGENT_REQUEST_DETACH)
		supervisor_left(s, p);
	note_complaint(s, p);
	say_attached(s, p);
	if (goes_on && summon_go_on(&p->program, r) == 0) {
		p->errand.request = AGENT_REQUEST_GO_ON;
		begin_anew(&p->errand);
		p->errand.next = p->errand.since + SLICE_GAP;
		return;
	}
	p->errand.state = ERRAND_TIDYING;
	p->errand.next = clock_ms() + 2;
}

/* The longer nobody comes, the less it is worth to look. */
static int64_t period(const struct errand *e)
{
	int64_t age = clock_ms() - e->since;

	return age < 100 ? 3 : age < 2000 ? 20 : 100;
}

/* The first to come has gone on, as there was no memory for the agent, or none for it to write to; nobody else comes. */
static bool is_in_vain(const struct supervisor *s, const struct process *p, const struct remote *r,
		       const struct stops *stops)
{
	const struct program *g = &p->program;
	bool is_new = g->phase == PROGRAM_SUMMONED || (g->phase == PROGRAM_WAITING && !g->carrier);

	return p->errand.state == ERRAND_WAITING && p->errand.request == AGENT_REQUEST_ATTACH && is_new &&
	       stops->complete && !arm_is_waiting(&g->arm, r) && is_nowhere_near(s, p, stops) && !is_inside(p, r);
}

/* It may be in a function of the interpreter that the agent calls: not for long. */
static bool came_in_vain(const struct supervisor *s, struct process *p, const struct remote *r,
			 const struct stops *stops)
{
	struct errand *e = &p->errand;

	if (!is_in_vain(s, p, r, stops))
		e->vain_since = 0;
	else if (!e->vain_since)
		e->vain_since = clock_ms();
	return e->vain_since && clock_ms() - e->vain_since >= VAIN_LIMIT;
}

static void step_with(struct supervisor *s, struct process *p, const struct remote *r, const struct stops *stops)
{
	_cleanup_free_ struct summon_thread *threads = NULL;
	struct errand *e = &p->errand;
	size_t n;

	threads = threads_of(stops, &n);
	if (!threads)
		return;
	if (e->state == ERRAND_TIDYING) {
		if (!stops->complete || !is_nowhere_near(s, p, stops) || is_inside(p, r) ||
		    summon_end(&p->program, r, threads, n) == -EAGAIN)
			return;
		if (e->request == AGENT_REQUEST_DETACH)
			supervisor_tell_left(s, p, r);
		*e = (struct errand){0};
		return;
	}
	if (e->state == ERRAND_WAITING && p->program.is_to_repeat && summon_repeat(&p->program, r) == 0)
		begin_anew(e);
	if (e->state == ERRAND_PREPARED && stops->complete && !stops->is_in_way &&
	    summon_set(&p->program, r, threads, n) == 0)
		e->state = ERRAND_WAITING;
	if (came_in_vain(s, p, r, stops)) {
		program_refuse(&p->program, -ENOMEM);
		return carried_out(s, p, r);
	}
	if (e->state == ERRAND_WAITING && stops->complete)
		summon_hurry(&p->program, r, threads, n);
}

static void step(struct supervisor *s, struct process *p)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct stops stops = {0};

	if (remote_open(&mem, p->pid) < 0) {
		p->errand = (struct errand){0};
		return;
	}
	if (p->errand.state == ERRAND_WAITING && p->program.is_carried_out)
		return carried_out(s, p, &mem);
	if (stop_running(s, p, 0, &stops) == 0) {
		step_with(s, p, &mem, &stops);
		resume(s, &stops);
	}
	p->errand.next = clock_ms() + (p->errand.state == ERRAND_TIDYING ? 20 : period(&p->errand));
}

static bool is_due(struct process *p, int64_t now)
{
	bool waits = p->errand.state == ERRAND_WAITING;

	if (waits && p->program.is_to_repeat && p->errand.next > now + SLICE_GAP)
		p->errand.next = now + SLICE_GAP;
	return (waits && p->program.is_carried_out) || p->errand.next <= now;
}

/* A step may let processes come and go: start anew after each. */
static struct process *find_due(const struct supervisor *s, int64_t now, int64_t *next)
{
	*next = INT64_MAX;
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		if (!t || t->process->errand.state == ERRAND_NONE)
			continue;
		if (is_due(t->process, now))
			return t->process;
		if (t->process->errand.next < *next)
			*next = t->process->errand.next;
	}
	return NULL;
}

int errands_step(struct supervisor *s)
{
	int64_t next, now = clock_ms();
	struct process *p;

	while ((p = find_due(s, now, &next)))
		step(s, p);
	now = clock_ms();
	return next == INT64_MAX ? -1 : next <= now ? 0 : (int)(next - now);
}

int errand_begin(struct supervisor *s, struct process *p, enum agent_request request)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	int e;

	(void)s;
	if (p->errand.state != ERRAND_NONE)
		return -EBUSY;
	e = remote_open(&mem, p->pid);
	if (e == 0)
		e = summon_begin(&p->program, &mem, request);
	if (e == 0)
		p->errand = (struct errand){.state = ERRAND_PREPARED, .request = request, .since = clock_ms()};
	return e;
}

/* After vfork(2) the memory is the parent's, and nothing is to be done twice. */
static bool shares_memory(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

void errand_inherit(struct supervisor *s, struct process *child, pid_t of)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};
	struct errand was = child->errand;

	if (was.state == ERRAND_NONE || shares_memory(child->pid, of) || remote_open(&mem, child->pid) < 0 ||
	    summon_inherit(&child->program, &mem) != -ENOENT)
		return;
	child->errand = (struct errand){0};
	if (was.state != ERRAND_TIDYING)
		(void)!errand_begin(s, child, was.request);
}

void errand_cancel(struct supervisor *s, struct process *p)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};

	(void)s;
	if (!errand_is_pending(&p->errand))
		return;
	if (remote_open(&mem, p->pid) == 0)
		(void)!summon_cancel(&p->program, &mem);
	p->errand.state = ERRAND_TIDYING;
	p->errand.next = 0;
}

static unsigned int count(const struct supervisor *s, bool untidy)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		if (!t || t->tid != t->process->pid)
			continue;
		if (untidy)
			n += t->process->errand.state == ERRAND_TIDYING;
		else
			n += errand_is_pending(&t->process->errand);
	}
	return n;
}

unsigned int errands_pending(const struct supervisor *s)
{
	return count(s, false);
}

unsigned int errands_untidy(const struct supervisor *s)
{
	return count(s, true);
}

/* One that we have interrupted stops when it gets a processor, and does not look as if it ran until it goes on. */
static bool runs(const struct thread *t)
{
	const struct errand *e = &t->process->errand;
	raddr pc;

	return e->n_missed || clock_ms() - e->ran < RAN_LATELY || thread_where(t->tid, &pc) == THREAD_RUNS;
}

static bool has_running(const struct supervisor *s, const struct process *p)
{
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		if (t && t->process == p && runs(t))
			return true;
	}
	return false;
}

const char *errand_waits_for(const struct supervisor *s, const struct process *p)
{
	_cleanup_remote_ struct remote mem = {.mem_fd = -1};

	if (!has_running(s, p))
		return "all its threads sleep";
	if (p->program.runtime && remote_open(&mem, p->pid) == 0 && summon_gil_is_held(&p->program, &mem))
		return "a thread of it holds the GIL and does not come to Python code, as in C code that computes";
	return "none of its threads has come to Python code yet";
}

bool errands_may_proceed(const struct supervisor *s)
{
	for (size_t i = 0; i < s->processes.threads.n_slots; i++) {
		const struct thread *t = s->processes.threads.slots[i].entry;

		if (t && t->process->errand.state != ERRAND_NONE && runs(t))
			return true;
	}
	return false;
}
