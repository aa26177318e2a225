/** Follows a tree of processes from its first program to its last end. */
#pragma once

#include <sys/types.h>

#include "selection/foresight.h"
#include "supervisor/control.h"
#include "supervisor/keeper.h"
#include "supervisor/process.h"

/* A program that runs by now, of which the keeper, and whose agent, have to be told something. */
struct untold {
	bool is_there;
	bool is_copy; /* of a program whose agent knows */
	pid_t pid;
	struct remote mem;
	raddr blob;
	struct run run;
};

struct supervisor {
	const struct options *options;
	const struct selection *selection;
	struct foresight foresight;
	struct untold untold;
	struct keeper keeper;
	struct sampling *sampling; /* NULL: nothing to sample yet, or at all */
	struct images images;
	struct processes processes;
	uint32_t last_run; /* id of the latest run */
	pid_t command;	   /* the process that the user started; 0 once its end was passed on */
	bool is_held;	   /* --wait: the command has ended, and its parent is not told before the others have */
	int message_fd;	   /* where messages go while the command runs */
	bool python_ran;
	int front;			    /* attach.h: a socket to the process in the foreground; -1: none */
	int front_heard;		    /* the same, until it is closed */
	unsigned int n_told;		    /* how many times it has said that we are to go; the second time at once */
	unsigned int n_attached, n_refused; /* who was named, and of these who could not be prepared after all */
	bool is_leaving;		    /* no more is to be recorded */
	int64_t patient_since;		    /* how long we have waited for those who are to come; CLOCK_MONOTONIC, ms */
	bool has_said_waiting;		    /* for whom */
	unsigned int n_alone;		    /* who had not come when we left */
	bool is_resetting;		    /* the keeper waits for all to be reset */
	unsigned int n_to_reset;	    /* who has not been yet */
};

/** What the process in the foreground is told (attach.c). */
enum front_kind {
	FRONT_SUPERVISOR, /* pid: of the supervisor */
	FRONT_ATTACHED,
	FRONT_REFUSED,	 /* why */
	FRONT_FOUND,	 /* one more descendant, which is told of */
	FRONT_PASSED,	 /* one of several is left out: why, or "" if it need not be known */
	FRONT_LEFT,	 /* detached: "", or what of it is not as it was */
	FRONT_ENDED,	 /* one that was to be entered has ended, or has become something else */
	FRONT_WAITING,	 /* it cannot be left yet: why not */
	FRONT_FINISHED,	 /* all is written: what there is */
	FRONT_UNWRITTEN, /* the same, but it could not be written */
};

struct front_message {
	uint32_t kind;
	int32_t pid;
	char text[CONTROL_TEXT_MAX];
};

/** @p selection: NULL if nothing is recorded. @p keeper_socket and @p message_fd are taken over. */
void supervisor_init(struct supervisor *s, const struct options *options, const struct selection *selection,
		     int keeper_socket, int message_fd);
void supervisor_deinit(struct supervisor *s);

/** Trace @p pid, which waits for us. */
int supervisor_seize(pid_t pid, bool no_follow) must_check;
/** That is to be the command. */
int supervisor_follow(struct supervisor *s, pid_t pid) must_check;

/** Trace @p pid, which runs, and have its agent come. On failure @p why says why not. */
int supervisor_attach(struct supervisor *s, pid_t pid, char why[CONTROL_TEXT_MAX]) must_check;

/** Have what a killed pycov-trace has left in @p pid taken out: 1; 0: there is nothing. On failure @p why says why not. */
int supervisor_repair(struct supervisor *s, pid_t pid, char why[CONTROL_TEXT_MAX]) must_check;

/** Stop recording in all processes, and leave them as they were. */
void supervisor_leave(struct supervisor *s);

/** Until nothing is left to follow, or we are told to leave. All signals must be blocked. */
void supervisor_run(struct supervisor *s);

/* For errand.c: what the loop does with a stop, what it says, that @p p could not be prepared after all, that it was
 * detached, and that it is as it was. */
void supervisor_on_stop(struct supervisor *s, pid_t tid, int status);
void supervisor_tell(struct supervisor *s, enum front_kind kind, pid_t pid, const char *text);
/** If the user waits to hear whether it is entered: it is, or will not be. */
void supervisor_tell_entry(struct supervisor *s, struct process *p, enum front_kind kind);
void supervisor_refused(struct supervisor *s, struct process *p);
void supervisor_left(struct supervisor *s, struct process *p);
void supervisor_tell_left(struct supervisor *s, const struct process *p, const struct remote *r);
