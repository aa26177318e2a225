/*
 * Which files nobody wants, as far as it can be known beforehand (struct agent_refused). What is refused must be so for
 * sure: a name that is unusual in any way is not.
 */
#include "agent.h"

#define SYS_newfstatat 262
#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define STAT_SIZE 144
#define STAT_MODE 24
#define MODE_TYPE 0170000u
#define MODE_REGULAR 0100000u
#define MODE_DIRECTORY 0040000u

#define NAME_MAX 1024u

size_t text_length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

const char *refused_landmark(void)
{
	struct agent_refused *r = &agent_data.refused;

	return atomic_load(&r->ready) && r->text[0] ? r->text : NULL;
}

bool refused_note(const char *name, uint32_t len)
{
	const char *landmark = refused_landmark();

	if (!landmark || text_length(landmark) != len || memcmp(landmark, name, len))
		return false;
	atomic_store(&agent_data.refused.holds, 1);
	return true;
}

static bool contains(const char *name, uint32_t len, const char *text)
{
	size_t n = text_length(text);

	for (uint32_t i = 0; i + n <= len; i++)
		if (name[i] == text[0] && !memcmp(name + i, text, n))
			return true;
	return false;
}

/* Is the mode of what @path names, itself, of type @type? */
static bool is_of_type(const char *path, uint32_t type)
{
	char stat[STAT_SIZE];

	return agent_syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)stat, AT_SYMLINK_NOFOLLOW, 0, 0) == 0 &&
	       ((uint32_t)load32(stat, STAT_MODE) & MODE_TYPE) == type;
}

/* From @from on, where a slash is, @name leads to a file through directories alone: no link, no dots. */
static bool is_plain(const char *name, uint32_t len, uint32_t from)
{
	char path[NAME_MAX];

	memcpy(path, name, len);
	path[len] = 0;
	for (uint32_t i = from + 1; i < len;) {
		uint32_t start = i;

		while (i < len && path[i] != '/')
			i++;
		if (i == start || path[start] == '.')
			return false;
		if (i == len)
			return is_of_type(path, MODE_REGULAR);
		path[i] = 0;
		if (!is_of_type(path, MODE_DIRECTORY))
			return false;
		path[i++] = '/';
	}
	return false;
}

bool refused_is(const char *name, uint32_t len)
{
	struct agent_refused *r = &agent_data.refused;
	const char *p, *dir = NULL;

	if (!atomic_load(&r->holds) || len >= NAME_MAX)
		return false;
	for (p = r->text + text_length(r->text) + 1; *p; p += text_length(p) + 1) {
		size_t n = text_length(p);

		if (!dir && n < len && !memcmp(p, name, n) && name[n] == '/')
			dir = p;
	}
	if (!dir)
		return false;
	for (p++; *p; p += text_length(p) + 1)
		if (contains(name, len, p))
			return false;
	return is_plain(name, len, (uint32_t)text_length(dir));
}
