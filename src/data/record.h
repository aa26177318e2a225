/**
 * What a whole tree of processes ran: files by path, in each file the executed lines per context,
 * the executable lines, and its functions.
 *
 * One owner at a time: no locks in here. Pointers to files, contexts and line sets stay valid
 * until record_deinit(), except that a `struct lineset *` of record_file_lines() is good only until
 * the next call for the same file.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"
#include "base/lineset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A label under which lines are recorded; "" is the default one. */
struct record_context {
	char *name;
	uint32_t id; /* order of appearance in this record */
};

/**
 * That line @p to ran next after line @p from. A negative one is where the code object that begins
 * at that line was entered (from) or left (to).
 */
struct record_arc {
	int32_t from, to;
};

/** What one file ran in one context. The lines at either end of an arc are in `lines`, too. */
struct record_lines {
	const struct record_context *context;
	struct lineset lines;
	struct record_arc *arcs; /* in no order, some twice: see record_arcs_sort() */
	size_t n_arcs, room;
};

/** What a draft of the data file has of something already: for datafile_write.c alone. */
struct record_draft {
	uint32_t draft; /* of which one; 0: of none */
	uint32_t lines; /* how many executable lines */
	int64_t row;
};

/** A function, class body or module: one code object as the compiler made it. */
struct record_function {
	char *name; /* qualified name */
	uint32_t first_line;
	struct lineset executable;
	struct record_draft drafted;
};

/** How often a line was found running by sampling. */
struct record_sample {
	uint32_t line;
	uint64_t samples;
};

struct record_file {
	char *path;
	char *tracer;		    /* the plugin of coverage.py that traced it; NULL: none */
	size_t number;		    /* order of appearance in this record */
	struct record_lines *lines; /* sorted by the id of the context */
	size_t n_lines;
	struct lineset executable;     /* every line with code, as the interpreter had it */
	struct hashmap functions;      /* of struct record_function */
	struct record_sample *samples; /* sorted by line */
	size_t n_samples, samples_room;
	struct record_draft drafted;
};

/** Set up with record_init(). The members are for reading. */
struct record {
	struct hashmap files;	 /* of struct record_file */
	struct hashmap contexts; /* of struct record_context */
	struct hash_key key;
	bool has_arcs;	/* the data is arcs; else there are none */
	uint32_t draft; /* number of the draft that was last begun with it; 0: none */
};

void record_init(struct record *rec);
void record_deinit(struct record *rec);
#define _cleanup_record_ _cleanup_(record_deinit)

/** Yield the file of that path, made if it is not there. A file without lines is one at 0 %. */
int record_file_get(struct record *rec, const char *path, struct record_file **ret) must_check;

/** The file of that path, or NULL. */
struct record_file *record_file_find(const struct record *rec, const char *path);

/**
 * Yield the executed lines of @p file, which is of @p rec, in the context of that name, "" or NULL
 * for the default one; an empty set at first. Add to them what ran.
 */
int record_file_lines(struct record *rec, struct record_file *file, const char *context,
		      struct lineset **ret) must_check;

/** Add an arc, as record_file_lines() adds lines. Sets `has_arcs`. -ERANGE: it is none. */
int record_file_add_arc(struct record *rec, struct record_file *file, const char *context,
			struct record_arc arc) must_check;

/** Sort them by from, then to, and drop what is there twice: how many are left. */
size_t record_arcs_sort(struct record_arc *arcs, size_t n);

/**
 * Add a function; of two with the same name and first line (a lambda twice on a line, the same
 * file loaded twice) the lines are united. @p executable may be NULL; it is copied.
 */
int record_file_add_function(struct record *rec, struct record_file *file, const char *name, uint32_t first_line,
			     const struct lineset *executable) must_check;

/** Add to the number of samples of a line, up to INT64_MAX. -ERANGE: no line. */
int record_file_add_samples(struct record_file *file, uint32_t line, uint64_t samples) must_check;

/** Add all samples of @p from, which has none then. */
int record_file_move_samples(struct record_file *file, struct record_file *from) must_check;

/** False if no line of any file was executed. */
bool record_has_lines(const struct record *rec);

/** How many lines of @p file were executed, in any context. */
size_t record_file_executed(const struct record_file *file);

/** Add all of @p from to @p rec, arcs to lines as well: `has_arcs` of both is the caller's affair. -ENOMEM: some of it may have been added. */
int record_merge(struct record *rec, const struct record *from) must_check;

/** The name that @p path gets; good until the next call. A negative result ends the merging and is its result. */
typedef int (*record_map_fn)(void *arg, const char *path, const char **ret);

/** The same under other names; files come in the order of their appearance. -EEXIST: the tracer is not that of before. */
int record_merge_mapped(struct record *rec, const struct record *from, record_map_fn map, void *arg) must_check;

/** Yield the files sorted by path (bytes). The caller frees the array, not what it points to. */
int record_sorted_files(const struct record *rec, struct record_file ***ret, size_t *n) must_check;

/** Yield the contexts that occur, sorted by name. As record_sorted_files(). */
int record_sorted_contexts(const struct record *rec, struct record_context ***ret, size_t *n) must_check;

/** Yield the functions of a file sorted by first line, then name. As record_sorted_files(). */
int record_sorted_functions(const struct record_file *file, struct record_function ***ret, size_t *n) must_check;
