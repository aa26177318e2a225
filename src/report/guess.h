/**
 * Lines with code, guessed from the tree of statements where no Python is at hand: what CPython
 * 3.13 would have, as far as that can be told without compiling.
 */
#pragma once

#include "base/lineset.h"
#include "report/syntax.h"

/** Add the first line of each statement that has code. -ENOMEM. */
int guess_lines(const struct syntax *syntax, struct lineset *lines) must_check;
