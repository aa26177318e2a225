#include "report/arc_set.h"

#include "base/bisect.h"

int arc_set_add(struct arc_set *set, arc_key key)
{
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 16;
		arc_key *keys = reallocarray(set->keys, room, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		set->keys = keys;
		set->room = room;
	}
	set->keys[set->n++] = key;
	return 0;
}

void arc_set_deinit(struct arc_set *set)
{
	free(set->keys);
	*set = (struct arc_set){0};
}

static int compare_keys(const void *a, const void *b)
{
	const arc_key *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void arc_set_finish(struct arc_set *set)
{
	size_t kept = 0;

	if (set->n)
		qsort(set->keys, set->n, sizeof(*set->keys), compare_keys);
	for (size_t i = 0; i < set->n; i++)
		if (!kept || set->keys[kept - 1] != set->keys[i])
			set->keys[kept++] = set->keys[i];
	set->n = kept;
}

bool arc_set_has(const struct arc_set *set, arc_key key)
{
	return set->n && bsearch(&key, set->keys, set->n, sizeof(key), compare_keys);
}

size_t arc_set_find(const struct arc_set *set, int32_t from)
{
	arc_key first = arc_key_of(from, INT32_MIN);
	size_t at = BISECT(i, set->n, set->keys[i] < first);

	return at < set->n && arc_from(set->keys[at]) == from ? at : set->n;
}
