/** Making the analysis of a file: what reports use is in analysis.h. */
#pragma once

#include "report/analysis.h"
#include "report/compile.h"
#include "report/line_regex.h"

struct analyzer {
	const struct line_regex *exclude, *partial, *contexts; /* NULL for contexts: all */
	struct compiler *compiler; /* for files without recorded lines with code; NULL: guess */
	bool has_arcs;
};

#define ANALYZE_WHY_MAX 512

/**
 * Analyze @p file, whose source is at @p path, as @p name. -ENOENT and the like: no source, and no lines with
 * code recorded either; -EBADMSG: not Python; -E2BIG: a regular expression takes too long; -ENOMEM. @p why says it.
 */
int analyze(const struct analyzer *with, const struct record_file *file, const char *path, const char *name,
	    char why[ANALYZE_WHY_MAX], struct analysis *ret) must_check;

/** For analyze(): the branches of @p a, whose lines are done. */
int branches_find(const struct analyzer *with, struct analysis *a) must_check;
