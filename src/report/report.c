#include "report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "config/config.h"
#include "data/data_files.h"
#include "data/datafile.h"
#include "data/path_aliases.h"
#include "report/analyze.h"
#include "selection/selection.h"

struct report {
	const struct report_options *options;
	struct record record;
	struct record_file **files;
	size_t n_files, next;
	struct line_regex *exclude, *partial, *contexts;
	struct analyzer analyzer;
	size_t n_guessed;
	double started, shown; /* seconds: when the first file began; when progress was shown last, or 0 */
	char *directory;       /* the working one, with a slash at the end */
};

static int list_append(struct string_list *list, const struct string_list *from)
{
	char **items = from->n ? reallocarray(list->items, list->n + from->n + 1, sizeof(*items)) : list->items;

	if (from->n && !items)
		return -ENOMEM;
	list->items = items;
	for (size_t i = 0; i < from->n; i++) {
		items[list->n] = strdup(from->items[i]);
		if (!items[list->n])
			return -ENOMEM;
		items[++list->n] = NULL;
	}
	return 0;
}

static int text_copy(char **text, const char *from)
{
	*text = from ? strdup(from) : NULL;
	return *text || !from ? 0 : -ENOMEM;
}

static int set_lists(struct report_options *o, const struct config *config)
{
	const struct {
		struct string_list *to;
		const struct string_list *from;
	} all[] = {
		{&o->include, &config->report.include},
		{&o->omit, &config->report.omit},
		{&o->contexts, &config->report.contexts},
		{&o->exclude, &config->report.exclude_lines},
		{&o->partial, &config->report.partial_branches},
		{&o->partial, &config->report.partial_branches_always},
		{&o->source, &config->run.source},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int r = list_append(all[i].to, all[i].from);

		if (r < 0)
			return r;
	}
	return 0;
}

int report_options_set(struct report_options *options, const struct config *config)
{
	int r;

	*options = (struct report_options){
		.config = config,
		.ignore_errors = config->report.ignore_errors,
		.skip_covered = config->report.skip_covered,
		.skip_empty = config->report.skip_empty,
		.show_missing = config->report.show_missing,
		.relative_files = config->run.relative_files,
		.precision = config->report.precision,
		.fail_under = config->report.fail_under,
	};
	r = set_lists(options, config);
	if (r == 0)
		r = text_copy(&options->data_file, config->run.data_file);
	if (r == 0)
		r = text_copy(&options->sort, config->report.sort);
	if (r == 0)
		r = text_copy(&options->format, config->report.format);
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

static bool has_data(const struct record *record)
{
	for (size_t i = 0; i < record->files.n_slots; i++) {
		const struct record_file *file = record->files.slots[i].entry;

		if (file && file->n_lines)
			return true;
	}
	return false;
}

static int map_path(void *arg, const char *path, const char **ret)
{
	if (arg)
		return path_aliases_map(arg, path, ret);
	*ret = path;
	return 0;
}

/* Add the data of one file; -ENOENT: there is none. @aliases may be NULL. */
static int read_one(struct report *report, const char *path, struct path_aliases *aliases, char *why)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	_cleanup_record_ struct record record;
	bool first = !has_data(&report->record);
	int r;

	record_init(&record);
	r = datafile_init(&file, path);
	if (r == 0)
		r = datafile_read_any(&file, &record);
	if (r < 0)
		return fail(why, r, "%s: %s", path, *file.why ? file.why : strerror(-r));
	if (!first && has_data(&record) && record.has_arcs != report->record.has_arcs)
		return fail(why, -ENOTSUP, "%s: branches and lines do not go together", path);
	if (first)
		report->record.has_arcs = record.has_arcs;
	r = record_merge_mapped(&report->record, &record, map_path, aliases);
	if (r == -EEXIST)
		return fail(why, r, "%s: conflicting file tracers", path);
	return r < 0 ? fail(why, r, "out of memory") : 0;
}

/* What a run in parallel mode has left beside the data file belongs to it; nothing is combined on the disk. */
static int read_parallel(struct report *report, struct path_aliases *aliases, char *why)
{
	_cleanup_(string_list_deinit) struct string_list paths = {0};
	_cleanup_free_ char *own = NULL;
	const char *missing;
	int r = data_file_absolute(report->options->data_file, &own);

	if (r == 0)
		r = data_files_find(report->options->data_file, NULL, 0, &paths, &missing);
	if (r < 0)
		return r == -ENOMEM ? fail(why, r, "out of memory") : 0;
	for (size_t i = 0; i < paths.n; i++) {
		if (!strcmp(paths.items[i], own))
			continue;
		r = read_one(report, paths.items[i], aliases, why);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			log_warning("%s", why);
	}
	return 0;
}

static void free_aliases(struct path_aliases **aliases)
{
	path_aliases_free(*aliases);
}

static int read_data(struct report *report, char *why)
{
	_cleanup_(free_aliases) struct path_aliases *aliases = NULL;
	const struct config *config = report->options->config;
	int r = config ? path_aliases_new(config, why, REPORT_WHY_MAX, &aliases) : 0;

	if (r < 0)
		return r == -ENOMEM ? fail(why, r, "out of memory") : r;
	r = read_one(report, report->options->data_file, config && config->n_paths ? aliases : NULL, why);
	if (r < 0 && r != -ENOENT)
		return r;
	r = read_parallel(report, aliases, why);
	if (r < 0)
		return r;
	report->analyzer.has_arcs = report->record.has_arcs;
	return report->record.files.count ? 0 : fail(why, -ENODATA, "No data to report.");
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
	report->analyzer.exclude = report->exclude;
	report->analyzer.partial = report->partial;
	report->analyzer.contexts = report->options->contexts.n ? report->contexts : NULL;
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
	if (r == 0 && compiler_new(options->python ? options->python : "python3", &report->analyzer.compiler) < 0)
		r = fail(why, -ENOMEM, "out of memory");
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
	compiler_free(report->analyzer.compiler);
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

bool report_wants_context(const struct report *report, const char *context)
{
	return !report->analyzer.contexts || line_regex_search(report->analyzer.contexts, context);
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
	return analyze(&report->analyzer, file, relative_name(report, file->path), why, ret);
}

void report_keep(struct report *report, bool (*wanted)(void *arg, const char *path), void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->n_files; i++)
		if (wanted(arg, report->files[i]->path))
			report->files[kept++] = report->files[i];
	report->n_files = kept;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Where it takes more than a second, how far it is; on a terminal only. */
static void show_progress(struct report *report)
{
	double time = now();

	if (!report->next)
		report->started = time;
	if (time - report->started < 1 || time - report->shown < 0.2 || report->options->quiet || !isatty(2))
		return;
	report->shown = time;
	dprintf(2, "\r%zu of %zu files", report->next, report->n_files);
}

static void hide_progress(struct report *report)
{
	if (report->shown > 0)
		dprintf(2, "\r\033[K");
	report->shown = 0;
}

/* With coverage.py's name for it. */
static void warn_of_file(const struct report *report, const char *path, int error, const char *why)
{
	if (string_list_has(&report->options->config->run.disable_warnings, "couldnt-parse"))
		return;
	if (error == -EBADMSG)
		log_warning("%s (couldnt-parse)", why);
	else
		log_warning("Couldn't parse '%s': %s (couldnt-parse)", path, why);
}

static int next_file(struct report *report, struct analysis *ret, char why[REPORT_WHY_MAX])
{
	while (report->next < report->n_files) {
		const struct record_file *file;
		int r;

		show_progress(report);
		file = report->files[report->next++];
		r = analyze_file(report, file, why, ret);
		if (r == 0) {
			report->n_guessed += ret->is_guessed;
			return 1;
		}
		if (r == -EBADMSG && !should_be_python(file->path))
			continue;
		if (r == -ENOMEM || !report->options->ignore_errors)
			return r;
		hide_progress(report);
		warn_of_file(report, file->path, r, why);
	}
	return 0;
}

int report_next(struct report *report, struct analysis *ret, char why[REPORT_WHY_MAX])
{
	int r = next_file(report, ret, why);

	if (r > 0)
		return r;
	hide_progress(report);
	if (r < 0)
		return r;
	if (report->n_guessed)
		log_warning(
			"there is no Python to compile the files that were not recorded by pycov-trace: which lines "
			"of them (%zu files) have code is guessed",
			report->n_guessed);
	report->n_guessed = 0;
	return 0;
}
