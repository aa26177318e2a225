#include "report/report_cli.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define EXIT_FAILED 1
#define EXIT_UNDER 2

int report_cli_apply(void *arg, int id, const char *value)
{
	struct report_cli *cli = arg;

	if (id == REPORT_OPT_RCFILE) {
		cli->rcfile = value;
		return 0;
	}
	if (cli->n == ARRAY_SIZE(cli->given))
		return -EINVAL;
	cli->given[cli->n].id = id;
	cli->given[cli->n++].value = value;
	return 0;
}

void report_cli_deinit(struct report_cli *cli)
{
	report_options_deinit(&cli->options);
	config_deinit(&cli->config);
}

static int set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

/* What is given takes the place of the settings, and adds to what is given already. */
static int set_list(const struct report_cli *cli, size_t i, struct string_list *list)
{
	bool first = true;

	for (size_t j = 0; j < i; j++)
		first &= cli->given[j].id != cli->given[i].id;
	if (first) {
		string_list_deinit(list);
		*list = (struct string_list){0};
	}
	return string_list_add(list, cli->given[i].value);
}

static int parse_precision(const char *text, int *ret)
{
	double value;

	if (strchr(text, '.') || cli_parse_number(text, 0, PRECISION_MAX, &value) < 0)
		return -EINVAL;
	*ret = (int)value;
	return 0;
}

static int set_one(struct report_cli *cli, size_t i)
{
	struct report_options *o = &cli->options;
	const char *value = cli->given[i].value;

	switch (cli->given[i].id) {
	case REPORT_OPT_DATA_FILE:
		return *value ? set_text(&o->data_file, value) : -EINVAL;
	case REPORT_OPT_INCLUDE:
		return set_list(cli, i, &o->include);
	case REPORT_OPT_OMIT:
		return set_list(cli, i, &o->omit);
	case REPORT_OPT_CONTEXTS:
		return set_list(cli, i, &o->contexts);
	case REPORT_OPT_FAIL_UNDER:
		return cli_parse_number(value, 0, 100, &o->fail_under);
	case REPORT_OPT_PRECISION:
		return parse_precision(value, &o->precision);
	case REPORT_OPT_PYTHON:
		return set_text(&o->python, value);
	case REPORT_OPT_SORT:
		return set_text(&o->sort, value);
	case REPORT_OPT_FORMAT:
		return set_text(&o->format, value);
	case 'o':
		return *value ? set_text(&o->output, value) : -EINVAL;
	case REPORT_OPT_SKIP_COVERED:
	case REPORT_OPT_NO_SKIP_COVERED:
		o->skip_covered = cli->given[i].id == REPORT_OPT_SKIP_COVERED;
		return 0;
	case REPORT_OPT_SKIP_EMPTY:
		o->skip_empty = true;
		return 0;
	case REPORT_OPT_SHOW_CONTEXTS:
		o->show_contexts = true;
		return 0;
	case REPORT_OPT_PRETTY_PRINT:
		o->pretty_print = true;
		return 0;
	case 'm':
		o->show_missing = true;
		return 0;
	case 'i':
		o->ignore_errors = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return 0; /* of the command's own */
	}
}

static const char *option_name(const struct cli_command *command, int id)
{
	for (size_t i = 0; i < command->n_options; i++)
		if (command->options[i].id == id)
			return command->options[i].name;
	return "?";
}

static int add_operands(struct string_list *list, char **operands)
{
	size_t n = 0;

	while (operands[n])
		n++;
	list->items = calloc(n + 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	for (; list->n < n; list->n++) {
		list->items[list->n] = strdup(operands[list->n]);
		if (!list->items[list->n])
			return -ENOMEM;
	}
	return 0;
}

static int read_settings(const struct report_command *command, struct report_cli *cli)
{
	char why[512] = "out of memory";
	int r = config_read(&cli->config, cli->rcfile, why, sizeof(why));

	if (r == 0)
		r = report_options_set(&cli->options, &cli->config);
	if (r == 0 && command->set)
		r = command->set(&cli->options, &cli->config);
	if (r < 0)
		log_error("%s", why);
	return r;
}

/* What the command line says, above the settings. */
static int set_given(const struct cli_command *command, struct report_cli *cli)
{
	for (size_t i = 0; i < cli->n; i++) {
		int r = set_one(cli, i);

		if (r == -EINVAL)
			cli_wrong(command, "--%s: '%s' is not possible", option_name(command, cli->given[i].id),
				  cli->given[i].value);
		else if (r < 0)
			log_error("out of memory");
		if (r < 0)
			return r;
	}
	return 0;
}

enum cli_result report_cli_parse(const struct report_command *command, struct report_cli *cli, int argc, char **argv)
{
	int operand;
	enum cli_result result = cli_parse(command->command, cli, argc, argv, &operand);

	if (result != CLI_RUN)
		return result;
	if (read_settings(command, cli) < 0 || set_given(command->command, cli) < 0)
		return CLI_WRONG;
	if (add_operands(&cli->options.modules, argv + operand) < 0)
		return cli_wrong(command->command, "out of memory");
	return CLI_RUN;
}

/* --fail-under */

/* Decimal places of the number, as it would be written. */
static int decimals(double value)
{
	char text[64];
	const char *dot;

	for (int precision = 1; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	dot = strchr(text, '.');
	return dot && !strchr(text, 'e') ? (int)strlen(dot + 1) : 0;
}

static int judging_precision(double fail_under, int precision)
{
	int own = decimals(fail_under);

	return own > precision ? own : precision;
}

static double rounded(double value, int precision)
{
	char text[PERCENT_TEXT_MAX];

	snprintf(text, sizeof(text), "%.*f", precision, value);
	return strtod(text, NULL);
}

bool report_fails_under(double total, double fail_under, int precision)
{
	if (fail_under == 100 && total != 100)
		return true;
	return rounded(total, judging_precision(fail_under, precision)) < fail_under;
}

int report_cli_judge(const struct report_options *options, double total)
{
	int precision = judging_precision(options->fail_under, options->precision);
	char shown[PERCENT_TEXT_MAX];

	if (!(options->fail_under >= 0 && options->fail_under <= 100)) {
		log_error("fail_under=%g is invalid. Must be between 0 and 100.", options->fail_under);
		return EXIT_FAILED;
	}
	if (!report_fails_under(total, options->fail_under, options->precision))
		return 0;
	if (options->fail_under == 100)
		percent_format(total, precision, shown);
	else
		snprintf(shown, sizeof(shown), "%.*f", precision, total);
	printf("Coverage failure: total of %s is less than fail-under=%.*f\n", shown, precision, options->fail_under);
	return EXIT_UNDER;
}

/* The output file: a new one takes the place of the old one when it is complete. */

struct output {
	FILE *file;
	char *path, *temporary; /* of the new one, NULL: @path itself is written */
};

static int make_directories(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *copy && (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(copy, 0777) < 0 && errno != EEXIST && errno != EISDIR)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int open_temporary(struct output *o)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(&o->temporary, "%s.XXXXXX", o->path) < 0) {
		o->temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(o->temporary, O_CLOEXEC);
	if (fd < 0) {
		int r = -errno;

		free(o->temporary);
		o->temporary = NULL;
		return r;
	}
	fchmod(fd, 0666 & ~mask);
	o->file = fdopen(fd, "w");
	if (!o->file)
		close(fd);
	return o->file ? 0 : -ENOMEM;
}

static int output_open(struct output *o, const char *path)
{
	struct stat st;
	int r;

	if (!strcmp(path, "-")) {
		o->file = stdout;
		return 0;
	}
	o->path = strdup(path);
	r = o->path ? make_directories(path) : -ENOMEM;
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		o->file = fopen(path, "we");
		return o->file ? 0 : -errno;
	}
	return open_temporary(o);
}

/* Put the file in place, or take it away if @r says that it is none. */
static int output_close(struct output *o, int r)
{
	if (o->file == stdout) {
		if (fflush(stdout) != 0 && r == 0)
			r = -errno;
	} else if (o->file) {
		if (ferror(o->file) && r == 0)
			r = -EIO;
		if (fclose(o->file) != 0 && r == 0)
			r = -errno;
	}
	if (o->temporary && r == 0 && rename(o->temporary, o->path) < 0)
		r = -errno;
	if (o->temporary && r < 0)
		unlink(o->temporary);
	free(o->temporary);
	free(o->path);
	return r;
}

static int make_report(const struct report_options *options, const char *path, report_write_fn write, double *total)
{
	char why[REPORT_WHY_MAX] = "";
	struct report *report = NULL;
	struct output output = {0};
	int r = report_open(options, why, &report);

	if (r == 0) {
		r = output_open(&output, path);
		if (r == 0)
			r = write(report, options, output.file, total, why);
		r = output_close(&output, r);
		if (r < 0 && !*why)
			snprintf(why, sizeof(why), "%s: %s", path, strerror(-r));
	}
	if (r < 0)
		log_error("%s", *why ? why : strerror(-r));
	report_close(report);
	return r;
}

int report_cli_run(const struct report_command *command, int argc, char **argv)
{
	_cleanup_report_cli_ struct report_cli cli = {0};
	const char *path;
	double total = 0;

	switch (report_cli_parse(command, &cli, argc, argv)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return EXIT_FAILED;
	case CLI_RUN:
		break;
	}
	path = command->what ? cli.options.output : "-";
	if (make_report(&cli.options, path, command->write, &total) < 0)
		return EXIT_FAILED;
	if (strcmp(path, "-") && !cli.options.quiet)
		printf("Wrote %s to %s\n", command->what, path);
	return report_cli_judge(&cli.options, total);
}
