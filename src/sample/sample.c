#include "sample/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "sample/result.h"
#include "sample/sample_data.h"
#include "sample/summary.h"
#include "supervisor/recorder.h"

#define EXIT_OWN 1
#define EXIT_NOT_RUN 126
#define EXIT_NOT_FOUND 127
#define SECOND 1000000000.0
#define SLICE_NS UINT64_C(50000000) /* how soon the end of the command is noticed at the latest */

static volatile int stopped;
static volatile pid_t child_pid;

static void on_stop(int sig)
{
	/* The terminal sends SIGINT to both; the command decides what it means. */
	if (child_pid && sig != SIGINT)
		kill(child_pid, sig);
	if (!child_pid)
		stopped = 1;
}

static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_stop};

	stopped = 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* Who was told to ignore one, as below nohup(1), goes on to. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

/* -------------------------------------------------------------------------------------------------- the command */

/* Its pid, when its program has begun. */
static int start_command(char **command)
{
	int report[2], error = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execvp(command[0], command);
		error = errno;
		(void)!write(report[1], &error, sizeof(error));
		_exit(EXIT_NOT_FOUND);
	}
	close(report[1]);
	if (read(report[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(report[0]);
	if (error)
		waitpid(pid, NULL, 0);
	return error ? -error : pid;
}

static int status_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int wait_for_command(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_OWN;
	child_pid = 0;
	return status_of(status);
}

/* ------------------------------------------------------------------------------------------------------- the run */

static int run(struct sampler *s, const struct sample_options *o)
{
	uint64_t end = o->duration > 0 ? s->started_ns + (uint64_t)(o->duration * SECOND) : UINT64_MAX;
	int r = 0;

	while (r == 0 && !stopped && sampler_now() < end) {
		uint64_t until = sampler_now() + SLICE_NS;

		r = sampler_run(s, until < end ? until : end, &stopped);
	}
	sampler_rest(s);
	return r < 0 ? r : 0;
}

static int finish(struct sampler *s, const struct sample_options *o, struct recorder *recorder)
{
	char what[1024];
	int r;

	if (!s->was_python) {
		if (s->refusal.reason != REFUSAL_NONE)
			refusal_tell(&s->refusal);
		else
			log_error("no Python ran in it, or none for long enough to be found");
		return -ENOENT;
	}
	if (s->refusal.reason != REFUSAL_NONE)
		log_warning("%s", s->refusal.why);
	result_name(what, sizeof(what), o->pid, o->pid ? NULL : o->command);
	r = sampler_describe(s, what);
	if (r == 0 && (o->output || o->format || !o->record))
		r = result_write(s, o->format ? o->format : profile_format_find("table"), &o->view, o->output);
	if (r == 0 && o->record)
		r = sample_data_write(recorder, s);
	if (r == 0 && summary_is_torn(s->profile))
		log_warning(
			"what remains may not be typical: --blocking drops hardly any, and stops a thread for each");
	return r;
}

static int begin(struct sampler *s, const struct sample_options *o)
{
	struct refusal refusal;
	pid_t pid;
	int r;

	if (o->pid) {
		r = sampler_attach(s, o->pid, &refusal);
		if (r < 0)
			refusal_tell(&refusal);
		return r;
	}
	pid = start_command(o->command);
	if (pid < 0) {
		log_error("cannot run %s: %s", o->command[0], pid == -ENOENT ? "command not found" : strerror(-pid));
		return pid == -ENOENT ? -ENOENT : -ENOEXEC;
	}
	child_pid = pid;
	return sampler_follow(s, pid);
}

static int sample(struct sampler *s, const struct sample_options *o, struct recorder *recorder)
{
	int status = 0, r;

	catch_signals();
	r = begin(s, o);
	if (r < 0 && !child_pid)
		return o->pid ? EXIT_OWN : r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
	if (r == 0)
		r = run(s, o);
	if (child_pid)
		status = wait_for_command(child_pid);
	if (r < 0)
		log_error("sampling ended: %s", strerror(-r));
	r = finish(s, o, recorder);
	return r < 0 && !status ? EXIT_OWN : status;
}

static int check_output(const struct sample_options *o)
{
	int r = o->output ? profile_output_check(o->output) : 0;

	if (r < 0)
		log_error("cannot write %s: %s", o->output, strerror(-r));
	return r;
}

static int run_with(const struct sample_options *options, struct recorder *recorder)
{
	struct profile_options limits = {.keep_order = options->format && options->format->keep_order};
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_(sampler_deinit) struct sampler sampler = {0};
	int r = profile_new(&limits, &profile);

	if (r == 0)
		r = sampler_init(&sampler, &options->sampler, profile);
	if (r < 0) {
		log_error("%s", strerror(-r));
		return EXIT_OWN;
	}
	return sample(&sampler, options, recorder);
}

int sample_run(const struct sample_options *options)
{
	struct recorder recorder;
	int status, r = check_output(options);

	if (r < 0)
		return EXIT_OWN;
	if (!options->record)
		return run_with(options, NULL);
	r = recorder_init(&recorder, options->record);
	if (r < 0)
		log_error("%s", recorder.why);
	status = r < 0 ? EXIT_OWN : run_with(options, &recorder);
	recorder_deinit(&recorder);
	return status;
}
