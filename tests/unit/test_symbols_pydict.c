/* symbols/pydict.c on dictionaries and instances of each interpreter, which says itself what is in them. */
#include "test_symbols_child.h"

#include "attach/remote.h"
#include "symbols/pydict.h"

/* A line for each: "dict" or "object", the address, how many there are, then keys and values; "none" has no attributes. */
static const char program[] =
	"import sys\n"
	"class Plain: pass\n"
	"class Slots: __slots__ = 'a',\n"
	"class Error(Exception): pass\n"
	"def say(kind, thing, items):\n"
	"    shown = list(items.items())[:3] + list(items.items())[-3:]\n"
	"    print(kind, id(thing), len(items), *[f'{id(k)}={id(v)}' for k, v in shown])\n"
	"few, mixed, many, empty = {'a': [1], 'b': 2}, {1: 'x', 'y': (), None: 3}, {}, {}\n"
	"for i in range(300): many[f'key {i}'] = i\n"
	"split, other, shown, slots, error = Plain(), Plain(), Plain(), Slots(), Error()\n"
	"for o in split, other, shown: o.first, o.second = object(), object()\n"
	"other.third = 3\n"
	"shown.__dict__['late'] = 4\n"
	"error.x = 5\n"
	"slots.a = 1\n"
	"for d in few, mixed, many, empty: say('dict', d, d)\n"
	"names = dict(first=split.first, second=split.second)\n"
	"say('object', split, names)\n"
	"names = dict(first=other.first, second=other.second, third=3)\n"
	"say('object', other, names)\n"
	"say('object', shown, shown.__dict__)\n"
	"say('object', error, {'x': 5})\n"
	"say('none', slots, {})\n"
	"say('none', 1, {})\n"
	"print('ready', flush=True)\n"
	"sys.stdin.read()\n";

#define THINGS 10

struct expected {
	char kind[16];
	uint64_t addr, n;
	uint64_t pairs[6][2];
	size_t n_pairs;
};

static void parse(char *line, struct expected *e)
{
	char *word = strtok(line, " ");

	memset(e, 0, sizeof(*e));
	snprintf(e->kind, sizeof(e->kind), "%s", word);
	e->addr = strtoull(strtok(NULL, " "), NULL, 10);
	e->n = strtoull(strtok(NULL, " "), NULL, 10);
	while ((word = strtok(NULL, " ")) && e->n_pairs < ARRAY_SIZE(e->pairs)) {
		char *end;

		e->pairs[e->n_pairs][0] = strtoull(word, &end, 10);
		assert_int_equal(*end, '=');
		e->pairs[e->n_pairs++][1] = strtoull(end + 1, NULL, 10);
	}
}

static bool has(const struct mem_reader *reader, const struct pydict *dict, const uint64_t wanted[2])
{
	uint64_t pair[2];

	for (uint64_t i = 0; i < dict->n; i++) {
		assert_int_equal(pydict_get(reader, dict, i, pair), 0);
		if (pair[0] == wanted[0] && pair[1] == wanted[1])
			return true;
	}
	return false;
}

static uint64_t count(const struct mem_reader *reader, const struct pydict *dict)
{
	uint64_t pair[2], n = 0;

	for (uint64_t i = 0; i < dict->n; i++)
		n += pydict_get(reader, dict, i, pair) == 0 && pair[0] && pair[1];
	return n;
}

static void check_thing(const struct mem_reader *reader, const struct layout *layout, const struct expected *e)
{
	struct pydict dict;
	uint64_t value;

	if (!strcmp(e->kind, "none")) {
		assert_int_equal(pydict_open_instance(reader, layout, e->addr, &dict), -ENOENT);
		return;
	}
	if (!strcmp(e->kind, "dict"))
		assert_int_equal(pydict_open(reader, layout, e->addr, &dict), 0);
	else
		assert_int_equal(pydict_open_instance(reader, layout, e->addr, &dict), 0);
	assert_int_equal(count(reader, &dict), e->n);
	for (size_t i = 0; i < e->n_pairs; i++)
		assert_true(has(reader, &dict, e->pairs[i]));
	assert_int_equal(pydict_find(reader, layout, &dict, "there is none of that name", &value), -ENOENT);
	if (e->n == 300) {
		assert_int_equal(pydict_find(reader, layout, &dict, "key 299", &value), 0);
		assert_int_equal(value, e->pairs[5][1]);
	}
}

static void check_python(const struct test_python *python)
{
	char line[1024];
	struct expected things[THINGS], last;
	struct child child = child_begin(python, program);
	_cleanup_fclose_ FILE *out = fdopen(dup(child.out), "r");
	_cleanup_remote_ struct remote remote;
	struct mem_reader live;
	size_t n = 0;

	while (fgets(line, sizeof(line), out) && strcmp(line, "ready\n")) {
		assert_in_range(n, 0, THINGS - 1);
		parse(line, &things[n++]);
	}
	assert_int_equal(n, THINGS);
	assert_int_equal(remote_open_readonly(&remote, child.pid), 0);
	live = remote_reader(&remote);
	for (size_t i = 0; i < n; i++)
		check_thing(&live, layout_find(python->minor), &things[i]);
	last = things[0];
	child_end(&child);
	assert_true(pydict_open(&live, layout_find(python->minor), last.addr, &(struct pydict){0}) < 0);
}

int main(void)
{
	return test_each_python(check_python);
}
