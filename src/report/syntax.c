#include "report/syntax.h"

#include <string.h>

#include "report/expressions.h"
#include "report/tokens.h"

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
	statement->irrefutable = !guard && pattern_is_irrefutable(&p->tokens, span);
}

/* Simple statements. */

static enum statement_kind kind_of_expression(const struct parser *p, struct span span)
{
	bool plain, value;

	if (expression_is_strings(span, &plain) && plain)
		return STATEMENT_STRING;
	if (span.to - span.from == 1 && expression_is_constant(&p->tokens, span, &value) &&
	    !token_is(&p->tokens, span.from, "__debug__"))
		return STATEMENT_CONSTANT;
	if (span.to - span.from > 2 && span.from->kind == TOKEN_NAME && token_is_op(span.from + 1, ':') &&
	    !span_find_last(&p->tokens, span, '=', NULL))
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
		if (span_is_word(&p->tokens, &span, words[i].word))
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

	if (span_is_word(&p->tokens, &span, "async"))
		span.from++;
	if (span.from == span.to || span.from->kind != TOKEN_NAME)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (span_is_word(&p->tokens, &span, headers[i].word))
			return &headers[i];
	if (statement_at(p, block->owner)->kind == STATEMENT_MATCH)
		return span_is_word(&p->tokens, &span, "case") ? &case_ : NULL;
	/* no other line that begins with this name can end in a colon */
	if (span.to - span.from > 2 && span_is_word(&p->tokens, &span, "match") && token_is_op(span.to - 1, ':') &&
	    span.to[-1].depth == 0)
		return &match;
	return NULL;
}

/* What there is to know of the tokens between keyword and colon. */
static void read_header(struct parser *p, struct span span, struct statement *statement)
{
	while (span.from < span.to && span.from->kind == TOKEN_NAME &&
	       (span_is_word(&p->tokens, &span, "async") || span.from == p->tokens.tokens))
		span.from++;
	switch (statement->kind) {
	case STATEMENT_IF:
	case STATEMENT_ELIF:
	case STATEMENT_WHILE:
		statement->constant = expression_is_constant(&p->tokens, span, &statement->value);
		break;
	case STATEMENT_CASE:
		read_pattern(p, span, statement);
		break;
	case STATEMENT_FUNCTION:
	case STATEMENT_CLASS:
		if (span_is_word(&p->tokens, &span, "def"))
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
	for (span.from++; span_is_op(&span, '('); span.from++)
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
	if (span_is_op(&span, '@'))
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
