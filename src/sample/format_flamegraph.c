/*
 * A flame graph, outermost frame on top: one SVG that needs nothing else, neither a network nor a server. Without
 * scripts it is a picture; with them (flamegraph.js) a click zooms and names are searched. Each frame is an <svg> of
 * its own, so that its name is cut at its edge and zooming sets but two attributes.
 */
#include "sample/output.h"

#include "sample/short_name.h"
#include "sample/summary.h"

#include <inttypes.h>
#include <string.h>

#define ROW 18
#define TOP 84
#define BOTTOM 30
#define WIDTH 1200
#define TEXT_MIN 26	 /* pixels; narrower frames have no name */
#define PRUNE 10000	 /* of all samples: less than one in so many is not shown */
#define FRAMES_MAX 50000 /* that a browser still handles */

/* Colours: the package gives the hue, the file the shade. */
#define HUES 16
#define SHADES 3

extern const char flamegraph_css[], flamegraph_css_end[], flamegraph_js[], flamegraph_js_end[];

static void put_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs_unlocked("&amp;", out);
			break;
		case '<':
			fputs_unlocked("&lt;", out);
			break;
		case '>':
			fputs_unlocked("&gt;", out);
			break;
		case '"':
			fputs_unlocked("&quot;", out);
			break;
		default:
			putc_unlocked(*text, out);
		}
	}
}

/* FNV-1a: the same file has the same colour in each graph. */
static uint32_t color_hash(const char *text, size_t n)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619;
	return hash ^ hash >> 16;
}

static void put_colors(FILE *out)
{
	for (unsigned hue = 0; hue < HUES; hue++)
		for (unsigned shade = 0; shade < SHADES; shade++)
			fprintf(out, ".c%u > rect { fill: hsl(%u, 70%%, %u%%); }\n", hue * SHADES + shade,
				hue * 360 / HUES, 72 + shade * 5);
	fputs(".native > rect { fill: #c9ced6; }\n.group > rect { fill: #e3e3e3; }\n"
	      "@media (prefers-color-scheme: dark) {\n",
	      out);
	for (unsigned hue = 0; hue < HUES; hue++)
		for (unsigned shade = 0; shade < SHADES; shade++)
			fprintf(out, "\t.c%u > rect { fill: hsl(%u, 45%%, %u%%); }\n", hue * SHADES + shade,
				hue * 360 / HUES, 26 + shade * 4);
	fputs("\t.native > rect { fill: #4a515c; }\n\t.group > rect { fill: #2b2f36; }\n}\n", out);
}

/* What is shown: frames wide enough, and not too many of them. */
struct cut {
	uint64_t min; /* samples */
	uint32_t shown, hidden;
	unsigned depth;
};

static struct cut find_cut(const struct calltree *tree)
{
	struct cut cut = {.min = tree->nodes[0].total.samples / PRUNE};

	for (cut.min = cut.min ? cut.min : 1;; cut.min *= 2) {
		cut.shown = 0;
		for (uint32_t i = 0; i < tree->n_nodes; i++)
			cut.shown += tree->nodes[i].total.samples >= cut.min || i == 0;
		cut.hidden = tree->n_nodes - cut.shown;
		if (cut.shown <= FRAMES_MAX)
			return cut;
	}
}

static uint32_t step(const struct calltree *tree, const struct cut *cut, uint32_t node, unsigned *depth)
{
	node = calltree_next(tree, 0, node, depth);
	while (node != PROFILE_NONE && tree->nodes[node].total.samples < cut->min)
		node = calltree_skip(tree, 0, node, depth);
	return node;
}

static void put_class(const struct calltree *tree, const struct calltree_label *label, FILE *out)
{
	const struct profile *p = tree->profile;
	uint32_t function;
	const char *file;

	if (label->kind != CALLTREE_FRAME) {
		fputs("group", out);
		return;
	}
	function = p->frames[label->id].function;
	file = tree->short_names[function];
	if (p->functions[function].native)
		fputs("native", out);
	else
		fprintf(out, "c%u",
			color_hash(file, short_name_package(file)) % HUES * SHADES +
				color_hash(file, strlen(file)) % SHADES);
}

/* The label, then the counts, then the whole name of the file where the label has but its end. */
static void put_title(const struct calltree *tree, const struct calltree_node *n, FILE *out)
{
	const struct calltree_label *label = &tree->labels[n->label];
	const struct profile *p = tree->profile;
	double own = summary_percent(n->own.samples, tree->nodes[0].total.samples);
	char full[33000];

	fputs("<title>", out);
	put_escaped(label->text, out);
	fprintf(out, "\n%" PRIu64 " sample%s (%.2f %%)", n->total.samples, n->total.samples == 1 ? "" : "s",
		summary_percent(n->total.samples, tree->nodes[0].total.samples));
	if (n->own.samples)
		fprintf(out, ", %" PRIu64 " (%.2f %%) in itself", n->own.samples, own);
	if (label->kind == CALLTREE_FRAME) {
		frame_label(full, sizeof(full), p, label->id, NULL, true);
		if (strcmp(profile_function_file(p, p->frames[label->id].function),
			   tree->short_names[p->frames[label->id].function])) {
			putc_unlocked('\n', out);
			put_escaped(full, out);
		}
	}
	fputs("</title>", out);
}

static void put_frame(const struct calltree *tree, uint32_t node, uint64_t x, unsigned depth, FILE *out)
{
	const struct calltree_node *n = &tree->nodes[node];
	const struct calltree_label *label = &tree->labels[n->label];
	double all = (double)tree->nodes[0].total.samples, width = all > 0 ? (double)n->total.samples / all : 1;

	fputs("<svg class=\"", out);
	put_class(tree, label, out);
	fprintf(out,
		"\" data-x=\"%" PRIu64 "\" data-w=\"%" PRIu64
		"\" x=\"%.6g%%\" y=\"%u\" width=\"%.6g%%\" height=\"%u\">",
		x, n->total.samples, all > 0 ? 100 * (double)x / all : 0, TOP + depth * ROW, 100 * width, ROW - 1);
	put_title(tree, n, out);
	fprintf(out, "<rect width=\"100%%\" height=\"%u\"/>", ROW - 1);
	if (width * WIDTH >= TEXT_MIN) {
		fputs("<text x=\"3\" y=\"13\">", out);
		put_escaped(label->text, out);
		fputs("</text>", out);
	}
	fputs("</svg>\n", out);
}

/* The children of a node stand in its width from the left; what is left at the right is its own. */
static int put_frames(const struct calltree *tree, const struct cut *cut, FILE *out)
{
	_cleanup_free_ uint64_t *next_x = calloc(cut->depth + 2, sizeof(*next_x));
	unsigned depth = 0;

	if (!next_x)
		return -ENOMEM;
	for (uint32_t node = 0; node != PROFILE_NONE; node = step(tree, cut, node, &depth)) {
		uint64_t x = next_x[depth];

		put_frame(tree, node, x, depth, out);
		next_x[depth] = x + tree->nodes[node].total.samples;
		next_x[depth + 1] = x;
	}
	return 0;
}

static void put_text(const char *id, unsigned y, const char *text, FILE *out)
{
	fprintf(out, "<text %s x=\"50%%\" y=\"%u\" text-anchor=\"middle\">", id, y);
	put_escaped(text, out);
	fputs("</text>\n", out);
}

static void put_head(const struct profile *p, const struct profile_view *view, unsigned height, FILE *out)
{
	char text[4096];

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\">\n<style>\n",
		WIDTH, height);
	fwrite(flamegraph_css, 1, (size_t)(flamegraph_css_end - flamegraph_css), out);
	put_colors(out);
	fputs("</style>\n<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n", out);
	summary_title(text, sizeof(text), p, view);
	put_text("id=\"title\"", 22, text, out);
	summary_line(text, sizeof(text), p);
	put_text("class=\"note\"", 42, text, out);
	fputs("<foreignObject id=\"controls\" x=\"10\" y=\"52\" width=\"98%\" height=\"28\">"
	      "<div xmlns=\"http://www.w3.org/1999/xhtml\">"
	      "<input id=\"search\" type=\"search\" placeholder=\"Search (regular expression)\" aria-label=\"Search\"/>"
	      "<button id=\"reset\" type=\"button\">Reset zoom</button>"
	      "<span id=\"matched\" role=\"status\"></span><span id=\"details\"></span></div></foreignObject>\n",
	      out);
}

static void put_foot(const struct profile *p, const struct cut *cut, unsigned height, FILE *out)
{
	char losses[1024], text[2048] = "";
	size_t n = summary_losses(losses, sizeof(losses), p);

	if (cut->hidden)
		snprintf(text, sizeof(text), "%u frames of fewer than %" PRIu64 " samples are not shown%s", cut->hidden,
			 cut->min, n ? "; " : "");
	strncat(text, losses, sizeof(text) - strlen(text) - 1);
	if (*text)
		put_text("class=\"note\"", height - 10, text, out);
	fputs("<script><![CDATA[\n", out);
	fwrite(flamegraph_js, 1, (size_t)(flamegraph_js_end - flamegraph_js), out);
	fputs("]]></script>\n</svg>\n", out);
}

int format_flamegraph(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_calltree_ struct calltree tree;
	unsigned depth = 0, height;
	struct cut cut;
	int r = calltree_init(&tree, p, view);

	if (r < 0)
		return r;
	cut = find_cut(&tree);
	for (uint32_t node = 0; node != PROFILE_NONE; node = step(&tree, &cut, node, &depth))
		cut.depth = depth > cut.depth ? depth : cut.depth;
	height = TOP + (cut.depth + 1) * ROW + BOTTOM;
	put_head(p, view, height, out);
	fputs("<g id=\"frames\">\n", out);
	r = put_frames(&tree, &cut, out);
	fputs("</g>\n", out);
	put_foot(p, &cut, height, out);
	return r;
}
