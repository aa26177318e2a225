#include "supervisor/recorder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "supervisor/interpreters.h"

static const char *const *list_of(const struct string_list *list)
{
	return (const char *const *)list->items;
}

/* Warnings go by the names that coverage.py gives them. */
bool recorder_warns_of(const struct recorder *r, const char *warning)
{
	return !string_list_has(&r->options->config.run.disable_warnings, warning);
}

static int find_relative_to(struct recorder *r)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);

	if (!cwd || asprintf(&r->relative_to, "%s%s", cwd, strcmp(cwd, "/") ? "/" : "") < 0) {
		r->relative_to = NULL;
		return -ENOMEM;
	}
	return 0;
}

const char *recorder_relative_name(const struct recorder *r, const char *path)
{
	size_t n = r->relative_to ? strlen(r->relative_to) : 0;

	return n && !strncmp(path, r->relative_to, n) && path[n] ? path + n : path;
}

/* sys.path[0] is one of these, for what the command starts. */
static int find_script_dirs(const struct options *options, struct string_list *ret)
{
	int r = string_list_push(ret, ".");

	for (char **word = options->command; r == 0 && word && *word; word++) {
		_cleanup_free_ char *dir = NULL;
		struct stat st;

		if (stat(*word, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) || !strchr(*word, '/')) {
			r = string_list_push(ret, S_ISDIR(st.st_mode) ? *word : ".");
			continue;
		}
		dir = strndup(*word, (size_t)(strrchr(*word, '/') - *word) + 1);
		r = dir ? string_list_push(ret, dir) : -ENOMEM;
	}
	return r;
}

static int make_packages(struct recorder *r)
{
	const char *const *names = selection_packages(r->selection);
	size_t n = 0;

	while (names[n])
		n++;
	r->packages = calloc(n + 1, sizeof(*r->packages));
	return r->packages ? 0 : -ENOMEM;
}

int recorder_init(struct recorder *r, const struct options *options)
{
	struct selection_options sel = {.source = list_of(&options->source),
					.include = list_of(&options->include),
					.omit = list_of(&options->omit),
					.source_pkgs = list_of(&options->config.run.source_pkgs),
					.source_dirs = list_of(&options->config.run.source_dirs),
					.pylib = options->pylib,
					.namespace_packages = options->config.report.include_namespace_packages};
	struct string_list script_dirs = {0};
	int ret;

	memset(r, 0, sizeof(*r));
	r->options = options;
	record_init(&r->record);
	dir_cache_init(&r->dirs);
	r->file.dirfd = r->last_fd = -1;
	ret = find_script_dirs(options, &script_dirs);
	sel.script_dirs = list_of(&script_dirs);
	if (ret == 0)
		ret = selection_new(&sel, r->why, sizeof(r->why), &r->selection);
	string_list_deinit(&script_dirs);
	if (ret == 0)
		ret = make_packages(r);
	if (ret < 0)
		return ret;
	if (selection_include_is_ignored(r->selection) && recorder_warns_of(r, "include-ignored"))
		log_warning("--include is ignored because --source is set (include-ignored)");
	ret = options->config.run.relative_files ? find_relative_to(r) : 0;
	if (ret == 0)
		ret = recorder_open_file(r);
	return ret;
}

void recorder_deinit(struct recorder *r)
{
	while (r->interpreters) {
		struct interpreter *it = r->interpreters;

		r->interpreters = it->next;
		interpreter_free(it);
	}
	cleanup_closep(&r->last_fd);
	selection_free(r->selection);
	dir_cache_deinit(&r->dirs);
	free(r->relative_to);
	free(r->packages);
	record_deinit(&r->record);
	datafile_deinit(&r->file);
}

int recorder_judge(struct recorder *recorder, const struct run *run, const char *name, const char **ret)
{
	struct interpreter *it;
	struct known_file *known;
	int r = interpreter_get(recorder, run, false, &it);

	if (r == 0)
		r = interpreter_file(recorder, it, name, &known);
	if (r == 0)
		*ret = known->path;
	return r;
}

int recorder_add_samples(struct recorder *recorder, const struct run *run, struct record *record,
			 struct record *sampled)
{
	struct interpreter *it;
	int r = sampled->files.count ? interpreter_get(recorder, run, false, &it) : 0;

	for (size_t i = 0; i < sampled->files.n_slots && r == 0; i++) {
		struct record_file *from = sampled->files.slots[i].entry, *to;
		struct known_file *known;

		if (!from || !from->n_samples)
			continue;
		r = interpreter_file(recorder, it, from->path, &known);
		to = r == 0 && known->path ? record_file_find(record, known->path) : NULL;
		if (to)
			r = record_file_move_samples(to, from);
	}
	return r;
}
