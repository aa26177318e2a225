#include "report/guess.h"

struct guesser {
	const struct syntax *syntax;
	struct lineset *lines;
	int error;
};

static const struct statement *at(const struct guesser *g, uint32_t index)
{
	return &g->syntax->statements[index];
}

static void add(struct guesser *g, uint32_t line)
{
	if (g->error == 0)
		g->error = lineset_add(g->lines, g->syntax->first[line]);
}

static bool guess(struct guesser *g, const struct statement *s, bool in_function);

/* True if the flow reaches the end; what is behind a jump has no code. */
static bool guess_body(struct guesser *g, uint32_t body, bool in_function)
{
	bool reached = true;

	for (uint32_t i = body; i && reached; i = at(g, i)->next)
		reached = guess(g, at(g, i), in_function);
	return reached;
}

/* A `break` of this loop, not of one in it. */
static bool has_break(const struct guesser *g, uint32_t body)
{
	for (uint32_t i = body; i; i = at(g, i)->next) {
		const struct statement *s = at(g, i);

		if (s->kind == STATEMENT_BREAK)
			return true;
		if (s->kind == STATEMENT_FUNCTION || s->kind == STATEMENT_CLASS)
			continue;
		if (s->kind != STATEMENT_FOR && s->kind != STATEMENT_WHILE && has_break(g, s->body))
			return true;
		for (uint32_t j = s->clauses; j; j = at(g, j)->next)
			if (has_break(g, at(g, j)->body))
				return true;
	}
	return false;
}

static bool guess_if(struct guesser *g, const struct statement *s, bool in_function)
{
	bool reached = false;
	uint32_t next = s->clauses;

	for (;;) {
		add(g, s->line);
		if (!s->constant || s->value)
			reached |= guess_body(g, s->body, in_function);
		if (s->constant && s->value)
			return reached;
		if (!next)
			return true;
		s = at(g, next);
		next = s->next;
		if (s->kind == STATEMENT_ELSE)
			return guess_body(g, s->body, in_function) || reached;
	}
}

static bool guess_loop(struct guesser *g, const struct statement *s, bool in_function)
{
	bool endless = s->kind == STATEMENT_WHILE && s->constant && s->value, ends = true;

	add(g, s->line);
	if (s->kind == STATEMENT_FOR || !s->constant || s->value)
		guess_body(g, s->body, in_function);
	if (s->clauses && !endless)
		ends = guess_body(g, at(g, s->clauses)->body, in_function);
	return (!endless && ends) || has_break(g, s->body);
}

static bool guess_try(struct guesser *g, const struct statement *s, bool in_function)
{
	bool reached, handled = false, final = true;

	add(g, s->line);
	reached = guess_body(g, s->body, in_function);
	for (uint32_t i = s->clauses; i; i = at(g, i)->next) {
		const struct statement *clause = at(g, i);

		if (clause->kind == STATEMENT_EXCEPT) {
			add(g, clause->line);
			handled |= guess_body(g, clause->body, in_function);
		} else if (clause->kind == STATEMENT_ELSE) {
			reached = reached && guess_body(g, clause->body, in_function);
		} else {
			final = guess_body(g, clause->body, in_function);
		}
	}
	return (reached || handled) && final;
}

static bool guess_match(struct guesser *g, const struct statement *s, bool in_function)
{
	bool reached = false, always = false;

	add(g, s->line);
	for (uint32_t i = s->clauses; i; i = at(g, i)->next) {
		add(g, at(g, i)->line);
		reached |= guess_body(g, at(g, i)->body, in_function);
		always |= at(g, i)->irrefutable;
	}
	return reached || !always;
}

static void guess_definition(struct guesser *g, const struct statement *s)
{
	for (uint32_t i = 0; i < s->n_decorators; i++)
		add(g, g->syntax->decorators[s->decorators + i]);
	add(g, s->line);
	guess_body(g, s->body, s->kind == STATEMENT_FUNCTION);
}

/* Add the lines of a statement; true if the flow may go on behind it. */
static bool guess(struct guesser *g, const struct statement *s, bool in_function)
{
	switch (s->kind) {
	case STATEMENT_SCOPE:
		return true;
	case STATEMENT_ANNOTATION:
		if (!in_function)
			add(g, s->line);
		return true;
	case STATEMENT_RETURN:
	case STATEMENT_RAISE:
	case STATEMENT_BREAK:
	case STATEMENT_CONTINUE:
		add(g, s->line);
		return false;
	case STATEMENT_FUNCTION:
	case STATEMENT_CLASS:
		guess_definition(g, s);
		return true;
	case STATEMENT_IF:
		return guess_if(g, s, in_function);
	case STATEMENT_FOR:
	case STATEMENT_WHILE:
		return guess_loop(g, s, in_function);
	case STATEMENT_TRY:
		return guess_try(g, s, in_function);
	case STATEMENT_MATCH:
		return guess_match(g, s, in_function);
	case STATEMENT_WITH:
		add(g, s->line);
		guess_body(g, s->body, in_function);
		return true; /* it may swallow an exception */
	default:
		add(g, s->line);
		return true;
	}
}

int guess_lines(const struct syntax *syntax, struct lineset *lines)
{
	struct guesser g = {.syntax = syntax, .lines = lines};

	guess_body(&g, syntax->statements[0].body, false);
	return g.error;
}
