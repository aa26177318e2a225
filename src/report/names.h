/** Names of files, to be shown and sorted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** A copy in which what cannot be printed, or is not UTF-8, is `?`; NULL without memory. */
char *name_printable(const char *name);

/** How many characters it has. */
size_t name_width(const char *name);

/** As people expect it: the numbers in names by their value. For sorting; 0 for equal names alone. */
int name_compare(const char *a, const char *b);
