/* The page of a source, whatever the source and what ran of it. The input: what ran, the text. */
#include <stdlib.h>

#include "fuzz.h"
#include "report/analyze.h"
#include "report/html/html_pages.h"

static size_t count(const struct page *page, const char *what)
{
	size_t n = 0, length = strlen(what);

	for (const char *at = page->text, *end = at + page->n; (at = memmem(at, (size_t)(end - at), what, length));
	     at += length)
		n++;
	return n;
}

/* Of the elements that the page is made of, there are as many as it should have, and all are closed. */
static void check(const struct page *page, const struct analysis *a)
{
	if (page->failed || count(page, "<script") != 2 || count(page, "</script>") != 2 ||
	    count(page, "<p id=") != a->n_lines || count(page, "<span") != count(page, "</span>") ||
	    count(page, "<div>") != count(page, "</div>") || count(page, "<i class=\"u\">") != count(page, "</i>") ||
	    count(page, "</html>") != 1)
		abort();
	for (size_t i = 0; i < page->n; i++)
		if ((unsigned char)page->text[i] < 0x20 && page->text[i] != '\n' && page->text[i] != '\t')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct html_options options = {.title = "", .show_contexts = true};
	const struct html_common common = {.options = &options, .has_branches = true};
	struct fuzz_input in = {data, size};
	struct record_context contexts[2] = {{.name = (char *)"</script>\""}, {.name = (char *)"", .id = 1}};
	struct record_lines lines[2] = {{.context = &contexts[0]}, {.context = &contexts[1]}};
	struct record_sample samples[] = {{1, 1}, {3, INT64_MAX}};
	struct record_file file = {
		.path = (char *)"/<x>", .lines = lines, .n_lines = 2, .samples = samples, .n_samples = 2};
	const struct analyzer with = {.has_arcs = true};
	struct page page = {0};
	uint32_t ran = fuzz_word(&in);
	char why[ANALYZE_WHY_MAX];
	struct analysis a;

	for (uint32_t i = 0; i < 32; i++)
		if (ran >> i & 1 && lineset_add(&lines[i % 3 != 0].lines, i + 1) < 0)
			abort();
	if (analyze_bytes(&with, &file, "<x>\n", in.data, in.size, why, &a) == 0) {
		if (html_source_page(&page, &common, &a, "a", "b") < 0)
			abort();
		check(&page, &a);
		page_deinit(&page);
		analysis_deinit(&a);
	}
	lineset_deinit(&lines[0].lines);
	lineset_deinit(&lines[1].lines);
	return 0;
}
