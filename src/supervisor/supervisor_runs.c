/*
 * Who is told of a program: the keeper and the sampling when its run begins and ends, the user when it is not measured.
 */
#include "supervisor/supervisor_parts.h"

#include "attach/procfs.h"
#include "base/log.h"
#include "supervisor/sampling.h"

/* What of it is recorded is sampled. */
void supervisor_tell_sampling(struct supervisor *s, pid_t pid, uint32_t run)
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

void supervisor_save(struct supervisor *s)
{
	sampling_flush(s->sampling);
	keeper_save(&s->keeper);
}

bool supervisor_finish(struct supervisor *s, bool python_ran, char summary[CONTROL_TEXT_MAX])
{
	sampling_flush(s->sampling);
	sampling_write(s->sampling);
	return keeper_finish(&s->keeper, python_ran, summary);
}

void supervisor_tell_refusal(struct supervisor *s, struct process *p)
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

void supervisor_tell_other(struct process *p)
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

void supervisor_hand_over(struct supervisor *s, struct process *p, struct remote *mem)
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
void supervisor_tell_of_run(struct supervisor *s)
{
	struct untold *u = &s->untold;
	const char *text = s->selection && !u->is_copy ? foresight_get(&s->foresight, s->selection, &u->run) : "";

	if (*text)
		program_tell_refused(&u->mem, u->blob, text);
	remote_close(&u->mem);
	keeper_add(&s->keeper, &u->run);
	supervisor_tell_sampling(s, u->pid, u->run.id);
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

void supervisor_leave_run(struct supervisor *s, const struct process *p, uint32_t before)
{
	if (before && p->program.run.id != before && !run_goes_on(s, before, p))
		tell_end(s, before, 0, true);
}

/* Of one that was refused all was said. */
static pid_t told_pid(const struct process *p)
{
	return p->program.refusal ? 0 : p->pid;
}

void supervisor_end_program(struct supervisor *s, struct process *p, bool execs)
{
	if (p->program.run.id)
		supervisor_tell_sampling(s, p->pid, 0);
	if (p->program.run.id && !p->is_borrowed)
		tell_end(s, p->program.run.id, execs && p->is_copy ? 0 : told_pid(p),
			 !run_goes_on(s, p->program.run.id, p));
}

void supervisor_left(struct supervisor *s, struct process *p)
{
	uint32_t id = p->program.run.id;

	p->has_left = true;
	if (!id)
		return;
	supervisor_tell_sampling(s, p->pid, 0);
	p->program.run.id = 0;
	tell_end(s, id, told_pid(p), !run_goes_on(s, id, p));
}
