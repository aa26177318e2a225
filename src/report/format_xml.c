/*
 * Cobertura's XML: coverage/xmlreport.py, 7.17.3. Packages come sorted, and have their sums in front; so what is to
 * be written of each file is kept until the last one is done: four bytes a line.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "output/xml_out.h"
#include "report/formats.h"
#include "report/names.h"

#define DTD_URL "https://raw.githubusercontent.com/cobertura/web/master/htdocs/xml/coverage-04.dtd"
#define HIT (UINT32_C(1) << 31)

/* A file: its name, relative to one of the sources, its lines, and what they add up to. */
struct class
{
	char *name, *package;
	size_t package_length; /* of the directory in the name, of as many levels as the settings allow */
	uint32_t *lines;       /* with HIT, if it ran */
	size_t n_lines;
	struct branch *branches;
	size_t n_branches;
	uint64_t n_hits, n_ways, n_taken;
};

struct xml_report {
	struct report *report;
	const struct report_options *options;
	struct xml_out out;
	struct string_list sources;
	size_t n_given; /* of the sources: of the settings, longest prefixes of names */
	struct class *classes;
	size_t n, room;
	bool branches;
};

static void xml_report_deinit(struct xml_report *x)
{
	for (size_t i = 0; i < x->n; i++) {
		free(x->classes[i].name);
		free(x->classes[i].package);
		free(x->classes[i].lines);
		free(x->classes[i].branches);
	}
	free(x->classes);
	string_list_deinit(&x->sources);
}

/* Fraction of @part in @whole; "0" and "1" where it is exactly that. */
static const char *rate(uint64_t part, uint64_t whole, char text[32])
{
	if (part == whole)
		return "1";
	if (part == 0)
		return "0";
	snprintf(text, 32, "%.4g", fmin(fmax((double)part / (double)whole, 0.0001), 0.9999));
	return text;
}

static int add_source(struct xml_report *x, const char *path, size_t n)
{
	struct string_list *list = &x->sources;
	char **items;

	for (size_t i = 0; i < list->n; i++)
		if (strlen(list->items[i]) == n && !strncmp(list->items[i], path, n))
			return 0;
	items = reallocarray(list->items, list->n + 2, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n] = strndup(path, n);
	if (!items[list->n])
		return -ENOMEM;
	items[++list->n] = NULL;
	return 0;
}

static int add_given_sources(struct xml_report *x)
{
	for (size_t i = 0; i < x->options->source.n; i++) {
		const char *given = x->options->source.items[i];
		_cleanup_free_ char *real = realpath(given, NULL);
		const char *path = x->options->relative_files ? given : real;
		size_t n = path ? strlen(path) : 0;

		if (!real)
			continue;
		while (x->options->relative_files && n && path[n - 1] == '/')
			n--;
		if (add_source(x, path, n) < 0)
			return -ENOMEM;
	}
	x->n_given = x->sources.n;
	return 0;
}

/* The name of a file below one of the sources; what is below none makes a source of where it is. */
static int find_name(struct xml_report *x, const struct analysis *a, const char **ret)
{
	const char *path = a->file->path;
	size_t n = strlen(path), suffix = strlen(a->name);

	for (size_t i = 0; i < x->sources.n; i++) {
		size_t length = strlen(x->sources.items[i]);

		/* one without a name stands for the working directory, whose files have relative names */
		if (length && length < n && !strncmp(path, x->sources.items[i], length) && path[length] == '/') {
			*ret = path + length + 1;
			return 0;
		}
	}
	*ret = a->name;
	n -= suffix <= n ? suffix : n;
	while (n && path[n - 1] == '/')
		n--;
	return add_source(x, path, n);
}

/* The directory of the name as the name of a package: "a.b" of "a/b/c.py", "." of "c.py". */
static int set_package(struct class *class, int depth)
{
	size_t n = 0;

	for (const char *p = class->name; depth > 0 && (p = strchr(p, '/')); p++, depth--)
		n = (size_t)(p - class->name);
	if (depth > 0 && !n)
		n = strrchr(class->name, '/') ? (size_t)(strrchr(class->name, '/') - class->name) : 0;
	class->package_length = n;
	class->package = n ? strndup(class->name, n) : strdup(".");
	for (char *p = class->package; p && *p; p++)
		if (*p == '/')
			*p = '.';
	return class->package ? 0 : -ENOMEM;
}

static int copy_lines(struct class *class, struct analysis *a)
{
	class->lines = malloc((a->numbers.n_statements + 1) * sizeof(*class->lines));
	if (!class->lines)
		return -ENOMEM;
	for (uint32_t line = 1; line <= a->n_lines; line++)
		if (a->lines[line] & LINE_STATEMENT)
			class->lines[class->n_lines++] = line | (analysis_is_missing(a, line) ? 0 : HIT);
	class->n_hits = a->numbers.n_statements - a->numbers.n_missing;
	class->branches = take_ptr(a->branches);
	class->n_branches = a->n_branches;
	class->n_ways = a->numbers.n_branches;
	class->n_taken = a->numbers.n_branches - a->numbers.n_missing_branches;
	return 0;
}

static int add_class(struct xml_report *x, struct analysis *a)
{
	const char *name;
	struct class *class;

	if (x->options->skip_empty && !a->numbers.n_statements)
		return 0;
	if (x->n == x->room) {
		size_t room = x->room ? x->room * 2 : 64;
		struct class *classes = reallocarray(x->classes, room, sizeof(*classes));

		if (!classes)
			return -ENOMEM;
		x->classes = classes;
		x->room = room;
	}
	class = &x->classes[x->n++];
	*class = (struct class){0};
	if (find_name(x, a, &name) < 0)
		return -ENOMEM;
	class->name = name_printable(name);
	if (!class->name || set_package(class, x->options->package_depth) < 0)
		return -ENOMEM;
	return copy_lines(class, a);
}

static int compare_classes(const void *a, const void *b)
{
	const struct class *x = a, *y = b;
	int r = name_compare(x->package, y->package);

	return r ? r : name_compare(x->name, y->name);
}

static int compare_sources(const void *a, const void *b)
{
	return name_compare(*(char *const *)a, *(char *const *)b);
}

static void begin(struct xml_report *x, const char *name)
{
	xml_out_begin(&x->out, name);
}

static void end(struct xml_report *x)
{
	xml_out_end(&x->out);
}

static void put(struct xml_report *x, const char *name, const char *value)
{
	xml_out_attribute(&x->out, name, value);
}

static void put_count(struct xml_report *x, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put(x, name, text);
}

static void put_rates(struct xml_report *x, const struct class *sum)
{
	char text[32];

	put(x, "line-rate", rate(sum->n_hits, sum->n_lines, text));
	put(x, "branch-rate", x->branches ? rate(sum->n_taken, sum->n_ways, text) : "0");
	put(x, "complexity", "0");
}

/* The branches of a line, from *@at on, which is moved behind them. */
static void put_line_branches(struct xml_report *x, const struct class *class, uint32_t line, size_t *at)
{
	unsigned int ways = 0, missing = 0;
	char *text = NULL, counts[64];
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (; *at < class->n_branches && class->branches[*at].from <= line; ++*at) {
		const struct branch *b = &class->branches[*at];

		if (b->from != line || b->excluded)
			continue;
		ways++;
		if (!b->missing || !stream)
			continue;
		if (b->to < 0)
			fprintf(stream, missing++ ? ",exit" : "exit");
		else
			fprintf(stream, missing++ ? ",%d" : "%d", b->to);
	}
	if (stream)
		fclose(stream);
	if (ways) {
		put(x, "branch", "true");
		snprintf(counts, sizeof(counts), "%u%% (%u/%u)", 100 * (ways - missing) / ways, ways - missing, ways);
		put(x, "condition-coverage", counts);
	}
	if (missing && text)
		put(x, "missing-branches", text);
	free(text);
}

static void put_class(struct xml_report *x, const struct class *class)
{
	size_t branch = 0, prefix = class->package_length;

	begin(x, "class");
	put(x, "name", class->name + prefix + (prefix && class->name[prefix] == '/'));
	put(x, "filename", class->name);
	put_rates(x, class);
	begin(x, "methods");
	end(x);
	begin(x, "lines");
	for (size_t i = 0; i < class->n_lines; i++) {
		begin(x, "line");
		put_count(x, "number", class->lines[i] & ~HIT);
		put(x, "hits", class->lines[i] & HIT ? "1" : "0");
		if (x->branches)
			put_line_branches(x, class, class->lines[i] & ~HIT, &branch);
		end(x);
	}
	end(x);
	end(x);
}

static struct class sum_classes(const struct xml_report *x, size_t from, size_t to)
{
	struct class sum = {0};

	for (size_t i = from; i < to; i++) {
		sum.n_lines += x->classes[i].n_lines;
		sum.n_hits += x->classes[i].n_hits;
		sum.n_ways += x->classes[i].n_ways;
		sum.n_taken += x->classes[i].n_taken;
	}
	return sum;
}

static void put_packages(struct xml_report *x)
{
	begin(x, "packages");
	for (size_t from = 0, to; from < x->n; from = to) {
		struct class sum;

		for (to = from + 1; to < x->n && !strcmp(x->classes[to].package, x->classes[from].package); to++)
			;
		sum = sum_classes(x, from, to);
		begin(x, "package");
		put(x, "name", x->classes[from].package);
		put_rates(x, &sum);
		begin(x, "classes");
		for (size_t i = from; i < to; i++)
			put_class(x, &x->classes[i]);
		end(x);
		end(x);
	}
	end(x);
}

static void put_sources(struct xml_report *x)
{
	if (x->sources.n)
		qsort(x->sources.items, x->sources.n, sizeof(*x->sources.items), compare_sources);
	begin(x, "sources");
	for (size_t i = 0; i < x->sources.n; i++) {
		_cleanup_free_ char *name = name_printable(x->sources.items[i]);

		begin(x, "source");
		xml_out_text(&x->out, name ? name : "");
		end(x);
	}
	end(x);
}

static int put_document(struct xml_report *x, FILE *out, double *total)
{
	struct class sum = sum_classes(x, 0, x->n);
	uint64_t all = sum.n_lines + sum.n_ways;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	xml_out_begin_document(&x->out, out);
	begin(x, "coverage");
	put(x, "version", PYCOV_TRACE_VERSION);
	put_count(x, "timestamp", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	put_count(x, "lines-valid", sum.n_lines);
	put_count(x, "lines-covered", sum.n_hits);
	put_count(x, "branches-valid", sum.n_ways);
	put_count(x, "branches-covered", sum.n_taken);
	put_rates(x, &sum);
	xml_out_comment(&x->out, " Generated by pycov-trace ");
	xml_out_comment(&x->out, " Based on " DTD_URL " ");
	put_sources(x);
	put_packages(x);
	end(x);
	*total = all ? 100.0 * (double)(sum.n_hits + sum.n_taken) / (double)all : 0;
	return ferror(out) ? -EIO : 0;
}

int report_xml(struct report *report, const struct report_options *options, FILE *out, double *total,
	       char why[REPORT_WHY_MAX])
{
	_cleanup_(xml_report_deinit) struct xml_report x = {
		.report = report,
		.options = options,
		.branches = report_has_branches(report),
	};
	struct analysis a;
	int r = add_given_sources(&x);

	while (r == 0 && (r = report_next(report, &a, why)) > 0) {
		r = add_class(&x, &a);
		analysis_deinit(&a);
	}
	if (r < 0)
		return r;
	if (x.n)
		qsort(x.classes, x.n, sizeof(*x.classes), compare_classes);
	return put_document(&x, out, total);
}
