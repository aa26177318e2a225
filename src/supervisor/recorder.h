/** Gathers what the regions of a tree hold into one record, as far as it is selected, and writes the data file. */
#pragma once

#include <sys/stat.h>

#include "cli/options.h"
#include "data/datafile.h"
#include "data/record.h"
#include "selection/selection.h"
#include "supervisor/run.h"

/** Of a package of --source: which of its code was met, measured or not. */
struct package_seen {
	bool is_whole; /* its own module's */
	bool in_part;  /* that of a module below it */
};

struct interpreter; /* the facts of one, with the verdicts on its files */

struct recorder {
	const struct options *options;
	struct datafile file; /* the data file, and in parallel mode what the names begin with */
	struct record record; /* of the whole tree */
	struct selection *selection;
	struct dir_cache dirs; /* of the source */
	struct interpreter *interpreters;
	bool has_old_data;	       /* that is appended to */
	struct stat before;	       /* of the data file, as we began; all zeros: there was none */
	struct stat last;	       /* of it, as we left it last */
	int last_fd;		       /* of the keeper: open on it, that no other gets its inode; or -1 */
	bool other_told;	       /* that somebody else writes it is known */
	bool may_have_successor;       /* of the keeper, once it is one */
	bool walked;		       /* the source directories, for files that never ran */
	bool found;		       /* or in advance */
	struct package_seen *packages; /* as many as the selection has */
	char *relative_to;	       /* with a slash: what names of files are cut off at; or NULL */
	char why[512];		       /* what was wrong when recorder_init() failed */
};

/** On failure recorder->why is a message: an option that is wrong (-EINVAL), or a file that cannot be written. */
int recorder_init(struct recorder *recorder, const struct options *options) must_check;
void recorder_deinit(struct recorder *recorder);

/** In the place of a keeper that was killed: go on from what it has written. */
void recorder_resume(struct recorder *recorder);

struct drained_file {
	uint32_t number;
	struct record_file *file; /* NULL: not wanted */
};

/** What of a run is in the record already. All zeros: nothing. */
struct drained {
	unsigned char *bits; /* of code objects, by their numbers */
	size_t size;
	struct drained_file *files; /* sorted by their numbers */
	size_t n_files;
	bool has_gap; /* a code object was met before its file */
};

/** To be called whenever the record begins anew. */
void drained_deinit(struct drained *drained);

/**
 * Add what the region of @p run holds now to @p record; its processes may run on or be dead. @p drained is of the same
 * run and the same record, each time.
 */
int recorder_drain(struct recorder *recorder, const struct run *run, struct record *record,
		   struct drained *drained) must_check;

/** The same while the program runs, so that less is left to do. -EAGAIN: its interpreter has not come to life yet. */
int recorder_drain_early(struct recorder *recorder, const struct run *run, struct record *record,
			 struct drained *drained) must_check;

/** What the file that @p run has as @p name is recorded as; NULL if it is not wanted. Valid as long as the recorder. */
int recorder_judge(struct recorder *recorder, const struct run *run, const char *name, const char **ret) must_check;

/**
 * Move samples from @p sampled, where files have the names that @p run has for them, to the files of @p record. Those
 * of files that are not in there (yet) stay.
 */
int recorder_add_samples(struct recorder *recorder, const struct run *run, struct record *record,
			 struct record *sampled) must_check;

/**
 * Add the files of a --source that never ran. In parallel mode each comes once: the files are made to be combined, and
 * looking through a source for every short process would take more time than they.
 */
int recorder_add_unexecuted(struct recorder *recorder, struct record *record) must_check;

/** Look where they are, so that it takes less time then. */
void recorder_find_unexecuted(struct recorder *recorder);

/** Warn of what was asked for and did not happen, as coverage.py does, of what is not known from the outside less. */
void recorder_warn(const struct recorder *recorder);

/** What @p path is recorded as (relative_files). */
const char *recorder_relative_name(const struct recorder *recorder, const char *path);

/** False if coverage.py's warning of that name is not wanted ([run] disable_warnings). */
bool recorder_warns_of(const struct recorder *recorder, const char *warning);

/** For recorder_init(): can the data file be written, and is it one that can be added to, if that is asked for? */
int recorder_open_file(struct recorder *recorder) must_check;

/** Write @p record to @p file, as the options want it. On failure file->why says why, and the old file is as it was. */
int recorder_save(struct recorder *recorder, struct datafile *file, struct record *record) must_check;

/** The file for one process of --parallel-mode, named as coverage.py names it: @p pid is what it takes itself for. */
int recorder_parallel_file(struct recorder *recorder, pid_t pid, struct datafile *ret) must_check;
