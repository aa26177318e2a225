/*
 * The processed profile format of the Firefox Profiler, version 60 (firefox-devtools/profiler, src/types/profile.ts and
 * docs-developer/CHANGELOG-formats.md), which reads that and all that came before. Its tables are columns; those of
 * stacks, frames and functions are shared by all threads, so that numbers are those of the profile: a stack is a call
 * node. The roots of threads are stacks too, of a frame that is never shown, because no sample is of a root: such a
 * sample has the stack null, and the children of a root have no prefix.
 */
#include "sample/output.h"

#include "output/json_out.h"
#include "sample/summary.h"

enum { CATEGORY_OTHER, CATEGORY_PYTHON, CATEGORY_NATIVE };

static void put_category(const char *name, const char *color, yajl_gen json)
{
	yajl_gen_map_open(json);
	json_out_member(json, "name", name);
	json_out_member(json, "color", color);
	json_out_array(json, "subcategories");
	json_out_string(json, "Other");
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
}

static void put_empty_array(const char *key, yajl_gen json)
{
	json_out_array(json, key);
	yajl_gen_array_close(json);
}

static void put_member_ms(const char *key, uint64_t ns, yajl_gen json)
{
	json_out_key(json, key);
	json_out_ms(json, ns);
}

static void put_meta(const struct profile *p, const struct profile_view *view, yajl_gen json)
{
	char title[4096];

	summary_order_title(title, sizeof(title), p, view);
	json_out_object(json, "meta");
	put_member_ms("interval", p->info.rate ? 1000000000 / p->info.rate : 1000000, json);
	put_member_ms("startTime", p->info.started_unix_ns, json);
	json_out_member_int(json, "processType", 0);
	json_out_member(json, "product", title);
	json_out_member(json, "importedFrom", "pycov-trace " PYCOV_TRACE_VERSION);
	json_out_member(json, "platform", "Linux");
	json_out_member_int(json, "stackwalk", 1);
	json_out_member_int(json, "version", 32);
	json_out_member_int(json, "preprocessedProfileVersion", 60);
	json_out_member_bool(json, "symbolicated", true);
	json_out_member_bool(json, "symbolicationNotSupported", true);
	json_out_member_bool(json, "usesOnlyOneStackType", true);
	json_out_member_bool(json, "sourceCodeIsNotOnSearchfox", true);
	put_empty_array("markerSchema", json);
	json_out_array(json, "categories");
	put_category("Other", "grey", json);
	put_category("Python", "blue", json);
	put_category("Native", "orange", json);
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
}

/* A column of n rows with the same value in each. */
static void put_constant(const char *key, uint32_t n, int64_t value, yajl_gen json)
{
	json_out_array(json, key);
	for (uint32_t i = 0; i < n; i++)
		json_out_int(json, value);
	yajl_gen_array_close(json);
}

static void put_nulls(const char *key, uint32_t n, yajl_gen json)
{
	json_out_array(json, key);
	for (uint32_t i = 0; i < n; i++)
		yajl_gen_null(json);
	yajl_gen_array_close(json);
}

static void put_false(const char *key, uint32_t n, yajl_gen json)
{
	json_out_array(json, key);
	for (uint32_t i = 0; i < n; i++)
		yajl_gen_bool(json, false);
	yajl_gen_array_close(json);
}

/* A source is a string: so their numbers are the same. */
static void put_strings(const struct profile *p, yajl_gen json)
{
	json_out_array(json, "stringArray");
	for (uint32_t i = 0; i < p->n_strings; i++)
		json_out_string(json, p->strings[i]);
	yajl_gen_array_close(json);
	json_out_object(json, "sources");
	json_out_member_int(json, "length", p->n_strings);
	put_nulls("uuid", p->n_strings, json);
	json_out_array(json, "filename");
	for (uint32_t i = 0; i < p->n_strings; i++)
		json_out_int(json, i);
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
}

static void put_stacks(const struct profile *p, yajl_gen json)
{
	json_out_object(json, "stackTable");
	json_out_array(json, "frame");
	for (uint32_t i = 0; i < p->n_nodes; i++)
		json_out_int(json, p->nodes[i].frame == PROFILE_NONE ? 0 : p->nodes[i].frame);
	yajl_gen_array_close(json);
	json_out_array(json, "prefix");
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		uint32_t parent = p->nodes[i].parent;

		if (parent == PROFILE_NONE || p->nodes[parent].parent == PROFILE_NONE)
			yajl_gen_null(json);
		else
			json_out_int(json, parent);
	}
	yajl_gen_array_close(json);
	json_out_member_int(json, "length", p->n_nodes);
	yajl_gen_map_close(json);
}

static void put_frames(const struct profile *p, const struct profile_view *view, yajl_gen json)
{
	json_out_object(json, "frameTable");
	put_constant("address", p->n_frames, -1, json);
	put_constant("inlineDepth", p->n_frames, 0, json);
	json_out_array(json, "category");
	for (uint32_t i = 0; i < p->n_frames; i++)
		json_out_int(json, p->functions[p->frames[i].function].native ? CATEGORY_NATIVE : CATEGORY_PYTHON);
	yajl_gen_array_close(json);
	put_constant("subcategory", p->n_frames, 0, json);
	json_out_array(json, "func");
	for (uint32_t i = 0; i < p->n_frames; i++)
		json_out_int(json, p->frames[i].function);
	yajl_gen_array_close(json);
	put_nulls("nativeSymbol", p->n_frames, json);
	put_nulls("innerWindowID", p->n_frames, json);
	json_out_array(json, "line");
	for (uint32_t i = 0; i < p->n_frames; i++) {
		if (p->frames[i].line && !view->functions)
			json_out_int(json, p->frames[i].line);
		else
			yajl_gen_null(json);
	}
	yajl_gen_array_close(json);
	put_nulls("column", p->n_frames, json);
	json_out_member_int(json, "length", p->n_frames);
	yajl_gen_map_close(json);
}

static void put_functions(const struct profile *p, yajl_gen json)
{
	json_out_object(json, "funcTable");
	json_out_array(json, "name");
	for (uint32_t i = 0; i < p->n_functions; i++)
		json_out_int(json, p->functions[i].name);
	yajl_gen_array_close(json);
	put_false("isJS", p->n_functions, json);
	put_false("relevantForJS", p->n_functions, json);
	put_constant("resource", p->n_functions, -1, json);
	json_out_array(json, "source");
	for (uint32_t i = 0; i < p->n_functions; i++)
		json_out_int(json, p->functions[i].file);
	yajl_gen_array_close(json);
	put_nulls("lineNumber", p->n_functions, json);
	put_nulls("columnNumber", p->n_functions, json);
	json_out_member_int(json, "length", p->n_functions);
	yajl_gen_map_close(json);
}

static void put_empty_table(const char *key, const char *const *columns, yajl_gen json)
{
	json_out_object(json, key);
	for (; *columns; columns++)
		put_empty_array(*columns, json);
	json_out_member_int(json, "length", 0);
	yajl_gen_map_close(json);
}

static void put_shared(const struct profile *p, const struct profile_view *view, yajl_gen json)
{
	static const char *const resources[] = {"lib", "name", "host", "type", NULL};
	static const char *const symbols[] = {"libIndex", "address", "name", "functionSize", NULL};

	json_out_object(json, "shared");
	put_strings(p, json);
	put_stacks(p, json);
	put_frames(p, view, json);
	put_functions(p, json);
	put_empty_table("resourceTable", resources, json);
	put_empty_table("nativeSymbols", symbols, json);
	yajl_gen_map_close(json);
}

static uint64_t since_start(const struct profile *p, uint64_t time_ns)
{
	return time_ns > p->info.started_ns ? time_ns - p->info.started_ns : 0;
}

/* The weights are times: with 'tracing-ms' the profiler shows times, whatever was merged. */
static void put_samples(const struct profile *p, const struct profile_thread *t, yajl_gen json)
{
	json_out_object(json, "samples");
	json_out_array(json, "stack");
	for (size_t i = 0; i < t->n_runs; i++) {
		if (t->runs[i].node == t->root)
			yajl_gen_null(json);
		else
			json_out_int(json, t->runs[i].node);
	}
	yajl_gen_array_close(json);
	json_out_array(json, "time");
	for (size_t i = 0; i < t->n_runs; i++)
		json_out_ms(json, since_start(p, t->runs[i].time_ns));
	yajl_gen_array_close(json);
	json_out_array(json, "weight");
	for (size_t i = 0; i < t->n_runs; i++)
		json_out_ms(json, t->runs[i].weight_ns);
	yajl_gen_array_close(json);
	json_out_member(json, "weightType", "tracing-ms");
	json_out_member_int(json, "length", (int64_t)t->n_runs);
	yajl_gen_map_close(json);
}

static void put_thread(const struct profile *p, const struct profile_thread *t, yajl_gen json)
{
	static const char *const markers[] = {"data", "name", "startTime", "endTime", "phase", "category", NULL};
	const struct profile_process *process = &p->processes[t->process];
	bool is_main = t->tid == process->pid;
	char pid[16], name[64];

	snprintf(pid, sizeof(pid), "%d", (int)process->pid);
	snprintf(name, sizeof(name), t->tid ? "thread %d" : "other threads", (int)t->tid);
	yajl_gen_map_open(json);
	json_out_member(json, "processType", "default");
	put_member_ms("processStartupTime", 0, json);
	json_out_key(json, "processShutdownTime");
	yajl_gen_null(json);
	put_member_ms("registerTime", since_start(p, t->runs[0].time_ns), json);
	json_out_key(json, "unregisterTime");
	yajl_gen_null(json);
	put_empty_array("pausedRanges", json);
	json_out_member(json, "name", t->name ? p->strings[t->name] : name);
	json_out_member(json, "processName", process->pid ? p->strings[process->name] : "other processes");
	json_out_member_bool(json, "isMainThread", is_main);
	json_out_member(json, "pid", pid);
	json_out_member_int(json, "tid", t->tid);
	put_samples(p, t, json);
	put_empty_table("markers", markers, json);
	yajl_gen_map_close(json);
}

int format_gecko(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_json_ yajl_gen json = json_out_new(out, false);

	if (!json)
		return -ENOMEM;
	yajl_gen_map_open(json);
	put_meta(p, view, json);
	put_empty_array("libs", json);
	put_shared(p, view, json);
	json_out_array(json, "threads");
	for (uint32_t i = 0; i < p->n_threads; i++)
		if (p->threads[i].n_runs)
			put_thread(p, &p->threads[i], json);
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
	fputc('\n', out);
	return 0;
}
