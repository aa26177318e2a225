#include "symbols/pyvalue.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/pydict.h"
#include "symbols/pytext.h"

#define DEPTH_MAX 4
#define ELEMENTS_MAX 16
#define SLOTS_MAX 512 /* of a dict or set, looked at */
#define LOCALS_MAX 512
#define NAME_CHARS 128
#define DIGITS_MAX 64 /* of 30 bits; larger numbers are described */
#define DIGIT_BITS 30
#define CELL_REF 16
#define FLOAT_VALUE 16
/* PySetObject: the same in 3.8 - 3.15 (Include/cpython/setobject.h). */
#define SET_USED 24
#define SET_MASK 32
#define SET_TABLE 40
#define CO_VARARGS 0x4
#define CO_VARKEYWORDS 0x8

struct writer {
	const struct mem_reader *reader;
	const struct pyruntime *python;
	FILE *out;
	size_t left; /* characters */
	int depth;
};

static void put(struct writer *w, const char *text)
{
	size_t n = strlen(text);

	if (w->left == 0)
		return;
	if (n > w->left) {
		fprintf(w->out, "...");
		w->left = 0;
		return;
	}
	fwrite(text, 1, n, w->out);
	w->left -= n;
}

static void value(struct writer *w, uint64_t addr);

static bool u64_of(const struct writer *w, uint64_t addr, uint64_t *ret)
{
	return mem_read_u64(w->reader, addr, ret) == 0;
}

static uint64_t at(uint64_t addr, int32_t offset)
{
	return addr + (uint64_t)(int64_t)offset;
}

/* ---- numbers ---- */

/** Divide the number by 10^9 in place; the remainder. */
static uint32_t divide(uint32_t *digits, size_t n)
{
	uint64_t rest = 0;

	for (size_t i = n; i-- > 0;) {
		rest = rest << DIGIT_BITS | digits[i];
		digits[i] = (uint32_t)(rest / 1000000000);
		rest %= 1000000000;
	}
	return (uint32_t)rest;
}

static void put_decimal(struct writer *w, uint32_t *digits, size_t n, bool negative)
{
	uint32_t groups[DIGITS_MAX * DIGIT_BITS / 29 + 2];
	size_t n_groups = 0;
	char text[16];

	while (n && n_groups < ARRAY_SIZE(groups)) {
		groups[n_groups++] = divide(digits, n);
		while (n && digits[n - 1] == 0)
			n--;
	}
	if (negative)
		put(w, "-");
	snprintf(text, sizeof(text), "%u", n_groups ? groups[n_groups - 1] : 0);
	put(w, text);
	while (n_groups > 1) {
		snprintf(text, sizeof(text), "%09u", groups[--n_groups - 1]);
		put(w, text);
	}
}

static bool number_size(const struct writer *w, uint64_t addr, uint64_t *n, bool *negative)
{
	const struct layout *l = w->python->layout;
	uint64_t tag;

	if (!u64_of(w, at(addr, l->long_.lv_tag), &tag))
		return false;
	if (l->long_has_tag) {
		*negative = (tag & 3) == 2;
		*n = (tag & 3) == 1 ? 0 : tag >> 3;
	} else {
		*negative = (int64_t)tag < 0;
		*n = *negative ? 0 - tag : tag;
	}
	return true;
}

static void number(struct writer *w, uint64_t addr)
{
	uint32_t digits[DIGITS_MAX];
	bool negative;
	char text[64];
	uint64_t n;

	if (!number_size(w, addr, &n, &negative)) {
		put(w, "?");
		return;
	}
	if (n > DIGITS_MAX) {
		snprintf(text, sizeof(text), "<int of %llu bits>", (unsigned long long)n * DIGIT_BITS);
		put(w, text);
		return;
	}
	if (mem_read(w->reader, at(addr, w->python->layout->long_.ob_digit), digits, n * sizeof(*digits)) < 0) {
		put(w, "?");
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		digits[i] &= (1u << DIGIT_BITS) - 1;
	put_decimal(w, digits, n, negative);
}

static void truth(struct writer *w, uint64_t addr)
{
	uint64_t n;
	bool negative;

	put(w, number_size(w, addr, &n, &negative) && n ? "True" : "False");
}

/** The shortest text that is read back as the same number, as repr() has it. */
static void real(struct writer *w, uint64_t addr)
{
	char text[64];
	double d;

	if (mem_read(w->reader, addr + FLOAT_VALUE, &d, sizeof(d)) < 0) {
		put(w, "?");
		return;
	}
	if (!isfinite(d)) {
		put(w, isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	put(w, text);
	if (!strpbrk(text, ".e"))
		put(w, ".0");
}

/* ---- text ---- */

static void put_escaped(struct writer *w, const unsigned char *text, size_t n, bool is_bytes)
{
	bool doubled = memchr(text, '\'', n) && !memchr(text, '"', n);
	char buf[8], quote[2] = {doubled ? '"' : '\''};

	put(w, is_bytes ? "b" : "");
	put(w, quote);
	for (size_t i = 0; i < n && w->left; i++) {
		unsigned char c = text[i];

		if (c == '\\' || c == *quote)
			snprintf(buf, sizeof(buf), "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			snprintf(buf, sizeof(buf), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c < 0x20 || c == 0x7f || (is_bytes && c > 0x7f))
			snprintf(buf, sizeof(buf), "\\x%02x", c);
		else
			snprintf(buf, sizeof(buf), "%c", c);
		put(w, buf);
	}
	put(w, quote);
}

static void text(struct writer *w, uint64_t addr)
{
	_cleanup_free_ char *s = NULL;

	if (pytext_read(w->reader, w->python->layout, addr, w->left + 1, &s) < 0)
		put(w, "?");
	else
		put_escaped(w, (unsigned char *)s, strlen(s), false);
}

static void bytes(struct writer *w, uint64_t addr)
{
	const struct layout *l = w->python->layout;
	_cleanup_free_ unsigned char *buf = NULL;
	uint64_t n;

	if (!u64_of(w, at(addr, l->object.ob_size), &n) || n > INT64_MAX) {
		put(w, "?");
		return;
	}
	n = n > w->left ? w->left : n;
	buf = malloc(n + 1);
	if (!buf || mem_read(w->reader, at(addr, l->bytes.ob_sval), buf, n) < 0)
		put(w, "?");
	else
		put_escaped(w, buf, n, true);
}

/* ---- containers ---- */

static void elements(struct writer *w, uint64_t items, uint64_t n)
{
	uint64_t item;

	for (uint64_t i = 0; i < n && w->left; i++) {
		if (i)
			put(w, ", ");
		if (i == ELEMENTS_MAX) {
			put(w, "...");
			return;
		}
		if (!u64_of(w, items + 8 * i, &item)) {
			put(w, "?");
			return;
		}
		value(w, item);
	}
}

static void sequence(struct writer *w, uint64_t addr, bool is_list)
{
	const struct layout *l = w->python->layout;
	uint64_t n, items = at(addr, l->tuple.ob_item);

	if (!u64_of(w, at(addr, l->object.ob_size), &n) || (is_list && !u64_of(w, at(addr, l->list.ob_item), &items))) {
		put(w, "?");
		return;
	}
	put(w, is_list ? "[" : "(");
	elements(w, items, n);
	put(w, is_list ? "]" : n == 1 ? ",)" : ")");
}

static void dictionary(struct writer *w, uint64_t addr)
{
	unsigned int shown = 0;
	struct pydict dict;
	uint64_t pair[2];

	if (pydict_open(w->reader, w->python->layout, addr, &dict) < 0) {
		put(w, "?");
		return;
	}
	put(w, "{");
	for (uint64_t i = 0; i < dict.n && i < SLOTS_MAX && w->left; i++) {
		if (pydict_get(w->reader, &dict, i, pair) < 0)
			break;
		if (!pair[0] || !pair[1])
			continue;
		put(w, shown ? ", " : "");
		if (shown++ == ELEMENTS_MAX) {
			put(w, "...");
			break;
		}
		value(w, pair[0]);
		put(w, ": ");
		value(w, pair[1]);
	}
	put(w, "}");
}

static void set(struct writer *w, uint64_t addr)
{
	uint64_t used, mask, table, entry[2];
	unsigned int shown = 0;

	if (!u64_of(w, addr + SET_USED, &used) || !u64_of(w, addr + SET_MASK, &mask) ||
	    !u64_of(w, addr + SET_TABLE, &table)) {
		put(w, "?");
		return;
	}
	put(w, used ? "{" : "set(");
	for (uint64_t i = 0; used && i <= mask && i < SLOTS_MAX && w->left; i++) {
		if (mem_read(w->reader, table + 16 * i, entry, sizeof(entry)) < 0)
			break;
		/* A dummy, where something was removed, has the hash -1. */
		if (!entry[0] || entry[1] == UINT64_MAX)
			continue;
		put(w, shown ? ", " : "");
		if (shown++ == ELEMENTS_MAX) {
			put(w, "...");
			break;
		}
		value(w, entry[0]);
	}
	put(w, used ? "}" : ")");
}

/* ---- any ---- */

static void other(struct writer *w, uint64_t addr, uint64_t type)
{
	char name[NAME_CHARS + 1] = "?", buf[NAME_CHARS + 64];
	uint64_t at_name;

	if (u64_of(w, at(type, w->python->layout->type.tp_name), &at_name)) {
		/* A string without an end is cut; one near the end of its page is read byte by byte. */
		for (size_t i = 0; i < NAME_CHARS; i++) {
			if (mem_read(w->reader, at_name + i, &name[i], 1) < 0)
				name[i] = 0;
			if (!name[i])
				break;
			if ((unsigned char)name[i] < 0x20)
				name[i] = '?';
		}
		name[NAME_CHARS] = 0;
	}
	snprintf(buf, sizeof(buf), "<%s at 0x%llx>", name, (unsigned long long)addr);
	put(w, buf);
}

static void value_of(struct writer *w, uint64_t addr, uint64_t type)
{
	const uint64_t *types = w->python->types;

	if (type == types[PYTYPE_PyLong_Type])
		number(w, addr);
	else if (type == types[PYTYPE_PyBool_Type])
		truth(w, addr);
	else if (type == types[PYTYPE_PyFloat_Type])
		real(w, addr);
	else if (type == types[PYTYPE_PyUnicode_Type])
		text(w, addr);
	else if (type == types[PYTYPE_PyBytes_Type])
		bytes(w, addr);
	else if (type == types[PYTYPE_PyTuple_Type] || type == types[PYTYPE_PyList_Type])
		sequence(w, addr, type == types[PYTYPE_PyList_Type]);
	else if (type == types[PYTYPE_PyDict_Type])
		dictionary(w, addr);
	else if (type == types[PYTYPE_PySet_Type])
		set(w, addr);
	else
		other(w, addr, type);
}

static void value(struct writer *w, uint64_t addr)
{
	uint64_t type;

	if (addr && addr == w->python->none) {
		put(w, "None");
		return;
	}
	if (w->depth >= DEPTH_MAX || !u64_of(w, at(addr, w->python->layout->object.ob_type), &type) || !type) {
		put(w, w->depth >= DEPTH_MAX ? "..." : "?");
		return;
	}
	w->depth++;
	value_of(w, addr, type);
	w->depth--;
}

void pyvalue_write(const struct mem_reader *reader, const struct pyruntime *python, uint64_t addr, size_t max,
		   FILE *out)
{
	struct writer w = {.reader = reader, .python = python, .out = out, .left = max};

	value(&w, addr);
}

/* ---- local variables ---- */

struct locals {
	const struct mem_reader *reader;
	const struct pyruntime *python;
	uint64_t slots; /* where the values are */
	uint64_t n, n_arguments;
	void (*fn)(void *arg, const struct pylocal *local);
	void *arg;
};

/* A stack reference has flags in its low bits; one that is a small number has both. */
static uint64_t referent(const struct layout *l, uint64_t slot)
{
	if (!l->executable_is_tagged)
		return slot;
	return (slot & 3) == 3 ? 0 : slot & ~(uint64_t)3;
}

static int show_local(const struct locals *locals, uint64_t name_at, uint64_t slot, uint64_t i)
{
	const struct layout *l = locals->python->layout;
	_cleanup_free_ char *name = NULL;
	struct pylocal local = {.is_argument = i < locals->n_arguments};
	uint64_t type = 0, cell;
	int r = pytext_read(locals->reader, l, name_at, NAME_CHARS, &name);

	if (r < 0)
		return r == -EFAULT || r == -EBADMSG ? -EAGAIN : r;
	local.name = name;
	local.value = referent(l, slot);
	if (local.value && mem_read_u64(locals->reader, at(local.value, l->object.ob_type), &type) == 0 &&
	    type == locals->python->types[PYTYPE_PyCell_Type] && type) {
		if (mem_read_u64(locals->reader, local.value + CELL_REF, &cell) < 0)
			return 0;
		local.value = cell;
	}
	if (local.value)
		locals->fn(locals->arg, &local);
	return 0;
}

static int show_slots(const struct locals *locals, uint64_t names, uint64_t first, uint64_t n)
{
	const struct layout *l = locals->python->layout;
	int r = 0;

	for (uint64_t i = 0; i < n && i < LOCALS_MAX && r == 0; i++) {
		uint64_t slot, name;

		if (mem_read_u64(locals->reader, locals->slots + 8 * (first + i), &slot) < 0 ||
		    mem_read_u64(locals->reader, at(names, l->tuple.ob_item) + 8 * i, &name) < 0)
			return -EAGAIN;
		if (slot)
			r = show_local(locals, name, slot, first + i);
	}
	return r;
}

static int tuple_of(const struct locals *locals, uint64_t code, int32_t offset, uint64_t *tuple, uint64_t *n)
{
	const struct layout *l = locals->python->layout;

	if (offset < 0 || mem_read_u64(locals->reader, at(code, offset), tuple) < 0 ||
	    mem_read_u64(locals->reader, at(*tuple, l->object.ob_size), n) < 0 || *n > (1 << 20))
		return -EAGAIN;
	return 0;
}

static int show_all(struct locals *locals, uint64_t code)
{
	const struct layout *l = locals->python->layout;
	const int32_t offsets[] = {l->code.co_varnames, l->code.co_cellvars, l->code.co_freevars};
	uint64_t tuple, n, first = 0;
	int r;

	if (l->code.co_localsplusnames >= 0) {
		r = tuple_of(locals, code, l->code.co_localsplusnames, &tuple, &n);
		return r < 0 ? r : show_slots(locals, tuple, 0, n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		r = tuple_of(locals, code, offsets[i], &tuple, &n);
		if (r == 0)
			r = show_slots(locals, tuple, first, n);
		if (r < 0)
			return r;
		first += n;
	}
	return 0;
}

int pylocals_each(const struct mem_reader *reader, const struct pyruntime *python, const struct pyframe *frame,
		  void (*fn)(void *arg, const struct pylocal *local), void *arg)
{
	const struct layout *l = python->layout;
	bool is_object = l->frames == LAYOUT_FRAMES_OBJECTS;
	struct locals locals = {.reader = reader, .python = python, .fn = fn, .arg = arg};
	uint32_t counts[3], flags; /* positional, positional only (among them), keyword only */
	uint64_t code = frame->code->addr;

	locals.slots = at(frame->addr, is_object ? l->frame.f_localsplus : l->iframe.localsplus);
	if (mem_read(reader, at(code, l->code.co_argcount), counts, sizeof(counts)) < 0 ||
	    mem_read(reader, at(code, l->code.co_flags), &flags, sizeof(flags)) < 0)
		return -EAGAIN;
	locals.n_arguments = (uint64_t)counts[0] + counts[2] + !!(flags & CO_VARARGS) + !!(flags & CO_VARKEYWORDS);
	return show_all(&locals, code);
}
