/**
 * Sampling beside exact recording (--exact --sample): a thread of the supervisor reads the stacks of the processes that
 * are measured, and the keeper is told how often each line was the one running, or the innermost one of the files that are
 * wanted: what the library does counts where it was called.
 *
 * A thread of the tracer, as Yama lets no other process of ours read those that the supervisor traces. It neither stops
 * them nor waits for their stops; the supervisor does not wait for it, but at the very end.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "selection/selection.h"
#include "supervisor/keeper.h"

struct sampling;

/**
 * Process @p pid belongs to run @p run from now on; 0: to none, it has ended or is measured no more. The first call
 * begins the sampling: *@p s is NULL before. What it finds goes to @p keeper. @p options and @p selection are
 * used as long as it lasts.
 */
void sampling_tell(struct sampling **s, const struct options *options, const struct selection *selection,
		   struct keeper *keeper, pid_t pid, uint32_t run);

/** Tell the keeper at once what was found so far. NULL is accepted. */
void sampling_flush(struct sampling *s);

/** Forget what the keeper was not told yet. NULL is accepted. */
void sampling_forget(struct sampling *s);

/** Write the profile so far, if one is wanted: it is there afterwards. What goes wrong was said. NULL is accepted. */
void sampling_write(struct sampling *s);

/** End it; what was not flushed is lost. NULL is accepted. */
void sampling_free(struct sampling *s);
