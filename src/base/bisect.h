/** Looking for a place in what is sorted, as Python's bisect. */
#pragma once

#include <stddef.h>

/**
 * How many of the @p n elements come before the place that is looked for. @p is_before says it of the element with the
 * index @p i: true of all up to a place, of none behind it.
 *
 *     at = BISECT(i, list->n, list->items[i].id < id);
 *     found = at < list->n && list->items[at].id == id;
 */
#define BISECT(i, n, is_before)                                                                                        \
	__extension__({                                                                                                \
		size_t low_ = 0, high_ = (n);                                                                          \
                                                                                                                       \
		while (low_ < high_) {                                                                                 \
			const size_t i = low_ + (high_ - low_) / 2;                                                    \
                                                                                                                       \
			if (is_before)                                                                                 \
				low_ = i + 1;                                                                          \
			else                                                                                           \
				high_ = i;                                                                             \
		}                                                                                                      \
		low_;                                                                                                  \
	})
