/** What the live view shows, without the terminal: rows of functions or lines, with the last interval and the whole. */
#pragma once

#include "sample/profile.h"

/** Columns, in their order; also what rows are sorted by. */
enum top_column {
	TOP_OWN,	 /* percent of the last interval's wall time, innermost */
	TOP_TOTAL,	 /* the same, anywhere in the stack: of two busy threads together up to 200 % */
	TOP_OWN_SECONDS, /* since the start or top_model_reset() */
	TOP_TOTAL_SECONDS,
	TOP_N_COLUMNS,
};

struct top_row {
	uint32_t frame; /* of the profile; by function, one of them */
	double values[TOP_N_COLUMNS];
};

/** Shares of the last interval's wall time, in percent. */
struct top_shares {
	double seen, cpu, gil, gil_wait, idle;
};

struct top_process {
	uint32_t process; /* of the profile */
	struct top_shares shares;
};

/** Public members are for reading. All zeros to begin with, but for what top_model_init() sets. */
struct top_model {
	const struct profile *profile;
	bool lines;
	enum top_column sort;
	struct top_row *rows; /* sorted, without those that are all zeros */
	size_t n_rows;
	struct top_shares shares;      /* of all */
	struct top_process *processes; /* those seen in the interval, by `seen` */
	size_t n_processes;
	double seconds;		  /* since the start or reset */
	double interval;	  /* seconds; 0: there was none yet */
	const char **short_names; /* by function */

	uint64_t start_ns, before_ns;
	struct top_past {
		uint64_t own_ns, total_ns;
	} * base, *before; /* by function or frame: at the reset, and at the beginning of the interval */
	size_t n_base, n_before;
	struct top_process_past {
		uint64_t seen, cpu, gil, gil_wait, idle;
	} * processes_before, all_before;
	size_t n_processes_before;
	uint32_t n_short_names;
};

/** @p p must outlive the model. */
void top_model_init(struct top_model *model, const struct profile *p, uint64_t now_ns);
void top_model_deinit(struct top_model *model);

/** An interval ends at @p now_ns: make the rows anew. -ENOMEM. */
int top_model_update(struct top_model *model, uint64_t now_ns) must_check;

/** Rows by line, or by function. The next interval begins now. -ENOMEM. */
int top_model_set_lines(struct top_model *model, bool lines, uint64_t now_ns) must_check;

void top_model_sort(struct top_model *model, enum top_column column);

/** Count seconds from now on. -ENOMEM. */
int top_model_reset(struct top_model *model, uint64_t now_ns) must_check;
