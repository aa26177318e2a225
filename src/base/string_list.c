#include "base/string_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int push(struct string_list *list, const char *text, size_t len)
{
	char **items = reallocarray(list->items, list->n + 2, sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n] = strndup(text, len);
	if (!items[list->n])
		return -ENOMEM;
	items[++list->n] = NULL;
	return 0;
}

int string_list_push(struct string_list *list, const char *text)
{
	return push(list, text, strlen(text));
}

int string_list_add(struct string_list *list, const char *text)
{
	int r = 0;

	while (*text && r == 0) {
		size_t n = strcspn(text, ",");

		if (n)
			r = push(list, text, n);
		text += n + (text[n] == ',');
	}
	return r;
}

bool string_list_has(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

void string_list_deinit(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}
