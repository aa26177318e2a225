/*
 * One table of settings; a row says where a setting stands in a file, where in struct config, and what it is.
 */
#include "settings.h"

#include <string.h>

#define ROW(section, name, type)                                                                                       \
	{                                                                                                              \
#section, #name, type, offsetof(struct config, section.name)                                           \
	}

const struct setting settings[] = {
	ROW(run, branch, SETTING_BOOLEAN),
	ROW(run, command_line, SETTING_TEXT),
	ROW(run, concurrency, SETTING_LIST),
	ROW(run, context, SETTING_TEXT),
	ROW(run, core, SETTING_TEXT),
	ROW(run, cover_pylib, SETTING_BOOLEAN),
	ROW(run, data_file, SETTING_FILE),
	ROW(run, debug, SETTING_LIST),
	ROW(run, debug_file, SETTING_FILE),
	ROW(run, disable_warnings, SETTING_LIST),
	ROW(run, dynamic_context, SETTING_TEXT),
	ROW(run, include, SETTING_LIST),
	ROW(run, omit, SETTING_LIST),
	ROW(run, parallel, SETTING_BOOLEAN),
	ROW(run, patch, SETTING_LIST),
	ROW(run, plugins, SETTING_LIST),
	ROW(run, relative_files, SETTING_BOOLEAN),
	ROW(run, sigterm, SETTING_BOOLEAN),
	ROW(run, source, SETTING_LIST),
	ROW(run, source_dirs, SETTING_LIST),
	ROW(run, source_pkgs, SETTING_LIST),
	ROW(run, timid, SETTING_BOOLEAN),
	{"run", "_crash", SETTING_NOTHING, 0},
	ROW(report, contexts, SETTING_LIST),
	ROW(report, exclude_also, SETTING_REGEXES),
	ROW(report, exclude_lines, SETTING_REGEXES),
	ROW(report, fail_under, SETTING_FLOAT),
	ROW(report, format, SETTING_TEXT),
	ROW(report, ignore_errors, SETTING_BOOLEAN),
	ROW(report, include, SETTING_LIST),
	ROW(report, include_namespace_packages, SETTING_BOOLEAN),
	ROW(report, omit, SETTING_LIST),
	ROW(report, partial_also, SETTING_REGEXES),
	ROW(report, partial_branches, SETTING_REGEXES),
	ROW(report, partial_branches_always, SETTING_REGEXES),
	ROW(report, precision, SETTING_INTEGER),
	ROW(report, show_missing, SETTING_BOOLEAN),
	ROW(report, skip_covered, SETTING_BOOLEAN),
	ROW(report, skip_empty, SETTING_BOOLEAN),
	ROW(report, sort, SETTING_TEXT),
	ROW(html, directory, SETTING_FILE),
	ROW(html, extra_css, SETTING_TEXT),
	ROW(html, show_contexts, SETTING_BOOLEAN),
	ROW(html, skip_covered, SETTING_SWITCH),
	ROW(html, skip_empty, SETTING_SWITCH),
	ROW(html, title, SETTING_TEXT),
	ROW(xml, output, SETTING_FILE),
	ROW(xml, package_depth, SETTING_INTEGER),
	ROW(json, output, SETTING_FILE),
	ROW(json, pretty_print, SETTING_BOOLEAN),
	ROW(json, show_contexts, SETTING_BOOLEAN),
	ROW(lcov, line_checksums, SETTING_BOOLEAN),
	ROW(lcov, output, SETTING_FILE),
};
const size_t n_settings = ARRAY_SIZE(settings);

const struct setting *setting_find(const char *section, const char *name)
{
	for (size_t i = 0; i < n_settings; i++)
		if (!strcmp(settings[i].section, section) && !strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

/* ---------------------------------------------------------------------------------------------------- the defaults */

static const char *const default_exclude[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)",
	"^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)",
	"^\\s*if (typing\\.)?TYPE_CHECKING:",
};
static const char *const default_partial[] = {"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(branch|BRANCH)"};
static const char *const default_partial_always[] = {"^\\s*while (True|1|False|0):", "^\\s*if (True|1|False|0):"};

static int push_all(struct string_list *list, const char *const *items, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = string_list_push(list, items[i]);
	return r;
}

int settings_init(struct config *c)
{
	*c = (struct config){
		.run.data_file = strdup(".coverage"),
		.html = {.directory = strdup("htmlcov"),
			 .title = strdup("Coverage report"),
			 .skip_covered = CONFIG_UNSET,
			 .skip_empty = CONFIG_UNSET},
		.xml = {.output = strdup("coverage.xml"), .package_depth = 99},
		.json.output = strdup("coverage.json"),
		.lcov.output = strdup("coverage.lcov"),
	};
	if (!c->run.data_file || !c->html.directory || !c->html.title || !c->xml.output || !c->json.output ||
	    !c->lcov.output || push_all(&c->report.exclude_lines, default_exclude, ARRAY_SIZE(default_exclude)) < 0 ||
	    push_all(&c->report.partial_branches, default_partial, ARRAY_SIZE(default_partial)) < 0 ||
	    push_all(&c->report.partial_branches_always, default_partial_always, ARRAY_SIZE(default_partial_always)) <
		    0)
		return -ENOMEM;
	return 0;
}

void config_deinit(struct config *c)
{
	for (size_t i = 0; i < n_settings; i++) {
		void *member = (char *)c + settings[i].offset;

		if (settings[i].type == SETTING_TEXT || settings[i].type == SETTING_FILE)
			free(*(char **)member);
		else if (settings[i].type == SETTING_LIST || settings[i].type == SETTING_REGEXES)
			string_list_deinit(member);
	}
	for (size_t i = 0; i < c->n_paths; i++) {
		free(c->paths[i].name);
		string_list_deinit(&c->paths[i].places);
	}
	free(c->paths);
	free(c->file);
	*c = (struct config){0};
}
