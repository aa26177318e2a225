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

static void walk_spoilt(struct memory_image *image)
{
	static struct task_walk walk;

	image_tasks(image, (struct mem_reader){image_read, image}, &walk);
}

static void check_python(const struct test_python *python)
{
	static struct memory_image image;
	static struct task_walk walk;
	double longest;

	record(python, &image, &walk);
	if (!is_all(&walk))
		fail_msg("%s: %zu tasks, %zu awaiters, %zu frames, %zu attributes", python->name, walk.tasks,
			 walk.awaiters, walk.frames, walk.attributes);
	image_save_seed("PYCOV_TRACE_FUZZ_TASK_SEEDS", python, &image);
	image_tasks(&image, (struct mem_reader){image_read, &image}, &walk);
	assert_true(is_all(&walk));
	longest = image_walk_spoilt(&image, 60, 88172645463325252u + python->minor, walk_spoilt);
	free(image.bytes);
	memset(&image, 0, sizeof(image));
	assert_true(longest < 5);
}

int main(void)
{
	return test_each_python(check_python);
}
