#define PCRE2_CODE_UNIT_WIDTH 8

#include "report/line_regex.h"

#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Python's re has no limit; these stop what would go on for minutes. */
#define MATCH_LIMIT 20000000
#define HEAP_KIB 65536
#define JIT_STACK_MAX (8 << 20)

#define OPTIONS                                                                                                        \
	(PCRE2_MULTILINE | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_UNSET_BACKREF | PCRE2_DUPNAMES)

struct line_regex {
	pcre2_code *ascii, *utf; /* for text of ASCII alone, which is faster, and for any */
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

void line_regex_free(struct line_regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->ascii);
	pcre2_code_free(regex->utf);
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	pcre2_jit_stack_free(regex->stack);
	free(regex);
}

/* How many hexadecimal digits of a character are at @text: \uXXXX, \UXXXXXXXX; 0: it is none. */
static size_t code_digits(const char *text)
{
	size_t n = *text == 'u' ? 4 : *text == 'U' ? 8 : 0;

	return n && strspn(text + 1, "0123456789abcdefABCDEF") >= n ? n : 0;
}

/* What Python writes another way: \Z is the very end, {,n} begins at 0. @to has room for twice @from. */
static void translate(const char *from, char *to)
{
	bool set = false;

	while (*from) {
		size_t digits = *from == '\\' ? code_digits(from + 1) : 0;

		if (digits) {
			to += sprintf(to, "\\x{%.*s}", (int)digits, from + 2);
			from += 2 + digits;
			continue;
		}
		if (*from == '\\' && from[1]) {
			*to++ = *from++;
			*to++ = *from == 'Z' && !set ? 'z' : *from;
			from++;
			continue;
		}
		if (*from == '[' && set)
			*to++ = '\\'; /* no POSIX classes */
		else if (*from == '[')
			set = true;
		else if (*from == ']' && set)
			set = false;
		else if (!set && !strncmp(from, "{,", 2) && strspn(from + 2, "0123456789") &&
			 from[2 + strspn(from + 2, "0123456789")] == '}')
			*to++ = *from++, *to++ = '0';
		*to++ = *from++;
		/* a ] that comes first is one of the set */
		if (set && from[-1] == '[') {
			if (*from == '^')
				*to++ = *from++;
			if (*from == ']')
				*to++ = *from++;
		}
	}
	*to = 0;
}

static int compile(const char *pattern, uint32_t options, char *why, size_t size, pcre2_code **ret)
{
	PCRE2_SIZE at;
	int error;

	*ret = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, OPTIONS | options, &error, &at, NULL);
	if (!*ret) {
		char message[160];

		pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message));
		snprintf(why, size, "%s at %zu of '%s'", message, (size_t)at, pattern);
		return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
	}
	pcre2_jit_compile(*ret, PCRE2_JIT_COMPLETE); /* without it, it is but slower */
	return 0;
}

/* Each by itself first, so that the message names the one that is wrong. */
static int check_each(const struct string_list *list, char *why, size_t size)
{
	for (size_t i = 0; i < list->n; i++) {
		_cleanup_free_ char *text = malloc(strlen(list->items[i]) * 2 + 1);
		pcre2_code *code;
		int r;

		if (!text)
			return -ENOMEM;
		if (!utf8_valid(list->items[i])) {
			snprintf(why, size, "not UTF-8: '%s'", list->items[i]);
			return -EINVAL;
		}
		translate(list->items[i], text);
		r = compile(text, PCRE2_UTF | PCRE2_UCP, why, size, &code);
		pcre2_code_free(code);
		if (r < 0) {
			if (r == -EINVAL)
				snprintf(why, size, "invalid regular expression '%s'", list->items[i]);
			return r;
		}
	}
	return 0;
}

static int join(const struct string_list *list, char **ret)
{
	size_t room = 1, n;
	char *text;

	for (size_t i = 0; i < list->n; i++)
		room += strlen(list->items[i]) * 2 + sizeof("|(?:)");
	text = malloc(room);
	if (!text)
		return -ENOMEM;
	*text = 0;
	for (size_t i = 0; i < list->n; i++) {
		n = strlen(text);
		n += (size_t)sprintf(text + n, "%s%s", i ? "|" : "", list->n > 1 ? "(?:" : "");
		translate(list->items[i], text + n);
		if (list->n > 1)
			strcat(text + n, ")");
	}
	*ret = text;
	return 0;
}

static int prepare(struct line_regex *regex)
{
	regex->data = pcre2_match_data_create(1, NULL);
	regex->context = pcre2_match_context_create(NULL);
	regex->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
	if (!regex->data || !regex->context || !regex->stack)
		return -ENOMEM;
	pcre2_set_match_limit(regex->context, MATCH_LIMIT);
	pcre2_set_heap_limit(regex->context, HEAP_KIB);
	pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
	return 0;
}

int line_regex_new(const struct string_list *list, char *why, size_t size, struct line_regex **ret)
{
	struct line_regex *regex = calloc(1, sizeof(*regex));
	_cleanup_free_ char *text = NULL;
	int r = regex ? check_each(list, why, size) : -ENOMEM;

	if (r == 0)
		r = join(list, &text);
	if (r == 0 && *text) {
		r = prepare(regex);
		if (r == 0)
			r = compile(text, 0, why, size, &regex->ascii);
		if (r < 0 && r != -ENOMEM)
			r = 0; /* it has what only UTF can match: use that one for all */
		if (r == 0)
			r = compile(text, PCRE2_UTF | PCRE2_UCP, why, size, &regex->utf);
	}
	if (r < 0)
		line_regex_free(regex);
	else
		*ret = regex;
	return r;
}

struct match {
	size_t start, end;
};

/* 1: found; 0: no more. */
static int search(const struct line_regex *regex, const pcre2_code *code, const char *text, size_t size,
		  struct match *match, bool again)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(regex->data);
	uint32_t options = PCRE2_NO_UTF_CHECK;
	int r;

	if (again && match->start == match->end)
		options |= PCRE2_NOTEMPTY_ATSTART;
	r = pcre2_match(code, (PCRE2_SPTR)text, size, match->end, options, regex->data, regex->context);
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	if (r < 0)
		return r == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -E2BIG;
	/* \K in a lookahead can make these odd */
	if (at[1] < at[0] || at[0] < match->end || at[1] > size)
		return -E2BIG;
	match->start = at[0];
	match->end = at[1];
	return 1;
}

static uint32_t count_lines(const char *text, size_t from, size_t to)
{
	uint32_t n = 0;

	for (const char *p = text + from; p < text + to && (p = memchr(p, '\n', (size_t)(text + to - p))); p++)
		n++;
	return n;
}

int line_regex_each(const struct line_regex *regex, const struct source *source, line_regex_fn fn, void *arg)
{
	const pcre2_code *code = source->ascii && regex->ascii ? regex->ascii : regex->utf;
	struct match match = {0, 0};
	size_t counted = 0;
	uint32_t line = 1;
	int r;

	if (!code)
		return 0;
	for (bool again = false; (r = search(regex, code, source->text, source->size, &match, again)) > 0;
	     again = true) {
		uint32_t last;

		line += count_lines(source->text, counted, match.start);
		counted = match.start;
		last = line + count_lines(source->text, match.start, match.end);
		for (uint32_t i = line; i <= last; i++)
			fn(arg, i);
	}
	return r;
}

bool line_regex_search(const struct line_regex *regex, const char *text)
{
	struct match match = {0, 0};

	return regex->utf && utf8_valid(text) && search(regex, regex->utf, text, strlen(text), &match, false) > 0;
}
