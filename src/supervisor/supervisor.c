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

#include "attach/tracee.h"
#include "supervisor/sampling.h"
#include "supervisor/supervisor_parts.h"

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

void supervisor_tell(struct supervisor *s, enum front_kind kind, pid_t pid, const char *text)
{
	struct front_message m = {.kind = kind, .pid = pid};

	if (s->front < 0)
		return;
	snprintf(m.text, sizeof(m.text), "%s", text);
	(void)!send(s->front, &m, sizeof(m), MSG_NOSIGNAL);
}

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
	supervisor_on_command_end(s);
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

bool supervisor_dispatch(struct supervisor *s)
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
			supervisor_on_end(s, tid);
			if (!(s->is_held && tid == s->command))
				reap(tid);
		}
		if (s->is_held && !s->processes.n_processes)
			release_command(s);
	} while (next == NEXT_STOP || next == NEXT_END);
	return next != NEXT_NEVER;
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

/* It says only that we should go, and then that we should not wait for anybody; if it is killed, we should go as well. */
static void hear_front(struct supervisor *s)
{
	char word;
	ssize_t n = recv(s->front_heard, &word, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->n_told += n > 0;
	if (!s->is_leaving)
		supervisor_leave(s);
	if (n > 0)
		return;
	cleanup_closep(&s->front_heard);
	s->front_heard = -1;
}

static void hear_keeper(struct supervisor *s)
{
	if (keeper_wants_reset(&s->keeper))
		supervisor_reset(s);
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
	while (supervisor_dispatch(s)) {
		int errands = errands_step(s);

		supervisor_step_reset(s);
		if (s->is_leaving && supervisor_has_left(s))
			return;
		if (!wait_for_news(s, signals, timeout_of(s, errands))) {
			/* The kernel lets go of everything we trace; the keeper stays. */
			supervisor_save(s);
			return;
		}
	}
}

void supervisor_run(struct supervisor *s)
{
	char summary[CONTROL_TEXT_MAX] = "";
	bool is_written = true;
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
		is_written = supervisor_finish(s, true, summary);
	supervisor_tell(s, is_written ? FRONT_FINISHED : FRONT_UNWRITTEN, (pid_t)s->n_alone, summary);
	/* Unread, it would take what we say with it when we end. */
	while (recv(s->front, summary, 1, MSG_DONTWAIT) > 0)
		;
}
