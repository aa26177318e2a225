#include <stdio.h>
#include <string.h>

#include "base/hashmap.h"
#include "report/html/html_pages.h"

void html_page_name(const char *path, char ret[HTML_NAME_MAX])
{
	static const struct hash_key key = {{0x7079636f762d7472, 0x6163652068746d6c}};
	const char *slash = strrchr(path, '/');
	size_t n = (size_t)snprintf(ret, HTML_NAME_MAX, "z_%016lx_", hash_bytes(&key, path, strlen(path)));

	for (const char *c = slash ? slash + 1 : path; *c && n < HTML_NAME_MAX - sizeof(".html"); c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');

		ret[n++] = plain ? *c : '_';
	}
	strcpy(ret + n, ".html");
}

void html_head(struct page *page, const struct html_common *common, const char *kind, const char *title)
{
	page_put(page,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		 "<meta name=\"generator\" content=\"pycov-trace " PYCOV_TRACE_VERSION
		 "\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
	page_text(page, title);
	page_put(page,
		 "</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"" HTML_STYLE "\">\n");
	page_put(page, "<noscript><link rel=\"stylesheet\" href=\"" HTML_NO_SCRIPT_STYLE "\"></noscript>\n");
	if (common->options->extra_css)
		page_put(page, "<link rel=\"stylesheet\" href=\"" HTML_EXTRA_STYLE "\">\n");
	page_printf(page, "<script src=\"" HTML_SCRIPT "\" defer></script>\n</head>\n<body class=\"%s\">\n", kind);
}

void html_bar(struct page *page, uint64_t covered, uint64_t of)
{
	if (of)
		page_printf(page, "p%u", (unsigned)(100.0 * (double)covered / (double)of));
	else
		page_put(page, "empty");
}

void html_percent(struct page *page, const struct html_common *common, const struct numbers *n)
{
	char text[PERCENT_TEXT_MAX];

	percent_format(numbers_covered(n), common->options->precision, text);
	page_printf(page, "%s%%", text);
}
