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
 * Analyze @p file, whose source is at its path, as @p name. -ENOENT: no source, and no lines with code recorded
 * either; -EBADMSG: not Python; -E2BIG: a regular expression takes too long; -ENOMEM; others: the source cannot be
 * read. @p why says it.
 */
int analyze(const struct analyzer *with, const struct record_file *file, const char *name, char why[ANALYZE_WHY_MAX],
	    struct analysis *ret) must_check;

/** The same, with the bytes of the source. */
int analyze_bytes(const struct analyzer *with, const struct record_file *file, const char *name, const void *bytes,
		  size_t n, char why[ANALYZE_WHY_MAX], struct analysis *ret) must_check;

/** For analyze(): the branches of @p a, whose lines are done. */
int branches_find(const struct analyzer *with, struct analysis *a) must_check;
