/**
 * Regular expressions of settings that choose lines: exclude_lines, partial_branches and the like.
 * They are Python's, searched for in the whole text with re.MULTILINE; PCRE2 runs them, with limits.
 */
#pragma once

#include "base/cleanup.h"
#include "base/string_list.h"
#include "report/source.h"

struct line_regex;

/**
 * Compile all of @p list as one alternative. -EINVAL: @p why, of @p size bytes, says what is wrong
 * with which. An empty list gives one that matches nothing.
 */
int line_regex_new(const struct string_list *list, char *why, size_t size, struct line_regex **ret) must_check;

/** NULL is accepted. */
void line_regex_free(struct line_regex *regex);

typedef void (*line_regex_fn)(void *arg, uint32_t line);

/**
 * Call @p fn for each line that a match reaches, in order; a line may come twice. -E2BIG: the
 * expression takes too long on this text. -ENOMEM.
 */
int line_regex_each(const struct line_regex *regex, const struct source *source, line_regex_fn fn,
		    void *arg) must_check;

/** True if it matches anywhere in @p text, which is UTF-8. */
bool line_regex_search(const struct line_regex *regex, const char *text);
