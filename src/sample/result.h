/** What comes of a run of the sampler: its profile is written, and what came of it said. */
#pragma once

#include "sample/output.h"
#include "sample/sampler.h"

/** What was sampled, for titles: a command with its arguments, or, if that is NULL, process @p pid. */
void result_name(char *buf, size_t size, pid_t pid, char *const *command);

/** Write the profile, as profile_write() does; an error was said. @p path may be NULL: where the format goes by default. */
int result_write(const struct sampler *s, const struct profile_format *format, const struct profile_view *view,
		 const char *path) must_check;
