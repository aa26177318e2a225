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

static void walk_spoilt(struct memory_image *image)
{
	image_walk(image, (struct mem_reader){image_read, image});
}

static void check_python(const struct test_python *python)
{
	static struct memory_image image;
	size_t n = record(python, &image);
	double longest;

	image_save_seed("PYCOV_TRACE_FUZZ_SEEDS", python, &image);
	/* 32 of down(), gen(), <module>, and what is below wait(); before 3.12 the comprehension as well. */
	assert_in_range(n, FRAMES_MIN, FRAMES_MIN + 4);
	assert_int_equal(image_walk(&image, (struct mem_reader){image_read, &image}), n);
	longest = image_walk_spoilt(&image, 400, 88172645463325252u + python->minor, walk_spoilt);
	free(image.bytes);
	image.bytes = NULL;
	assert_true(longest < 5);
}

int main(void)
{
	return test_each_python(check_python);
}
