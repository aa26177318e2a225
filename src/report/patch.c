/*
 * A hunk says how many lines it has: while they last, no line is taken for a header, whatever it looks like. Numbers are
 * never trusted further than there are lines.
 */
#include "report/patch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PARENTS_MAX 64
#define TEXT_MAX 65536 /* what is behind that in a line does not matter: a name is shorter */

struct parser {
	struct patch *patch;
	char *old_path;		 /* of the last "---", with its prefix */
	bool named;		 /* hunks may follow */
	struct patch_file *file; /* theirs, NULL if it is deleted */
	unsigned parents;	 /* columns of signs in this hunk */
	uint32_t line;		 /* of the new file, the next one */
	uint64_t left_new;	 /* lines that this hunk still has */
	uint64_t left_old[PARENTS_MAX];
};

/* ------------------------------------------------------------------------------------------------------- names */

static int octal_digit(char c)
{
	return c >= '0' && c <= '7' ? c - '0' : -1;
}

/** One character after a backslash, as git's quote_c_style() has them; how many bytes it took, 0 if it is none. */
static size_t unquote_one(const char *s, char *ret)
{
	static const char names[] = "abtnvfr\"\\", values[] = "\a\b\t\n\v\f\r\"\\";
	const char *at = *s ? strchr(names, *s) : NULL;

	if (at) {
		*ret = values[at - names];
		return 1;
	}
	if (octal_digit(s[0]) < 0 || s[0] > '3' || octal_digit(s[1]) < 0 || octal_digit(s[2]) < 0)
		return 0;
	*ret = (char)(octal_digit(s[0]) << 6 | octal_digit(s[1]) << 3 | octal_digit(s[2]));
	return *ret ? 3 : 0;
}

/** Unquote the name that begins at the quotation mark @p s, in place; false if it does not end. */
static bool unquote(char *s)
{
	char *out = s;

	for (s++; *s && *s != '"'; s++) {
		*out = *s;
		if (*s == '\\') {
			size_t n = unquote_one(s + 1, out);

			if (!n)
				return false;
			s += n;
		}
		out++;
	}
	if (*s != '"')
		return false;
	*out = '\0';
	return true;
}

/** The name in a "---" or "+++" line. git puts a tab behind one with blanks, diff(1) a tab and the time. */
static int parse_name(char *text, char **ret)
{
	if (*text == '"') {
		if (!unquote(text))
			return -EBADMSG;
	} else {
		size_t n = strcspn(text, "\t");

		n -= n && text[n - 1] == '\r';
		text[n] = '\0';
	}
	free(*ret);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static bool is_null(const char *name)
{
	return !strcmp(name, "/dev/null");
}

/** git's prefixes: a/ and b/, with diff.mnemonicPrefix two of i/ w/ c/ o/, with --no-index 1/ and 2/; or none. */
static bool has_prefix(const char *name)
{
	return name[0] && strchr("abiwco12", name[0]) && name[1] == '/' && name[2];
}

/** A prefix is one only if the other side has another: with --no-prefix, b/x.py may be a real name. */
static const char *strip_prefix(const char *name, const char *old)
{
	bool both = has_prefix(name) && (is_null(old) || (has_prefix(old) && old[0] != name[0]));

	return both ? name + 2 : name;
}

static int start_file(struct parser *p, char *text)
{
	_cleanup_free_ char *name = NULL;
	struct patch *patch = p->patch;
	struct patch_file *files;
	int r = parse_name(text, &name);

	p->file = NULL;
	p->named = r == 0;
	if (r < 0 || is_null(name))
		return r;
	if (!(patch->n & (patch->n + 1))) { /* room is doubled when n + 1 is a power of two */
		files = realloc(patch->files, 2 * (patch->n + 1) * sizeof(*files));
		if (!files)
			return -ENOMEM;
		patch->files = files;
	}
	p->file = &patch->files[patch->n];
	*p->file = (struct patch_file){.path = strdup(strip_prefix(name, p->old_path ? p->old_path : ""))};
	if (!p->file->path)
		return -ENOMEM;
	patch->n++;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- hunks */

/** "SIGNnumber[,count]", followed by a blank; where it ends, or NULL. */
static const char *parse_range(const char *s, char sign, uint64_t *start, uint64_t *count)
{
	uint64_t *number = start;

	if (*s++ != sign)
		return NULL;
	*start = 0;
	*count = 1;
	for (;; s++) {
		const char *first = s;

		for (*number = 0; *s >= '0' && *s <= '9'; s++) {
			*number = *number * 10 + (uint64_t)(*s - '0');
			if (*number > LINESET_MAX)
				return NULL;
		}
		if (s == first)
			return NULL;
		if (*s != ',' || number == count)
			break;
		number = count;
	}
	return *s == ' ' ? s + 1 : NULL;
}

/** "@@ -1,2 +3,4 @@", in a diff against n parents n+1 of "@" and n of "-". */
static int start_hunk(struct parser *p, const char *s)
{
	size_t n = strspn(s, "@") - 1;
	uint64_t start, old;

	p->left_new = 0;
	if (n < 1 || n > PARENTS_MAX || s[n + 1] != ' ')
		return -EBADMSG;
	p->parents = (unsigned)n;
	s += n + 2;
	for (size_t i = 0; s && i < n; i++)
		s = parse_range(s, '-', &old, &p->left_old[i]);
	if (s)
		s = parse_range(s, '+', &start, &p->left_new);
	if (!s || strspn(s, "@") != n + 1 || start + p->left_new > LINESET_MAX)
		return -EBADMSG;
	p->line = (uint32_t)start;
	return 0;
}

static bool in_hunk(const struct parser *p)
{
	bool in = p->left_new > 0;

	for (unsigned i = 0; i < p->parents; i++)
		in |= p->left_old[i] > 0;
	return in;
}

static int take(uint64_t *left)
{
	if (!*left)
		return -EBADMSG;
	--*left;
	return 0;
}

/** A line of a hunk: a column for each parent, in which "+" says the line is not in it, "-" that it only is. */
static int parse_hunk_line(struct parser *p, const char *s)
{
	bool added = false, removed = false;
	char signs[PARENTS_MAX];
	int r = 0;

	if (*s == '\\') /* "No newline at end of file" */
		return 0;
	for (unsigned i = 0; i < p->parents; i++) {
		signs[i] = *s ? *s++ : ' '; /* blanks at the end may have been lost */
		if (signs[i] != '+' && signs[i] != '-' && signs[i] != ' ')
			return -EBADMSG;
		added |= signs[i] == '+';
		removed |= signs[i] == '-';
	}
	for (unsigned i = 0; r == 0 && i < p->parents; i++)
		if (signs[i] == '-' || (signs[i] == ' ' && !removed))
			r = take(&p->left_old[i]);
	if (r < 0 || removed)
		return r;
	r = take(&p->left_new);
	if (r == 0 && added && p->file && p->line)
		r = lineset_add(&p->file->added, p->line);
	p->line++;
	return r;
}

static int parse_line(struct parser *p, char *s)
{
	if (in_hunk(p))
		return parse_hunk_line(p, s);
	if (!strncmp(s, "diff --", 7))
		p->named = false;
	else if (!strncmp(s, "--- ", 4))
		return parse_name(s + 4, &p->old_path) == -ENOMEM ? -ENOMEM : 0;
	else if (!strncmp(s, "+++ ", 4))
		return start_file(p, s + 4);
	else if (p->named && !strncmp(s, "@@", 2))
		return start_hunk(p, s);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- whole */

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct patch_file *)a)->path, ((const struct patch_file *)b)->path);
}

static void file_deinit(struct patch_file *file)
{
	free(file->path);
	lineset_deinit(&file->added);
}

/** Sort, and unite what is there more than once. */
static int tidy(struct patch *patch)
{
	size_t n = 0;
	int r = 0;

	if (patch->n)
		qsort(patch->files, patch->n, sizeof(*patch->files), compare);
	for (size_t i = 0; i < patch->n; i++) {
		struct patch_file *file = &patch->files[i];

		if (n && !strcmp(patch->files[n - 1].path, file->path)) {
			if (lineset_or(&patch->files[n - 1].added, &file->added) < 0)
				r = -ENOMEM;
			file_deinit(file);
		} else {
			patch->files[n++] = *file;
		}
	}
	patch->n = n;
	return r;
}

/** The next line, cut to TEXT_MAX; false at the end. */
static bool read_line(FILE *in, char *text)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n')
		if (n < TEXT_MAX - 1)
			text[n++] = (char)c;
	text[n] = '\0';
	return c != EOF || n;
}

int patch_read(FILE *in, struct patch *ret, unsigned long *line)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	struct parser p = {.patch = ret};
	int r = text ? 0 : -ENOMEM;

	memset(ret, 0, sizeof(*ret));
	for (*line = 0; r == 0 && read_line(in, text); r = parse_line(&p, text))
		++*line;
	free(p.old_path);
	if (r < 0)
		return r;
	if (ferror(in))
		return -EIO;
	return in_hunk(&p) ? -EBADMSG : tidy(ret);
}

void patch_deinit(struct patch *patch)
{
	for (size_t i = 0; i < patch->n; i++)
		file_deinit(&patch->files[i]);
	free(patch->files);
	memset(patch, 0, sizeof(*patch));
}
