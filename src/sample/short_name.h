/**
 * File names as a person would say them.
 *
 * What is behind site-packages, dist-packages or lib/python3.X stands for itself. Other files lose the directory that
 * they all have in common. Of compiled code, only the last part stays. So a short name is always the end of the name.
 */
#pragma once

#include "sample/profile.h"

/** For each function of @p p, its file's short name, within the name that @p p has. NULL: no memory. */
const char **short_names_new(const struct profile *p);

/** The part of a path that stands for a module: what is before its last slash, or without one all of it. */
size_t short_name_package(const char *short_name);
