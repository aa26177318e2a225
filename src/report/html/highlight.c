#include "report/html/highlight.h"

#include <errno.h>
#include <string.h>

#include "report/tokens.h"

static const char *const keywords[] = {
	"False", "None",     "True",  "and",	"as",	"assert", "async",  "await",	"break",
	"class", "continue", "def",   "del",	"elif", "else",	  "except", "finally",	"for",
	"from",	 "global",   "if",    "import", "in",	"is",	  "lambda", "nonlocal", "not",
	"or",	 "pass",     "raise", "return", "try",	"while",  "with",   "yield",
};

static int add(struct highlights *h, uint32_t start, uint32_t end, char kind)
{
	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 256;
		struct highlight *items = reallocarray(h->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		h->items = items;
		h->room = room;
	}
	h->items[h->n++] = (struct highlight){start, end, kind};
	return 0;
}

/* Comments between tokens: nothing else there has a "#". */
static int add_comments(struct highlights *h, const char *text, uint32_t from, uint32_t to)
{
	while (from < to) {
		const char *start = memchr(text + from, '#', to - from), *end;
		int r;

		if (!start)
			break;
		end = memchr(start, '\n', (size_t)(text + to - start));
		from = end ? (uint32_t)(end - text) : to;
		r = add(h, (uint32_t)(start - text), from, 'o');
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_keyword(const struct tokens *t, const struct token *token)
{
	if (token->length > 8)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (keywords[i][0] == t->source->text[token->start] && token_is(t, token, keywords[i]))
			return true;
	return false;
}

/* match, case and type are words at the beginning of their statements alone. */
static bool is_soft_keyword(const struct tokens *t)
{
	const struct token *first = t->tokens, *second = first + 1;

	if (t->n < 3)
		return false;
	if (token_is(t, first, "type"))
		return second->kind == TOKEN_NAME;
	if (!t->has_colon || (!token_is(t, first, "match") && !token_is(t, first, "case")))
		return false;
	return second->kind != TOKEN_OP || strchr("([{-*~+", second->op);
}

static char kind_of(const struct tokens *t, uint32_t i)
{
	const struct token *token = &t->tokens[i];

	switch (token->kind) {
	case TOKEN_STRING:
		return 's';
	case TOKEN_NUMBER:
		return 'n';
	case TOKEN_NAME:
		if (i && (token_is(t, token - 1, "def") || token_is(t, token - 1, "class")))
			return 'd';
		return is_keyword(t, token) || (!i && is_soft_keyword(t)) ? 'k' : 0;
	default:
		return 0;
	}
}

static int add_logical_line(struct highlights *h, const struct tokens *t, uint32_t *at)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < t->n; i++) {
		const struct token *token = &t->tokens[i];
		char kind = kind_of(t, i);

		r = add_comments(h, t->source->text, *at, token->start);
		*at = token->start + token->length;
		if (r == 0 && kind)
			r = add(h, token->start, *at, kind);
	}
	return r;
}

int highlights_find(const struct source *source, struct highlights *ret)
{
	struct tokens tokens;
	uint32_t at = 0;
	int r, found;

	*ret = (struct highlights){0};
	tokens_init(&tokens, source);
	do {
		found = tokens_next(&tokens);
		r = found == -ENOMEM ? found : found > 0 ? add_logical_line(ret, &tokens, &at) : 0;
	} while (r == 0 && found > 0);
	tokens_deinit(&tokens);
	if (r == 0 && found == 0)
		r = add_comments(ret, source->text, at, (uint32_t)source->size);
	if (r < 0)
		highlights_deinit(ret);
	return r;
}

void highlights_deinit(struct highlights *highlights)
{
	free(highlights->items);
	*highlights = (struct highlights){0};
}
