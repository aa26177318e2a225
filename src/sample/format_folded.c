/*
 * Folded stacks, as flamegraph.pl and its kin read them: "outer;inner N", where N is samples. A semicolon within a name
 * would end it, so it is written as \x3b.
 */
#include "sample/output.h"

#include <inttypes.h>
#include <string.h>

static void put_label(const char *text, FILE *out)
{
	for (const char *semicolon; (semicolon = strchr(text, ';')); text = semicolon + 1) {
		fwrite_unlocked(text, 1, (size_t)(semicolon - text), out);
		fputs_unlocked("\\x3b", out);
	}
	fputs_unlocked(text, out);
}

int format_folded(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_calltree_ struct calltree tree;
	uint32_t path[PROFILE_DEPTH_MAX + 4];
	unsigned depth = 0;
	int r = calltree_init(&tree, p, view);

	if (r < 0)
		return r;
	for (uint32_t node = 0; (node = calltree_next(&tree, 0, node, &depth)) != PROFILE_NONE;) {
		path[depth] = node;
		if (!tree.nodes[node].own.samples)
			continue;
		for (unsigned i = 1; i <= depth; i++) {
			put_label(tree.labels[tree.nodes[path[i]].label].text, out);
			putc_unlocked(i < depth ? ';' : ' ', out);
		}
		fprintf(out, "%" PRIu64 "\n", tree.nodes[node].own.samples);
	}
	return 0;
}
