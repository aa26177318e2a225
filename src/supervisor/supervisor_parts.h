/** What supervisor.c and the other files supervisor_*.c know of each other. */
#pragma once

#include "supervisor/supervisor.h"

/* supervisor.c, the loop */

/** Act on all stops and ends that there are. False when nothing is left to follow. */
bool supervisor_dispatch(struct supervisor *s);

/* supervisor_stops.c */

void supervisor_on_end(struct supervisor *s, pid_t tid);
/** The command is dead, and nobody has been told yet. */
void supervisor_on_command_end(struct supervisor *s);

/* supervisor_runs.c */

/** What is recorded of @p pid belongs to run @p run now, 0: to none. */
void supervisor_tell_sampling(struct supervisor *s, pid_t pid, uint32_t run);

/** Say once why a program is not measured. */
void supervisor_tell_refusal(struct supervisor *s, struct process *p);
/** Say once that a process has a Python that is not measured, beside one that is. */
void supervisor_tell_other(struct process *p);

/** If the program has a region that the keeper does not know yet: it keeps it from when the program has been resumed, */
void supervisor_hand_over(struct supervisor *s, struct process *p, struct remote *mem);
/** which it has been. */
void supervisor_tell_of_run(struct supervisor *s);

/** A program ends, with its process or by an exec. A forked child that execs is told of as what it becomes. */
void supervisor_end_program(struct supervisor *s, struct process *p, bool execs);
/** A forked child was of run @p before, and may have got one of its own. */
void supervisor_leave_run(struct supervisor *s, const struct process *p, uint32_t before);

/** The keeper is to write what there is. */
void supervisor_save(struct supervisor *s);
/** The same, and it is the end: as keeper_finish(). */
bool supervisor_finish(struct supervisor *s, bool python_ran, char summary[CONTROL_TEXT_MAX]);

/* supervisor_attach.c */

/** What a forked child of a program is. */
enum agent_fork_mode supervisor_fork_mode(const struct options *options);

/* supervisor_leave.c */

/** After supervisor_leave(), again and again. True when there is nothing left to wait for. */
bool supervisor_has_left(struct supervisor *s);

/** All is to be recorded again that runs from now on. */
void supervisor_reset(struct supervisor *s);
/** What is due of that. Who could not be reset while one waited for it is reset later all the same. */
void supervisor_step_reset(struct supervisor *s);
