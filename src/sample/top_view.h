/**
 * The live view: a screen of the functions or lines that take the time, drawn with ncurses.
 *
 * It goes with whatever terminal terminfo knows, colours or none, resized at any time. Names are made printable, and
 * ASCII where the locale is not UTF-8. The terminal is as it was after top_view_free().
 */
#pragma once

#include "sample/profile.h"

struct top_view;

enum top_action {
	TOP_NOTHING,
	TOP_QUIT,
};

/**
 * Take the terminal at @p in and @p out, to show the functions or lines of @p p, which must outlive the view. -ENOTTY: not a terminal;
 * -ENOTSUP: TERM is not set, unknown, or of a terminal whose cursor cannot be moved; -ENOMEM.
 */
int top_view_new(const struct profile *p, bool lines, FILE *in, FILE *out, uint64_t now_ns,
		 struct top_view **ret) must_check;

/** NULL is accepted. */
void top_view_free(struct top_view *view);

static inline void top_view_freep(struct top_view **view)
{
	top_view_free(*view);
}
#define _cleanup_top_view_ _cleanup_(top_view_freep)

/** An interval ends: show what it had, unless the view is paused. -ENOMEM. */
int top_view_update(struct top_view *view, uint64_t now_ns) must_check;

/** Act on the keys that were pressed, and on a change of size; call it when @p in can be read, and after SIGWINCH. */
enum top_action top_view_keys(struct top_view *view, uint64_t now_ns);

/** A line for the bottom, as that the target has ended; NULL: none. Copied. */
void top_view_note(struct top_view *view, const char *note);
