#include "report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "datafile.h"
#include "report/analyze.h"
#include "selection.h"

struct report {
	const struct report_options *options;
	struct record record;
	struct record_file **files;
	size_t n_files, next;
	struct line_regex *exclude, *partial, *contexts;
	struct analyzer analyzer;
	char *directory; /* the working one, with a slash at the end */
};

/* Of coverage/config.py, 7.17.3. */
static const char *const default_exclude[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)",
	"^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)",
	"^\\s*if (typing\\.)?TYPE_CHECKING:",
};

static const char *const default_partial[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(branch|BRANCH)",
	"^\\s*while (True|1|False|0):",
	"^\\s*if (True|1|False|0):",
};

static int list_copy(struct string_list *list, const char *const *from, size_t n)
{
	list->items = calloc(n + 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	for (; list->n < n; list->n++) {
		list->items[list->n] = strdup(from[list->n]);
		if (!list->items[list->n])
			return -ENOMEM;
	}
	return 0;
}

int report_options_init(struct report_options *options)
{
	const char *file = getenv("COVERAGE_FILE");
	int r;

	*options = (struct report_options){.package_depth = 99};
	options->data_file = strdup(file && *file ? file : ".coverage");
	r = options->data_file ? 0 : -ENOMEM;
	if (r == 0)
		r = list_copy(&options->exclude, default_exclude, ARRAY_SIZE(default_exclude));
	if (r == 0)
		r = list_copy(&options->partial, default_partial, ARRAY_SIZE(default_partial));
	if (r < 0)
		report_options_deinit(options);
	return r;
}

void report_options_deinit(struct report_options *options)
{
	free(options->data_file);
	free(options->python);
	free(options->sort);
	free(options->format);
	free(options->output);
	string_list_deinit(&options->include);
	string_list_deinit(&options->omit);
	string_list_deinit(&options->contexts);
	string_list_deinit(&options->exclude);
	string_list_deinit(&options->partial);
	string_list_deinit(&options->source);
	string_list_deinit(&options->modules);
	*options = (struct report_options){0};
}

static int fail(char *why, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *why, int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, REPORT_WHY_MAX, fmt, args);
	va_end(args);
	return r;
}

static int read_data(struct report *report, char *why)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	const char *path = report->options->data_file;
	int r = datafile_init(&file, path);

	if (r == 0)
		r = datafile_read(&file, &report->record);
	if (r == -ENOENT)
		return fail(why, -ENODATA, "No data to report.");
	if (r < 0)
		return fail(why, r, "%s: %s", path, *file.why ? file.why : strerror(-r));
	return 0;
}

static int compile_regexes(struct report *report, char *why)
{
	const struct {
		const struct string_list *list;
		struct line_regex **ret;
	} all[] = {
		{&report->options->exclude, &report->exclude},
		{&report->options->partial, &report->partial},
		{&report->options->contexts, &report->contexts},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int r = line_regex_new(all[i].list, why, REPORT_WHY_MAX, all[i].ret);

		if (r < 0)
			return r == -ENOMEM ? fail(why, r, "out of memory") : r;
	}
	report->analyzer = (struct analyzer){
		.exclude = report->exclude,
		.partial = report->partial,
		.contexts = report->options->contexts.n ? report->contexts : NULL,
	};
	return 0;
}

struct choice {
	struct glob_list include, omit;
	struct string_list modules;
};

static void choice_deinit(struct choice *choice)
{
	glob_list_deinit(&choice->include);
	glob_list_deinit(&choice->omit);
}

static bool is_module(const struct report *report, const char *path)
{
	const struct string_list *modules = &report->options->modules;

	for (size_t i = 0; i < modules->n; i++) {
		_cleanup_free_ char *real = realpath(modules->items[i], NULL);

		if (!strcmp(path, modules->items[i]) || (real && !strcmp(path, real)))
			return true;
	}
	return !modules->n;
}

static int choose_files(struct report *report, char *why)
{
	_cleanup_(choice_deinit) struct choice choice = {0};
	const struct report_options *o = report->options;
	size_t kept = 0;
	int r = selection_add_patterns(&choice.include, (const char *const *)o->include.items, why, REPORT_WHY_MAX);

	if (r == 0)
		r = selection_add_patterns(&choice.omit, (const char *const *)o->omit.items, why, REPORT_WHY_MAX);
	if (r == 0)
		r = record_sorted_files(&report->record, &report->files, &report->n_files);
	if (r < 0)
		return r == -ENOMEM ? fail(why, r, "out of memory") : r;
	for (size_t i = 0; i < report->n_files; i++) {
		const char *path = report->files[i]->path;

		if (is_module(report, path) && (!o->include.n || glob_list_match(&choice.include, path)) &&
		    !glob_list_match(&choice.omit, path))
			report->files[kept++] = report->files[i];
	}
	report->n_files = kept;
	return kept ? 0 : fail(why, -ENODATA, "No data to report.");
}

static int find_directory(struct report *report)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);

	if (asprintf(&report->directory, "%s%s", cwd ? cwd : "", cwd && strcmp(cwd, "/") ? "/" : "") < 0) {
		report->directory = NULL;
		return -ENOMEM;
	}
	return 0;
}

int report_open(const struct report_options *options, char why[REPORT_WHY_MAX], struct report **ret)
{
	struct report *report = calloc(1, sizeof(*report));
	int r;

	if (!report)
		return fail(why, -ENOMEM, "out of memory");
	report->options = options;
	record_init(&report->record);
	r = find_directory(report);
	if (r < 0)
		fail(why, r, "out of memory");
	if (r == 0)
		r = compile_regexes(report, why);
	if (r == 0)
		r = read_data(report, why);
	if (r == 0)
		r = choose_files(report, why);
	if (r < 0)
		report_close(report);
	else
		*ret = report;
	return r;
}

void report_close(struct report *report)
{
	if (!report)
		return;
	record_deinit(&report->record);
	line_regex_free(report->exclude);
	line_regex_free(report->partial);
	line_regex_free(report->contexts);
	free(report->files);
	free(report->directory);
	free(report);
}

const struct record *report_record(const struct report *report)
{
	return &report->record;
}

bool report_has_branches(const struct report *report)
{
	return report->analyzer.has_arcs;
}

size_t report_n_files(const struct report *report)
{
	return report->n_files;
}

static const char *relative_name(const struct report *report, const char *path)
{
	size_t n = strlen(report->directory);

	return n && !strncmp(path, report->directory, n) ? path + n : path;
}

/* Files of other names are taken for something else that ran, a template say, when they are not Python. */
static bool should_be_python(const char *path)
{
	const char *name = strrchr(path, '/'), *dot;

	name = name ? name + 1 : path;
	dot = strrchr(name + strspn(name, "."), '.');
	return !dot || !strncmp(dot, ".py", 3);
}

static int analyze_file(struct report *report, const struct record_file *file, char *why, struct analysis *ret)
{
	const struct lineset *executable = file->executable.count ? &file->executable : NULL;

	return analyze(&report->analyzer, file, file->path, relative_name(report, file->path), executable, why, ret);
}

int report_next(struct report *report, struct analysis *ret, char why[REPORT_WHY_MAX])
{
	while (report->next < report->n_files) {
		const struct record_file *file = report->files[report->next++];
		int r = analyze_file(report, file, why, ret);

		if (r == 0)
			return 1;
		if (r == -EBADMSG && !should_be_python(file->path))
			continue;
		if (r == -ENOMEM || !report->options->ignore_errors)
			return r;
		log_warning("%s", why);
	}
	return 0;
}
