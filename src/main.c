/* The only place where an exit status is chosen. */
#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/commands.h"
#include "supervisor/attach.h"
#include "supervisor/launch.h"
#include "supervisor/recorder.h"

#define EXIT_OWN 1

/* Where the caller has closed a standard stream, nothing of ours may take its place; the command will find it closed. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
}

static int run(struct options *o)
{
	struct recorder recorder;
	int status, r;

	if (o->verbose)
		log_set_level(o->verbose > 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
	if (getenv("PYCOV_TRACE_DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	r = options_configure(o);
	if (r != 0)
		return r == CLI_WRONG ? CLI_EXIT_USAGE : EXIT_OWN;
	r = recorder_init(&recorder, o);
	if (r < 0)
		log_error("%s", recorder.why);
	status = r == 0 && o->pids.n ? attach(&recorder)
		 : r == 0	     ? launch(&recorder)
		 : r == -EINVAL	     ? CLI_EXIT_USAGE
				     : EXIT_OWN;
	recorder_deinit(&recorder);
	return status;
}

/* Modes that are commands of their own, and may be called as options: `pycov-trace --sample -p 123`. */
static const char *command_name(const char *word)
{
	static const char *const modes[] = {"--sample", "--verify-layout"};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(word, modes[i]))
			return word + 2;
	return word;
}

/* `pycov-trace --sample --exact ...` is no mode: the main command does both. */
static bool is_exact(char **words)
{
	for (; *words && **words == '-' && strcmp(*words, "--"); words++)
		if (!strcmp(*words, "--exact"))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = 0;

	fill_standard_fds();
	for (size_t i = 0; argc > 1 && commands[i] && !is_exact(argv + 1); i++)
		if (!strcmp(command_name(argv[1]), commands[i]->name))
			return commands[i]->run(argc - 1, argv + 1);

	switch (options_parse(&o, argc, argv)) {
	case CLI_RUN:
		status = run(&o);
		break;
	case CLI_WRONG:
		status = CLI_EXIT_USAGE;
		break;
	case CLI_DONE:
		break;
	}
	options_deinit(&o);
	return status;
}
