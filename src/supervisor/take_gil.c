#include "supervisor/take_gil.h"

#include "attach/instruction.h"
#include "symbols/elf_symbol.h"

#define FIRST_MAX 64 /* PyEval_RestoreThread() calls it soon */
#define WITHIN_MAX 512

/* Where @i, which is at @vaddr, calls or jumps to; 0: it does not. */
static uint64_t target_of(const struct instruction *i, uint64_t vaddr)
{
	if (!i->is_branch || i->relative_size != 4 || (i->flow != FLOW_CALL && i->flow != FLOW_JUMP))
		return 0;
	return vaddr + i->size + (uint64_t)(int64_t)i->relative;
}

/* The first that the function at @vaddr calls, or jumps to, among its first @len bytes; of @which, if that is not 0. */
static uint64_t find_call(const struct elf_image *elf, uint64_t vaddr, size_t len, uint64_t which)
{
	const unsigned char *code = vaddr ? elf_image_at(elf, vaddr, len) : NULL;
	struct instruction i;

	for (size_t at = 0; code && at < len; at += i.size) {
		uint64_t target;

		if (instruction_decode(code + at, len - at, &i) < 0 || (!which && i.flow == FLOW_RETURN))
			return 0;
		target = target_of(&i, vaddr + at);
		if (target && (!which || target == which))
			return target;
	}
	return 0;
}

/* Both these functions call it, or the second one a function that does: _PyThreadState_Attach(). */
uint64_t take_gil_find_called(const struct image *image)
{
	uint64_t called = find_call(image->elf, image->api[API_PyEval_RestoreThread], FIRST_MAX, 0);
	uint64_t other = find_call(image->elf, image->api[API_PyEval_AcquireThread], FIRST_MAX, 0);

	if (!called || (called != other && find_call(image->elf, other, WITHIN_MAX, called) != called))
		return 0;
	return elf_image_code_segment(image->elf, called) ? called : 0;
}

static bool has_needed(const struct image *image)
{
	const uint64_t *api = image->api;

	if (!api[API_PyEval_RestoreThread] || !api[API_PyEval_SaveThread])
		return false;
	if (image->py.layout.current_is_own)
		return api[API_PyThreadState_GetUnchecked] || api[API__PyThreadState_UncheckedGet];
	return image->py.layout.takes_gil_first && api[API_PyThreadState_Swap];
}

uint64_t take_gil_find(const struct image *image)
{
	struct elf_symbol symbol;

	if (!has_needed(image))
		return 0;
	if (elf_symbol_find_full(image->elf, "take_gil", &symbol) == 0)
		return symbol.vaddr;
	/* Among other symbols it has another name, and perhaps other arguments. */
	return elf_symbol_find_full(image->elf, "_PyRuntime", NULL) == 0 ? 0 : take_gil_find_called(image);
}
