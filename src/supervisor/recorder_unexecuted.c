/*
 * What --source asks for and no interpreter ran: files, which are added to the record, and packages, which are warned
 * of.
 */
#include "supervisor/recorder.h"

#include "base/log.h"
#include "selection/modules.h"
#include "supervisor/interpreters.h"

struct unexecuted {
	struct recorder *recorder;
	struct record *record;
};

static int add_unexecuted(void *arg, const char *path)
{
	struct unexecuted *u = arg;
	struct record_file *file;

	return record_file_get(u->record, recorder_relative_name(u->recorder, path), &file);
}

int recorder_add_unexecuted(struct recorder *recorder, struct record *record)
{
	bool again = !recorder->options->parallel_mode;
	struct unexecuted u = {recorder, record};
	int r = 0;

	if (!selection_has_source(recorder->selection))
		return 0;
	if (again || !recorder->walked)
		r = selection_unexecuted_files(recorder->selection, &recorder->dirs, add_unexecuted, &u);
	recorder->walked = true;
	for (struct interpreter *it = recorder->interpreters; it && r == 0; it = it->next) {
		for (size_t i = again ? 0 : it->n_walked; i < it->packages.n && r == 0; i++)
			r = selection_unexecuted_in(recorder->selection, &recorder->dirs, &it->facts,
						    it->packages.items[i], add_unexecuted, &u);
		it->n_walked = it->packages.n;
	}
	return r;
}

static int no_file(void *arg, const char *path)
{
	(void)arg, (void)path;
	return 0;
}

void recorder_find_unexecuted(struct recorder *recorder)
{
	int r = 0;

	if (!selection_has_source(recorder->selection))
		return;
	if (!recorder->found)
		r = selection_unexecuted_files(recorder->selection, &recorder->dirs, no_file, NULL);
	recorder->found = true;
	for (struct interpreter *it = recorder->interpreters; it && r == 0; it = it->next)
		for (; it->n_found < it->packages.n && r == 0; it->n_found++)
			r = selection_unexecuted_in(recorder->selection, &recorder->dirs, &it->facts,
						    it->packages.items[it->n_found], no_file, NULL);
}

static enum module_kind kind_of(const struct recorder *r, const char *name)
{
	enum module_kind kind = MODULE_UNKNOWN;

	for (struct interpreter *it = r->interpreters; it && kind == MODULE_UNKNOWN; it = it->next)
		kind = module_kind_of(&it->facts, name);
	return kind;
}

static void warn_of_module(const struct recorder *r, const char *name, const char *fmt, const char *warning)
	__attribute__((format(printf, 3, 0)));
static void warn_of_module(const struct recorder *r, const char *name, const char *fmt, const char *warning)
{
	char text[512];

	if (!recorder_warns_of(r, warning))
		return;
	snprintf(text, sizeof(text), fmt, name);
	log_warning("%s (%s)", text, warning);
}

static void warn_of_package(const struct recorder *r, const char *name, const struct package_seen *seen)
{
	enum module_kind kind;

	/* a directory without an __init__.py has no code of its own */
	if (seen->is_whole || seen->in_part)
		return;
	kind = kind_of(r, name);
	if (kind == MODULE_COMPILED)
		warn_of_module(r, name, "Module %s has no Python source.", "module-not-python");
	else if (kind == MODULE_FROZEN)
		warn_of_module(r, name, "Module %s was previously imported, but not measured", "module-not-measured");
	else if (r->options->pids.n)
		warn_of_module(r, name, "Module %s did not run, or was never imported", "module-not-measured");
	else
		warn_of_module(r, name, "Module %s was never imported.", "module-not-imported");
}

void recorder_warn(const struct recorder *recorder)
{
	const char *const *names = selection_packages(recorder->selection);

	for (size_t i = 0; names[i]; i++)
		warn_of_package(recorder, names[i], &recorder->packages[i]);
}
