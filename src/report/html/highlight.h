/** Which pieces of a Python source have a colour. */
#pragma once

#include "base/cleanup.h"
#include "report/source.h"

/** Bytes `start` to `end` of the text; `kind` is the class of style.css. They are sorted and do not overlap. */
struct highlight {
	uint32_t start, end;
	char kind; /* k: keyword, s: string, n: number, o: comment, d: the name of what is defined */
};

struct highlights {
	struct highlight *items;
	size_t n, room;
};

/** -ENOMEM. What comes behind something that is no Python has none. */
int highlights_find(const struct source *source, struct highlights *ret) must_check;
void highlights_deinit(struct highlights *highlights);
#define _cleanup_highlights_ _cleanup_(highlights_deinit)
