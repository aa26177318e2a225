/** Where modules are, as an interpreter's imports would find them. */
#pragma once

#include "selection/interpreter_facts.h"

#include <stdbool.h>

/** What an import of a module would find. */
enum module_kind {
	MODULE_UNKNOWN, /* nothing that we know of: sys.path is known in part only */
	MODULE_SOURCE,
	MODULE_NAMESPACE, /* a directory without __init__.py */
	MODULE_COMPILED,  /* no Python in it */
	MODULE_FROZEN,	  /* of the standard library, from 3.11 on part of the program, in which it has no file */
};
enum module_kind module_kind_of(struct interpreter_facts *facts, const char *name);

/** The file or directory that an import of @p name would find, owned by the caller; NULL: none, or out of memory. */
char *module_locate(struct interpreter_facts *facts, const char *name);

/** True if @p dir has an __init__.py. */
bool module_is_package(const struct rootpath *root, const char *dir);
