/**
 * The settings of coverage.py's configuration files: [run], [paths], [report], [html], [xml], [json] and [lcov] of
 * .coveragerc, .coveragerc.toml, setup.cfg, tox.ini or pyproject.toml. Names, order, defaults and types as in
 * coverage.py (coverage/config.py, 7.17.3).
 *
 * What a command line says beside it is the command's affair; the environment (COVERAGE_FILE, COVERAGE_DEBUG,
 * COVERAGE_RCFILE) is looked at here.
 */
#pragma once

#include "base/cleanup.h"
#include "base/string_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** A switch that may be set neither way: then that of [report] holds. */
enum config_switch { CONFIG_OFF, CONFIG_ON, CONFIG_UNSET };

struct config_run {
	bool branch, cover_pylib, parallel, relative_files, sigterm, timid;
	char *command_line, *context, *core, *debug_file, *dynamic_context; /* NULL: not set */
	char *data_file;						    /* ".coverage"; never NULL */
	struct string_list concurrency, debug, disable_warnings, include, omit, patch, plugins;
	struct string_list source, source_pkgs, source_dirs;
};

/** Regular expressions are Python's, and not checked here. */
struct config_report {
	/* The defaults, or what the file has in their place; `_also` is added at the end of the list before it. */
	struct string_list exclude_lines, exclude_also;
	struct string_list partial_branches, partial_also;
	struct string_list partial_branches_always;
	struct string_list contexts, include, omit;
	char *format, *sort; /* NULL: not set */
	double fail_under;
	int precision;
	bool ignore_errors, include_namespace_packages, show_missing, skip_covered, skip_empty;
};

struct config_html {
	char *directory, *title; /* "htmlcov", "Coverage report" */
	char *extra_css;	 /* NULL: none */
	enum config_switch skip_covered, skip_empty;
	bool show_contexts;
};

struct config_xml {
	char *output; /* "coverage.xml" */
	int package_depth;
};

struct config_json {
	char *output; /* "coverage.json" */
	bool pretty_print, show_contexts;
};

struct config_lcov {
	char *output; /* "coverage.lcov" */
	bool line_checksums;
};

/** One list of [paths]: the first is what the others become. */
struct config_paths {
	char *name;
	struct string_list places;
};

struct config {
	char *file; /* where the settings are from, as it was opened; NULL: nowhere */
	struct config_run run;
	struct config_report report;
	struct config_html html;
	struct config_xml xml;
	struct config_json json;
	struct config_lcov lcov;
	struct config_paths *paths; /* in the order of the file */
	size_t n_paths;
};

/**
 * Fill @p config with the defaults and the settings of the first file that has some, looked for in the working
 * directory. @p rcfile is the value of --rcfile, or NULL: "" is no file at all, any other must be there.
 *
 * -EINVAL: a file that cannot be read as what it is, or a setting of the wrong type; @p why, of @p size bytes, says
 * it all ("FILE:LINE:COLUMN: ..."). -ENOMEM. Unknown settings are warned of. Call config_deinit() in each case.
 */
int config_read(struct config *config, const char *rcfile, char *why, size_t size) must_check;

/** Say once for each what is set and pycov-trace has no use for. */
void config_warn_unused(const struct config *config);

/** Print all settings, a line for each, the values as JSON has them. */
void config_print(const struct config *config, FILE *out);

/**
 * The words of a command line as Python's shlex.split() has them: quotes and backslashes as in a shell, nothing else.
 * -EINVAL: a quote or backslash is left open. -ENOMEM.
 */
int config_split_words(const char *text, struct string_list *ret) must_check;

void config_deinit(struct config *config);
#define _cleanup_config_ _cleanup_(config_deinit)
