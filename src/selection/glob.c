/*
 * coverage.py turns a pattern into a regular expression, token by token; the first rule that fits
 * at a position wins. The tokens here are the same, and the regular expression's own corners are
 * kept: `.` does not match a newline, and `$` matches before one at the end.
 *
 * Matching keeps the set of all tokens that may come next (a token number per state), so that no
 * pattern takes exponential time.
 */
#include "selection/glob.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

enum token_kind {
	TOKEN_CHAR,	/* itself */
	TOKEN_SLASH,	/* [/\\] */
	TOKEN_ANY_CHAR, /* [^/\\] */
	TOKEN_STAR,	/* [^/\\]* */
	TOKEN_SET,	/* [...] */
	TOKEN_DIRS,	/* (.*[/\\])? */
	TOKEN_REST,	/* .* */
};

struct token {
	enum token_kind kind;
	uint32_t c;	 /* of TOKEN_CHAR */
	size_t from, to; /* of TOKEN_SET: what is between the brackets */
};

struct glob {
	uint32_t *text; /* the pattern, slashes for backslashes */
	size_t len;
	struct token *tokens;
	size_t n_tokens;
};

void glob_free(struct glob *glob)
{
	if (!glob)
		return;
	free(glob->text);
	free(glob->tokens);
	free(glob);
}

static void glob_freep(struct glob **glob)
{
	glob_free(*glob);
}

/** One character at *@p text, which is moved on; a bad byte is what surrogateescape makes of it. */
static uint32_t next_char(const char **text)
{
	uint32_t c;
	size_t len = utf8_decode(*text, &c);

	if (len == 0) {
		c = 0xdc00 + (unsigned char)**text;
		len = 1;
	}
	*text += len;
	return c;
}

static int decode(struct glob *glob, const char *pattern)
{
	glob->text = calloc(strlen(pattern) + 4, sizeof(*glob->text));
	if (!glob->text)
		return -ENOMEM;
	if (!strpbrk(pattern, "/\\")) {
		glob->text[glob->len++] = '*';
		glob->text[glob->len++] = '*';
		glob->text[glob->len++] = '/';
	}
	while (*pattern) {
		uint32_t c = next_char(&pattern);

		glob->text[glob->len++] = c == '\\' ? '/' : c;
	}
	return 0;
}

/* The text ends in a zero, which is none of the characters asked for. */
static bool at_stars(const struct glob *glob, size_t at)
{
	return glob->text[at] == '*' && glob->text[at + 1] == '*';
}

static size_t component_end(const struct glob *glob, size_t at)
{
	while (at < glob->len && glob->text[at] != '/')
		at++;
	return at;
}

static size_t stars_end(const struct glob *glob, size_t at)
{
	while (glob->text[at] == '*')
		at++;
	return at;
}

/** The end of what must not stand at @p at, or 0: `***`, `x**`, `**x`, and `**` twice. */
static size_t forbidden_end(const struct glob *glob, size_t at)
{
	size_t end = component_end(glob, at);

	if (stars_end(glob, at) >= at + 3)
		return stars_end(glob, at);
	for (size_t i = end; i >= at + 3; i--)
		if (at_stars(glob, i - 2))
			return i;
	if (!at_stars(glob, at))
		return 0;
	if (end > at + 2)
		return end;
	return end < glob->len && at_stars(glob, end + 1) ? end + 3 : 0;
}

/** The position of the bracket that closes the set at @p at, or 0. */
static size_t set_end(const struct glob *glob, size_t at)
{
	for (size_t i = at + 1; i < glob->len && glob->text[i] != '\n'; i++)
		if (glob->text[i] == ']')
			return i;
	return 0;
}

/** True if the inside of a set is something, and its ranges go upwards. */
static bool set_is_valid(const struct glob *glob, size_t from, size_t to)
{
	const uint32_t *s = glob->text;

	if (from < to && s[from] == '^')
		from++;
	if (from == to)
		return false;
	for (size_t i = from; i < to; i++) {
		if (i + 2 >= to || s[i + 1] != '-')
			continue;
		if (s[i + 2] < s[i])
			return false;
		i += 2;
	}
	return true;
}

static bool set_has(const struct glob *glob, const struct token *set, uint32_t c)
{
	const uint32_t *s = glob->text;
	bool negated = s[set->from] == '^';

	for (size_t i = set->from + negated; i < set->to; i++) {
		bool range = i + 2 < set->to && s[i + 1] == '-';

		if (range ? c >= s[i] && c <= s[i + 2] : c == s[i])
			return !negated;
		if (range)
			i += 2;
	}
	return negated;
}

static void push(struct glob *glob, enum token_kind kind)
{
	glob->tokens[glob->n_tokens++] = (struct token){.kind = kind};
}

/** Take stars and slashes at *@p at that belong together; false if there is no such group. */
static bool take_group(struct glob *glob, size_t *at)
{
	const uint32_t *s = glob->text;
	size_t end = stars_end(glob, *at + (s[*at] == '/'));

	if (s[*at] == '*' && s[end] == '/' && (*at == 0 || end - *at == 2)) {
		push(glob, TOKEN_DIRS);
		*at = end + 1;
		return true;
	}
	if (s[*at] == '/' && end > *at + 1 && (end == glob->len || (end + 1 == glob->len && s[end] == '\n'))) {
		push(glob, TOKEN_SLASH);
		push(glob, TOKEN_REST);
		*at = end;
		return true;
	}
	return false;
}

/** Take a set; false if the brackets make none. */
static bool take_set(struct glob *glob, size_t *at)
{
	size_t end = set_end(glob, *at);

	if (!end || !set_is_valid(glob, *at + 1, end))
		return false;
	push(glob, TOKEN_SET);
	glob->tokens[glob->n_tokens - 1].from = *at + 1;
	glob->tokens[glob->n_tokens - 1].to = end;
	*at = end + 1;
	return true;
}

static void take_char(struct glob *glob, size_t *at)
{
	uint32_t c = glob->text[(*at)++];

	switch (c) {
	case '/':
		push(glob, TOKEN_SLASH);
		break;
	case '*':
		push(glob, TOKEN_STAR);
		break;
	case '?':
		push(glob, TOKEN_ANY_CHAR);
		break;
	default:
		push(glob, TOKEN_CHAR);
		glob->tokens[glob->n_tokens - 1].c = c;
	}
}

/** Make the tokens. -EINVAL: what is wrong stands from *@p from to *@p to. */
static int compile(struct glob *glob, size_t *from, size_t *to)
{
	size_t at = 0;

	glob->tokens = calloc(glob->len + 2, sizeof(*glob->tokens));
	if (!glob->tokens)
		return -ENOMEM;
	while (at < glob->len) {
		*from = at;
		*to = forbidden_end(glob, at);
		if (*to)
			return -EINVAL;
		if (take_group(glob, &at))
			continue;
		if (glob->text[at] == '[' || glob->text[at] == ']') {
			*to = set_end(glob, at) ?: at;
			(*to)++;
			if (glob->text[at] == ']' || !take_set(glob, &at))
				return -EINVAL;
			continue;
		}
		take_char(glob, &at);
	}
	return 0;
}

/** Say what is wrong; it is shown without what cannot be shown in ASCII. */
static void explain(const struct glob *glob, const char *pattern, size_t from, size_t to, char *why, size_t size)
{
	char part[64];
	size_t n = 0;

	for (size_t i = from; i < to && n < sizeof(part) - 1; i++)
		part[n++] = glob->text[i] < 0x7f ? (char)glob->text[i] : '?';
	part[n] = '\0';
	snprintf(why, size, "the file pattern '%s' cannot have '%s' in it", pattern, part);
}

int glob_new(const char *pattern, char *why, size_t size, struct glob **ret)
{
	_cleanup_(glob_freep) struct glob *glob = calloc(1, sizeof(*glob));
	size_t from = 0, to = 0;
	int r;

	if (!glob)
		return -ENOMEM;
	r = decode(glob, pattern);
	if (r < 0)
		return r;
	r = compile(glob, &from, &to);
	if (r == -EINVAL && why)
		explain(glob, pattern, from, to, why, size);
	if (r < 0)
		return r;
	*ret = take_ptr(glob);
	return 0;
}

/*
 * State i: token i comes next. TOKEN_DIRS needs a second state, of being inside of it, where it
 * can no longer be left out; those are counted on behind the others.
 */
static void enter(const struct glob *glob, uint8_t *states, size_t at)
{
	size_t n = glob->n_tokens;

	while (!states[at]) {
		enum token_kind kind;

		states[at] = 1;
		if (at == n)
			return;
		kind = glob->tokens[at].kind;
		if (kind == TOKEN_DIRS)
			states[n + 1 + at] = 1;
		else if (kind != TOKEN_STAR && kind != TOKEN_REST)
			return;
		at++;
	}
}

/* In either case, as re.IGNORECASE has it. */
static uint32_t other_case(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? c ^ 0x20 : c;
}

static void step(const struct glob *glob, uint8_t *to, size_t at, uint32_t c, bool fold)
{
	const struct token *token = &glob->tokens[at];
	bool slash = c == '/' || c == '\\', match = false;

	switch (token->kind) {
	case TOKEN_STAR:
		if (!slash)
			enter(glob, to, at);
		return;
	case TOKEN_REST:
		if (c != '\n')
			enter(glob, to, at);
		return;
	case TOKEN_DIRS:
		return;
	case TOKEN_CHAR:
		match = c == token->c || (fold && other_case(c) == token->c);
		break;
	case TOKEN_SLASH:
		match = slash;
		break;
	case TOKEN_ANY_CHAR:
		match = !slash;
		break;
	case TOKEN_SET:
		match = set_has(glob, token, c);
		if (fold && match == (glob->text[token->from] == '^'))
			match = set_has(glob, token, other_case(c));
		break;
	}
	if (match)
		enter(glob, to, at + 1);
}

static void step_inside_dirs(const struct glob *glob, uint8_t *to, size_t at, uint32_t c)
{
	if (c != '\n')
		to[glob->n_tokens + 1 + at] = 1;
	if (c == '/' || c == '\\')
		enter(glob, to, at + 1);
}

/* The length of the longest beginning of @path that matches, or SIZE_MAX. */
static size_t match(const struct glob *glob, const char *path, bool fold)
{
	size_t n = glob->n_tokens, n_states = 2 * n + 1, longest = SIZE_MAX;
	_cleanup_free_ uint8_t *both = calloc(2, n_states);
	uint8_t *now = both, *then = both + n_states;
	const char *at = path;

	if (!both)
		return SIZE_MAX;
	enter(glob, now, 0);
	if (now[n])
		longest = 0;
	while (*at) {
		uint32_t c = next_char(&at);
		uint8_t *old = now;

		memset(then, 0, n_states);
		for (size_t i = 0; i < n; i++) {
			if (now[i])
				step(glob, then, i, c, fold);
			if (now[n + 1 + i])
				step_inside_dirs(glob, then, i, c);
		}
		now = then;
		then = old;
		if (now[n])
			longest = (size_t)(at - path);
	}
	return longest;
}

bool glob_match(const struct glob *glob, const char *path)
{
	return match(glob, path, false) == strlen(path);
}

size_t glob_match_prefix(const struct glob *glob, const char *path)
{
	size_t n = match(glob, path, true);

	return n == SIZE_MAX ? 0 : n;
}

int glob_list_add(struct glob_list *list, const char *pattern, char *why, size_t size)
{
	struct glob **globs = reallocarray(list->globs, list->n + 1, sizeof(*globs));
	int r;

	if (!globs)
		return -ENOMEM;
	list->globs = globs;
	r = glob_new(pattern, why, size, &globs[list->n]);
	if (r == 0)
		list->n++;
	return r;
}

bool glob_list_match(const struct glob_list *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++)
		if (glob_match(list->globs[i], path))
			return true;
	return false;
}

void glob_list_deinit(struct glob_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		glob_free(list->globs[i]);
	free(list->globs);
	*list = (struct glob_list){0};
}
