/* Every writer's exact output for a small profile, part of whose names is hostile. */
#include "base/cleanup.h"
#include "sample/output.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define HOSTILE "</script><b>&\"';\n\x1b[2J\xff\xe2\x80\xae"

static void add(struct profile *p, pid_t pid, pid_t tid, uint64_t ms, const struct profile_frame *frames, size_t n)
{
	assert_int_equal(profile_add(p, pid, tid, tid == 11 ? "MainThread" : NULL, "app", ms * MS, MS,
				     PROFILE_ON_CPU | PROFILE_GIL, frames, n),
			 0);
}

static const struct profile_frame main_frame = {"<module>", "/srv/app/app.py", 3, 0};
static const struct profile_frame work_frame = {"work", "/srv/app/lib/work.py", 10, 0};
static const struct profile_frame work_frame_2 = {"work", "/srv/app/lib/work.py", 11, 0};
static const struct profile_frame copy_frame = {"memcpy", "/usr/lib/libc.so.6", 0, PROFILE_FRAME_NATIVE};
static const struct profile_frame hostile_frame = {HOSTILE, "/srv/app/" HOSTILE ".py", 7, 0};

static struct profile *small(void)
{
	struct profile *p;

	assert_int_equal(profile_new(&(struct profile_options){.keep_order = true}, &p), 0);
	add(p, 10, 11, 5, (struct profile_frame[]){work_frame, main_frame}, 2);
	add(p, 10, 11, 6, (struct profile_frame[]){work_frame, main_frame}, 2);
	add(p, 10, 11, 7, (struct profile_frame[]){copy_frame, work_frame_2, main_frame}, 3);
	add(p, 10, 11, 9, &hostile_frame, 1);
	add(p, 10, 12, 6, &main_frame, 1);
	add(p, 10, 12, 7, NULL, 0);
	assert_int_equal(profile_set_info(p, &(struct profile_info){.rate = 1000,
								    .started_unix_ns = 1700000000000 * MS,
								    .started_ns = 4 * MS,
								    .duration_ns = 5 * MS,
								    .torn = 2,
								    .what = "app " HOSTILE}),
			 0);
	return p;
}

/* What the writer writes, NUL-terminated. */
static char *written(const char *format, const struct profile *p, const struct profile_view *view, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	assert_int_equal(profile_format_find(format)->write(p, view, f), 0);
	fclose(f);
	return text;
}

static void check(const char *format, const struct profile_view *view, const char *expected)
{
	_cleanup_profile_ struct profile *p = small();
	_cleanup_free_ char *text = NULL;
	size_t size;

	text = written(format, p, view, &size);
	assert_string_equal(text, expected);
}

/* What is expected is laid out as it is written. */
/* clang-format off */
#define SHOWN "</script><b>&\"';\\x0a\\x1b[2J\\xff\\u202e"
#define SHOWN_FOLDED "</script><b>&\"'\\x3b\\x0a\\x1b[2J\\xff\\u202e"
#define SHOWN_JSON "</script><b>&\\\"';\\\\x0a\\\\x1b[2J\\\\xff\\\\u202e"

static void test_folded(void **state)
{
	check("folded", &(struct profile_view){ 0 },
	      "(no Python frame) 1\n"
	      SHOWN_FOLDED " (" SHOWN_FOLDED ".py:7) 1\n"
	      "<module> (app.py:3) 1\n"
	      "<module> (app.py:3);work (lib/work.py:10) 2\n"
	      "<module> (app.py:3);work (lib/work.py:11);memcpy (libc.so.6) 1\n");
	check("folded", &(struct profile_view){ .functions = true, .full_filenames = true },
	      "(no Python frame) 1\n"
	      SHOWN_FOLDED " (/srv/app/" SHOWN_FOLDED ".py) 1\n"
	      "<module> (/srv/app/app.py) 1\n"
	      "<module> (/srv/app/app.py);work (/srv/app/lib/work.py) 2\n"
	      "<module> (/srv/app/app.py);work (/srv/app/lib/work.py);memcpy (/usr/lib/libc.so.6) 1\n");
	check("folded", &(struct profile_view){ .threads = true },
	      "thread 11 (MainThread);" SHOWN_FOLDED " (" SHOWN_FOLDED ".py:7) 1\n"
	      "thread 11 (MainThread);<module> (app.py:3);work (lib/work.py:10) 2\n"
	      "thread 11 (MainThread);<module> (app.py:3);work (lib/work.py:11);memcpy (libc.so.6) 1\n"
	      "thread 12;(no Python frame) 1\n"
	      "thread 12;<module> (app.py:3) 1\n");
}

static void test_folded_processes(void **state)
{
	_cleanup_profile_ struct profile *p = small();
	_cleanup_free_ char *text = NULL;
	size_t size;

	add(p, 20, 20, 9, &main_frame, 1);
	text = written("folded", p, &(struct profile_view){ 0 }, &size);
	assert_non_null(strstr(text, "process 10 (app);<module> (app.py:3) 1\n"));
	assert_non_null(strstr(text, "process 20 (app);<module> (app.py:3) 1\n"));
}

static void test_table(void **state)
{
	check("table", &(struct profile_view){ 0 },
	      "app " SHOWN "\n"
	      "6 samples in 0.0 s (1000 per second) of 2 threads; 100.0 % on CPU, 100.0 % holding the GIL\n"
	      "2 samples dropped because the target moved while it was read\n"
	      "\n"
	      "   own%  total%     own s   total s  function\n"
	      "  33.33   50.00      0.00      0.00  work (lib/work.py)\n"
	      "  16.67   66.67      0.00      0.00  <module> (app.py)\n"
	      "  16.67   16.67      0.00      0.00  memcpy (libc.so.6)\n"
	      "  16.67   16.67      0.00      0.00  " SHOWN " (" SHOWN ".py)\n"
	      "\n"
	      "   own%  total%     own s   total s  line\n"
	      "  33.33   33.33      0.00      0.00  work (lib/work.py:10)\n"
	      "  16.67   66.67      0.00      0.00  <module> (app.py:3)\n"
	      "  16.67   16.67      0.00      0.00  memcpy (libc.so.6)\n"
	      "  16.67   16.67      0.00      0.00  " SHOWN " (" SHOWN ".py:7)\n"
	      "   0.00   16.67      0.00      0.00  work (lib/work.py:11)\n");
	check("table", &(struct profile_view){ .top = 1, .functions = true, .title = "T" },
	      "T\n"
	      "6 samples in 0.0 s (1000 per second) of 2 threads; 100.0 % on CPU, 100.0 % holding the GIL\n"
	      "2 samples dropped because the target moved while it was read\n"
	      "\n"
	      "   own%  total%     own s   total s  function\n"
	      "  33.33   50.00      0.00      0.00  work (lib/work.py)\n"
	      "                                          (3 more)\n");
}

#define FRAMES_JSON                                                                                                    \
	"{\"name\":\"?\",\"file\":\"?\"},"                                                                             \
	"{\"name\":\"work\",\"file\":\"/srv/app/lib/work.py\",\"line\":10},"                                           \
	"{\"name\":\"<module>\",\"file\":\"/srv/app/app.py\",\"line\":3},"                                             \
	"{\"name\":\"memcpy\",\"file\":\"/usr/lib/libc.so.6\"},"                                                       \
	"{\"name\":\"work\",\"file\":\"/srv/app/lib/work.py\",\"line\":11},"                                           \
	"{\"name\":\"" SHOWN_JSON "\",\"file\":\"/srv/app/" SHOWN_JSON ".py\",\"line\":7}"

static void test_speedscope(void **state)
{
	check("speedscope", &(struct profile_view){ 0 },
	      "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"version\":\"0.0.1\","
	      "\"exporter\":\"pycov-trace " PYCOV_TRACE_VERSION "\",\"name\":\"app " SHOWN_JSON "\","
	      "\"shared\":{\"frames\":[" FRAMES_JSON "]},\"profiles\":["
	      "{\"type\":\"sampled\",\"name\":\"thread 11 (MainThread)\",\"unit\":\"nanoseconds\",\"startValue\":0,"
	      "\"samples\":[[2,1],[2,4,3],[5]],\"weights\":[2000000,1000000,1000000],\"endValue\":4000000},"
	      "{\"type\":\"sampled\",\"name\":\"thread 12\",\"unit\":\"nanoseconds\",\"startValue\":1000000,"
	      "\"samples\":[[2],[]],\"weights\":[1000000,1000000],\"endValue\":3000000}]}\n");
}

static void test_speedscope_gap(void **state)
{
	_cleanup_profile_ struct profile *p = small();
	_cleanup_free_ char *text = NULL;
	size_t size;

	add(p, 10, 12, 100, &main_frame, 1);
	text = written("speedscope", p, &(struct profile_view){ 0 }, &size);
	assert_non_null(strstr(text, "\"samples\":[[2],[],[],[2]],\"weights\":[1000000,1000000,92000000,1000000],"
				     "\"endValue\":96000000"));
}

static void test_order_made_coarser(void **state)
{
	_cleanup_profile_ struct profile *p;
	_cleanup_free_ char *speedscope = NULL, *gecko = NULL;
	size_t size;

	assert_int_equal(profile_new(&(struct profile_options){ .keep_order = true, .max_runs = 8 }, &p), 0);
	for (uint64_t i = 0; i < 12; i++)
		add(p, 10, 11, 5 + i, i % 2 ? &work_frame : &main_frame, 1);
	speedscope = written("speedscope", p, &(struct profile_view){ .title = "t" }, &size);
	gecko = written("gecko", p, &(struct profile_view){ .title = "t" }, &size);
	assert_true(p->lost.merged > 0);
	assert_non_null(strstr(speedscope, "\"name\":\"t (in the order of time, "));
	assert_non_null(strstr(gecko, "\"product\":\"t (in the order of time, "));
}

static void test_gecko(void **state)
{
	check("gecko", &(struct profile_view){ 0 },
	      "{\"meta\":{\"interval\":1,\"startTime\":1700000000000,\"processType\":0,\"product\":\"app " SHOWN_JSON
	      "\",\"importedFrom\":\"pycov-trace " PYCOV_TRACE_VERSION "\",\"platform\":\"Linux\",\"stackwalk\":1,"
	      "\"version\":32,\"preprocessedProfileVersion\":60,\"symbolicated\":true,"
	      "\"symbolicationNotSupported\":true,\"usesOnlyOneStackType\":true,\"sourceCodeIsNotOnSearchfox\":true,"
	      "\"markerSchema\":[],\"categories\":[{\"name\":\"Other\",\"color\":\"grey\",\"subcategories\":[\"Other\"]},"
	      "{\"name\":\"Python\",\"color\":\"blue\",\"subcategories\":[\"Other\"]},"
	      "{\"name\":\"Native\",\"color\":\"orange\",\"subcategories\":[\"Other\"]}]},"
	      "\"libs\":[],\"shared\":{\"stringArray\":[\"\",\"?\",\"work\",\"/srv/app/lib/work.py\",\"<module>\","
	      "\"/srv/app/app.py\",\"MainThread\",\"app\",\"memcpy\",\"/usr/lib/libc.so.6\",\"" SHOWN_JSON
	      "\",\"/srv/app/" SHOWN_JSON ".py\"],"
	      "\"sources\":{\"length\":12,\"uuid\":[null,null,null,null,null,null,null,null,null,null,null,null],"
	      "\"filename\":[0,1,2,3,4,5,6,7,8,9,10,11]},"
	      "\"stackTable\":{\"frame\":[0,2,1,4,3,5,0,2],\"prefix\":[null,null,1,1,3,null,null,null],\"length\":8},"
	      "\"frameTable\":{\"address\":[-1,-1,-1,-1,-1,-1],\"inlineDepth\":[0,0,0,0,0,0],"
	      "\"category\":[1,1,1,2,1,1],\"subcategory\":[0,0,0,0,0,0],\"func\":[0,1,2,3,1,4],"
	      "\"nativeSymbol\":[null,null,null,null,null,null],\"innerWindowID\":[null,null,null,null,null,null],"
	      "\"line\":[null,10,3,null,11,7],\"column\":[null,null,null,null,null,null],\"length\":6},"
	      "\"funcTable\":{\"name\":[1,2,4,8,10],\"isJS\":[false,false,false,false,false],"
	      "\"relevantForJS\":[false,false,false,false,false],\"resource\":[-1,-1,-1,-1,-1],"
	      "\"source\":[1,3,5,9,11],\"lineNumber\":[null,null,null,null,null],"
	      "\"columnNumber\":[null,null,null,null,null],\"length\":5},"
	      "\"resourceTable\":{\"lib\":[],\"name\":[],\"host\":[],\"type\":[],\"length\":0},"
	      "\"nativeSymbols\":{\"libIndex\":[],\"address\":[],\"name\":[],\"functionSize\":[],\"length\":0}},"
	      "\"threads\":[{\"processType\":\"default\",\"processStartupTime\":0,\"processShutdownTime\":null,"
	      "\"registerTime\":0,\"unregisterTime\":null,\"pausedRanges\":[],\"name\":\"MainThread\","
	      "\"processName\":\"app\",\"isMainThread\":false,\"pid\":\"10\",\"tid\":11,"
	      "\"samples\":{\"stack\":[2,4,5],\"time\":[0,2,4],\"weight\":[2,1,1],\"weightType\":\"tracing-ms\","
	      "\"length\":3},\"markers\":{\"data\":[],\"name\":[],\"startTime\":[],\"endTime\":[],\"phase\":[],"
	      "\"category\":[],\"length\":0}},"
	      "{\"processType\":\"default\",\"processStartupTime\":0,\"processShutdownTime\":null,"
	      "\"registerTime\":1,\"unregisterTime\":null,\"pausedRanges\":[],\"name\":\"thread 12\","
	      "\"processName\":\"app\",\"isMainThread\":false,\"pid\":\"10\",\"tid\":12,"
	      "\"samples\":{\"stack\":[7,null],\"time\":[1,2],\"weight\":[1,1],\"weightType\":\"tracing-ms\","
	      "\"length\":2},\"markers\":{\"data\":[],\"name\":[],\"startTime\":[],\"endTime\":[],\"phase\":[],"
	      "\"category\":[],\"length\":0}}]}\n");
}

/* The picture without style and script, which are in files of their own. */
static void test_flamegraph(void **state)
{
	_cleanup_profile_ struct profile *p = small();
	_cleanup_free_ char *text = NULL;
	char *from, *to;
	size_t size;

#define SHOWN_XML "&lt;/script&gt;&lt;b&gt;&amp;&quot;';\\x0a\\x1b[2J\\xff\\u202e"
	text = written("flamegraph", p, &(struct profile_view){ .functions = true }, &size);
	from = strstr(text, "<text id=\"title\"");
	assert_non_null(from);
	to = strstr(from, "<foreignObject");
	assert_non_null(to);
	*to = '\0';
	assert_string_equal(from, "<text id=\"title\" x=\"50%\" y=\"22\" text-anchor=\"middle\">app " SHOWN_XML "</text>\n"
				  "<text class=\"note\" x=\"50%\" y=\"42\" text-anchor=\"middle\">6 samples in 0.0 s (1000 "
				  "per second) of 2 threads; 100.0 % on CPU, 100.0 % holding the GIL</text>\n");
	from = strstr(to + 1, "<g id=\"frames\">\n");
	assert_non_null(from);
	to = strstr(from, "<script>");
	assert_non_null(to);
	*to = '\0';
	assert_string_equal(
		from,
		"<g id=\"frames\">\n"
		"<svg class=\"group\" data-x=\"0\" data-w=\"6\" x=\"0%\" y=\"84\" width=\"100%\" height=\"17\"><title>all\n"
		"6 samples (100.00 %)</title><rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">all</text></svg>\n"
		"<svg class=\"group\" data-x=\"0\" data-w=\"1\" x=\"0%\" y=\"102\" width=\"16.6667%\" height=\"17\">"
		"<title>(no Python frame)\n1 sample (16.67 %), 1 (16.67 %) in itself</title>"
		"<rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">(no Python frame)</text></svg>\n"
		"<svg class=\"c21\" data-x=\"1\" data-w=\"1\" x=\"16.6667%\" y=\"102\" width=\"16.6667%\" height=\"17\">"
		"<title>" SHOWN_XML " (" SHOWN_XML ".py)\n1 sample (16.67 %), 1 (16.67 %) in itself\n"
		SHOWN_XML " (/srv/app/" SHOWN_XML ".py)</title>"
		"<rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">" SHOWN_XML " (" SHOWN_XML ".py)</text></svg>\n"
		"<svg class=\"c2\" data-x=\"2\" data-w=\"4\" x=\"33.3333%\" y=\"102\" width=\"66.6667%\" height=\"17\">"
		"<title>&lt;module&gt; (app.py)\n4 samples (66.67 %), 1 (16.67 %) in itself\n"
		"&lt;module&gt; (/srv/app/app.py)</title>"
		"<rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">&lt;module&gt; (app.py)</text></svg>\n"
		"<svg class=\"c1\" data-x=\"2\" data-w=\"3\" x=\"33.3333%\" y=\"120\" width=\"50%\" height=\"17\">"
		"<title>work (lib/work.py)\n3 samples (50.00 %), 2 (33.33 %) in itself\nwork (/srv/app/lib/work.py)</title>"
		"<rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">work (lib/work.py)</text></svg>\n"
		"<svg class=\"native\" data-x=\"2\" data-w=\"1\" x=\"33.3333%\" y=\"138\" width=\"16.6667%\" height=\"17\">"
		"<title>memcpy (libc.so.6)\n1 sample (16.67 %), 1 (16.67 %) in itself\nmemcpy (/usr/lib/libc.so.6)</title>"
		"<rect width=\"100%\" height=\"17\"/><text x=\"3\" y=\"13\">memcpy (libc.so.6)</text></svg>\n"
		"</g>\n"
		"<text class=\"note\" x=\"50%\" y=\"176\" text-anchor=\"middle\">"
		"2 samples dropped because the target moved while it was read</text>\n");
	/* No name ends the script, and nothing is fetched. */
	assert_null(strstr(to + 1, "</script><b>"));
}

static void test_flamegraph_prunes(void **state)
{
	_cleanup_profile_ struct profile *p;
	_cleanup_free_ char *text = NULL;
	size_t size;

	assert_int_equal(profile_new(NULL, &p), 0);
	for (int i = 0; i < 40000; i++)
		add(p, 10, 11, 0, &work_frame, 1);
	add(p, 10, 11, 0, (struct profile_frame[]){ copy_frame, main_frame }, 2);
	text = written("flamegraph", p, &(struct profile_view){ 0 }, &size);
	assert_null(strstr(text, "memcpy"));
	assert_non_null(strstr(text, "2 frames of fewer than 4 samples are not shown"));
}

/* gunzip, then compare: what the numbers mean stands in the schema. */
static void test_pprof(void **state)
{
	_cleanup_profile_ struct profile *p;
	_cleanup_free_ char *text = NULL;
	unsigned char out[4096];
	z_stream z = { 0 };
	size_t size;

	assert_int_equal(profile_new(NULL, &p), 0);
	add(p, 10, 11, 1, (struct profile_frame[]){ { "f", "a", 300, 0 } }, 1);
	assert_int_equal(profile_set_info(p, &(struct profile_info){ .rate = 1000, .what = "w" }), 0);
	text = written("pprof", p, &(struct profile_view){ 0 }, &size);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)text;
	z.avail_in = (unsigned)size;
	z.next_out = out;
	z.avail_out = sizeof(out);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	/* strings: 0 "", 1 "?", 2 f, 3 a, 4 MainThread, 5 app; own: 6 samples, 7 count, 8 wall, 9 nanoseconds, 10 cpu,
	 * 11 gil, 12 pid, 13 tid, 14 thread, 15 w, 16 "" */
	static const unsigned char expected[] =
		"\x0a\x04\x08\x06\x10\x07" "\x0a\x04\x08\x08\x10\x09" "\x0a\x04\x08\x0a\x10\x09" "\x0a\x04\x08\x0b\x10\x09"
		"\x5a\x04\x08\x08\x10\x09" "\x60\xc0\x84\x3d" "\x68\x0f" "\x70\x08"
		"\x12\x21" "\x0a\x01\x02" "\x12\x0a\x01\xc0\x84\x3d\xc0\x84\x3d\xc0\x84\x3d"
		"\x1a\x04\x08\x0c\x18\x0a" "\x1a\x04\x08\x0d\x18\x0b" "\x1a\x04\x08\x0e\x10\x04"
		"\x22\x06\x08\x01\x22\x02\x08\x01" "\x22\x09\x08\x02\x22\x05\x08\x02\x10\xac\x02"
		"\x2a\x08\x08\x01\x10\x01\x18\x01\x20\x01" "\x2a\x08\x08\x02\x10\x02\x18\x02\x20\x03"
		"\x32\x00" "\x32\x01?" "\x32\x01" "f" "\x32\x01" "a" "\x32\x0aMainThread" "\x32\x03" "app"
		"\x32\x07samples" "\x32\x05" "count" "\x32\x04wall" "\x32\x0bnanoseconds" "\x32\x03" "cpu" "\x32\x03gil"
		"\x32\x03pid" "\x32\x03tid" "\x32\x06thread" "\x32\x01w" "\x32\x00";
	assert_memory_equal(out, expected, z.total_out < sizeof(expected) - 1 ? z.total_out : sizeof(expected) - 1);
	assert_int_equal(z.total_out, sizeof(expected) - 1);
}

static void test_empty(void **state)
{
	_cleanup_profile_ struct profile *p;

	assert_int_equal(profile_new(NULL, &p), 0);
	for (size_t i = 0; profile_formats[i]; i++) {
		_cleanup_free_ char *text = NULL;
		size_t size;

		text = written(profile_formats[i]->name, p, &(struct profile_view){ .threads = true }, &size);
		assert_int_equal(size == 0, strcmp(profile_formats[i]->name, "folded") == 0);
	}
	assert_null(profile_format_find("none"));
}

static void test_deep(void **state)
{
	_cleanup_profile_ struct profile *p;
	_cleanup_free_ struct profile_frame *frames = calloc(PROFILE_DEPTH_MAX + 1, sizeof(*frames));

	for (int i = 0; i <= PROFILE_DEPTH_MAX; i++)
		frames[i] = work_frame;
	assert_int_equal(profile_new(&(struct profile_options){ .keep_order = true }, &p), 0);
	add(p, 10, 11, 1, frames, PROFILE_DEPTH_MAX + 1);
	add(p, 20, 21, 1, frames, PROFILE_DEPTH_MAX + 1);
	for (size_t i = 0; profile_formats[i]; i++) {
		_cleanup_free_ char *text = NULL;
		size_t size;

		text = written(profile_formats[i]->name, p, &(struct profile_view){ .threads = true }, &size);
		assert_true(size > 100);
	}
}

/* Files */

static char directory[] = "/tmp/test_sample_output.XXXXXX";

static char *path_of(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static int to_file(const char *path)
{
	_cleanup_profile_ struct profile *p = small();

	return profile_write(p, profile_format_find("folded"), &(struct profile_view){ 0 }, path);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void test_file(void **state)
{
	_cleanup_free_ char *file = path_of("file"), *link = path_of("link"), *missing = path_of("no/file");
	struct stat st;

	assert_int_equal(to_file(file), 0);
	assert_true(size_of(file) > 100);
	/* What is there is replaced, and keeps its mode. */
	assert_int_equal(truncate(file, 100000), 0);
	assert_int_equal(chmod(file, 0640), 0);
	assert_int_equal(to_file(file), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_size < 1000);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* A link stays one. */
	assert_int_equal(symlink("file", link), 0);
	assert_int_equal(to_file(link), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(profile_output_check(link), 0);

	assert_int_equal(to_file(directory), -EISDIR);
	assert_int_equal(profile_output_check(directory), -EISDIR);
	assert_int_equal(to_file(missing), -ENOENT);
	assert_int_equal(profile_output_check(missing), -ENOENT);
	assert_int_equal(profile_output_check(""), -ENOENT);
	assert_int_equal(profile_output_check(NULL), 0);
	assert_int_equal(profile_output_check("-"), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(file), 0);
	/* Nothing else was left there. */
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
}

static void test_no_space(void **state)
{
	assert_int_equal(to_file("/dev/full"), -ENOSPC);
	assert_int_equal(to_file("/dev/null"), 0);
	assert_true(size_of("/dev/null") == 0);
}

static void test_fifo(void **state)
{
	_cleanup_free_ char *fifo = path_of("fifo");
	_cleanup_close_ int fd = -1;
	char buf[4096];
	struct stat st;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(to_file(fifo), 0);
	assert_true(read(fd, buf, sizeof(buf)) > 100);
	assert_int_equal(stat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(unlink(fifo), 0);
}

static void test_default_name(void **state)
{
	_cleanup_free_ char *name = NULL;

	setenv("TZ", "UTC0", 1);
	tzset();
	name = profile_default_name(profile_format_find("flamegraph"), 42, 1700000000);
	assert_string_equal(name, "pycov-trace-42-2023-11-14T22:13:20.svg");
}

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	return rmdir(directory);
}

/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_folded_processes),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_speedscope),
		cmocka_unit_test(test_speedscope_gap),
		cmocka_unit_test(test_order_made_coarser),
		cmocka_unit_test(test_gecko),
		cmocka_unit_test(test_flamegraph),
		cmocka_unit_test(test_flamegraph_prunes),
		cmocka_unit_test(test_pprof),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_default_name),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
