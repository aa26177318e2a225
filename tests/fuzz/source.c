/* Python sources: the scanner, and all that is made of the tree of statements. The input: what ran, the text. */
#include <stdlib.h>

#include "fuzz.h"
#include "report/analyze.h"

static const char *const patterns[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)",
	"^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)",
};

static struct line_regex *exclude(void)
{
	struct string_list list = {(char **)patterns, ARRAY_SIZE(patterns)};
	struct line_regex *regex = NULL;
	char why[256];

	if (line_regex_new(&list, why, sizeof(why), &regex) < 0)
		abort();
	return regex;
}

/* Statements stand in the order of the text, in those that they are in. */
static void check_syntax(const struct syntax *s)
{
	for (uint32_t i = 1; i < s->n_statements; i++) {
		const struct statement *one = &s->statements[i];

		if (one->parent >= i || (one->body && one->body <= i) || (one->next && one->next <= i) ||
		    one->line > one->end_line || one->end_line > s->n_lines || !one->line ||
		    s->statements[one->parent].end_line < one->end_line)
			abort();
	}
	for (uint32_t line = 1; line <= s->n_lines; line++)
		if (s->first[line] > line || s->first[s->first[line]] != s->first[line])
			abort();
}

static void check_analysis(const struct analysis *a)
{
	struct analysis_regions regions;
	struct numbers sum = {0};
	char *text;

	check_syntax(&a->syntax);
	if (analysis_regions(a, &regions) < 0 || analysis_missing_text(a, &text) < 0)
		abort();
	for (size_t i = 0; i <= regions.n; i++)
		if (!i || regions.regions[i - 1].kind == REGION_FUNCTION) {
			struct numbers n = analysis_region_numbers(a, &regions, REGION_FUNCTION, i);

			numbers_add(&sum, &n);
		}
	if (sum.n_statements != a->numbers.n_statements || sum.n_missing != a->numbers.n_missing ||
	    sum.n_branches != a->numbers.n_branches)
		abort();
	analysis_regions_deinit(&regions);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_regex *regex;
	struct fuzz_input in = {data, size};
	uint32_t ran = fuzz_word(&in);
	struct record_lines lines = {.context = &(struct record_context){.name = (char *)""}};
	struct record_file file = {.path = (char *)"/source.py", .lines = &lines, .n_lines = 1};
	struct analyzer with = {.has_arcs = true};
	struct record_arc arcs[32];
	char why[ANALYZE_WHY_MAX];
	struct analysis a;

	regex = regex ? regex : exclude();
	with.exclude = with.partial = regex;
	for (int32_t i = 0; i < 32; i++)
		if (ran >> i & 1)
			arcs[lines.n_arcs++] = (struct record_arc){i + 1, ran >> (31 - i) & 1 ? i + 1 : -i};
	lines.arcs = arcs;
	if (analyze_bytes(&with, &file, "source.py", in.data, in.size, why, &a) < 0)
		return 0;
	check_analysis(&a);
	analysis_deinit(&a);
	return 0;
}
