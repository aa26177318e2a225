/**
 * What stands in a configuration file: settings by section, in their order, with where they stand. INI as Python's
 * configparser reads it, and TOML. For config.c alone.
 */
#pragma once

#include "base/cleanup.h"
#include "base/string_list.h"
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_kind {
	CONFIG_KIND_TEXT, /* of TOML: a string; of INI: everything */
	CONFIG_KIND_BOOLEAN,
	CONFIG_KIND_INTEGER,
	CONFIG_KIND_FLOAT,
	CONFIG_KIND_LIST,  /* of strings */
	CONFIG_KIND_OTHER, /* a table, a date, a list of something else */
};

struct config_setting {
	char *section, *name; /* name is NULL for the section itself */
	int line, column;     /* of the value, from 1 */
	enum config_kind kind;
	char *text; /* of a text, and of a boolean or number as it would be written */
	double number;
	struct string_list list;
};

struct config_file {
	bool is_toml;
	const char *name; /* for messages; the caller's */
	struct config_setting *settings;
	size_t n;
	char why[512]; /* what was wrong, with the place */
};

/**
 * Parse @p text, which ends in a NUL. Sections of TOML are called like "run" at the top and "tool.coverage.run" below
 * that table; no others are kept. -EINVAL: `why` says what is wrong and where. -ENOMEM. Call config_file_deinit().
 */
int config_ini_parse(struct config_file *file, const char *text) must_check;
int config_toml_parse(struct config_file *file, const char *text, size_t len) must_check;
void config_file_deinit(struct config_file *file);

/** Add a setting; texts are copied. NULL: out of memory. */
struct config_setting *config_file_add(struct config_file *file, const char *section, const char *name, int line,
				       int column);

/** Set `why`: "FILE:LINE:COLUMN: ..."; returns -EINVAL. */
int config_file_wrong(struct config_file *file, int line, int column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * Replace $VAR, ${VAR}, ${VAR-default}, ${VAR?} and $$ as coverage.py does. -ENOENT: a ${VAR?} that is not set, whose
 * name is copied to @p name. -ENOMEM.
 */
int config_expand_variables(const char *text, char *name, size_t size, char **ret) must_check;

/** Replace ~ and ~user at the beginning, if there is such a user. -ENOMEM. */
int config_expand_home(const char *text, char **ret) must_check;

/** The length of the white space, as Python's str.isspace() has it, at @p text; 0: none. */
size_t config_space(const char *text);
