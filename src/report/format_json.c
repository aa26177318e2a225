/* coverage.py's JSON, format 3: coverage/jsonreport.py, 7.17.3. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "output/json_out.h"
#include "report/formats.h"
#include "report/line_regex.h"

#define FORMAT_VERSION 3

struct json_report {
	yajl_gen json;
	struct report *report;
	const struct report_options *options;
	struct numbers total;
};

/* As Python writes a float: the shortest text that reads back as the same number. */
static void put_double(yajl_gen json, double value)
{
	char text[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	if (!strpbrk(text, ".e"))
		strcat(text, ".0");
	yajl_gen_number(json, text, strlen(text));
}

static void put_percent(struct json_report *j, const char *key, double value)
{
	char text[PERCENT_TEXT_MAX], display[64];

	json_out_key(j->json, key);
	put_double(j->json, value);
	percent_format(value, j->options->precision, text);
	snprintf(display, sizeof(display), "%s_display", key);
	json_out_key(j->json, display);
	json_out_key(j->json, text);
}

static void put_int(struct json_report *j, const char *key, uint64_t value)
{
	json_out_member_int(j->json, key, (int64_t)value);
}

static void put_summary(struct json_report *j, const char *key, const struct numbers *n)
{
	json_out_object(j->json, key);
	put_int(j, "covered_lines", n->n_statements - n->n_missing);
	put_int(j, "num_statements", n->n_statements);
	put_percent(j, "percent_covered", numbers_covered(n));
	put_int(j, "missing_lines", n->n_missing);
	put_int(j, "excluded_lines", n->n_excluded);
	put_percent(j, "percent_statements_covered", numbers_statements_covered(n));
	if (report_has_branches(j->report)) {
		put_int(j, "num_branches", n->n_branches);
		put_int(j, "num_partial_branches", n->n_partial_branches);
		put_int(j, "covered_branches", n->n_branches - n->n_missing_branches);
		put_int(j, "missing_branches", n->n_missing_branches);
		put_percent(j, "percent_branches_covered", numbers_branches_covered(n));
	}
	yajl_gen_map_close(j->json);
}

/* Lines @from to @to, those alone that belong to region @region if there is an @owner. */
struct part {
	const struct analysis *a;
	const uint32_t *owner;
	uint32_t region, from, to;
};

static bool part_has(const struct part *part, uint32_t line)
{
	return !part->owner || (line <= part->a->n_lines && part->owner[line] == part->region);
}

static void put_lines(struct json_report *j, const struct part *part, const char *key, uint8_t mask, uint8_t wanted)
{
	json_out_array(j->json, key);
	for (uint32_t line = part->from; line && line <= part->to; line++)
		if ((part->a->lines[line] & mask) == wanted && part_has(part, line))
			json_out_int(j->json, line);
	yajl_gen_array_close(j->json);
}

static void put_branches(struct json_report *j, const struct part *part, const char *key, bool missing)
{
	json_out_array(j->json, key);
	for (size_t i = analysis_find_branch(part->a, part->from); i < part->a->n_branches; i++) {
		const struct branch *b = &part->a->branches[i];

		if (b->from > part->to)
			break;
		if (!(missing ? b->missing : b->executed) || !part_has(part, b->from))
			continue;
		yajl_gen_array_open(j->json);
		json_out_int(j->json, b->from);
		json_out_int(j->json, b->to);
		yajl_gen_array_close(j->json);
	}
	yajl_gen_array_close(j->json);
}

/* Of each line that ran, as it was recorded, the contexts. */
static void put_contexts(struct json_report *j, const struct analysis *a)
{
	struct lineset all = {0};
	uint32_t line = 0;

	for (size_t i = 0; i < a->file->n_lines; i++)
		if (report_wants_context(j->report, a->file->lines[i].context->name) &&
		    lineset_or(&all, &a->file->lines[i].lines) < 0)
			break;
	json_out_object(j->json, "contexts");
	while ((line = lineset_next(&all, line))) {
		char key[16];

		snprintf(key, sizeof(key), "%u", line);
		json_out_array(j->json, key);
		for (size_t i = 0; i < a->file->n_lines; i++)
			if (lineset_test(&a->file->lines[i].lines, line) &&
			    report_wants_context(j->report, a->file->lines[i].context->name))
				json_out_key(j->json, a->file->lines[i].context->name);
		yajl_gen_array_close(j->json);
	}
	yajl_gen_map_close(j->json);
	lineset_deinit(&all);
}

static void put_part(struct json_report *j, const struct part *part, const struct numbers *n)
{
	const uint8_t both = LINE_STATEMENT | LINE_EXECUTED;

	put_lines(j, part, "executed_lines", both, both);
	put_summary(j, "summary", n);
	put_lines(j, part, "missing_lines", both, LINE_STATEMENT);
	put_lines(j, part, "excluded_lines", LINE_EXCLUDED, LINE_EXCLUDED);
	if (j->options->show_contexts)
		put_contexts(j, part->a);
	if (report_has_branches(j->report)) {
		put_branches(j, part, "executed_branches", false);
		put_branches(j, part, "missing_branches", true);
	}
}

/* Names that were given already, or belong to a region with statements. */
struct names {
	struct hashmap map;
	struct hash_key key;
};

struct name {
	const char *text;
	bool used;
};

static bool name_matches(const void *entry, const void *key)
{
	return !strcmp(((const struct name *)entry)->text, key);
}

static struct name *names_find(const struct names *names, const char *text)
{
	return hashmap_find(&names->map, hash_bytes(&names->key, text, strlen(text)), name_matches, text);
}

static struct name *names_get(struct names *names, const char *text)
{
	struct name *name = names_find(names, text);

	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	name->text = text;
	if (hashmap_add(&names->map, hash_bytes(&names->key, text, strlen(text)), name) < 0) {
		free(name);
		return NULL;
	}
	return name;
}

static void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->map.n_slots; i++)
		free(names->map.slots[i].entry);
	hashmap_deinit(&names->map);
}

/*
 * Of several functions of a name, the first that has statements keeps it; the others get their line behind it. One
 * without statements keeps it if none has any.
 */
static void put_region_key(struct json_report *j, struct names *names, const struct region *region, bool empty)
{
	struct name *name = names_find(names, region->name);
	char line[16];

	if (name && (name->used || empty)) {
		_cleanup_free_ char *key = NULL;

		snprintf(line, sizeof(line), "@%u", region->start);
		if (asprintf(&key, "%s%s", region->name, line) < 0)
			key = NULL;
		json_out_key(j->json, key ? key : line);
		return;
	}
	if (!name)
		name = names_get(names, region->name);
	if (name)
		name->used = true;
	json_out_key(j->json, region->name);
}

static uint32_t first_outside(const struct analysis *a, const uint32_t *owner)
{
	for (uint32_t line = 1; line <= a->n_lines; line++)
		if (!owner[line])
			return line;
	return 1;
}

static void put_regions(struct json_report *j, const struct analysis *a, const struct analysis_regions *regions,
			enum region_kind kind)
{
	_cleanup_(names_deinit) struct names names = {0};
	const uint32_t *owner = kind == REGION_FUNCTION ? regions->function_of : regions->class_of;
	struct numbers n;

	hash_key_init(&names.key);
	json_out_object(j->json, kind == REGION_FUNCTION ? "functions" : "classes");
	for (size_t i = 0; i < regions->n; i++)
		if (regions->regions[i].kind == kind && analysis_region_numbers(a, regions, kind, i + 1).n_statements)
			names_get(&names, regions->regions[i].name);
	for (size_t i = 0; i < regions->n; i++) {
		const struct region *region = &regions->regions[i];
		struct part part = {a, owner, (uint32_t)i + 1, region->first_line, region->last_line};

		if (region->kind != kind)
			continue;
		n = analysis_region_numbers(a, regions, kind, i + 1);
		put_region_key(j, &names, region, !n.n_statements);
		yajl_gen_map_open(j->json);
		put_part(j, &part, &n);
		put_int(j, "start_line", region->start);
		yajl_gen_map_close(j->json);
	}
	n = analysis_region_numbers(a, regions, kind, 0);
	json_out_object(j->json, "");
	put_part(j, &(struct part){a, owner, 0, 1, a->n_lines}, &n);
	put_int(j, "start_line", first_outside(a, owner));
	yajl_gen_map_close(j->json);
	yajl_gen_map_close(j->json);
}

static int put_file(struct json_report *j, const struct analysis *a)
{
	_cleanup_analysis_regions_ struct analysis_regions regions = {0};
	int r = analysis_regions(a, &regions);

	if (r < 0)
		return r;
	numbers_add(&j->total, &a->numbers);
	json_out_object(j->json, a->name);
	put_part(j, &(struct part){.a = a, .from = 1, .to = a->n_lines + 1}, &a->numbers);
	put_regions(j, a, &regions, REGION_FUNCTION);
	put_regions(j, a, &regions, REGION_CLASS);
	yajl_gen_map_close(j->json);
	return 0;
}

static void put_meta(struct json_report *j)
{
	struct timespec now;
	struct tm tm;
	char date[40], stamp[64];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%s.%06ld", date, now.tv_nsec / 1000);
	json_out_object(j->json, "meta");
	put_int(j, "format", FORMAT_VERSION);
	json_out_member(j->json, "version", PYCOV_TRACE_VERSION);
	json_out_member(j->json, "timestamp", stamp);
	json_out_member_bool(j->json, "branch_coverage", report_has_branches(j->report));
	json_out_member_bool(j->json, "show_contexts", j->options->show_contexts);
	yajl_gen_map_close(j->json);
}

int report_json(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX])
{
	_cleanup_json_ yajl_gen json = json_out_new(out, options->pretty_print);
	struct json_report j = {.json = json, .report = report, .options = options};
	struct analysis a;
	int r = 0;

	if (!json)
		return -ENOMEM;
	yajl_gen_map_open(json);
	put_meta(&j);
	json_out_object(json, "files");
	while (r == 0 && (r = report_next(report, &a, why)) > 0) {
		r = put_file(&j, &a);
		analysis_deinit(&a);
	}
	if (r < 0)
		return r;
	yajl_gen_map_close(json);
	put_summary(&j, "totals", &j.total);
	yajl_gen_map_close(json);
	*total = j.total.n_statements ? numbers_covered(&j.total) : 0;
	return 0;
}
