/** Gathers what the regions of a tree hold into one record, and writes the data file. */
#pragma once

#include "datafile.h"
#include "options.h"
#include "program.h"
#include "record.h"

struct recorder {
	const struct options *options;
	struct datafile file;
	struct record record;
	unsigned int n_processes; /* measured so far */
	uint32_t dropped;	  /* lines, files and code objects for which a region had no room */
};

/** -errno with recorder->file.why set when the data file cannot be written. */
int recorder_init(struct recorder *recorder, const struct options *options) must_check;
void recorder_deinit(struct recorder *recorder);

/** Add what @p program's region holds now; its process may run on or be dead. */
int recorder_drain(struct recorder *recorder, const struct program *program) must_check;

/** Write all that was drained. On failure recorder->file.why says why, and the old file is as it was. */
int recorder_save(struct recorder *recorder) must_check;
