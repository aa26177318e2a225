/**
 * Lines with code of files that nobody ran with us, from a Python at hand: it compiles the text and
 * runs none of it (`-I -S -E`, another process, with limits of time and memory).
 */
#pragma once

#include "base/cleanup.h"
#include "base/lineset.h"
#include "report/source.h"

struct compiler;

/**
 * @p python is looked for in the PATH, unless it has a slash; "" is none. It is started when it is
 * needed first. The string must live as long.
 */
int compiler_new(const char *python, struct compiler **ret) must_check;

/** Ends the process. NULL is accepted. */
void compiler_free(struct compiler *compiler);

/**
 * Add the lines of @p source that have code to @p lines. -ENOENT: there is no Python that works;
 * -EBADMSG: it says that the text is no Python; -EIO: it failed on this text; -ENOMEM.
 */
int compiler_lines(struct compiler *compiler, const struct source *source, struct lineset *lines) must_check;
