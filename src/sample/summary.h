/** What is said of a profile as a whole, in each format that has room for words. */
#pragma once

#include "sample/calltree.h"
#include "sample/profile.h"

#include <stddef.h>

/** A title: that of @p view, else what was measured. As snprintf(), printable. */
size_t summary_title(char *buf, size_t size, const struct profile *p, const struct profile_view *view);

/** The title for a profile in the order of time; it says if that was made coarser. */
size_t summary_order_title(char *buf, size_t size, const struct profile *p, const struct profile_view *view);

/** One line: "1000 samples in 10.0 s (100 per second); 95.0 % on CPU, 90.0 % holding the GIL". */
size_t summary_line(char *buf, size_t size, const struct profile *p);

/** What is missing and why, or "" if nothing is. */
size_t summary_losses(char *buf, size_t size, const struct profile *p);

/** @p part of @p whole in percent; 0 of nothing. */
double summary_percent(uint64_t part, uint64_t whole);

/** More than one in a hundred is missing or wrong: worth a warning. One not taken in time is neither. */
bool summary_is_poor(const struct profile *p);

/** More than one in twenty was dropped because the target moved: what remains may not be what is typical. */
bool summary_is_torn(const struct profile *p);
