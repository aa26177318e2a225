/* symbols/pyasync.c, pyawaiters.c and pydict.c on the memory of each interpreter: recorded, and changed in many ways. */
#include "test_symbols_child.h"

#include "attach/remote.h"
#include "symbols/pyasync.h"

#include "../fuzz/task_image.h"

/* Four tasks: one runs, one awaits that, one a future that nobody sets, and one, with an attribute, all of these. */
static const char program[] =
	"import asyncio, sys\n"
	"async def leaf(future): await future\n"
	"async def nested(future): await leaf(future)\n"
	"async def runs():\n"
	"    await asyncio.sleep(0.01)\n"
	"    print('ready', flush=True)\n"
	"    sys.stdin.read()\n"
	"async def main():\n"
	"    loop = asyncio.get_running_loop()\n"
	"    asyncio.current_task().own = 1\n"
	"    first = asyncio.create_task(runs())\n"
	"    second = asyncio.create_task(leaf(first))\n"
	"    third = asyncio.create_task(nested(loop.create_future()))\n"
	"    await asyncio.gather(second, third)\n"
	"asyncio.run(main())\n";

#define TASKS 4
#define AWAITERS 3
#define FRAMES (1 + 1 + 2 + 1 + 1000) /* the last: one is found on the stack */

static void begin_image(const struct test_python *python, const struct elf_image *elf, uint64_t bias,
			struct memory_image *image)
{
	static const char *const names[] = {"PyCode_Type", "_Py_NoneStruct",
#define X(name) #name,
					    PYTYPES(X)
#undef X
	};
	uint64_t symbols[ARRAY_SIZE(names)], head[2] = {python->minor};
	const char *reason = NULL;
	struct cpython py;

	assert_int_equal(cpython_load(elf, &py, &reason), 0);
	head[1] = py.runtime + bias;
	assert_int_equal(cpython_resolve(elf, names, ARRAY_SIZE(names), symbols), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		symbols[i] += bias;
	image->size = image->n = 0;
	image_append(image, head, sizeof(head));
	image_append(image, symbols, sizeof(symbols));
}

static bool is_all(const struct task_walk *walk)
{
	return walk->tasks == TASKS && walk->awaiters == AWAITERS && walk->frames == FRAMES && walk->attributes > 1000;
}

static void record(const struct test_python *python, struct memory_image *image, struct task_walk *walk)
{
	_cleanup_elf_image_ struct elf_image *elf = test_open_image(python->image);
	struct place place = {.image = elf};
	struct child child = child_start(python, program);
	_cleanup_remote_ struct remote remote;
	struct mem_reader live;

	assert_int_equal(stat(python->image, &place.file), 0);
	assert_int_equal(remote_open_readonly(&remote, child.pid), 0);
	assert_int_equal(procfs_each_map(child.pid, find_bias, &place), 1);
	live = remote_reader(&remote);
	image->is_typed = true;
	image->live = &live;
	for (int tries = 0; tries < 1000; tries++) {
		begin_image(python, elf, place.bias, image);
		image_tasks(image, (struct mem_reader){image_record, image}, walk);
		if (is_all(walk))
			break;
		usleep(10000); /* it is still on its way to where it waits */
	}
	child_end(&child);
	image_parse(image);
}

static void save_seed(const struct test_python *python, const struct memory_image *image)
{
	const char *dir = getenv("PYCOV_TRACE_FUZZ_TASK_SEEDS");
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
	static struct task_walk walk;
	uint64_t state = 88172645463325252u + python->minor;
	double longest = 0;

	record(python, &image, &walk);
	if (!is_all(&walk))
		fail_msg("%s: %zu tasks, %zu awaiters, %zu frames, %zu attributes", python->name, walk.tasks,
			 walk.awaiters, walk.frames, walk.attributes);
	save_seed(python, &image);
	image_tasks(&image, (struct mem_reader){image_read, &image}, &walk);
	assert_true(is_all(&walk));
	spoilt.is_typed = true;
	spoilt.bytes = malloc(image.size);
	spoilt.size = image.size;
	for (int i = 0; i < 60; i++) {
		double start;

		memcpy(spoilt.bytes, image.bytes, image.size);
		memcpy(spoilt.pieces, image.pieces, sizeof(image.pieces));
		spoilt.n = image.n;
		image_spoil(&spoilt, &state);
		start = cpu_seconds();
		image_tasks(&spoilt, (struct mem_reader){image_read, &spoilt}, &walk);
		start = cpu_seconds() - start;
		longest = start > longest ? start : longest;
	}
	free(spoilt.bytes);
	free(image.bytes);
	memset(&image, 0, sizeof(image));
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
