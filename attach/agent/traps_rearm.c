/* Lines that have run before count again: every code object that was ever planted is planted anew. */
#include "traps.h"

void traps_rearm(void)
{
	const struct agent_layout *l = &agent_data.layout;
	struct trap_state *s = trap_state();

	if (!s || s->phase != TRAPS_READY)
		return;
	for (uint32_t i = 0; i < s->nbuckets; i++) {
		for (struct trap_record *r = s->buckets[i]; r; r = r->next) {
			r->file = region_file_of(load_ptr(r->code, l->code_filename));
			if (region_is_refused(r->file))
				continue;
			r->region_code = region_add_code(r->code, r->file, r->original);
			if (r->marks) {
				branches_forget(r);
				record_restore_all(r);
			}
			record_plant(r);
			if (agent_data.branches)
				branches_plant(r);
		}
	}
	region_set_status(AGENT_STATUS_MEASURING);
}
