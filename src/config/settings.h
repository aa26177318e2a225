/**
 * The table of the settings of coverage.py that have a meaning here. For the files of this folder alone.
 */
#pragma once

#include "config.h"
#include "config_file.h"

#include <stddef.h>

enum setting_type {
	SETTING_BOOLEAN,
	SETTING_SWITCH, /* a boolean that may be unset */
	SETTING_TEXT,
	SETTING_FILE, /* a text in which ~ is the home directory */
	SETTING_INTEGER,
	SETTING_FLOAT,
	SETTING_LIST,
	SETTING_REGEXES, /* a list, one on each line */
	SETTING_NOTHING, /* known, and of no meaning here */
};

struct setting {
	const char *section, *name;
	enum setting_type type;
	size_t offset; /* in struct config */
};

/** All of them; those of a section stand together. */
extern const struct setting settings[];
extern const size_t n_settings;

/** NULL: there is none of that name. */
const struct setting *setting_find(const char *section, const char *name);

/** Fill @p config with the defaults. -ENOMEM. Call config_deinit() in each case. */
int settings_init(struct config *config) must_check;

/**
 * Set the member of @p row in @p config to what stands at @p s of @p file, variables and home directories expanded. -EINVAL: it is of
 * another type, and the `why` of @p file says so; -ENOMEM.
 */
int setting_read(struct config *config, const struct setting *row, struct config_file *file,
		 const struct config_setting *s) must_check;

/** Add to @p list the items of @p s; each a line if @p regexes, else parted by commas and lines. Errors as above. */
int setting_read_list(struct config_file *file, const struct config_setting *s, bool regexes,
		      struct string_list *list) must_check;

/** Add the non-empty parts of @p text between any of @p separators, without white space around. -ENOMEM. */
int setting_split(struct string_list *list, const char *text, const char *separators) must_check;
