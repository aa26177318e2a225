#include "report/syntax.h"

#include <string.h>

#include "report/tokens.h"

#define CONSTANT_DEPTH_MAX 100

/* A suite that is being read. */
struct block {
	uint32_t owner;	      /* the statement or clause it is the body of */
	uint32_t last;	      /* the last statement in it */
	uint32_t last_clause; /* of that */
};

struct parser {
	struct tokens tokens;
	struct syntax *syntax;
	struct block blocks[TOKENS_INDENT_MAX + 1];
	uint16_t n_blocks;
	bool opens; /* the logical line before ended in a colon: here a suite begins */
	uint32_t room_statements, room_logical, room_decorators;
	uint32_t pending_decorators; /* the first of those that wait for their function or class */
};

/* A range of tokens. */
struct span {
	const struct token *from, *to;
};

void syntax_deinit(struct syntax *syntax)
{
	free(syntax->statements);
	free(syntax->logical);
	free(syntax->decorators);
	free(syntax->first);
	*syntax = (struct syntax){0};
}

static int grow(void *array, uint32_t *room, uint32_t n, size_t size)
{
	void **items = array, *grown;

	if (n < *room)
		return 0;
	grown = reallocarray(*items, *room ? (size_t)*room * 2 : 256, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*room = *room ? *room * 2 : 256;
	return 0;
}

static int fail(struct parser *p, const char *error)
{
	p->tokens.error = error;
	return -EBADMSG;
}

static struct statement *statement_at(const struct parser *p, uint32_t index)
{
	return &p->syntax->statements[index];
}

/* Put a statement, whose `parent` is set, at the end of a body or a list of clauses. */
static int add_statement(struct parser *p, const struct statement *statement, uint32_t before, uint32_t *ret)
{
	struct syntax *s = p->syntax;
	struct statement *parent;
	int r = grow(&s->statements, &p->room_statements, s->n_statements, sizeof(*s->statements));

	if (r < 0)
		return r;
	s->statements[s->n_statements] = *statement;
	parent = &s->statements[statement->parent];
	if (before)
		s->statements[before].next = s->n_statements;
	else if (statement->kind >= STATEMENT_ELIF)
		parent->clauses = s->n_statements;
	else if (s->n_statements)
		parent->body = s->n_statements;
	*ret = s->n_statements++;
	return 0;
}

static bool is_op(const struct span *span, char op)
{
	return span->from < span->to && token_is_op(span->from, op);
}

static bool is_word(const struct parser *p, const struct span *span, const char *word)
{
	return span->from < span->to && token_is(&p->tokens, span->from, word);
}

static bool is_any_word(const struct parser *p, const struct span *span, const char *const *words)
{
	for (; *words; words++)
		if (is_word(p, span, *words))
			return true;
	return false;
}

/* Constant tests: `while True`, `if 0`, `if not (False or 0)`. */

struct constant {
	const struct parser *p;
	struct span span;
	unsigned int depth;
};

static bool constant_or(struct constant *c, bool *value);

static bool constant_number(const struct constant *c, bool *value)
{
	const char *text = c->p->tokens.source->text + c->span.from->start;
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
		const char *text = c->p->tokens.source->text + c->span.from->start;

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

	if (is_op(&c->span, '(')) {
		c->span.from++;
		if (!constant_or(c, value) || !is_op(&c->span, ')'))
			return false;
	} else if (is_any_word(c->p, &c->span, truths) || is_op(&c->span, OP_ELLIPSIS)) {
		*value = true;
	} else if (is_any_word(c->p, &c->span, lies)) {
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

	while (is_word(c->p, &c->span, "not")) {
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
	while (is_word(c->p, &c->span, "and")) {
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
	while (is_word(c->p, &c->span, "or")) {
		c->span.from++;
		if (!constant_and(c, &other))
			return false;
		*value |= other;
	}
	c->depth--;
	return true;
}

static bool constant_test(const struct parser *p, struct span span, bool *value)
{
	struct constant c = {.p = p, .span = span};

	return constant_or(&c, value) && c.span.from == c.span.to;
}

/* The patterns of `case`. */

/* The last token @op or word @word that is in no more brackets than the first token; NULL: none. */
static const struct token *find_last(const struct parser *p, struct span span, char op, const char *word)
{
	const struct token *found = NULL;

	for (const struct token *t = span.from; t < span.to; t++)
		if (t->depth == span.from->depth && (word ? token_is(&p->tokens, t, word) : token_is_op(t, op)))
			found = t;
	return found;
}

static void strip_parentheses(struct span *span)
{
	while (span->to - span->from > 2 && is_op(span, '(') && token_is_op(span->to - 1, ')')) {
		const struct token *t = span->from + 1;

		while (t < span->to && !(token_is_op(t, ')') && t->depth == span->from->depth))
			t++;
		if (t != span->to - 1)
			return;
		span->from++;
		span->to--;
	}
}

/* `_`, a bare name, `... | _`, `_ as name`. */
static bool is_irrefutable(const struct parser *p, struct span span)
{
	static const char *const constants[] = {"None", "True", "False", NULL};
	const struct token *at;

	strip_parentheses(&span);
	if (span.from == span.to || find_last(p, span, ',', NULL))
		return false;
	while (!find_last(p, span, 0, "as") && (at = find_last(p, span, '|', NULL))) {
		span.from = at + 1;
		strip_parentheses(&span);
		if (span.from == span.to)
			return false;
	}
	while ((at = find_last(p, span, 0, "as"))) {
		span.to = at;
		strip_parentheses(&span);
		if (span.from == span.to)
			return false;
	}
	return span.to - span.from == 1 && span.from->kind == TOKEN_NAME && !is_any_word(p, &span, constants);
}

static void read_pattern(const struct parser *p, struct span span, struct statement *statement)
{
	const struct token *guard = NULL;

	for (const struct token *t = span.from; t < span.to && !guard; t++)
		if (t->depth == 0 && token_is(&p->tokens, t, "if"))
			guard = t;
	if (guard)
		span.to = guard;
	if (span.from == span.to)
		return;
	statement->pattern_end = span.to[-1].end_line;
	statement->irrefutable = !guard && is_irrefutable(p, span);
}

/* Simple statements. */

/* "(" and ")" around nothing but strings. */
static bool is_strings(struct span span, bool *plain)
{
	bool any = false;

	*plain = true;
	while (is_op(&span, '(') && span.to - span.from > 1 && token_is_op(span.to - 1, ')')) {
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

static enum statement_kind kind_of_expression(const struct parser *p, struct span span)
{
	bool plain, value;

	if (is_strings(span, &plain) && plain)
		return STATEMENT_STRING;
	if (span.to - span.from == 1 && constant_test(p, span, &value) && !token_is(&p->tokens, span.from, "__debug__"))
		return STATEMENT_CONSTANT;
	if (span.to - span.from > 2 && span.from->kind == TOKEN_NAME && token_is_op(span.from + 1, ':') &&
	    !find_last(p, span, '=', NULL))
		return STATEMENT_ANNOTATION;
	return STATEMENT_SIMPLE;
}

static enum statement_kind kind_of_simple(const struct parser *p, struct span span)
{
	static const struct {
		const char *word;
		enum statement_kind kind;
	} words[] = {
		{"return", STATEMENT_RETURN},	  {"raise", STATEMENT_RAISE},  {"break", STATEMENT_BREAK},
		{"continue", STATEMENT_CONTINUE}, {"global", STATEMENT_SCOPE}, {"nonlocal", STATEMENT_SCOPE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is_word(p, &span, words[i].word))
			return words[i].kind;
	return kind_of_expression(p, span);
}

static int add_simple(struct parser *p, struct span span, uint32_t owner, uint32_t *last)
{
	struct statement statement = {
		.kind = kind_of_simple(p, span),
		.line = span.from->line,
		.end_line = span.to[-1].end_line,
		.parent = owner,
	};

	return add_statement(p, &statement, *last, last);
}

/* Statements with `;` between them; @last is the one before them in the body of @owner. */
static int add_simples(struct parser *p, struct span span, uint32_t owner, uint32_t *last)
{
	while (span.from < span.to) {
		const struct token *end = span.from;
		int r;

		while (end < span.to && !(end->depth == 0 && token_is_op(end, ';')))
			end++;
		if (end == span.from)
			return fail(p, "invalid syntax");
		r = add_simple(p, (struct span){span.from, end}, owner, last);
		if (r < 0)
			return r;
		span.from = end + 1;
	}
	return 0;
}

/* Compound statements and clauses. */

static const struct header_row {
	const char *word;
	enum statement_kind kind;
	uint32_t follows; /* a clause: bits of the kinds of statements that may have it */
} headers[] = {
	{"if", STATEMENT_IF, 0},
	{"for", STATEMENT_FOR, 0},
	{"while", STATEMENT_WHILE, 0},
	{"with", STATEMENT_WITH, 0},
	{"try", STATEMENT_TRY, 0},
	{"def", STATEMENT_FUNCTION, 0},
	{"class", STATEMENT_CLASS, 0},
	{"elif", STATEMENT_ELIF, 1u << STATEMENT_IF},
	{"else", STATEMENT_ELSE,
	 1u << STATEMENT_IF | 1u << STATEMENT_FOR | 1u << STATEMENT_WHILE | 1u << STATEMENT_TRY},
	{"except", STATEMENT_EXCEPT, 1u << STATEMENT_TRY},
	{"finally", STATEMENT_FINALLY, 1u << STATEMENT_TRY},
};

/* The colon before the suite, not one of a lambda. */
static const struct token *find_suite(const struct parser *p, struct span span)
{
	unsigned int lambdas = 0;

	for (const struct token *t = span.from; t < span.to; t++) {
		if (t->depth)
			continue;
		if (token_is(&p->tokens, t, "lambda"))
			lambdas++;
		else if (token_is_op(t, ':') && lambdas-- == 0)
			return t;
	}
	return NULL;
}

static const struct header_row *find_header(const struct parser *p, struct span span)
{
	static const struct header_row match = {"match", STATEMENT_MATCH, 0},
				       case_ = {"case", STATEMENT_CASE, 1u << STATEMENT_MATCH};
	const struct block *block = &p->blocks[p->n_blocks - 1];

	if (is_word(p, &span, "async"))
		span.from++;
	if (span.from == span.to || span.from->kind != TOKEN_NAME)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (is_word(p, &span, headers[i].word))
			return &headers[i];
	if (statement_at(p, block->owner)->kind == STATEMENT_MATCH)
		return is_word(p, &span, "case") ? &case_ : NULL;
	/* no other line that begins with this name can end in a colon */
	if (span.to - span.from > 2 && is_word(p, &span, "match") && token_is_op(span.to - 1, ':') &&
	    span.to[-1].depth == 0)
		return &match;
	return NULL;
}

/* What there is to know of the tokens between keyword and colon. */
static void read_header(struct parser *p, struct span span, struct statement *statement)
{
	while (span.from < span.to && span.from->kind == TOKEN_NAME &&
	       (is_word(p, &span, "async") || span.from == p->tokens.tokens))
		span.from++;
	switch (statement->kind) {
	case STATEMENT_IF:
	case STATEMENT_ELIF:
	case STATEMENT_WHILE:
		statement->constant = constant_test(p, span, &statement->value);
		break;
	case STATEMENT_CASE:
		read_pattern(p, span, statement);
		break;
	case STATEMENT_FUNCTION:
	case STATEMENT_CLASS:
		if (is_word(p, &span, "def"))
			span.from++;
		if (span.from < span.to && span.from->kind == TOKEN_NAME) {
			statement->name = span.from->start;
			statement->name_length = span.from->length;
		}
		statement->decorators = p->pending_decorators;
		statement->n_decorators = p->syntax->n_decorators - p->pending_decorators;
		p->pending_decorators = p->syntax->n_decorators;
		break;
	default:
		break;
	}
}

static int place_header(struct parser *p, const struct header_row *row, const struct statement *statement,
			uint32_t *ret)
{
	struct block *block = &p->blocks[p->n_blocks - 1];
	struct statement placed = *statement;
	uint32_t *last = &block->last;
	int r;

	placed.parent = block->owner;
	if (row->kind == STATEMENT_CASE) {
		last = &block->last_clause;
	} else if (row->follows) {
		if (!block->last || !(row->follows >> statement_at(p, block->last)->kind & 1))
			return fail(p, "invalid syntax");
		placed.parent = block->last;
		last = &block->last_clause;
	}
	r = add_statement(p, &placed, *last, last);
	if (r == 0 && !row->follows)
		block->last_clause = 0;
	*ret = *last;
	return r;
}

static int open_block(struct parser *p, uint32_t owner)
{
	p->opens = true;
	/* the first logical line of the suite makes it valid */
	p->blocks[p->n_blocks] = (struct block){.owner = owner};
	return 0;
}

static int add_compound(struct parser *p, const struct header_row *row, struct span span)
{
	const struct token *colon = find_suite(p, span);
	struct statement statement = {.kind = row->kind, .line = span.from->line};
	uint32_t at, last = 0;
	int r;

	if (!colon)
		return fail(p, "expected ':'");
	statement.end_line = colon->end_line;
	read_header(p, (struct span){span.from, colon}, &statement);
	r = place_header(p, row, &statement, &at);
	if (r < 0)
		return r;
	if (colon + 1 == span.to)
		return open_block(p, at);
	return add_simples(p, (struct span){colon + 1, span.to}, at, &last);
}

static int add_decorator(struct parser *p, struct span span)
{
	struct syntax *s = p->syntax;
	int r = grow(&s->decorators, &p->room_decorators, s->n_decorators, sizeof(*s->decorators));

	if (r < 0)
		return r;
	for (span.from++; is_op(&span, '('); span.from++)
		;
	if (span.from == span.to)
		return fail(p, "invalid syntax");
	s->decorators[s->n_decorators++] = span.from->line;
	return 0;
}

static int add_logical(struct parser *p)
{
	const struct tokens *t = &p->tokens;
	struct syntax *s = p->syntax;
	int r = grow(&s->logical, &p->room_logical, s->n_logical, sizeof(*s->logical));
	uint32_t first = t->tokens[0].line, last = t->tokens[t->n - 1].end_line;

	if (r < 0)
		return r;
	s->logical[s->n_logical++] =
		(struct logical_line){.first = first, .last = last, .indent = t->indent, .has_colon = t->has_colon};
	for (uint32_t line = first; line <= last && line <= s->n_lines; line++)
		s->first[line] = first;
	return 0;
}

/* Enter and leave suites as the indentation says. */
static int follow_indent(struct parser *p)
{
	uint16_t wanted = (uint16_t)(p->tokens.indent + 1);

	if (p->opens != (wanted == p->n_blocks + 1))
		return fail(p, p->opens ? "expected an indented block" : "unexpected indent");
	p->opens = false;
	p->n_blocks = wanted;
	return 0;
}

static int add_line(struct parser *p)
{
	struct span span = {p->tokens.tokens, p->tokens.tokens + p->tokens.n};
	struct block *block;
	const struct header_row *row;
	int r = follow_indent(p);

	if (r == 0)
		r = add_logical(p);
	if (r < 0)
		return r;
	if (is_op(&span, '@'))
		return add_decorator(p, span);
	row = find_header(p, span);
	if (p->pending_decorators < p->syntax->n_decorators &&
	    (!row || (row->kind != STATEMENT_FUNCTION && row->kind != STATEMENT_CLASS)))
		return fail(p, "invalid syntax");
	if (row)
		return add_compound(p, row, span);
	block = &p->blocks[p->n_blocks - 1];
	if (statement_at(p, block->owner)->kind == STATEMENT_MATCH)
		return fail(p, "invalid syntax");
	block->last_clause = 0;
	return add_simples(p, span, block->owner, &block->last);
}

static int parse(struct parser *p)
{
	static const struct statement module = {.kind = STATEMENT_MODULE, .line = 1, .end_line = 1};
	uint32_t at;
	int r = add_statement(p, &module, 0, &at);

	p->n_blocks = 1;
	while (r == 0) {
		r = tokens_next(&p->tokens);
		if (r > 0)
			r = add_line(p);
		else if (r == 0)
			break;
	}
	if (r == 0 && p->opens)
		r = fail(p, "expected an indented block");
	return r;
}

/* A body reaches as far as its last statement; what is inside comes later in the table. */
static void set_ends(struct syntax *s)
{
	for (uint32_t i = s->n_statements; i-- > 1;) {
		struct statement *parent = &s->statements[s->statements[i].parent];

		if (parent->end_line < s->statements[i].end_line)
			parent->end_line = s->statements[i].end_line;
	}
}

int syntax_parse(const struct source *source, struct syntax *ret)
{
	struct parser p = {.syntax = ret};
	int r = -ENOMEM;

	*ret = (struct syntax){.n_lines = source->n_lines};
	ret->first = malloc(((size_t)source->n_lines + 1) * sizeof(*ret->first));
	tokens_init(&p.tokens, source);
	if (ret->first) {
		for (uint32_t line = 0; line <= source->n_lines; line++)
			ret->first[line] = line;
		r = memchr(source->text, 0, source->size) ? fail(&p, "source code string cannot contain null bytes")
							  : parse(&p);
	}
	if (r == 0) {
		set_ends(ret);
	} else {
		const char *error = p.tokens.error;

		syntax_deinit(ret);
		ret->error = error;
		ret->error_line = p.tokens.line;
	}
	tokens_deinit(&p.tokens);
	return r;
}
