/**
 * One file of a report: which of its lines are statements, which of them ran, which are excluded,
 * and the numbers of that, as coverage.py has them (coverage/parser.py, results.py, 7.17.3).
 */
#pragma once

#include "base/cleanup.h"
#include "data/record.h"
#include "report/source.h"
#include "report/syntax.h"

/** Bits of a line. */
enum line_flag {
	LINE_STATEMENT = 1, /* a statement starts here: one of those that are counted */
	LINE_EXECUTED = 2,  /* and it ran. A line that is a statement and did not run is missing. */
	LINE_EXCLUDED = 4,  /* comments and empty lines may be excluded too */
	LINE_DOCSTRING = 8,
	LINE_RAW = 16,	     /* has code, counted here or in the first line of its statement */
	LINE_NO_BRANCH = 32, /* `# pragma: no branch` and the like */
	LINE_START = 64,     /* where the data has branches: the first line of a statement with code */
};

/** Those of coverage.py's results.Numbers. */
struct numbers {
	uint64_t n_files, n_statements, n_missing, n_excluded;
	uint64_t n_branches, n_partial_branches, n_missing_branches;
};

void numbers_add(struct numbers *total, const struct numbers *n);

/** Percent of statements and branches together that ran; 100 if there are none. */
double numbers_covered(const struct numbers *n);
double numbers_statements_covered(const struct numbers *n);
double numbers_branches_covered(const struct numbers *n);

#define PERCENT_TEXT_MAX 64
#define PRECISION_MAX 32

/** "0" and "100" only where it is exactly that, at that precision: write e.g. "66.7" to @p text. */
void percent_format(double percent, int precision, char text[PERCENT_TEXT_MAX]);

enum region_kind { REGION_FUNCTION, REGION_CLASS };

/**
 * A function or class. The lines of a function are those of its body without those of functions in
 * it; those of a class are those of its methods, without those of classes in it.
 */
struct region {
	enum region_kind kind;
	char *name;			/* with the names of the functions and classes around it */
	uint32_t start;			/* the line of `def` or `class` */
	uint32_t first_line, last_line; /* its lowest and highest line; 0 if it has no lines */
};

/** What a branch does. */
enum branch_way {
	BRANCH_JUMP,
	BRANCH_RETURN,	   /* from the function `owner` */
	BRANCH_EXCEPT,	   /* an exception leaves the function `owner` */
	BRANCH_EXIT_CLASS, /* the end of the body of the class `owner` */
	BRANCH_EXIT_MODULE,
	BRANCH_EXIT, /* one of these */
};

/** An arc between lines. @p to is negative for the way out of the code object of line -@p to. */
struct branch {
	uint32_t from;
	int32_t to;
	bool executed, missing; /* neither: `no branch` was asked for, or it leads to an excluded line */
	enum branch_way way;
	uint32_t owner; /* index of the statement */
	bool excluded;	/* it leads to an excluded line: not in the numbers */
};

struct analysis {
	const struct record_file *file; /* `path` as recorded; `lines` per context, not mapped to statements */
	char *name;			/* to show: relative to the working directory */
	struct source source;		/* `text` is NULL if the source is missing */
	struct syntax syntax;		/* empty without a source */
	uint32_t n_lines;
	uint8_t *lines;		 /* flags of line 1 to n_lines + 1, at the index of the line. The last of them is
			   beyond the text, but may be excluded, as coverage.py has it. */
	bool is_guessed;	 /* its lines with code are, for there was no Python to compile it */
	bool has_branches;	 /* the data has arcs */
	struct branch *branches; /* of lines with more than one way on, sorted by from, then to */
	size_t n_branches;
	struct numbers numbers;
};

/** The first line of the statement that @p line belongs to: where its flags are. */
static inline uint32_t analysis_first_line(const struct analysis *a, uint32_t line)
{
	return line < a->syntax.n_lines + 1 && a->syntax.first ? a->syntax.first[line] : line;
}

static inline bool analysis_is_missing(const struct analysis *a, uint32_t line)
{
	return (a->lines[line] & (LINE_STATEMENT | LINE_EXECUTED)) == LINE_STATEMENT;
}

void analysis_deinit(struct analysis *a);
#define _cleanup_analysis_ _cleanup_(analysis_deinit)

/**
 * Functions and classes, as analysis_regions() finds them, in the order of the text; the index of
 * one, plus 1, stands at each of its lines.
 */
struct analysis_regions {
	struct region *regions;
	size_t n;
	uint32_t *function_of, *class_of; /* line 1 to n_lines; 0: outside of all */
};

/** Empty without a source. -ENOMEM. */
int analysis_regions(const struct analysis *a, struct analysis_regions *ret) must_check;
void analysis_regions_deinit(struct analysis_regions *regions);
#define _cleanup_analysis_regions_ _cleanup_(analysis_regions_deinit)

/**
 * The numbers of the lines of @p kind whose region is @p region, an index plus 1 or 0 for those
 * outside of all. `n_files` is 1.
 */
struct numbers analysis_region_numbers(const struct analysis *a, const struct analysis_regions *regions,
				       enum region_kind kind, size_t region);

/** The index of the first branch of line @p from or one behind it; `n_branches` if there is none. */
size_t analysis_find_branch(const struct analysis *a, uint32_t from);

/**
 * "1-2, 5-11, 13->exit": the missing lines, and the branches of executed lines that were never
 * taken. -ENOMEM. The caller frees it.
 */
int analysis_missing_text(const struct analysis *a, char **ret) must_check;
