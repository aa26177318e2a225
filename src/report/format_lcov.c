/* The tracefile of geninfo(1): coverage/lcovreport.py, 7.17.3. */
#include <md5.h>
#include <string.h>

#include "report/formats.h"
#include "report/names.h"

struct lcov_report {
	const struct report_options *options;
	FILE *out;
	bool branches;
};

/* The files come sorted by the names they are shown under; those are kept until the last is done. */
struct lcov_file {
	char *name, *text;
};

struct lcov_files {
	struct lcov_file *files;
	size_t n, room;
};

static void lcov_files_deinit(struct lcov_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->files[i].name);
		free(files->files[i].text);
	}
	free(files->files);
}

/* The MD5 of a line in base64, without `=` at the end. */
static void line_hash(const struct analysis *a, uint32_t line, char text[23])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t hash[MD5_DIGEST_LENGTH + 2] = {0};
	size_t n = 0;
	const char *source = source_line(&a->source, line, &n);
	MD5_CTX md5;

	MD5Init(&md5);
	MD5Update(&md5, (const uint8_t *)(source ? source : ""), n);
	MD5Final(hash, &md5);
	for (size_t i = 0; i < 22; i++) {
		size_t bit = i * 6;
		unsigned int pair = (unsigned int)hash[bit / 8] << 8 | hash[bit / 8 + 1];

		text[i] = digits[pair >> (10 - bit % 8) & 63];
	}
	text[22] = 0;
}

static void put_lines(const struct lcov_report *l, const struct analysis *a)
{
	for (uint32_t line = 1; line <= a->n_lines; line++) {
		char hash[23];

		if (!(a->lines[line] & LINE_STATEMENT))
			continue;
		fprintf(l->out, "DA:%u,%d", line, !analysis_is_missing(a, line));
		if (l->options->line_checksums && a->source.text) {
			line_hash(a, line, hash);
			fprintf(l->out, ",%s", hash);
		}
		putc('\n', l->out);
	}
	if (a->numbers.n_statements)
		fprintf(l->out, "LF:%llu\nLH:%llu\n", (unsigned long long)a->numbers.n_statements,
			(unsigned long long)(a->numbers.n_statements - a->numbers.n_missing));
}

/* A function as it is listed: from its `def`, or its body where that begins above. */
struct lcov_function {
	uint32_t first, last;
	size_t region;
	char *name;
};

static int compare_functions(const void *a, const void *b)
{
	const struct lcov_function *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->last != y->last)
		return x->last < y->last ? -1 : 1;
	return x->region < y->region ? -1 : x->region > y->region;
}

static size_t list_functions(const struct analysis_regions *regions, struct lcov_function *functions)
{
	size_t n = 0;

	for (size_t i = 0; i < regions->n; i++) {
		const struct region *r = &regions->regions[i];

		if (r->kind != REGION_FUNCTION || !r->first_line)
			continue;
		functions[n++] = (struct lcov_function){
			.first = r->start < r->first_line ? r->start : r->first_line,
			.last = r->start > r->last_line ? r->start : r->last_line,
			.region = i + 1,
		};
	}
	if (n)
		qsort(functions, n, sizeof(*functions), compare_functions);
	return n;
}

static int compare_names(const void *a, const void *b)
{
	const struct lcov_function *const *x = a, *const *y = b;
	int r = strcmp((*x)->name, (*y)->name);

	return r ? r : *x < *y ? -1 : *x > *y;
}

/* Of functions with the same name, all but the first get their line behind it. */
static int name_functions(const struct analysis_regions *regions, struct lcov_function *functions, size_t n)
{
	_cleanup_free_ struct lcov_function **sorted = calloc(n + 1, sizeof(*sorted));
	const char *previous = NULL;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		functions[i].name = name_printable(regions->regions[functions[i].region - 1].name);
		if (!functions[i].name)
			return -ENOMEM;
		sorted[i] = &functions[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_names);
	for (size_t i = n; i-- > 1;) {
		char *name;

		previous = sorted[i - 1]->name;
		if (strcmp(previous, sorted[i]->name))
			continue;
		if (asprintf(&name, "%s@%u", previous, sorted[i]->first) < 0)
			return -ENOMEM;
		free(sorted[i]->name);
		sorted[i]->name = name;
	}
	return 0;
}

static int put_functions(const struct lcov_report *l, const struct analysis *a)
{
	_cleanup_analysis_regions_ struct analysis_regions regions = {0};
	_cleanup_free_ struct lcov_function *functions = NULL;
	size_t n, kept = 0, hits = 0;
	int r = analysis_regions(a, &regions);

	if (r < 0)
		return r;
	functions = calloc(regions.n + 1, sizeof(*functions));
	if (!functions)
		return -ENOMEM;
	n = list_functions(&regions, functions);
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (analysis_region_numbers(a, &regions, REGION_FUNCTION, functions[i].region).n_statements)
			functions[kept++] = functions[i];
	r = name_functions(&regions, functions, kept);
	for (size_t i = 0; i < kept; i++) {
		struct numbers numbers = analysis_region_numbers(a, &regions, REGION_FUNCTION, functions[i].region);
		bool hit = numbers.n_missing < numbers.n_statements;

		hits += hit;
		if (r == 0)
			fprintf(l->out, "FN:%u,%u,%s\nFNDA:%d,%s\n", functions[i].first, functions[i].last,
				functions[i].name, hit, functions[i].name);
		free(functions[i].name);
	}
	fprintf(l->out, "FNF:%zu\nFNH:%zu\n", kept, hits);
	return r;
}

static void put_way(const struct lcov_report *l, const struct analysis *a, const struct branch *b)
{
	static const char *const ways[] = {
		[BRANCH_RETURN] = "return from function '%s'",
		[BRANCH_EXCEPT] = "except from function '%s'",
		[BRANCH_EXIT_CLASS] = "exit class '%s'",
	};
	const struct statement *owner = &a->syntax.statements[b->owner];
	_cleanup_free_ char *name = NULL, *shown = NULL;

	switch (b->way) {
	case BRANCH_JUMP:
		fprintf(l->out, "jump to line %d", b->to);
		break;
	case BRANCH_EXIT_MODULE:
		fputs("exit the module", l->out);
		break;
	case BRANCH_EXIT:
		fputs("jump to the function exit", l->out);
		break;
	default:
		name = strndup(a->source.text + owner->name, owner->name_length);
		shown = name ? name_printable(name) : NULL;
		fprintf(l->out, ways[b->way], shown ? shown : "?");
	}
}

/* The branches of a line, from @from to @to: ways out behind ways on. */
static void put_line_branches(const struct lcov_report *l, const struct analysis *a, size_t from, size_t to)
{
	bool any = false;

	for (size_t i = from; i < to; i++)
		any |= a->branches[i].executed;
	for (int out = 0; out < 2; out++)
		for (size_t i = from; i < to; i++) {
			const struct branch *b = &a->branches[i];

			if ((b->to < 0) != out || (!b->executed && !b->missing))
				continue;
			fprintf(l->out, "BRDA:%u,0,", b->from);
			put_way(l, a, b);
			fprintf(l->out, ",%s\n", !any ? "-" : b->executed ? "1" : "0");
		}
}

static void put_branches(const struct lcov_report *l, const struct analysis *a)
{
	const struct numbers *n = &a->numbers;

	for (size_t from = 0, to; from < a->n_branches; from = to) {
		uint32_t line = a->branches[from].from;

		for (to = from; to < a->n_branches && a->branches[to].from == line; to++)
			;
		if (a->lines[line] & LINE_STATEMENT)
			put_line_branches(l, a, from, to);
	}
	if (n->n_branches)
		fprintf(l->out, "BRF:%llu\nBRH:%llu\n", (unsigned long long)n->n_branches,
			(unsigned long long)(n->n_branches - n->n_missing_branches));
}

static int put_file(const struct lcov_report *l, const struct analysis *a)
{
	_cleanup_free_ char *name = name_printable(a->name);
	int r;

	if (!name)
		return -ENOMEM;
	fprintf(l->out, "SF:%s\n", name);
	put_lines(l, a);
	r = put_functions(l, a);
	if (l->branches)
		put_branches(l, a);
	fputs("end_of_record\n", l->out);
	return r;
}

static int add_file(struct lcov_report *l, struct lcov_files *files, struct analysis *a)
{
	struct lcov_file *file;
	size_t size;
	int r;

	if (files->n == files->room) {
		size_t room = files->room ? files->room * 2 : 64;
		struct lcov_file *grown = reallocarray(files->files, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		files->files = grown;
		files->room = room;
	}
	file = &files->files[files->n++];
	*file = (struct lcov_file){.name = take_ptr(a->name)};
	a->name = strdup(file->name);
	l->out = open_memstream(&file->text, &size);
	if (!l->out || !a->name)
		return -ENOMEM;
	r = put_file(l, a);
	return fclose(l->out) != 0 ? -ENOMEM : r;
}

static int compare_files(const void *a, const void *b)
{
	const struct lcov_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int report_lcov(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX])
{
	_cleanup_(lcov_files_deinit) struct lcov_files files = {0};
	struct lcov_report l = {.options = options, .branches = report_has_branches(report)};
	struct numbers sum = {0};
	struct analysis a;
	int r = 0;

	while (r == 0 && (r = report_next(report, &a, why)) > 0) {
		numbers_add(&sum, &a.numbers);
		r = a.numbers.n_statements || !options->skip_empty ? add_file(&l, &files, &a) : 0;
		analysis_deinit(&a);
	}
	if (files.n)
		qsort(files.files, files.n, sizeof(*files.files), compare_files);
	for (size_t i = 0; i < files.n && r == 0; i++)
		fputs(files.files[i].text, out);
	*total = sum.n_statements ? numbers_covered(&sum) : 0;
	return r;
}
