/** The tokens of a Python source, a logical line at a time (Parser/tokenizer.c of CPython 3.15). */
#pragma once

#include "base/cleanup.h"
#include "report/source.h"

enum token_kind { TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_OP };

/** What is one operator for us, beside the single characters. */
#define OP_WALRUS 'w'	/* := */
#define OP_ARROW 'a'	/* -> */
#define OP_ELLIPSIS 'e' /* ... */
#define OP_OTHER 'o'	/* of more than one character */

struct token {
	uint8_t kind;
	char op;
	bool plain;	/* a string that is no f-string, t-string or bytes */
	bool empty;	/* a string without anything in it */
	uint16_t depth; /* brackets it is in; an opening or closing one is not in itself */
	uint32_t line, end_line;
	uint32_t start, length; /* in the text */
};

#define TOKENS_INDENT_MAX 100
#define TOKENS_NESTING_MAX 200

struct tokens {
	const struct source *source;
	uint32_t at, line;
	struct token *tokens; /* of the logical line */
	uint32_t n, room;
	uint32_t columns[TOKENS_INDENT_MAX + 1];
	uint16_t indent;   /* blocks that the logical line is in */
	bool has_colon;	   /* one that is in no bracket is in it, of a lambda or annotation, too */
	const char *error; /* why it is no Python */
};

void tokens_init(struct tokens *t, const struct source *source);
void tokens_deinit(struct tokens *t);

/** Read a logical line. 1: here it is; 0: the text has ended; -EBADMSG: `error` in `line`; -ENOMEM. */
int tokens_next(struct tokens *t) must_check;

/** True if it is the word @p word. */
bool token_is(const struct tokens *t, const struct token *token, const char *word);

static inline bool token_is_op(const struct token *token, char op)
{
	return token->kind == TOKEN_OP && token->op == op;
}
