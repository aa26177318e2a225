/* symbols/pystack.c on the memory of each interpreter: as it is, recorded, and changed in thousands of ways. */
#include "test_symbols_child.h"

#include "attach/remote.h"
#include "symbols/pystack.h"

/* Says "ready" in a generator, in a comprehension, in a recursion, beside a thread that waits. */
static const char program[] =
	"import sys, threading\n"
	"def wait(): threading.Event().wait()\n"
	"threading.Thread(target=wait, daemon=True).start()\n"
	"def gen():\n"
	"    print('ready', flush=True)\n"
	"    yield sys.stdin.read()\n"
	"def down(n):\n"
	"    return down(n - 1) if n else [x for x in gen()]\n"
	"down(30)\n";

#define FRAMES_MIN 38

/* A record of all that a walk reads of the interpreter; how many frames it has. */
static size_t record(const struct test_python *python, struct memory_image *image)
{
	static const char *const code_type = "PyCode_Type";
	_cleanup_elf_image_ struct elf_image *elf = test_open_image(python->image);
	struct place place = {.image = elf};
	struct child child = child_start(python, program);
	_cleanup_remote_ struct remote remote;
	struct mem_reader live;
	const char *reason = NULL;
	struct cpython py;
	uint64_t type;
	size_t n = 0;

	assert_int_equal(stat(python->image, &place.file), 0);
	assert_int_equal(cpython_load(elf, &py, &reason), 0);
	assert_int_equal(cpython_resolve(elf, &code_type, 1, &type), 1);
	assert_int_equal(remote_open_readonly(&remote, child.pid), 0);
	assert_int_equal(procfs_each_map(child.pid, find_bias, &place), 1);
	live = remote_reader(&remote);
	for (int tries = 0; tries < 6000; tries++) {
		free(image->bytes);
		memset(image, 0, sizeof(*image));
		image->live = &live;
		image_append(image, (uint64_t[]){python->minor, py.runtime + place.bias, type + place.bias}, 24);
		n = image_walk(image, (struct mem_reader){image_record, image});
		if (n >= FRAMES_MIN)
			break;
		usleep(10000); /* it is still on its way to where it waits */
	}
	child_end(&child);
	image_parse(image);
	return n;
}

static void save_seed(const struct test_python *python, const struct memory_image *image)
{
	const char *dir = getenv("PYCOV_TRACE_FUZZ_SEEDS");
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, python->name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(image->bytes, 1, image->size, file), image->size);
}

static void check_python(const struct test_python *python)
{
	static struct memory_image image, spoilt;
	size_t n = record(python, &image);
	uint64_t state = 88172645463325252u + python->minor;
	double longest = 0;

	save_seed(python, &image);
	/* 32 of down(), gen(), <module>, and what is below wait(); before 3.12 the comprehension as well. */
	assert_in_range(n, FRAMES_MIN, FRAMES_MIN + 4);
	assert_int_equal(image_walk(&image, (struct mem_reader){image_read, &image}), n);
	spoilt.bytes = malloc(image.size);
	spoilt.size = image.size;
	for (int i = 0; i < 400; i++) {
		double start;

		memcpy(spoilt.bytes, image.bytes, image.size);
		memcpy(spoilt.pieces, image.pieces, sizeof(image.pieces));
		spoilt.n = image.n;
		image_spoil(&spoilt, &state);
		start = cpu_seconds();
		image_walk(&spoilt, (struct mem_reader){image_read, &spoilt});
		start = cpu_seconds() - start;
		longest = start > longest ? start : longest;
	}
	free(spoilt.bytes);
	free(image.bytes);
	image.bytes = NULL;
	assert_true(longest < 5);
}

static void test_all(void **state)
{
	struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	(void)state;
	for (size_t i = 0; i < n; i++)
		check_python(&pythons[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
