#include "supervisor/agent_config.h"

#include "base/cleanup.h"

static uint16_t offset_of(int32_t offset)
{
	return offset > 0 ? (uint16_t)offset : 0;
}

static void fill_layout(struct agent_layout *to, const struct layout *from)
{
	*to = (struct agent_layout){
		.code_filename = offset_of(from->code.co_filename),
		.code_name = offset_of(from->code.co_name),
		.code_qualname = offset_of(from->code.co_qualname),
		.code_firstlineno = offset_of(from->code.co_firstlineno),
		.code_consts = offset_of(from->code.co_consts),
		.code_linetable = offset_of(from->code.co_linetable),
		.code_code = offset_of(from->code_is_inline ? from->code.co_code_adaptive : from->code.co_code),
		.code_flags = offset_of(from->code.co_flags),
		.code_exceptiontable = offset_of(from->code.co_exceptiontable),
		.code_cached = offset_of(from->code.co_cached),
		.code_warmup = offset_of(from->code.co_warmup),
		.code_firsttraceable = offset_of(from->code.co_firsttraceable),
		.str_length = offset_of(from->unicode.length),
		.str_state = offset_of(from->unicode.state),
		.str_ascii_size = offset_of(from->unicode.ascii_size),
		.str_compact_size = offset_of(from->unicode.compact_size),
		.bytes_size = offset_of(from->object.ob_size),
		.bytes_data = offset_of(from->bytes.ob_sval),
		.tuple_size = offset_of(from->object.ob_size),
		.tuple_items = offset_of(from->tuple.ob_item),
		.frame_code = offset_of(from->code_is_inline ? from->iframe.executable : from->frame.f_code),
		.function_code = offset_of(from->function.func_code),
		.gen_code = offset_of(from->gen.gi_code),
		.linetable_kind = (uint8_t)from->linetable,
		.inline_code = from->code_is_inline,
		.minor = from->minor,
		.skip_annotate = from->has_annotate_code,
		.runtime_interpreters = offset_of(from->runtime.interpreters_head),
		.runtime_gc = offset_of(from->runtime.gc),
		.interp_next = offset_of(from->interp.next),
		.interp_gc = offset_of(from->interp.gc),
		.gc_generation0 = offset_of(from->gc.generation0),
		.gc_permanent = offset_of(from->gc.permanent_generation),
		.gc_collecting = offset_of(from->gc.collecting),
		.interp_eval_frame = offset_of(from->interp.eval_frame),
		.frame_is_first = from->frame_is_first,
		.gc_head_size = offset_of(from->gc_head.size),
	};
}

static void fill_traps(struct agent_traps *to, const struct agent_traps *from, uint64_t bias)
{
	*to = *from;
	to->switch_head += bias;
	to->table += bias;
	for (size_t i = 0; i < ARRAY_SIZE(to->targets); i++)
		to->targets[i] += bias;
}

void agent_config_fill(struct agent *agent, const struct image *runtime, uint64_t bias)
{
	for (size_t i = 0; i < API_COUNT; i++)
		agent->api[i] = runtime->api[i] ? runtime->api[i] + bias : 0;
	agent->runtime = runtime->py.runtime + bias;
	fill_layout(&agent->layout, &runtime->py.layout);
	if (!runtime->py.layout.has_monitoring)
		fill_traps(&agent->traps, &runtime->traps, bias);
}

enum agent_source agent_config_source(const struct image *runtime)
{
	const struct layout *layout = &runtime->py.layout;

	if (layout->has_monitoring)
		return SOURCE_MONITORING;
	return layout->traps == LAYOUT_TRAPS_REPOINT ? SOURCE_TRAPS_TABLE : SOURCE_TRAPS_SWITCH;
}
