#include "sample/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sample/top_view.h"

#define SECOND 1000000000.0
#define SLICE_NS UINT64_C(50000000) /* how soon a key is seen at the latest */

static volatile int stopped;

static void on_stop(int sig)
{
	stopped = 1;
}

/* ncurses would leave the terminal at once, and the samples too. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_stop};

	stopped = 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* 1: the user wants no more. */
static int keys(struct top_view *view, int timeout)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

	if (poll(&fd, 1, timeout) > 0 && !(fd.revents & POLLIN))
		return 1; /* the terminal is gone */
	return top_view_keys(view, sampler_now()) == TOP_QUIT;
}

/* What was found stays on the screen when there is nothing more to find. */
static int linger(struct top_view *view)
{
	int r = 0;

	top_view_note(view, "the process has ended - q quit");
	while (r == 0 && !stopped)
		r = keys(view, -1);
	return 0;
}

static int watch(struct sampler *s, struct top_view *view, const struct top_options *o, const char *what)
{
	uint64_t interval = (uint64_t)(o->interval * SECOND), next = sampler_now() + interval / 4;
	int r = 0;

	while (r == 0 && !stopped) {
		uint64_t until = sampler_now() + SLICE_NS;
		bool ended;

		r = sampler_run(s, until < next ? until : next, &stopped);
		ended = r == 1;
		if (r >= 0 && (ended || sampler_now() >= next)) {
			next = sampler_now() + interval;
			r = sampler_describe(s, what);
			if (r == 0)
				r = top_view_update(view, sampler_now());
		}
		if (ended && r == 0)
			return linger(view);
		if (r == 0)
			r = keys(view, 0);
	}
	return r < 0 ? r : 0;
}

static int explain(int r)
{
	if (r == -ENOTTY)
		log_error("top needs a terminal; try pycov-trace sample or dump");
	else if (r == -ENOTSUP)
		log_error("the terminal (TERM=%s) is not known, or cannot move its cursor", getenv("TERM") ?: "");
	else
		log_error("%s", strerror(-r));
	return 1;
}

int top_run(const struct top_options *o)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_(sampler_deinit) struct sampler sampler = {0};
	_cleanup_top_view_ struct top_view *view = NULL;
	struct refusal refusal;
	char what[32];
	int r = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? profile_new(NULL, &profile) : -ENOTTY;

	if (r == 0)
		r = sampler_init(&sampler, &o->sampler, profile);
	if (r < 0)
		return explain(r);
	r = sampler_attach(&sampler, o->pid, &refusal);
	if (r < 0) {
		refusal_tell(&refusal);
		return 1;
	}
	snprintf(what, sizeof(what), "pid %d", (int)o->pid);
	catch_signals();
	r = sampler_describe(&sampler, what);
	if (r == 0)
		r = top_view_new(profile, o->lines, stdin, stdout, sampler_now(), &view);
	if (r == 0)
		r = watch(&sampler, view, o, what);
	top_view_free(take_ptr(view));
	return r < 0 ? explain(r) : 0;
}
