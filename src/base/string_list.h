/** A list of texts that owns them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/** NULL-terminated; `items` is NULL when it is empty. */
struct string_list {
	char **items;
	size_t n;
};

/** Add a copy of @p text. -ENOMEM. */
int string_list_push(struct string_list *list, const char *text) must_check;

/** Add the non-empty parts of @p text between commas. -ENOMEM. */
int string_list_add(struct string_list *list, const char *text) must_check;

bool string_list_has(const struct string_list *list, const char *text);
void string_list_deinit(struct string_list *list);
