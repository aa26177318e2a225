/**
 * Sampled lines in a data file: as lines, in the context "sampled", so that coverage.py shows them, and how often each
 * was the innermost one of the files that are wanted, for the report. Which files are wanted is decided as for recorded lines.
 */
#pragma once

#include "sample/sampler.h"
#include "supervisor/recorder.h"

/**
 * Write what @p s has sampled to the recorder's file. Says itself what went wrong.
 */
int sample_data_write(struct recorder *recorder, const struct sampler *s) must_check;
