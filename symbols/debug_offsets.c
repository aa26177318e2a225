#include "symbols/debug_offsets.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "symbols/layout.h"

#define COOKIE "xdebugpy"
#define COOKIE_SIZE 8
#define VERSION_AT 8
#define FREE_THREADED_AT 16
#define HEADER_SIZE 24
/* Larger than any real one. */
#define STATE_SIZE_MAX ((uint64_t)1 << 20)
#define OBJECT_SIZE_MAX 4096

/** The 64-bit value at byte `at` of _Py_DebugOffsets is for the int32_t at byte `field`. */
struct field {
	uint16_t at, field;
};

struct table {
	uint8_t minor;
	uint16_t size; /* of _Py_DebugOffsets */
	const struct field *fields;
	size_t n_fields;
};

#define F(at, member)                                                                                                  \
	{                                                                                                              \
		at, offsetof(struct layout, member)                                                                    \
	}

/* clang-format off */
static const struct field fields_313[] = {
	F(32, runtime.finalizing), F(40, runtime.interpreters_head), F(56, interp.id),
	F(64, interp.next), F(72, interp.threads_head), F(80, interp.gc), F(88, interp.modules),
	F(96, interp.sysdict), F(104, interp.builtins), F(112, interp.ceval_gil),
	F(160, tstate.prev), F(168, tstate.next), F(176, tstate.interp),
	F(184, tstate.current_frame), F(192, tstate.thread_id), F(200, tstate.native_thread_id),
	F(208, tstate.datastack_chunk), F(216, tstate.status), F(224, iframe.size),
	F(232, iframe.previous), F(240, iframe.executable), F(248, iframe.instr_ptr),
	F(256, iframe.localsplus), F(264, iframe.owner), F(272, code.size),
	F(280, code.co_filename), F(288, code.co_name), F(296, code.co_qualname),
	F(304, code.co_linetable), F(312, code.co_firstlineno), F(320, code.co_argcount),
	F(344, code.co_code_adaptive), F(360, object.ob_type), F(376, type.tp_name),
	F(392, type.tp_flags), F(408, tuple.ob_item), F(416, object.ob_size), F(432, list.ob_item),
	F(456, dict.ma_keys), F(464, dict.ma_values), F(496, long_.lv_tag), F(504, long_.ob_digit),
	F(528, bytes.ob_sval), F(544, unicode.state), F(552, unicode.length),
	F(560, unicode.ascii_size), F(576, gc.collecting),
};

static const struct field fields_314[] = {
	F(32, runtime.finalizing), F(40, runtime.interpreters_head), F(56, interp.id),
	F(64, interp.next), F(72, interp.threads_head), F(80, interp.threads_main),
	F(88, interp.gc), F(96, interp.modules), F(104, interp.sysdict), F(112, interp.builtins),
	F(120, interp.ceval_gil), F(160, interp.code_object_generation), F(184, tstate.prev),
	F(192, tstate.next), F(200, tstate.interp), F(208, tstate.current_frame),
	F(216, tstate.thread_id), F(224, tstate.native_thread_id), F(232, tstate.datastack_chunk),
	F(240, tstate.status), F(248, iframe.size), F(256, iframe.previous),
	F(264, iframe.executable), F(272, iframe.instr_ptr), F(280, iframe.localsplus),
	F(288, iframe.owner), F(296, iframe.stacktop), F(312, code.size), F(320, code.co_filename),
	F(328, code.co_name), F(336, code.co_qualname), F(344, code.co_linetable),
	F(352, code.co_firstlineno), F(360, code.co_argcount), F(384, code.co_code_adaptive),
	F(392, code.co_tlbc), F(408, object.ob_type), F(424, type.tp_name), F(440, type.tp_flags),
	F(456, tuple.ob_item), F(464, object.ob_size), F(480, list.ob_item), F(536, dict.ma_keys),
	F(544, dict.ma_values), F(576, long_.lv_tag), F(584, long_.ob_digit), F(608, bytes.ob_sval),
	F(624, unicode.state), F(632, unicode.length), F(640, unicode.ascii_size),
	F(656, gc.collecting), F(672, gen.gi_name), F(680, gen.gi_iframe),
	F(688, gen.gi_frame_state),
};

static const struct field fields_315[] = {
	F(32, runtime.finalizing), F(40, runtime.interpreters_head), F(56, interp.id),
	F(64, interp.next), F(72, interp.threads_head), F(80, interp.threads_main),
	F(88, interp.gc), F(96, interp.modules), F(104, interp.sysdict), F(112, interp.builtins),
	F(120, interp.ceval_gil), F(160, interp.code_object_generation), F(184, tstate.prev),
	F(192, tstate.next), F(200, tstate.interp), F(208, tstate.current_frame),
	F(216, tstate.base_frame), F(240, tstate.thread_id), F(248, tstate.native_thread_id),
	F(256, tstate.datastack_chunk), F(264, tstate.status), F(272, tstate.holds_gil),
	F(312, iframe.size), F(320, iframe.previous), F(328, iframe.executable),
	F(336, iframe.instr_ptr), F(344, iframe.localsplus), F(352, iframe.owner),
	F(360, iframe.stacktop), F(376, code.size), F(384, code.co_filename), F(392, code.co_name),
	F(400, code.co_qualname), F(408, code.co_linetable), F(416, code.co_firstlineno),
	F(424, code.co_argcount), F(448, code.co_code_adaptive), F(456, code.co_tlbc),
	F(472, object.ob_type), F(488, type.tp_name), F(504, type.tp_flags), F(552, tuple.ob_item),
	F(560, object.ob_size), F(576, list.ob_item), F(632, dict.ma_keys), F(640, dict.ma_values),
	F(672, long_.lv_tag), F(680, long_.ob_digit), F(704, bytes.ob_sval), F(720, unicode.state),
	F(728, unicode.length), F(736, unicode.ascii_size), F(744, unicode.compact_size),
	F(760, gc.collecting), F(800, gen.gi_name), F(808, gen.gi_iframe),
	F(816, gen.gi_frame_state),
};
/* clang-format on */

static const struct table tables[] = {
	{13, 584, fields_313, ARRAY_SIZE(fields_313)},
	{14, 760, fields_314, ARRAY_SIZE(fields_314)},
	{15, 888, fields_315, ARRAY_SIZE(fields_315)},
};

static const struct table *find_table(const struct layout *layout)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		if (tables[i].minor == layout->minor)
			return &tables[i];
	}
	return NULL;
}

static uint64_t read_u64(const uint8_t *bytes, size_t at)
{
	uint64_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

int debug_offsets_decode_header(const void *bytes, size_t len, struct debug_offsets *ret)
{
	uint64_t version, free_threaded;

	if (len < HEADER_SIZE || memcmp(bytes, COOKIE, COOKIE_SIZE) != 0)
		return -ENOENT;
	version = read_u64(bytes, VERSION_AT);
	free_threaded = read_u64(bytes, FREE_THREADED_AT);
	if (version > UINT32_MAX || free_threaded > 1)
		return -EBADMSG;
	ret->hexversion = (uint32_t)version;
	ret->free_threaded = free_threaded;
	return 0;
}

size_t debug_offsets_size(const struct layout *layout)
{
	const struct table *table = find_table(layout);

	return table ? table->size : 0;
}

/* The per-thread bytecode of free-threaded builds; 0 stands for "none" elsewhere. */
static bool is_absent(const struct field *field, uint64_t value)
{
	return field->field == offsetof(struct layout, code.co_tlbc) && value == 0;
}

static int apply(struct layout *layout, const struct field *field, uint64_t value)
{
	bool is_object = field->field >= offsetof(struct layout, iframe);
	int32_t *member = (int32_t *)((char *)layout + field->field);

	if (is_absent(field, value))
		return 0;
	if (value >= (is_object ? OBJECT_SIZE_MAX : STATE_SIZE_MAX))
		return -EBADMSG;
	if (*member != (int32_t)value)
		log_debug("3.%d: offset at layout+%d is %d, not %d", layout->minor, field->field, (int)value, *member);
	*member = (int32_t)value;
	return 0;
}

int debug_offsets_apply(const void *bytes, size_t len, struct layout *layout)
{
	const struct table *table = find_table(layout);
	struct layout changed = *layout;
	int r;

	if (!table)
		return -ENOTSUP;
	if (len < table->size)
		return -EBADMSG;
	for (size_t i = 0; i < table->n_fields; i++) {
		r = apply(&changed, &table->fields[i], read_u64(bytes, table->fields[i].at));
		if (r < 0)
			return r;
	}
	*layout = changed;
	return 0;
}

/* struct Py_AsyncioModuleDebugOffsets: the same in 3.14 and 3.15. Each part begins with its size. */
int debug_offsets_apply_asyncio(const void *bytes, size_t len, struct layout *layout)
{
	static const struct {
		uint16_t size_at, at, field;
	} fields[] = {
		{0, 8, offsetof(struct layout, task.name)},
		{0, 16, offsetof(struct layout, task.awaited_by)},
		{0, 32, offsetof(struct layout, task.awaited_by_is_set)},
		{0, 40, offsetof(struct layout, task.coro)},
		{0, 48, offsetof(struct layout, task.node)},
		{56, 64, offsetof(struct layout, task.interp_head)},
		{72, 88, offsetof(struct layout, task.running)},
		{72, 96, offsetof(struct layout, task.head)},
	};
	struct layout changed = *layout;

	if (layout->task.node < 0)
		return -ENOTSUP;
	if (len < DEBUG_OFFSETS_ASYNCIO_SIZE)
		return -EBADMSG;
	changed.task.size = (int32_t)read_u64(bytes, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint64_t size = read_u64(bytes, fields[i].size_at), value = read_u64(bytes, fields[i].at);

		if (size > (i < 5 ? OBJECT_SIZE_MAX : STATE_SIZE_MAX) || value >= size)
			return -EBADMSG;
		*(int32_t *)((char *)&changed + fields[i].field) = (int32_t)value;
	}
	*layout = changed;
	return 0;
}
