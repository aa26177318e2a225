/**
 * Code objects of a process: names and lines, read once and recognised again.
 *
 * An address is not an identity: a freed code object's memory becomes another one's at once. So what is known of an
 * address is held against the object's own fields each time; among them is, from 3.12 on, a number that no other code
 * object has (co_version), and before that the beginning of the line table.
 */
#pragma once

#include <stdbool.h>

#include "base/hashmap.h"
#include "base/mem.h"
#include "symbols/layout.h"
#include "symbols/mem_windows.h"

/** Types that values are recognised by. */
#define PYTYPES(X)                                                                                                     \
	X(PyLong_Type)                                                                                                 \
	X(PyBool_Type)                                                                                                 \
	X(PyFloat_Type)                                                                                                \
	X(PyUnicode_Type)                                                                                              \
	X(PyBytes_Type)                                                                                                \
	X(PyTuple_Type)                                                                                                \
	X(PyList_Type)                                                                                                 \
	X(PyDict_Type)                                                                                                 \
	X(PySet_Type)                                                                                                  \
	X(PyCell_Type)                                                                                                 \
	X(PyGen_Type)                                                                                                  \
	X(PyCoro_Type)                                                                                                 \
	X(PyAsyncGen_Type)

enum pytype {
#define X(name) PYTYPE_##name,
	PYTYPES(X)
#undef X
		PYTYPE_COUNT
};

/** A Python that runs, as far as its memory is concerned. */
struct pyruntime {
	const struct layout *layout;
	uint64_t addr;	    /* of _PyRuntime */
	uint64_t code_type; /* of PyCode_Type */
	uint64_t none;	    /* of _Py_NoneStruct; 0: not known. So are the rest: */
	uint64_t types[PYTYPE_COUNT];
};

#define PYCODE_HEAD_BYTES 64 /* of the line table */

/** What tells code objects apart. */
struct pycode_head {
	uint64_t filename, name, qualname, linetable, code;
	uint32_t size; /* of the bytecode, in bytes; 0 up to 3.10, where `code` is the object that has it */
	int32_t first_line;
	uint32_t version, first_traceable; /* the latter in bytes */
	uint8_t table[PYCODE_HEAD_BYTES];  /* its length and its first bytes, where there is no version */
};

/** From `start` on (bytes into the bytecode), up to the next. */
struct pycode_line {
	uint32_t start;
	int32_t line;
	uint32_t tag, mark; /* the caller's; 0 at first */
};

struct pycode {
	uint64_t addr;
	struct pycode_head head;
	char *filename, *name; /* UTF-8; `name` is qualified from 3.11 on */
	uint32_t size;	       /* of the bytecode, in bytes */
	struct pycode_line *lines;
	size_t n_lines;
	uint64_t generation; /* of its interpreter, when it was seen to be this one; 0: not known */
	struct pycode *next_old;
};

/**
 * From 3.14 on interpreters count the code objects that they free. Within one `generation` (0: not known), what was
 * looked at once is not looked at again; the caller makes sure afterwards that the generation still is that one.
 *
 * All zeros but `key` (hash_key_init()) is empty. */
struct pycodes {
	struct hashmap map;
	struct hash_key key;
	struct pycode *old; /* replaced, but perhaps still in use */
	size_t bytes;
	uint64_t generation;
};

void pycodes_init(struct pycodes *codes);
void pycodes_deinit(struct pycodes *codes);

/** Free what is not valid any more: the caller holds none of it. Before, all that was handed out stays. */
void pycodes_sweep(struct pycodes *codes);

/**
 * The code object at @p addr, now. -EAGAIN: there is none, or it changed while it was read; -ESRCH, -EPERM, -ENOMEM.
 */
must_check int pycodes_get(struct pycodes *codes, const struct pyruntime *python, struct mem_windows *w, uint64_t addr,
			   struct pycode **ret);

/** What is known of @p addr, without a look at it; NULL: nothing. */
struct pycode *pycodes_peek(const struct pycodes *codes, uint64_t addr);

/** The entry of `lines` for the instruction at @p offset; NULL: it has none. */
struct pycode_line *pycode_find_line(const struct pycode *code, uint32_t offset);
