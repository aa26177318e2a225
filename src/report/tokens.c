#include "report/tokens.h"

#include <string.h>

#define FSTRINGS_MAX 150 /* in each other, as CPython has it */

enum {
	CHAR_NAME = 1,
	CHAR_DIGIT = 2,
};

static const uint8_t classes[256] = {
	['a' ... 'z'] = CHAR_NAME,  ['A' ... 'Z'] = CHAR_NAME,	 ['_'] = CHAR_NAME,
	['0' ... '9'] = CHAR_DIGIT, [0x80 ... 0xff] = CHAR_NAME,
};

void tokens_init(struct tokens *t, const struct source *source)
{
	*t = (struct tokens){.source = source, .line = 1};
}

void tokens_deinit(struct tokens *t)
{
	free(t->tokens);
	t->tokens = NULL;
}

bool token_is(const struct tokens *t, const struct token *token, const char *word)
{
	size_t n = strlen(word);

	return token->kind == TOKEN_NAME && token->length == n && !memcmp(t->source->text + token->start, word, n);
}

static int fail(struct tokens *t, const char *error)
{
	t->error = error;
	return -EBADMSG;
}

/* The text ends in \n\0, so that a look ahead by one is always possible. */
static inline char peek(const struct tokens *t, uint32_t ahead)
{
	return t->at + ahead < t->source->size ? t->source->text[t->at + ahead] : 0;
}

static bool at_end(const struct tokens *t)
{
	return t->at >= t->source->size;
}

static inline void skip_character(struct tokens *t)
{
	t->line += t->source->text[t->at] == '\n';
	t->at++;
}

static void skip_comment(struct tokens *t)
{
	while (!at_end(t) && peek(t, 0) != '\n')
		t->at++;
}

struct quotes {
	char quote;
	bool triple, raw, formatted;
};

static bool at_quotes(const struct tokens *t, const struct quotes *q)
{
	return peek(t, 0) == q->quote && (!q->triple || (peek(t, 1) == q->quote && peek(t, 2) == q->quote));
}

static int scan_string(struct tokens *t, struct token *token, int depth);

/* A backslash in a string, not in a replacement field of it. */
static void skip_escape(struct tokens *t, const struct quotes *q)
{
	t->at++;
	if (at_end(t))
		return;
	if (q->formatted && (peek(t, 0) == '{' || peek(t, 0) == '}'))
		return;
	if (q->formatted && !q->raw && peek(t, 0) == 'N' && peek(t, 1) == '{') {
		while (!at_end(t) && peek(t, 0) != '}' && peek(t, 0) != '\n' && peek(t, 0) != q->quote)
			t->at++;
		return;
	}
	skip_character(t);
}

static int prefix_length(const struct tokens *t)
{
	for (int n = 0; n < 4; n++) {
		char c = peek(t, (uint32_t)n);

		if (c == '"' || c == '\'')
			return n;
		if (!c || !strchr("rRbBuUfFtT", c))
			return -1;
	}
	return -1;
}

static int scan_field(struct tokens *t, const struct quotes *q, int depth);

/* The format of a replacement field: up to its closing brace, which stays. */
static int scan_format(struct tokens *t, const struct quotes *q, int depth)
{
	while (!at_end(t) && peek(t, 0) != '}') {
		int r = 0;

		if (at_quotes(t, q) || (peek(t, 0) == '\n' && !q->triple))
			return fail(t, "f-string: expecting '}'");
		if (peek(t, 0) == '{')
			r = scan_field(t, q, depth + 1);
		else
			skip_character(t);
		if (r < 0)
			return r;
	}
	return at_end(t) ? fail(t, "unterminated f-string literal") : 0;
}

/* A string in the expression of a replacement field. 1: there was one. */
static int scan_inner_string(struct tokens *t, int depth)
{
	struct token inner;
	int r;

	if (prefix_length(t) < 0)
		return 0;
	r = scan_string(t, &inner, depth);
	return r < 0 ? r : 1;
}

/* One character or word of the expression of a replacement field; @nesting is that of its brackets. */
static int scan_expression(struct tokens *t, int depth, int *nesting)
{
	char c = peek(t, 0);
	int r = scan_inner_string(t, depth + 1);

	if (r != 0)
		return r < 0 ? r : 0;
	if (classes[(unsigned char)c]) {
		while (classes[(unsigned char)peek(t, 0)])
			t->at++;
		return 0;
	}
	if (c == '#') {
		skip_comment(t);
		return 0;
	}
	if (strchr("([{", c) && c && ++*nesting > TOKENS_NESTING_MAX)
		return fail(t, "too many nested parentheses");
	if (strchr(")]}", c) && c && --*nesting < 0)
		return fail(t, "f-string: unmatched bracket");
	skip_character(t);
	return 0;
}

/* From an opening brace up to and with its closing one. */
static int scan_field(struct tokens *t, const struct quotes *q, int depth)
{
	int nesting = 0, r = 0;

	if (depth > FSTRINGS_MAX)
		return fail(t, "f-string: expressions nested too deeply");
	t->at++;
	while (!at_end(t) && r == 0) {
		char c = peek(t, 0);

		if (nesting == 0 && c == '}')
			break;
		if (nesting == 0 && (c == ':' || (c == '!' && peek(t, 1) != '='))) {
			if (c == '!')
				for (t->at++; classes[(unsigned char)peek(t, 0)] || peek(t, 0) == ' '; t->at++)
					;
			if (peek(t, 0) == ':') {
				t->at++;
				r = scan_format(t, q, depth);
			}
			if (r == 0 && peek(t, 0) != '}')
				return fail(t, "f-string: expecting '}'");
			break;
		}
		r = scan_expression(t, depth, &nesting);
	}
	if (r < 0)
		return r;
	if (at_end(t))
		return fail(t, "f-string: expecting '}'");
	t->at++;
	return 0;
}

/* What is between the quotes, and the closing ones. */
static int scan_content(struct tokens *t, const struct quotes *q, int depth)
{
	while (!at_quotes(t, q)) {
		char c = peek(t, 0);

		if (at_end(t))
			return fail(t, q->triple ? "unterminated triple-quoted string literal"
						 : "unterminated string literal");
		if (c == '\\') {
			skip_escape(t, q);
		} else if (q->formatted && c == '{' && peek(t, 1) != '{') {
			int r = scan_field(t, q, depth);

			if (r < 0)
				return r;
		} else if (c == '\n' && !q->triple) {
			return fail(t, "unterminated string literal");
		} else {
			if (q->formatted && c == '{')
				t->at++;
			skip_character(t);
		}
	}
	t->at += q->triple ? 3 : 1;
	return 0;
}

/* A string with its prefix. */
static int scan_string(struct tokens *t, struct token *token, int depth)
{
	struct quotes q = {0};
	bool bytes = false;
	uint32_t content;
	int r;

	for (; peek(t, 0) != '"' && peek(t, 0) != '\''; t->at++) {
		char c = (char)(peek(t, 0) | 0x20);

		q.raw |= c == 'r';
		q.formatted |= c == 'f' || c == 't';
		bytes |= c == 'b';
	}
	q.quote = peek(t, 0);
	q.triple = peek(t, 1) == q.quote && peek(t, 2) == q.quote;
	t->at += q.triple ? 3 : 1;
	content = t->at;
	r = scan_content(t, &q, depth);
	token->plain = !q.formatted && !bytes;
	token->empty = t->at == content + (q.triple ? 3 : 1);
	return r;
}

static void scan_number(struct tokens *t)
{
	bool hex = peek(t, 0) == '0' && (peek(t, 1) | 0x20) == 'x';

	for (; classes[(unsigned char)peek(t, 0)] || peek(t, 0) == '.'; t->at++)
		if (!hex && (peek(t, 0) | 0x20) == 'e' && (peek(t, 1) == '+' || peek(t, 1) == '-'))
			t->at++;
}

static int scan_op(struct tokens *t, struct token *token)
{
	static const char two[][3] = {"==", "!=", "<=", ">=", "<<", ">>", "**", "//", "+=",
				      "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", "<>"};
	char c = peek(t, 0), next = peek(t, 1);

	if (!c || !strchr("()[]{}:;,.=+-*/%&|^~<>@!", c))
		return fail(t,
			    c == '\\' ? "unexpected character after line continuation character" : "invalid character");
	token->op = c;
	if (c == '.' && next == '.' && peek(t, 2) == '.') {
		token->op = OP_ELLIPSIS;
		t->at += 3;
		return 0;
	}
	t->at++;
	if ((c == ':' && next == '=') || (c == '-' && next == '>')) {
		token->op = c == ':' ? OP_WALRUS : OP_ARROW;
		t->at++;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(two); i++)
		if (two[i][0] == c && two[i][1] == next) {
			token->op = OP_OTHER;
			t->at++;
			if (peek(t, 0) == '=' && strchr("<>*/", c) && c == next)
				t->at++;
			return 0;
		}
	return c == '!' ? fail(t, "invalid syntax") : 0;
}

static int scan_token(struct tokens *t, struct token *token)
{
	char c = peek(t, 0);
	int r = 0;

	*token = (struct token){.line = t->line, .start = t->at};
	if (c == '"' || c == '\'' || (classes[(unsigned char)c] & CHAR_NAME && prefix_length(t) > 0)) {
		token->kind = TOKEN_STRING;
		r = scan_string(t, token, 0);
	} else if (classes[(unsigned char)c] & CHAR_NAME) {
		token->kind = TOKEN_NAME;
		while (classes[(unsigned char)peek(t, 0)])
			t->at++;
	} else if (classes[(unsigned char)c] & CHAR_DIGIT ||
		   (c == '.' && classes[(unsigned char)peek(t, 1)] & CHAR_DIGIT)) {
		token->kind = TOKEN_NUMBER;
		scan_number(t);
	} else {
		token->kind = TOKEN_OP;
		r = scan_op(t, token);
	}
	token->end_line = t->line;
	token->length = t->at - token->start;
	return r;
}

static int add_token(struct tokens *t, struct token **ret)
{
	if (t->n == t->room) {
		uint32_t room = t->room ? t->room * 2 : 64;
		struct token *tokens = reallocarray(t->tokens, room, sizeof(*tokens));

		if (!tokens)
			return -ENOMEM;
		t->tokens = tokens;
		t->room = room;
	}
	*ret = &t->tokens[t->n++];
	return 0;
}

static bool at_continuation(const struct tokens *t)
{
	return peek(t, 0) == '\\' && peek(t, 1) == '\n';
}

/* To the first token of a logical line; yield its column, or false at the end. */
static bool skip_to_line(struct tokens *t, uint32_t *column)
{
	uint32_t continued = 0;

	*column = 0;
	while (!at_end(t)) {
		char c = peek(t, 0);

		if (c == ' ') {
			++*column;
			t->at++;
		} else if (c == '\t') {
			*column = (*column / 8 + 1) * 8;
			t->at++;
		} else if (c == '#') {
			skip_comment(t);
		} else if (c == '\n') {
			*column = continued = 0;
			skip_character(t);
		} else if (at_continuation(t)) {
			continued = continued ? continued : *column;
			t->at++;
			skip_character(t);
		} else {
			break;
		}
	}
	if (continued)
		*column = continued;
	return !at_end(t);
}

static int set_indent(struct tokens *t, uint32_t column)
{
	if (column > t->columns[t->indent]) {
		if (t->indent == TOKENS_INDENT_MAX - 1)
			return fail(t, "too many levels of indentation");
		t->columns[++t->indent] = column;
		return 0;
	}
	while (column < t->columns[t->indent])
		t->indent--;
	return column == t->columns[t->indent] ? 0 : fail(t, "unindent does not match any outer indentation level");
}

struct brackets {
	char open[TOKENS_NESTING_MAX];
	uint16_t n;
};

static int count_brackets(struct tokens *t, struct brackets *b, struct token *token)
{
	token->depth = b->n;
	if (token->kind != TOKEN_OP)
		return 0;
	switch (token->op) {
	case '(':
	case '[':
	case '{':
		if (b->n == TOKENS_NESTING_MAX)
			return fail(t, "too many nested parentheses");
		b->open[b->n++] = token->op;
		break;
	case ')':
	case ']':
	case '}':
		if (!b->n || b->open[b->n - 1] != (token->op == ')' ? '(' : token->op == ']' ? '[' : '{'))
			return fail(t, "unmatched bracket");
		token->depth = --b->n;
		break;
	case ':':
		t->has_colon |= b->n == 0;
		break;
	}
	return 0;
}

/* Between tokens. 1: the logical line goes on. */
static int skip_space(struct tokens *t, const struct brackets *b)
{
	while (!at_end(t)) {
		char c = peek(t, 0);

		if (c == '#')
			skip_comment(t);
		else if (c == ' ' || c == '\t')
			t->at++;
		else if (at_continuation(t))
			t->at++, skip_character(t);
		else if (c == '\n' && b->n)
			skip_character(t);
		else
			return c != '\n';
	}
	return b->n ? fail(t, "a bracket was never closed") : fail(t, "unexpected end of file");
}

int tokens_next(struct tokens *t)
{
	struct brackets brackets = {.n = 0};
	uint32_t column;
	int r;

	t->n = 0;
	t->has_colon = false;
	if (!skip_to_line(t, &column))
		return 0;
	r = set_indent(t, column);
	if (r < 0)
		return r;
	do {
		struct token *token;

		r = add_token(t, &token);
		if (r == 0)
			r = scan_token(t, token);
		if (r == 0)
			r = count_brackets(t, &brackets, token);
		if (r == 0)
			r = skip_space(t, &brackets);
	} while (r > 0);
	return r < 0 ? r : 1;
}
