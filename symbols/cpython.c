#include "symbols/cpython.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "symbols/debug_offsets.h"
#include "symbols/elf_image.h"
#include "symbols/elf_symbol.h"

#define VERSION_STRING_MAX 16
/* Py_GetVersion() takes 61 to 91 bytes in the builds seen. */
#define GET_VERSION_MAX 512
#define RELEASE_FINAL 0xf

static const char contradicts[] = "this Python contradicts itself about its version";
static const char too_new[] = "this Python is newer than this pycov-trace knows";

/* ---- versions ---- */

static unsigned int hex_major(uint32_t hexversion)
{
	return hexversion >> 24;
}

static unsigned int hex_minor(uint32_t hexversion)
{
	return hexversion >> 16 & 0xff;
}

/** Read a decimal number of at most three digits without leading zero, and step over it. */
static bool parse_number(const char **s, unsigned int max, uint32_t *ret)
{
	const char *p = *s;
	uint32_t n = 0;

	while (*p >= '0' && *p <= '9' && p - *s < 3)
		n = n * 10 + (uint32_t)(*p++ - '0');
	if (p == *s || n > max || (**s == '0' && p - *s > 1))
		return false;
	*s = p;
	*ret = n;
	return true;
}

static bool parse_level(const char **s, uint32_t *level)
{
	static const struct {
		const char *name;
		uint32_t level;
	} levels[] = {{"a", 0xa}, {"b", 0xb}, {"rc", 0xc}, {"c", 0xc}};

	*level = RELEASE_FINAL;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strncmp(*s, levels[i].name, strlen(levels[i].name)) == 0) {
			*s += strlen(levels[i].name);
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

int cpython_version_parse(const char *s, uint32_t *ret)
{
	uint32_t major, minor, micro, level, serial = 0;

	if (!parse_number(&s, 9, &major) || *s++ != '.' || !parse_number(&s, 99, &minor) || *s++ != '.' ||
	    !parse_number(&s, 255, &micro))
		return -EBADMSG;
	if (parse_level(&s, &level) && !parse_number(&s, 15, &serial))
		return -EBADMSG;
	if (*s == '+')
		s++;
	if (*s != '\0')
		return -EBADMSG;
	*ret = major << 24 | minor << 16 | micro << 8 | level << 4 | serial;
	return 0;
}

const char *cpython_version_format(uint32_t hexversion, char buf[CPYTHON_VERSION_SIZE])
{
	static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
	const char *level = levels[hexversion >> 4 & 0xf];
	int n = snprintf(buf, CPYTHON_VERSION_SIZE, "%u.%u.%u", hex_major(hexversion), hex_minor(hexversion),
			 hexversion >> 8 & 0xff);

	if (level)
		snprintf(buf + n, CPYTHON_VERSION_SIZE - (size_t)n, "%s%u", level, hexversion & 0xf);
	return buf;
}

/* ---- symbols ---- */

/** A static program, of a fixed address or PIE: it exports nothing, but may have kept .symtab. */
static bool is_static(const struct elf_image *image)
{
	return !image->has_interp && image->kind != ELF_IMAGE_SHARED;
}

static int find(const struct elf_image *image, const char *name, struct elf_symbol *ret)
{
	if (is_static(image))
		return elf_symbol_find_full(image, name, ret);
	return elf_symbol_find(image, name, ret);
}

static bool defines(const struct elf_image *image, const char *name)
{
	struct elf_symbol symbol;

	return find(image, name, &symbol) == 0;
}

size_t cpython_resolve(const struct elf_image *image, const char *const *names, size_t n, uint64_t *vaddrs)
{
	struct elf_symbol symbol;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_there = find(image, names[i], &symbol) == 0;

		vaddrs[i] = is_there ? symbol.vaddr : 0;
		found += is_there;
	}
	return found;
}

static bool is_pypy(const struct elf_image *image)
{
	return defines(image, "pypy_main_startup") || defines(image, "rpython_startup_code");
}

enum cpython_presence cpython_probe(const struct elf_image *image)
{
	/* One look through all symbols is dear enough, for the many that are not Python. */
	if (is_static(image))
		return defines(image, "PyEval_EvalCode") ? CPYTHON_DEFINED : CPYTHON_ABSENT;
	if (defines(image, "PyEval_EvalCode") || defines(image, "_PyRuntime") || is_pypy(image))
		return CPYTHON_DEFINED;
	if (elf_image_needs(image, "libpython") || elf_image_needs(image, "libpypy") ||
	    elf_symbol_is_prefix_imported(image, "Py_"))
		return CPYTHON_LINKED;
	if (elf_symbol_is_imported(image, "dlopen") || elf_symbol_is_imported(image, "dlmopen"))
		return CPYTHON_LOADABLE;
	return CPYTHON_ABSENT;
}

/* ---- where the version is found ---- */

static int version_from_symbol(const struct elf_image *image, uint32_t *ret)
{
	struct elf_symbol symbol;
	uint64_t version;
	int r;

	r = find(image, "Py_Version", &symbol);
	if (r < 0)
		return r;
	r = elf_image_read(image, symbol.vaddr, &version, sizeof(version));
	if (r < 0 || version > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)version;
	return 0;
}

/** The address that the instruction at @p code loads, if it is `lea disp(%rip)` or `mov $imm32`. */
static uint64_t loaded_address(const uint8_t *code, uint64_t vaddr)
{
	int32_t value;

	if ((code[0] & 0xfb) == 0x48 && code[1] == 0x8d && (code[2] & 0xc7) == 0x05) {
		memcpy(&value, code + 3, sizeof(value));
		return vaddr + 7 + (uint64_t)(int64_t)value;
	}
	if ((code[0] & 0xf8) == 0xb8 || code[0] == 0x68) {
		memcpy(&value, code + 1, sizeof(value));
		return (uint32_t)value;
	}
	return 0;
}

/*
 * Py_GetVersion() formats "%.80s (%.80s) %.80s" with PY_VERSION, a string of its own in .rodata. To
 * search .rodata for it does not do: linkers merge it into the tail of another string, such as the
 * prefix /home/me/.pyenv/versions/3.8.18.
 */
static int version_from_code(const struct elf_image *image, uint32_t *ret)
{
	struct elf_symbol symbol;
	const uint8_t *code;
	const char *s;
	size_t len;
	int r;

	r = find(image, "Py_GetVersion", &symbol);
	if (r < 0)
		return r;
	len = symbol.size < GET_VERSION_MAX ? symbol.size : GET_VERSION_MAX;
	code = elf_image_at(image, symbol.vaddr, len);
	for (size_t i = 0; code && i + 7 <= len; i++) {
		uint64_t address = loaded_address(code + i, symbol.vaddr + i);

		s = address ? elf_image_string(image, address, VERSION_STRING_MAX) : NULL;
		if (s && cpython_version_parse(s, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

static int read_debug_offsets(const struct elf_image *image, uint64_t runtime, struct debug_offsets *ret)
{
	uint8_t header[24];
	int r = elf_image_read(image, runtime, header, sizeof(header));

	if (r < 0)
		return r;
	return debug_offsets_decode_header(header, sizeof(header), ret);
}

static int find_version(const struct elf_image *image, uint32_t *ret)
{
	int r = version_from_symbol(image, ret);

	return r == -ENOENT ? version_from_code(image, ret) : r;
}

/* ---- whether it agrees ---- */

/** False if the soname is that of another minor version; libpython3.Nt is free-threaded. */
static bool soname_agrees(const struct elf_image *image, uint32_t hexversion, bool *free_threaded)
{
	const char *s = elf_image_soname(image);
	uint32_t minor;

	if (!s || strncmp(s, "libpython3.", 11) != 0)
		return true;
	s += 11;
	if (!parse_number(&s, 99, &minor))
		return true;
	*free_threaded = *s == 't';
	return minor == hex_minor(hexversion);
}

/** True if the functions that came with this version are there, those of the next one are not. */
static bool exports_agree(const struct elf_image *image, const struct layout *row)
{
	const struct layout *next = layout_next(layout_find(row->minor)); /* @row is a copy */

	return defines(image, row->first_symbol) && (!next || !defines(image, next->first_symbol)) &&
	       defines(image, "Py_Version") == row->has_version_symbol;
}

static bool size_agrees(const struct elf_image *image, const struct layout *layout, const char *type, int32_t size)
{
	struct elf_symbol symbol;
	uint64_t basicsize;

	if (find(image, type, &symbol) < 0 || elf_image_read(image, symbol.vaddr + (uint64_t)layout->type.tp_basicsize,
							     &basicsize, sizeof(basicsize)) < 0)
		return false;
	if (basicsize != (uint64_t)size)
		log_debug("%s.tp_basicsize is %llu, not %d", type, (unsigned long long)basicsize, size);
	return basicsize == (uint64_t)size;
}

/** True if static types have the sizes the layout implies; Py_TRACE_REFS builds do not. */
static bool sizes_agree(const struct elf_image *image, const struct layout *layout)
{
	const struct layout *l = layout;

	return size_agrees(image, l, "PyCode_Type", l->code_is_inline ? l->code.co_code_adaptive : l->code.size) &&
	       size_agrees(image, l, "PyFunction_Type", l->function.size) &&
	       size_agrees(image, l, "PyUnicode_Type", l->unicode.compact_size + 8) &&
	       size_agrees(image, l, "PyTuple_Type", l->tuple.ob_item) &&
	       size_agrees(image, l, "PyDict_Type", l->dict.ma_values + 8);
}

static bool is_debug_build(const struct elf_image *image)
{
	return defines(image, "_Py_NegativeRefcount") || defines(image, "_Py_RefTotal") ||
	       defines(image, "_Py_INCREF_IncRefTotal");
}

/* ---- refusals ---- */

static int refuse(const char **reason, const char *why, int error)
{
	*reason = why;
	return error;
}

static const char *old_version_reason(uint32_t hexversion)
{
#define TOO_OLD(v) "Python " v " is not supported: 3.8 or later is needed"
	static const char *const reasons[] = {
		TOO_OLD("3.0"), TOO_OLD("3.1"), TOO_OLD("3.2"), TOO_OLD("3.3"),
		TOO_OLD("3.4"), TOO_OLD("3.5"), TOO_OLD("3.6"), TOO_OLD("3.7"),
	};

	if (hex_major(hexversion) < 3)
		return TOO_OLD("2");
	return hex_minor(hexversion) < ARRAY_SIZE(reasons) ? reasons[hex_minor(hexversion)] : NULL;
#undef TOO_OLD
}

static int find_layout(uint32_t hexversion, const struct layout **ret, const char **reason)
{
	const char *too_old = old_version_reason(hexversion);

	if (too_old)
		return refuse(reason, too_old, -ENOTSUP);
	*ret = hex_major(hexversion) == 3 ? layout_find(hex_minor(hexversion)) : NULL;
	return *ret ? 0 : refuse(reason, too_new, -ENOTSUP);
}

/* ---- loading ---- */

static int apply_debug_offsets(const struct elf_image *image, struct cpython *python, const char **reason)
{
	size_t size = debug_offsets_size(&python->layout);
	_cleanup_free_ uint8_t *bytes = malloc(size + 1);
	struct debug_offsets offsets;

	if (!bytes)
		return -ENOMEM;
	if (read_debug_offsets(image, python->runtime, &offsets) < 0 || offsets.hexversion != python->hexversion)
		return refuse(reason, contradicts, -EBADMSG);
	python->is_free_threaded |= offsets.free_threaded;
	if (elf_image_read(image, python->runtime, bytes, size) < 0 ||
	    debug_offsets_apply(bytes, size, &python->layout) < 0)
		return refuse(reason, "the _Py_DebugOffsets of this Python are broken", -EBADMSG);
	return 0;
}

static int check(const struct elf_image *image, struct cpython *python, const char **reason)
{
	int r;

	if (!soname_agrees(image, python->hexversion, &python->is_free_threaded) ||
	    (python->is_final && !exports_agree(image, &python->layout)))
		return refuse(reason, contradicts, -EBADMSG);
	if (python->layout.has_debug_offsets) {
		r = apply_debug_offsets(image, python, reason);
		if (r < 0)
			return r;
	}
	if (python->is_final && !python->is_free_threaded && !sizes_agree(image, &python->layout))
		return refuse(reason, "the objects of this Python build have unknown sizes", -ENOTSUP);
	return 0;
}

int cpython_load(const struct elf_image *image, struct cpython *ret, const char **reason)
{
	struct cpython python = {0};
	const struct layout *row;
	struct elf_symbol runtime;
	bool has_runtime;
	int r;

	has_runtime = find(image, "_PyRuntime", &runtime) == 0;
	if (!has_runtime && is_pypy(image))
		return refuse(reason, "PyPy is not supported", -ENOTSUP);
	if (!has_runtime && !defines(image, "PyEval_EvalCode"))
		return -ENOENT;
	r = find_version(image, &python.hexversion);
	if (r < 0)
		return refuse(reason, "the version of this Python is not to be found", -ENOTSUP);
	r = find_layout(python.hexversion, &row, reason);
	if (r < 0)
		return r;
	if (!has_runtime)
		return refuse(reason, "this Python does not export _PyRuntime", -ENOTSUP);
	python.layout = *row;
	python.minor = (uint8_t)hex_minor(python.hexversion);
	python.micro = python.hexversion >> 8 & 0xff;
	python.is_final = (python.hexversion >> 4 & 0xf) == RELEASE_FINAL;
	python.is_debug = is_debug_build(image);
	python.runtime = runtime.vaddr;
	r = check(image, &python, reason);
	if (r < 0)
		return r;
	*ret = python;
	return 0;
}
