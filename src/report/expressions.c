#include "report/expressions.h"

#include <string.h>

#define CONSTANT_DEPTH_MAX 100

bool span_is_op(const struct span *span, char op)
{
	return span->from < span->to && token_is_op(span->from, op);
}

bool span_is_word(const struct tokens *tokens, const struct span *span, const char *word)
{
	return span->from < span->to && token_is(tokens, span->from, word);
}

static bool is_any_word(const struct tokens *tokens, const struct span *span, const char *const *words)
{
	for (; *words; words++)
		if (span_is_word(tokens, span, *words))
			return true;
	return false;
}

/* Constant tests: `while True`, `if 0`, `if not (False or 0)`. */

struct constant {
	const struct tokens *tokens;
	struct span span;
	unsigned int depth;
};

static bool constant_or(struct constant *c, bool *value);

static bool constant_number(const struct constant *c, bool *value)
{
	const char *text = c->tokens->source->text + c->span.from->start;
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';

	*value = false;
	for (uint32_t i = hex ? 2 : 0; i < c->span.from->length; i++) {
		if (!hex && (text[i] | 0x20) == 'e')
			break;
		*value |= (text[i] >= '1' && text[i] <= '9') || (hex && text[i] != '0' && text[i] != '_');
	}
	return true;
}

static bool constant_strings(struct constant *c, bool *value)
{
	*value = false;
	for (; c->span.from < c->span.to && c->span.from->kind == TOKEN_STRING; c->span.from++) {
		const char *text = c->tokens->source->text + c->span.from->start;

		for (; *text != '"' && *text != '\''; text++)
			if (strchr("fFtT", *text))
				return false;
		*value |= !c->span.from->empty;
	}
	return true;
}

static bool constant_atom(struct constant *c, bool *value)
{
	static const char *const truths[] = {"True", "__debug__", NULL}, *const lies[] = {"False", "None", NULL};

	if (span_is_op(&c->span, '(')) {
		c->span.from++;
		if (!constant_or(c, value) || !span_is_op(&c->span, ')'))
			return false;
	} else if (is_any_word(c->tokens, &c->span, truths) || span_is_op(&c->span, OP_ELLIPSIS)) {
		*value = true;
	} else if (is_any_word(c->tokens, &c->span, lies)) {
		*value = false;
	} else if (c->span.from < c->span.to && c->span.from->kind == TOKEN_NUMBER) {
		constant_number(c, value);
	} else if (c->span.from < c->span.to && c->span.from->kind == TOKEN_STRING) {
		return constant_strings(c, value);
	} else {
		return false;
	}
	c->span.from++;
	return true;
}

static bool constant_not(struct constant *c, bool *value)
{
	bool negative = false;

	while (span_is_word(c->tokens, &c->span, "not")) {
		negative = !negative;
		c->span.from++;
	}
	if (!constant_atom(c, value))
		return false;
	*value ^= negative;
	return true;
}

static bool constant_and(struct constant *c, bool *value)
{
	bool other;

	if (!constant_not(c, value))
		return false;
	while (span_is_word(c->tokens, &c->span, "and")) {
		c->span.from++;
		if (!constant_not(c, &other))
			return false;
		*value &= other;
	}
	return true;
}

static bool constant_or(struct constant *c, bool *value)
{
	bool other;

	if (++c->depth > CONSTANT_DEPTH_MAX || !constant_and(c, value))
		return false;
	while (span_is_word(c->tokens, &c->span, "or")) {
		c->span.from++;
		if (!constant_and(c, &other))
			return false;
		*value |= other;
	}
	c->depth--;
	return true;
}

bool expression_is_constant(const struct tokens *tokens, struct span span, bool *value)
{
	struct constant c = {.tokens = tokens, .span = span};

	return constant_or(&c, value) && c.span.from == c.span.to;
}

/* The patterns of `case`. */

const struct token *span_find_last(const struct tokens *tokens, struct span span, char op, const char *word)
{
	const struct token *found = NULL;

	for (const struct token *t = span.from; t < span.to; t++)
		if (t->depth == span.from->depth && (word ? token_is(tokens, t, word) : token_is_op(t, op)))
			found = t;
	return found;
}

static void strip_parentheses(struct span *span)
{
	while (span->to - span->from > 2 && span_is_op(span, '(') && token_is_op(span->to - 1, ')')) {
		const struct token *t = span->from + 1;

		while (t < span->to && !(token_is_op(t, ')') && t->depth == span->from->depth))
			t++;
		if (t != span->to - 1)
			return;
		span->from++;
		span->to--;
	}
}

bool pattern_is_irrefutable(const struct tokens *tokens, struct span span)
{
	static const char *const constants[] = {"None", "True", "False", NULL};
	const struct token *at;

	strip_parentheses(&span);
	if (span.from == span.to || span_find_last(tokens, span, ',', NULL))
		return false;
	while (!span_find_last(tokens, span, 0, "as") && (at = span_find_last(tokens, span, '|', NULL))) {
		span.from = at + 1;
		strip_parentheses(&span);
		if (span.from == span.to)
			return false;
	}
	while ((at = span_find_last(tokens, span, 0, "as"))) {
		span.to = at;
		strip_parentheses(&span);
		if (span.from == span.to)
			return false;
	}
	return span.to - span.from == 1 && span.from->kind == TOKEN_NAME && !is_any_word(tokens, &span, constants);
}

bool expression_is_strings(struct span span, bool *plain)
{
	bool any = false;

	*plain = true;
	while (span_is_op(&span, '(') && span.to - span.from > 1 && token_is_op(span.to - 1, ')')) {
		span.from++;
		span.to--;
	}
	for (; span.from < span.to; span.from++) {
		if (span.from->kind != TOKEN_STRING)
			return false;
		*plain &= span.from->plain;
		any = true;
	}
	return any;
}
