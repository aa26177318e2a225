/**
 * What traps_config_load() worked out of an interpreter's file, kept between runs: it takes some milliseconds, which
 * every short program would pay. One small file per interpreter in $XDG_CACHE_HOME/pycov-trace (~/.cache/pycov-trace),
 * named after the file's device, inode, size and times. Only files of our own, which nobody else may write, are
 * believed. No directory, no permission: no cache.
 */
#pragma once

#include "supervisor/images.h"

/** Fill image->traps and image->unknown_opcode. -ENOENT. */
int traps_cache_load(struct image *image) must_check;
void traps_cache_store(const struct image *image);
