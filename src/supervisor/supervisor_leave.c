/* What is asked of all processes that are traced: to be left as they were, and to forget what ran (`reset`). */
#include "supervisor/supervisor_parts.h"

#include <string.h>

#include "base/clock.h"
#include "supervisor/repair.h"
#include "supervisor/sampling.h"
#include "supervisor/summon.h"

#define LEAVE_PATIENCE 3000 /* milliseconds, if all sleep */
#define SILENCE 1000	    /* after which it is said whom we wait for */
#define BUSY_PATIENCE 15000 /* if some run: on a busy machine they come when they get a processor */

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
	else if (p->errand.request == AGENT_REQUEST_RESET || p->errand.request == AGENT_REQUEST_GO_ON)
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

/* Of the first one only: there may be hundreds. */
static void tell_waiting(struct supervisor *s, struct process *p)
{
	unsigned int more = errands_pending(s) + errands_untidy(s) - 1;
	char text[CONTROL_TEXT_MAX];

	if (s->has_said_waiting || p->errand.state == ERRAND_NONE)
		return;
	s->has_said_waiting = true;
	if (more)
		snprintf(text, sizeof(text), "%s (and for %u more)", errand_waits_for(s, p), more);
	else
		snprintf(text, sizeof(text), "%s", errand_waits_for(s, p));
	supervisor_tell(s, FRONT_WAITING, p->pid, text);
}

static void say_waiting(struct supervisor *s)
{
	if (!s->has_said_waiting && clock_ms() - s->patient_since >= SILENCE)
		each_process(s, tell_waiting);
}

bool supervisor_has_left(struct supervisor *s)
{
	each_process(s, leave_process);
	if (!errands_pending(s) && !errands_untidy(s))
		return true;
	if (s->n_told < 2 && !is_out_of_patience(s)) {
		say_waiting(s);
		return false;
	}
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
	/* This one is asked for again when the reset was carried out. */
	if (p->is_to_reset && p->errand.request == AGENT_REQUEST_GO_ON)
		errand_cancel(s, p);
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

void supervisor_step_reset(struct supervisor *s)
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

void supervisor_reset(struct supervisor *s)
{
	sampling_forget(s->sampling);
	s->is_resetting = true;
	be_patient(s);
	each_process(s, ask_for_reset);
}
