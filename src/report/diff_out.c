#include "report/diff_out.h"

#include <string.h>
#include <unistd.h>

#include "output/json_out.h"
#include "base/printable.h"

#define TAB 8

bool diff_out_has_colour(FILE *out)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no_colour && *no_colour);
}

/* The first line behind @line that is in either set. */
static uint32_t next_of_both(const struct lineset *set, const struct lineset *all, uint32_t line)
{
	uint32_t a = lineset_next(set, line), b = all ? lineset_next(all, line) : line < LINESET_MAX ? line + 1 : 0;

	return !a || (b && b < a) ? b : a;
}

void diff_out_ranges(FILE *out, const struct lineset *set, const struct lineset *all)
{
	const char *before = "";
	uint32_t line = 0;

	while ((line = lineset_next(set, line))) {
		uint32_t last = line, next = line;

		while ((next = next_of_both(set, all, next)) && lineset_test(set, next))
			last = next;
		fprintf(out, last == line ? "%s%u" : "%s%u-%u", before, line, last);
		before = ", ";
		line = last;
	}
}

void diff_out_name(FILE *out, const char *name)
{
	size_t size = printable(NULL, 0, name) + 1;
	_cleanup_free_ char *text = malloc(size);

	if (!text)
		return;
	printable(text, size, name);
	fputs(text, out);
}

/* A line of a source: its tabs as blanks, the rest fit to be shown. */
static void put_text(FILE *out, const char *text, size_t n)
{
	_cleanup_free_ char *line = malloc(n * TAB + 1);
	size_t length = 0;

	if (!line)
		return;
	for (size_t i = 0; i < n; i++) {
		if (text[i] != '\t')
			line[length++] = text[i] ? text[i] : ' ';
		for (bool first = true; text[i] == '\t' && (first || length % TAB); first = false)
			line[length++] = ' ';
	}
	line[length] = '\0';
	diff_out_name(out, line);
}

void diff_out_source(FILE *out, const struct lineset *set, const struct source *source, char sign, int colour)
{
	for (uint32_t line = 0; (line = lineset_next(set, line));) {
		size_t n = 0;
		const char *text = source_line(source, line, &n);

		if (colour)
			fprintf(out, "\033[%dm", colour);
		fprintf(out, "  %c %5u", sign, line);
		if (text && n) {
			fputs("  ", out);
			put_text(out, text, n);
		}
		fputs(colour ? "\033[0m\n" : "\n", out);
	}
}

const char *diff_out_relative(const char *path, const char *cwd)
{
	size_t n = cwd ? strlen(cwd) : 0;

	return n && !strncmp(path, cwd, n) && path[n] ? path + n : path;
}

char *diff_out_cwd(void)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	char *with_slash;

	if (!cwd || asprintf(&with_slash, "%s%s", cwd, strcmp(cwd, "/") ? "/" : "") < 0)
		return NULL;
	return with_slash;
}

void diff_out_json_lines(yajl_gen json, const char *key, const struct lineset *set)
{
	json_out_array(json, key);
	for (uint32_t line = 0; (line = lineset_next(set, line));)
		yajl_gen_integer(json, line);
	yajl_gen_array_close(json);
}

void diff_out_json_path(yajl_gen json, const char *path)
{
	yajl_gen_string(json, (const unsigned char *)path, strlen(path));
}
