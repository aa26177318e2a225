/** What a selection is. For the files of this folder alone. */
#pragma once

#include "base/string_list.h"
#include "selection/selection.h"

struct selection {
	struct string_list dirs; /* without links */
	struct string_list packages;
	struct string_list script_dirs; /* without links */
	struct glob_list include, omit;
	bool pylib, namespace_packages;
};
