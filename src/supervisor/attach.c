/*
 * The process in the foreground: it starts the keeper and the supervisor, shows what they say, and tells the supervisor
 * when to leave. When it is killed the supervisor leaves as well.
 */
#include "supervisor/attach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "attach/procfs.h"
#include "attach/threads.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/background.h"
#include "supervisor/control.h"
#include "supervisor/refusal.h"
#include "supervisor/supervisor.h"

#define EXIT_OWN 1
#define TARGETS_MAX 4096
#define STATUS_PERIOD 1000 /* milliseconds */
#define END_PATIENCE 10000 /* milliseconds */
#define SILENCE 2000	   /* milliseconds after which we say that we wait for a target to wake */
#define SAME_SIGNAL 200	   /* milliseconds in which a signal that comes twice was sent once: timeout(1) does so */

/* The processes that we are to attach to. */
struct targets {
	pid_t pids[TARGETS_MAX];
	size_t n, n_named; /* behind those that were named come their descendants */
};

/* ------------------------------------------------------------------------------------------------------ the targets */

static bool has_target(const struct targets *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

static int add_child(pid_t child, void *arg)
{
	struct targets *t = arg;

	if (t->n < TARGETS_MAX && !has_target(t, child))
		t->pids[t->n++] = child;
	return 0;
}

struct family {
	struct targets *targets;
	pid_t pid;
};

static int add_children_of_thread(pid_t tid, void *arg)
{
	struct family *f = arg;

	return threads_each_child(f->pid, tid, add_child, f->targets);
}

/* Children first come behind their parents in the list, and so are looked at in turn. */
static void add_descendants(struct targets *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct family f = {t, t->pids[i]};

		(void)!threads_each(t->pids[i], add_children_of_thread, &f);
	}
}

/* Two that trace each other could not be killed; and our parents wait for us. */
static bool is_ours(pid_t pid)
{
	struct procfs_status status;

	for (pid_t p = getpid(); p > 0; p = status.ppid) {
		if (p == pid)
			return true;
		if (procfs_status(p, &status) < 0)
			return false;
	}
	return false;
}

/* More of them that may be entered, which those that we trace already may not. */
static void find_descendants(struct targets *t)
{
	struct refusal refusal;
	size_t n = t->n;

	add_descendants(t);
	for (size_t i = n; i < t->n; i++)
		if (!is_ours(t->pids[i]) && !refusal_find(t->pids[i], REFUSAL_TRACE, &refusal))
			t->pids[n++] = t->pids[i];
	t->n = n;
}

/* What is named must be there and may be entered; of the descendants those that may. */
static bool choose_targets(const struct options *o, struct targets *t)
{
	struct refusal refusal;
	bool refused = false;

	for (size_t i = 0; i < o->pids.n && t->n < TARGETS_MAX; i++)
		add_child(o->pids.items[i], t);
	t->n_named = t->n;
	for (size_t i = 0; i < t->n; i++) {
		if (is_ours(t->pids[i])) {
			log_error("pid %d is pycov-trace's own, or a parent of it: choose another", t->pids[i]);
			refused = true;
		} else if (refusal_find(t->pids[i], REFUSAL_TRACE, &refusal)) {
			refusal_tell(&refusal);
			refused = true;
		}
	}
	if (refused)
		return false;
	if (o->with_children)
		find_descendants(t);
	return true;
}

/* --------------------------------------------------------------------------------------------------- the supervisor */

struct supervised {
	const struct options *options;
	struct targets *targets;
	int socket;
};

/*
 * Of descendants those count that can be entered, and of what was named a shell, or the init of a container, that is no
 * Python but has children. They stay traced: what they start is followed.
 */
static bool may_be_passed(const struct supervised *d, size_t i, int error)
{
	return i >= d->targets->n_named || (d->options->with_children && error == -ENOENT);
}

static void pass(struct supervisor *s, const struct supervised *d, size_t i, int error, const char *why)
{
	char text[CONTROL_TEXT_MAX];

	if (i < d->targets->n_named)
		snprintf(text, sizeof(text), "%.400s: what it starts is measured", why);
	else
		snprintf(text, sizeof(text), "%s", error == -ENOENT || error == -ESRCH ? "" : why);
	supervisor_tell(s, FRONT_PASSED, d->targets->pids[i], text);
}

struct entry {
	size_t n, n_refused, n_passed;
	/* of those that are passed over: it is told of last, as it counts as refused if nothing else is there */
	size_t first;
	int error;
	char why[CONTROL_TEXT_MAX];
};

static void enter(struct supervisor *s, const struct supervised *d, size_t i, struct entry *e)
{
	char why[CONTROL_TEXT_MAX];
	int r = supervisor_attach(s, d->targets->pids[i], why);

	if (r >= 0) {
		e->n++;
	} else if (!may_be_passed(d, i, r)) {
		supervisor_tell(s, FRONT_REFUSED, d->targets->pids[i], why);
		e->n_refused++;
	} else if (e->n_passed++ > 0) {
		pass(s, d, i, r, why);
	} else {
		e->first = i;
		e->error = r;
		memcpy(e->why, why, sizeof(why));
	}
}

/* How many are entered. What is born to one that we trace is traced; but before that, others may have been born. */
static size_t enter_all(struct supervisor *s, const struct supervised *d)
{
	struct targets *t = d->targets;
	struct entry e = {0};

	for (size_t i = 0; i < t->n; i++) {
		enter(s, d, i, &e);
		if (i + 1 < t->n || !d->options->with_children)
			continue;
		find_descendants(t);
		for (size_t more = i + 1; more < t->n; more++)
			supervisor_tell(s, FRONT_FOUND, t->pids[more], "");
	}
	if (e.n_passed && (e.n || e.n_refused))
		pass(s, d, e.first, e.error, e.why);
	else if (e.n_passed)
		supervisor_tell(s, FRONT_REFUSED, t->pids[e.first], e.why);
	return e.n;
}

static void supervise(struct recorder *recorder, int keeper_socket, int message_fd, void *arg)
{
	const struct supervised *d = arg;
	struct supervisor s;

	supervisor_init(&s, recorder->options, recorder->selection, keeper_socket, message_fd);
	s.keeper.recorder = recorder;
	s.front = d->socket;
	s.front_heard = dup(d->socket);
	supervisor_tell(&s, FRONT_SUPERVISOR, getpid(), "");
	if (enter_all(&s, d))
		supervisor_run(&s);
	else /* the data file stays as it is */
		supervisor_tell(&s, FRONT_FINISHED, 0, "");
	supervisor_deinit(&s);
}

/* ------------------------------------------------------------------------------------------------------ the screen */

struct front {
	const struct options *options;
	int socket;
	int signals;
	int gone; /* a pidfd of the supervisor: readable once nothing is traced any more; -1: none */
	pid_t supervisor, latest;
	size_t n_targets, n_attached, n_refused, n_gone, n_left;
	bool said_waiting;
	bool told;    /* the supervisor knows that we want to go */
	bool hurried; /* and that it is not to wait */
	bool finished, is_unwritten;
	bool is_terminal, has_status_line;
	int64_t start, end, signalled; /* CLOCK_MONOTONIC, ms; of the latest signal, 0: none */
};

static void clear_status(struct front *f)
{
	if (f->has_status_line)
		fputs("\r\033[K", stderr);
	f->has_status_line = false;
}

static void say(struct front *f, const char *text)
{
	if (f->options->verbose < 0)
		return;
	clear_status(f);
	fprintf(stderr, "pycov-trace: %s\n", text);
}

static void show_status(struct front *f)
{
	char name[CONTROL_NAME_MAX], answer[CONTROL_TEXT_MAX];

	if (!f->is_terminal || f->told || !f->supervisor || f->options->verbose < 0)
		return;
	control_name_of_pid(f->supervisor, name);
	if (control_ask(name, geteuid(), "watch", answer) < 0)
		return;
	fprintf(stderr, "\r\033[K%s  (Ctrl-C: stop)", answer);
	f->has_status_line = true;
}

static void leave(struct front *f)
{
	if (!f->told)
		(void)!send(f->socket, "", 1, MSG_NOSIGNAL);
	f->told = true;
}

/* Told a second time. */
static void hurry(struct front *f)
{
	if (!f->hurried)
		(void)!send(f->socket, "", 1, MSG_NOSIGNAL);
	f->hurried = true;
}

static void say_attached(struct front *f)
{
	char text[128];

	if (!f->n_attached || f->n_attached + f->n_refused + f->n_gone != f->n_targets)
		return;
	if (f->n_targets == 1)
		snprintf(text, sizeof(text), "attached to pid %d", f->latest);
	else
		snprintf(text, sizeof(text), "attached to %zu process%s", f->n_attached,
			 f->n_attached == 1 ? "" : "es");
	say(f, text);
}

static void on_finished(struct front *f, const struct front_message *m)
{
	char text[CONTROL_TEXT_MAX + 160];

	f->finished = true;
	if (f->n_refused == f->n_targets)
		return;
	if (m->pid)
		snprintf(
			text, sizeof(text),
			"%d process%s %s: %s undo%s what is left when %s to Python code, and what ran until then is added "
			"to the file",
			m->pid, m->pid == 1 ? "" : "es",
			f->hurried    ? "not waited for"
			: m->pid == 1 ? "has not come yet"
				      : "have not come yet",
			m->pid == 1 ? "it" : "they", m->pid == 1 ? "es" : "", m->pid == 1 ? "it comes" : "they come");
	if (m->pid)
		say(f, text);
	if (f->n_left) {
		snprintf(text, sizeof(text), "left %zu process%s; the code was compared with its file: as it was",
			 f->n_left, f->n_left == 1 ? "" : "es");
		say(f, text);
	}
	say(f, m->text);
}

static void say_whom(struct front *f, const struct front_message *m)
{
	char text[CONTROL_TEXT_MAX + 80];

	snprintf(text, sizeof(text), "waiting for pid %d: %s; %s leaves at once", m->pid, m->text,
		 f->signalled ? "a second Ctrl-C" : "Ctrl-C");
	say(f, text);
}

/* False when the supervisor has gone. */
static bool hear(struct front *f)
{
	struct front_message m;
	ssize_t n = recv(f->socket, &m, sizeof(m), 0);

	if (n != (ssize_t)sizeof(m))
		return n < 0 && errno == EINTR;
	m.text[sizeof(m.text) - 1] = 0;
	switch ((enum front_kind)m.kind) {
	case FRONT_SUPERVISOR:
		f->supervisor = m.pid;
		f->gone = (int)syscall(SYS_pidfd_open, m.pid, 0);
		break;
	case FRONT_ATTACHED:
		f->n_attached++;
		f->latest = m.pid;
		say_attached(f);
		break;
	case FRONT_REFUSED:
		f->n_refused++;
		clear_status(f);
		log_error("cannot attach to pid %d: %s", m.pid, m.text);
		say_attached(f);
		break;
	case FRONT_FOUND:
		f->n_targets++;
		break;
	case FRONT_PASSED:
		f->n_targets--;
		if (*m.text) {
			clear_status(f);
			log_warning("%s", m.text);
		}
		say_attached(f);
		break;
	case FRONT_LEFT:
		f->n_left += !*m.text;
		if (*m.text) {
			clear_status(f);
			log_warning("pid %d: %s", m.pid, m.text);
		}
		break;
	case FRONT_ENDED:
		f->n_gone++;
		say_attached(f);
		break;
	case FRONT_UNWRITTEN:
		f->is_unwritten = true;
		on_finished(f, &m);
		break;
	case FRONT_WAITING:
		say_whom(f, &m);
		break;
	case FRONT_FINISHED:
		on_finished(f, &m);
		break;
	}
	return true;
}

static int timeout_of(const struct front *f)
{
	int64_t now = clock_ms(), left = f->end ? f->end - now : STATUS_PERIOD;

	if (left < 0)
		left = 0;
	return f->is_terminal && left > STATUS_PERIOD ? STATUS_PERIOD : f->end ? (int)left : STATUS_PERIOD;
}

/* It is entered when it wakes: what it runs then is recorded from its first line on. */
static void say_waiting(struct front *f)
{
	size_t n = f->n_targets - f->n_attached - f->n_refused - f->n_gone;
	char text[128];

	if (f->said_waiting || f->told || clock_ms() - f->start < SILENCE)
		return;
	f->said_waiting = true;
	if (!n || n > f->n_targets)
		return;
	snprintf(text, sizeof(text), "%zu process%s asleep; %s recorded from the first line on that %s on waking", n,
		 n == 1 ? " is" : "es are", n == 1 ? "it is" : "they are", n == 1 ? "it runs" : "they run");
	say(f, text);
}

static void take_signal(struct front *f)
{
	struct signalfd_siginfo info;

	if (read(f->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (f->told && clock_ms() - f->signalled >= SAME_SIGNAL)
		hurry(f);
	leave(f);
	f->signalled = clock_ms();
}

static void watch(struct front *f)
{
	struct pollfd p[] = {{.fd = f->socket, .events = POLLIN}, {.fd = f->signals, .events = POLLIN}};

	for (;;) {
		int n = poll(p, ARRAY_SIZE(p), timeout_of(f));

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0 && p[0].revents && !hear(f))
			return;
		if (n > 0 && p[1].revents)
			take_signal(f);
		if (f->end && clock_ms() >= f->end) {
			leave(f);
			f->end = 0;
		}
		if (n == 0) {
			say_waiting(f);
			show_status(f);
		}
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The kernel lets go of the targets when the supervisor has ended. */
static void wait_for_end(const struct front *f)
{
	struct pollfd p = {.fd = f->gone, .events = POLLIN};

	if (f->gone >= 0)
		(void)!poll(&p, 1, END_PATIENCE);
}

static int result_of(struct front *f)
{
	clear_status(f);
	wait_for_end(f);
	if (!f->finished) {
		log_error(
			"the supervisor was killed: the programs run on, and what they do is written when they end; "
			"`pycov-trace repair PID` takes out what is in them");
		return EXIT_OWN;
	}
	return f->n_refused || f->is_unwritten ? EXIT_OWN : 0;
}

int attach(struct recorder *recorder)
{
	struct front f = {.options = recorder->options, .is_terminal = isatty(2), .gone = -1, .start = clock_ms()};
	_cleanup_free_ struct targets *targets = calloc(1, sizeof(*targets));
	struct supervised d = {.options = recorder->options, .targets = targets};
	int sockets[2], r;

	if (!targets || !choose_targets(recorder->options, targets))
		return EXIT_OWN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_OWN;
	}
	f.n_targets = targets->n;
	f.end = recorder->options->duration ? f.start + recorder->options->duration : 0;
	f.signals = open_signals();
	f.socket = sockets[0];
	d.socket = sockets[1];
	r = background_start(recorder, sockets[1], NULL, supervise, &d);
	close(sockets[1]);
	if (r == 0)
		watch(&f);
	else
		log_error("cannot start: %s", strerror(-r));
	close(f.socket);
	close(f.signals);
	return r < 0 ? EXIT_OWN : result_of(&f);
}
