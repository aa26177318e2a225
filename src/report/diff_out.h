/** What both parts of `pycov-trace diff` write. */
#pragma once

#include <stdio.h>
#include <yajl/yajl_gen.h>

#include "base/lineset.h"
#include "report/source.h"

/** True if @p out is a terminal and NO_COLOR is not set. */
bool diff_out_has_colour(FILE *out);

/** "3-5, 9": a run of lines of @p set goes on over lines that are not in @p all. NULL @p all: over none. */
void diff_out_ranges(FILE *out, const struct lineset *set, const struct lineset *all);

/** Each line of @p set as `SIGN NUMBER TEXT`, in the colour @p colour of ECMA-48, 0 for none. */
void diff_out_source(FILE *out, const struct lineset *set, const struct source *source, char sign, int colour);

/** A name, made fit to be shown. */
void diff_out_name(FILE *out, const char *name);

/** The path as it is shown: relative to the working directory @p cwd, which ends in a slash. */
const char *diff_out_relative(const char *path, const char *cwd);

/** The working directory with a slash at its end, or NULL. */
char *diff_out_cwd(void);

/** An array of numbers, and a path as it is, control characters and all. */
void diff_out_json_lines(yajl_gen json, const char *key, const struct lineset *set);
void diff_out_json_path(yajl_gen json, const char *path);
