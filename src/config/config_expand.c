#include "config_file.h"

#include <pwd.h>
#include <string.h>

#include "base/utf8.h"

/* A text that grows. */
struct buffer {
	char *text;
	size_t len;
};

static int append(struct buffer *b, const char *text, size_t n)
{
	char *grown = realloc(b->text, b->len + n + 1);

	if (!grown)
		return -ENOMEM;
	b->text = grown;
	memcpy(grown + b->len, text, n);
	b->len += n;
	grown[b->len] = '\0';
	return 0;
}

/* Python's \w; of what is not ASCII, all that is UTF-8 counts. */
static size_t word_length(const char *text)
{
	const char *s = text;

	for (;;) {
		uint32_t c;
		size_t n = utf8_decode(s, &c);

		if (!*s || n == 0)
			break;
		if (n == 1 && !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'))
			break;
		s += n;
	}
	return (size_t)(s - text);
}

/* What stands behind a dollar. */
struct reference {
	const char *word, *fallback;
	size_t word_len, fallback_len, len; /* len: of all, without the dollar; 0: it is none */
	bool strict;
};

static struct reference parse_braces(const char *text)
{
	struct reference ref = {.word = text + 1, .word_len = word_length(text + 1)};
	const char *at = ref.word + ref.word_len;

	if (ref.word_len == 0)
		return ref;
	if (*at == '?') {
		ref.strict = true;
		at++;
	} else if (*at == '-') {
		ref.fallback = ++at;
		ref.fallback_len = strcspn(at, "}");
		at += ref.fallback_len;
	}
	if (*at == '}')
		ref.len = (size_t)(at + 1 - text);
	return ref;
}

static struct reference parse_reference(const char *text)
{
	struct reference ref = {.word = text};

	if (*text == '{')
		return parse_braces(text);
	ref.word_len = *text == '$' ? 1 : word_length(text);
	ref.len = ref.word_len;
	return ref;
}

static int append_reference(struct buffer *b, const struct reference *ref, char *name, size_t size)
{
	_cleanup_free_ char *word = strndup(ref->word, ref->word_len);
	const char *value;

	if (!word)
		return -ENOMEM;
	value = strcmp(word, "$") ? getenv(word) : "$";
	if (value)
		return append(b, value, strlen(value));
	if (ref->strict) {
		snprintf(name, size, "%s", word);
		return -ENOENT;
	}
	return ref->fallback ? append(b, ref->fallback, ref->fallback_len) : 0;
}

int config_expand_variables(const char *text, char *name, size_t size, char **ret)
{
	struct buffer b = {0};
	int r = append(&b, "", 0);

	while (*text && r == 0) {
		size_t n = strcspn(text, "$");
		struct reference ref;

		r = append(&b, text, n);
		text += n;
		if (r < 0 || !*text)
			continue;
		ref = parse_reference(text + 1);
		if (ref.len)
			r = append_reference(&b, &ref, name, size);
		else
			r = append(&b, "$", 1);
		text += 1 + ref.len;
	}
	if (r < 0)
		free(b.text);
	else
		*ret = b.text;
	return r;
}

/*
 * The home directory of @user, or of ours if it is "", as /etc/passwd has it; NULL. Not by getpwnam(3): that loads
 * libraries, and the program is static.
 */
static char *home_of(const char *user)
{
	_cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *pw;

	while (file && (pw = fgetpwent(file)))
		if (*user ? !strcmp(pw->pw_name, user) : pw->pw_uid == getuid())
			return strdup(pw->pw_dir);
	return NULL;
}

int config_expand_home(const char *text, char **ret)
{
	size_t n = strcspn(text, "/");
	_cleanup_free_ char *user = strndup(text, n), *result = NULL, *of_user = NULL;
	const char *home = NULL;

	if (!user)
		return -ENOMEM;
	if (*text == '~') {
		home = n == 1 ? getenv("HOME") : NULL;
		if (!home)
			home = of_user = home_of(user + 1);
	}
	if (!home) {
		result = strdup(text);
	} else {
		size_t len = strlen(home);

		while (len && home[len - 1] == '/')
			len--;
		if (asprintf(&result, "%.*s%s", (int)len, home, text + n) < 0)
			result = NULL;
		if (result && !*result) {
			free(result);
			result = strdup("/");
		}
	}
	if (!result)
		return -ENOMEM;
	*ret = take_ptr(result);
	return 0;
}

size_t config_space(const char *text)
{
	uint32_t c;
	size_t n = utf8_decode(text, &c);

	if (!*text || n == 0)
		return 0;
	if ((c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	    (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000)
		return n;
	return 0;
}
