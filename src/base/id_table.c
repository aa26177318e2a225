#include "base/id_table.h"

uint32_t id_table_find(const struct id_table *table, uint32_t hash, id_match_fn match, const void *context,
		       const void *key)
{
	size_t mask = table->n_slots - 1;

	if (!table->count)
		return ID_NONE;
	for (size_t i = hash & mask; table->slots[i].id; i = (i + 1) & mask)
		if (table->slots[i].hash == hash && match(context, table->slots[i].id - 1, key))
			return table->slots[i].id - 1;
	return ID_NONE;
}

static void put(struct id_slot *slots, size_t n_slots, struct id_slot slot)
{
	size_t mask = n_slots - 1, i = slot.hash & mask;

	while (slots[i].id)
		i = (i + 1) & mask;
	slots[i] = slot;
}

int id_table_reserve(struct id_table *table)
{
	size_t n = table->n_slots ? table->n_slots * 2 : 64;
	struct id_slot *slots;

	if ((table->count + 1) * 4 <= table->n_slots * 3)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_slots; i++)
		if (table->slots[i].id)
			put(slots, n, table->slots[i]);
	free(table->slots);
	table->slots = slots;
	table->n_slots = n;
	return 0;
}

void id_table_add(struct id_table *table, uint32_t hash, uint32_t id)
{
	put(table->slots, table->n_slots, (struct id_slot){hash, id + 1});
	table->count++;
}

void id_table_deinit(struct id_table *table)
{
	free(table->slots);
	*table = (struct id_table){0};
}
