#include "attach/instruction.h"

#include <Zydis/Zydis.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/elf_image.h"
#include "test_symbols_pythons.h"

static bool is_flow(const ZydisDecodedInstruction *z, enum instruction_flow flow)
{
	/* To Zydis these are branches. */
	if (z->mnemonic == ZYDIS_MNEMONIC_XABORT || z->mnemonic == ZYDIS_MNEMONIC_XEND)
		return flow == FLOW_ON;
	switch (z->meta.category) {
	case ZYDIS_CATEGORY_RET:
		return flow == FLOW_RETURN;
	case ZYDIS_CATEGORY_CALL:
		return flow == FLOW_CALL;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return flow == FLOW_JUMP;
	case ZYDIS_CATEGORY_COND_BR:
		return z->raw.imm[0].is_relative && z->mnemonic >= ZYDIS_MNEMONIC_JB &&
				       z->mnemonic != ZYDIS_MNEMONIC_JRCXZ && z->mnemonic != ZYDIS_MNEMONIC_JECXZ &&
				       z->mnemonic != ZYDIS_MNEMONIC_JCXZ && z->mnemonic <= ZYDIS_MNEMONIC_JZ
			       ? flow == FLOW_JCC
			       : flow == FLOW_BRANCH;
	default:
		break;
	}
	if (z->mnemonic == ZYDIS_MNEMONIC_UD2 || z->mnemonic == ZYDIS_MNEMONIC_HLT)
		return flow == FLOW_STOP;
	if (z->mnemonic == ZYDIS_MNEMONIC_INT3)
		return flow == FLOW_INT3;
	return flow == FLOW_ON;
}

static bool is_same(const struct instruction *in, const ZydisDecodedInstruction *z)
{
	bool is_branch = z->raw.imm[0].is_relative, is_relative = z->attributes & ZYDIS_ATTRIB_IS_RELATIVE;

	if (in->size != z->length || in->is_branch != is_branch || !!in->relative_at != is_relative)
		return false;
	if (in->is_nop && z->mnemonic != ZYDIS_MNEMONIC_NOP && z->mnemonic != ZYDIS_MNEMONIC_PAUSE)
		return false;
	if (is_branch)
		return in->relative_at == z->raw.imm[0].offset && in->relative == z->raw.imm[0].value.s;
	return !is_relative || (in->relative_at == z->raw.disp.offset && in->relative == z->raw.disp.value);
}

static void fail_at(const uint8_t *code, size_t len, const char *where, const char *what)
{
	char text[64] = "";

	for (size_t i = 0; i < len && i < INSTRUCTION_SIZE_MAX; i++)
		snprintf(text + 3 * i, 4, "%02x ", code[i]);
	fail_msg("%s: %s: %s", where, what, text);
}

/* What Zydis takes for an instruction is one to us, and of the same shape. Returns its size. */
static size_t compare(const ZydisDecoder *decoder, const uint8_t *code, size_t len, const char *where)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct instruction in;
	int r;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, code, len, &z, operands)))
		return 1;
	r = instruction_decode(code, len, &in);
	if (z.encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW || z.encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ||
	    z.mnemonic == ZYDIS_MNEMONIC_EXTRQ || z.mnemonic == ZYDIS_MNEMONIC_INSERTQ)
		return z.length;
	/* Prefixes that mean nothing to it, as only data has them. */
	if (r < 0 && z.raw.imm[0].is_relative && z.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE)
		return z.length;
	if (r < 0)
		fail_at(code, len, where, "not decoded");
	if (!is_same(&in, &z) || !is_flow(&z, (enum instruction_flow)in.flow))
		fail_at(code, len, where, ZydisMnemonicGetString(z.mnemonic));
	return z.length;
}

static void sweep(const char *path)
{
	_cleanup_elf_image_ struct elf_image *image = test_open_image(path);
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];
		const uint8_t *code = s->flags & 1 ? elf_image_at(image, s->vaddr, s->filesz) : NULL;

		for (size_t at = 0; code && at < s->filesz;)
			at += compare(&decoder, code + at, s->filesz - at, path);
	}
}

static void test_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	(void)state;
	for (size_t i = 0; i < n; i++)
		sweep(pythons[i].image);
}

/* It has vector instructions of all kinds. */
static void test_libc(void **state)
{
	Dl_info info;

	(void)state;
	assert_true(dladdr(&strtoull, &info));
	sweep(info.dli_fname);
}

static void test_any_bytes(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	ZydisDecoder decoder;

	(void)state;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int i = 0; i < 300000; i++) {
		uint64_t bytes[2];

		for (size_t j = 0; j < ARRAY_SIZE(bytes); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[j] = x;
		}
		compare(&decoder, (const uint8_t *)bytes, sizeof(bytes), "any bytes");
	}
}

static void test_cut_off(void **state)
{
	/* movabs $imm64, %rax; vfmadd231pd disp32(%rax,%rbx), %zmm, %zmm */
	static const uint8_t codes[][10] = {{0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8},
					    {0x62, 0xf2, 0xf5, 0x48, 0xb8, 0x44, 0x18, 0x01}};
	static const size_t sizes[] = {10, 8};
	struct instruction in;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t n = 0; n < sizes[i]; n++)
			assert_int_equal(instruction_decode(codes[i], n, &in), -EBADMSG);
		assert_int_equal(instruction_decode(codes[i], sizes[i], &in), 0);
		assert_int_equal(in.size, sizes[i]);
	}
}

static void test_endless_prefixes(void **state)
{
	uint8_t code[32];
	struct instruction in;

	(void)state;
	memset(code, 0x66, sizeof(code));
	assert_int_equal(instruction_decode(code, sizeof(code), &in), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interpreters),	 cmocka_unit_test(test_libc),
		cmocka_unit_test(test_any_bytes),	 cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_endless_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
