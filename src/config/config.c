/*
 * One table of settings; a row says where a setting stands in a file, where in struct config, and what it is.
 *
 * A file that is coverage.py's own (.coveragerc, .coveragerc.toml, that of --rcfile) counts as found if it is there,
 * with sections called [run] or [coverage:run], in TOML [run] or [tool.coverage.run]. The others count if they have a
 * setting in a section of the longer name.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config_file.h"

#define FILE_MAX_BYTES (4 << 20)

enum type {
	TYPE_BOOLEAN,
	TYPE_SWITCH, /* a boolean that may be unset */
	TYPE_TEXT,
	TYPE_FILE, /* a text in which ~ is the home directory */
	TYPE_INTEGER,
	TYPE_FLOAT,
	TYPE_LIST,
	TYPE_REGEXES, /* a list, one on each line */
	TYPE_NOTHING, /* known, and of no meaning here */
};

#define ROW(section, name, type) {#section, #name, type, offsetof(struct config, section.name)}

static const struct row {
	const char *section, *name;
	enum type type;
	size_t offset;
} rows[] = {
	ROW(run, branch, TYPE_BOOLEAN),
	ROW(run, command_line, TYPE_TEXT),
	ROW(run, concurrency, TYPE_LIST),
	ROW(run, context, TYPE_TEXT),
	ROW(run, core, TYPE_TEXT),
	ROW(run, cover_pylib, TYPE_BOOLEAN),
	ROW(run, data_file, TYPE_FILE),
	ROW(run, debug, TYPE_LIST),
	ROW(run, debug_file, TYPE_FILE),
	ROW(run, disable_warnings, TYPE_LIST),
	ROW(run, dynamic_context, TYPE_TEXT),
	ROW(run, include, TYPE_LIST),
	ROW(run, omit, TYPE_LIST),
	ROW(run, parallel, TYPE_BOOLEAN),
	ROW(run, patch, TYPE_LIST),
	ROW(run, plugins, TYPE_LIST),
	ROW(run, relative_files, TYPE_BOOLEAN),
	ROW(run, sigterm, TYPE_BOOLEAN),
	ROW(run, source, TYPE_LIST),
	ROW(run, source_dirs, TYPE_LIST),
	ROW(run, source_pkgs, TYPE_LIST),
	ROW(run, timid, TYPE_BOOLEAN),
	{"run", "_crash", TYPE_NOTHING, 0},
	ROW(report, contexts, TYPE_LIST),
	ROW(report, exclude_also, TYPE_REGEXES),
	ROW(report, exclude_lines, TYPE_REGEXES),
	ROW(report, fail_under, TYPE_FLOAT),
	ROW(report, format, TYPE_TEXT),
	ROW(report, ignore_errors, TYPE_BOOLEAN),
	ROW(report, include, TYPE_LIST),
	ROW(report, include_namespace_packages, TYPE_BOOLEAN),
	ROW(report, omit, TYPE_LIST),
	ROW(report, partial_also, TYPE_REGEXES),
	ROW(report, partial_branches, TYPE_REGEXES),
	ROW(report, partial_branches_always, TYPE_REGEXES),
	ROW(report, precision, TYPE_INTEGER),
	ROW(report, show_missing, TYPE_BOOLEAN),
	ROW(report, skip_covered, TYPE_BOOLEAN),
	ROW(report, skip_empty, TYPE_BOOLEAN),
	ROW(report, sort, TYPE_TEXT),
	ROW(html, directory, TYPE_FILE),
	ROW(html, extra_css, TYPE_TEXT),
	ROW(html, show_contexts, TYPE_BOOLEAN),
	ROW(html, skip_covered, TYPE_SWITCH),
	ROW(html, skip_empty, TYPE_SWITCH),
	ROW(html, title, TYPE_TEXT),
	ROW(xml, output, TYPE_FILE),
	ROW(xml, package_depth, TYPE_INTEGER),
	ROW(json, output, TYPE_FILE),
	ROW(json, pretty_print, TYPE_BOOLEAN),
	ROW(json, show_contexts, TYPE_BOOLEAN),
	ROW(lcov, line_checksums, TYPE_BOOLEAN),
	ROW(lcov, output, TYPE_FILE),
};

/* ---------------------------------------------------------------------------------------------------- the defaults */

static const char *const default_exclude[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)",
	"^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)",
	"^\\s*if (typing\\.)?TYPE_CHECKING:",
};
static const char *const default_partial[] = {"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(branch|BRANCH)"};
static const char *const default_partial_always[] = {"^\\s*while (True|1|False|0):", "^\\s*if (True|1|False|0):"};

static int push_all(struct string_list *list, const char *const *items, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = config_list_push(list, items[i]);
	return r;
}

static int set_defaults(struct config *c)
{
	*c = (struct config){
		.run.data_file = strdup(".coverage"),
		.html = {.directory = strdup("htmlcov"),
			 .title = strdup("Coverage report"),
			 .skip_covered = CONFIG_UNSET,
			 .skip_empty = CONFIG_UNSET},
		.xml = {.output = strdup("coverage.xml"), .package_depth = 99},
		.json.output = strdup("coverage.json"),
		.lcov.output = strdup("coverage.lcov"),
	};
	if (!c->run.data_file || !c->html.directory || !c->html.title || !c->xml.output || !c->json.output ||
	    !c->lcov.output ||
	    push_all(&c->report.exclude_lines, default_exclude, ARRAY_SIZE(default_exclude)) < 0 ||
	    push_all(&c->report.partial_branches, default_partial, ARRAY_SIZE(default_partial)) < 0 ||
	    push_all(&c->report.partial_branches_always, default_partial_always,
		     ARRAY_SIZE(default_partial_always)) < 0)
		return -ENOMEM;
	return 0;
}

void config_deinit(struct config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *member = (char *)c + rows[i].offset;

		if (rows[i].type == TYPE_TEXT || rows[i].type == TYPE_FILE)
			free(*(char **)member);
		else if (rows[i].type == TYPE_LIST || rows[i].type == TYPE_REGEXES)
			string_list_deinit(member);
	}
	for (size_t i = 0; i < c->n_paths; i++) {
		free(c->paths[i].name);
		string_list_deinit(&c->paths[i].places);
	}
	free(c->paths);
	free(c->file);
	*c = (struct config){0};
}

bool config_list_has(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

/* -------------------------------------------------------------------------------------------------------- one value */

static int wrong(struct config_file *file, const struct config_setting *s, const char *what)
{
	return config_file_wrong(file, s->line, s->column, "[%s] %s is not %s%s%.80s", s->section, s->name, what,
				 s->text ? ": " : "", s->text ? s->text : "");
}

static int expand(struct config_file *file, const struct config_setting *s, const char *text, char **ret)
{
	char name[128];
	int r = config_expand_variables(text, name, sizeof(name), ret);

	if (r == -ENOENT)
		return config_file_wrong(file, s->line, s->column, "[%s] %s: the variable %s is not set", s->section,
					 s->name, name);
	return r;
}

/* A copy of @text without white space around. */
static char *stripped(const char *text, size_t len)
{
	char *copy;
	size_t end = 0;

	for (size_t n; len && (n = config_space(text)) && n <= len; text += n, len -= n)
		;
	copy = strndup(text, len);
	/* the end of the last character that is no space */
	for (size_t i = 0; copy && copy[i];) {
		size_t n = config_space(copy + i);

		i += n ? n : 1;
		if (!n)
			end = i;
	}
	if (copy)
		copy[end] = '\0';
	return copy;
}

/* Add the non-empty parts of @text between any of @separators. */
static int split(struct string_list *list, const char *text, const char *separators)
{
	int r = 0;

	while (*text && r == 0) {
		size_t n = strcspn(text, separators);
		_cleanup_free_ char *item = stripped(text, n);

		if (!item)
			return -ENOMEM;
		if (*item)
			r = config_list_push(list, item);
		text += n + (text[n] != '\0');
	}
	return r;
}

static int read_items(struct config_file *file, const struct config_setting *s, bool regexes, struct string_list *list)
{
	_cleanup_free_ char *text = NULL;
	int r = 0;

	if (!file->is_toml) {
		r = expand(file, s, s->text, &text);
		return r < 0 ? r : split(list, text, regexes ? "\n" : "\n,");
	}
	if (s->kind != CONFIG_KIND_LIST)
		return wrong(file, s, "a list of strings");
	for (size_t i = 0; i < s->list.n && r == 0; i++) {
		_cleanup_free_ char *item = NULL;

		r = expand(file, s, s->list.items[i], &item);
		if (r == 0)
			r = regexes ? split(list, item, "") : config_list_push(list, item);
	}
	return r;
}

static int set_list(struct config_file *file, const struct config_setting *s, bool regexes, struct string_list *ret)
{
	struct string_list list = {0};
	int r = read_items(file, s, regexes, &list);

	if (r < 0) {
		string_list_deinit(&list);
		return r;
	}
	string_list_deinit(ret);
	*ret = list;
	return 0;
}

static int set_text(struct config_file *file, const struct config_setting *s, bool is_file, char **ret)
{
	_cleanup_free_ char *text = NULL;
	char *value;
	int r;

	if (s->kind != CONFIG_KIND_TEXT)
		return wrong(file, s, "a string");
	r = expand(file, s, s->text, &text);
	if (r == 0 && is_file)
		r = config_expand_home(text, &value);
	else if (r == 0)
		value = take_ptr(text);
	if (r < 0)
		return r;
	free(*ret);
	*ret = value;
	return 0;
}

static int word_index(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(text, words[i]))
			return (int)i;
	return -1;
}

static int read_boolean(struct config_file *file, const struct config_setting *s, bool *ret)
{
	/* the odd ones are true */
	static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};
	_cleanup_free_ char *text = NULL;
	int r, i;

	if (s->kind == CONFIG_KIND_BOOLEAN) {
		*ret = s->number != 0;
		return 0;
	}
	if (s->kind != CONFIG_KIND_TEXT)
		return wrong(file, s, "a boolean");
	r = expand(file, s, s->text, &text);
	if (r < 0)
		return r;
	i = word_index(text, words, ARRAY_SIZE(words));
	if (i < 0 || (file->is_toml && strcmp(text, "true") && strcmp(text, "false")))
		return wrong(file, s, "a boolean");
	*ret = i & 1;
	return 0;
}

/* Underscores between digits are passed over, as Python does. */
static bool drop_underscores(char *text)
{
	char *to = text;

	for (char *s = text; *s; s++) {
		if (*s != '_')
			*to++ = *s;
		else if (s == text || !strchr("0123456789", s[-1]) || !s[1] || !strchr("0123456789", s[1]))
			return false;
	}
	*to = '\0';
	return true;
}

static int parse_number(const char *given, bool integer, double *ret)
{
	static const char *const words[] = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity",
					    "nan", "+nan", "-nan"};
	_cleanup_free_ char *text = stripped(given, strlen(given));
	char *end;

	if (!text)
		return -ENOMEM;
	if (!*text || !drop_underscores(text))
		return -EINVAL;
	if (text[strspn(text, integer ? "+-0123456789" : "+-.0123456789eE")] &&
	    (integer || word_index(text, words, ARRAY_SIZE(words)) < 0))
		return -EINVAL;
	*ret = integer ? (double)strtol(text, &end, 10) : strtod(text, &end);
	return *end || end == text ? -EINVAL : 0;
}

static int read_number(struct config_file *file, const struct config_setting *s, bool integer, double *ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (s->kind == CONFIG_KIND_INTEGER || (s->kind == CONFIG_KIND_FLOAT && !integer)) {
		*ret = s->number;
	} else if (s->kind == CONFIG_KIND_TEXT) {
		r = expand(file, s, s->text, &text);
		if (r == 0)
			r = parse_number(text, integer, ret);
		if (r < 0)
			return r == -EINVAL && text ? wrong(file, s, integer ? "an integer" : "a number") : r;
	} else {
		return wrong(file, s, integer ? "an integer" : "a number");
	}
	return integer && !(*ret >= INT_MIN && *ret <= INT_MAX) ? wrong(file, s, "an integer of this size") : 0;
}

static int set_value(struct config *c, const struct row *row, struct config_file *file, const struct config_setting *s)
{
	void *member = (char *)c + row->offset;
	double number = 0;
	bool boolean = false;
	int r = 0;

	switch (row->type) {
	case TYPE_BOOLEAN:
		r = read_boolean(file, s, &boolean);
		*(bool *)member = boolean;
		break;
	case TYPE_SWITCH:
		r = read_boolean(file, s, &boolean);
		*(enum config_switch *)member = boolean ? CONFIG_ON : CONFIG_OFF;
		break;
	case TYPE_INTEGER:
		r = read_number(file, s, true, &number);
		*(int *)member = (int)number;
		break;
	case TYPE_FLOAT:
		r = read_number(file, s, false, &number);
		*(double *)member = number;
		break;
	case TYPE_TEXT:
	case TYPE_FILE:
		r = set_text(file, s, row->type == TYPE_FILE, member);
		break;
	case TYPE_LIST:
	case TYPE_REGEXES:
		r = set_list(file, s, row->type == TYPE_REGEXES, member);
		break;
	case TYPE_NOTHING:
		break;
	}
	return r;
}

/* --------------------------------------------------------------------------------------------------------- one file */

/* A file that is being looked at. */
struct source {
	struct config *config;
	struct config_file file;
	bool ours, used;
};

static const struct config_setting *find(const struct config_file *file, const char *section, const char *name)
{
	for (size_t i = 0; i < file->n; i++) {
		const struct config_setting *s = &file->settings[i];

		if (!strcmp(s->section, section) && (name ? s->name && !strcmp(s->name, name) : !s->name))
			return s;
	}
	return NULL;
}

/* The name that the section @section has in the file, or NULL; for the @size bytes at @buf. */
static const char *real_section(const struct source *src, const char *section, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s", src->file.is_toml ? "tool.coverage." : "coverage:", section);
	if (find(&src->file, buf, NULL))
		return buf;
	snprintf(buf, size, "%s", section);
	return src->ours && find(&src->file, buf, NULL) ? buf : NULL;
}

/* The [DEFAULT] section of INI is in all others. */
static bool is_default(const struct source *src, const struct config_setting *s)
{
	return !src->file.is_toml && !strcmp(s->section, "DEFAULT");
}

static const struct row *find_row(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].section, section) && !strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static int read_section(struct source *src, const char *section)
{
	char buf[64];
	const char *real = real_section(src, section, buf, sizeof(buf));
	int r = 0;

	for (size_t i = 0; real && i < src->file.n && r == 0; i++) {
		const struct config_setting *s = &src->file.settings[i];
		const struct row *row;

		if (!strcmp(s->section, real) && !s->name && s->kind == CONFIG_KIND_OTHER)
			return config_file_wrong(&src->file, s->line, s->column, "[%s] is not a table", real);
		if (!s->name || (strcmp(s->section, real) && !is_default(src, s)))
			continue;
		if (is_default(src, s) && find(&src->file, real, s->name))
			continue;
		row = find_row(section, s->name);
		if (!row) {
			log_warning("%s:%d: unknown setting '%s' in [%s]", src->file.name, s->line, s->name, real);
			continue;
		}
		src->used = true;
		r = set_value(src->config, row, &src->file, s);
	}
	return r;
}

static int add_paths(struct source *src, const struct config_setting *s)
{
	struct config *c = src->config;
	struct config_paths *paths = reallocarray(c->paths, c->n_paths + 1, sizeof(*paths));
	int r;

	if (!paths)
		return -ENOMEM;
	c->paths = paths;
	paths[c->n_paths] = (struct config_paths){.name = strdup(s->name)};
	r = paths[c->n_paths].name ? read_items(&src->file, s, false, &paths[c->n_paths].places) : -ENOMEM;
	c->n_paths++;
	src->used = true;
	return r;
}

static int read_paths(struct source *src)
{
	char buf[64];
	const char *real = real_section(src, "paths", buf, sizeof(buf));
	int r = 0;

	for (int defaults = 0; real && defaults <= 1; defaults++) {
		for (size_t i = 0; i < src->file.n && r == 0; i++) {
			const struct config_setting *s = &src->file.settings[i];

			if (s->name && !strcmp(s->section, defaults ? "DEFAULT" : real) &&
			    (!defaults || (is_default(src, s) && !find(&src->file, real, s->name))))
				r = add_paths(src, s);
		}
	}
	return r;
}

/* Rows of a section stand together. */
static int read_settings(struct source *src)
{
	const char *section = "";
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		if (!strcmp(section, rows[i].section))
			continue;
		section = rows[i].section;
		r = read_section(src, section);
	}
	return r < 0 ? r : read_paths(src);
}

/* -ENOENT: it is not there, or is nothing that can be read. A named pipe is read only if it was asked for. */
static int read_text(const char *name, bool specified, char **ret, size_t *len)
{
	_cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC | (specified ? 0 : O_NONBLOCK));
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n = 0;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || (!specified && !S_ISREG(st.st_mode)))
		return -ENOENT;
	text = malloc(FILE_MAX_BYTES + 1);
	if (!text)
		return -ENOMEM;
	while (n < FILE_MAX_BYTES && (got = read(fd, text + n, FILE_MAX_BYTES - n)) > 0)
		n += (size_t)got;
	if (n == FILE_MAX_BYTES)
		return -EFBIG;
	text[n] = '\0';
	*ret = take_ptr(text);
	*len = n;
	return 0;
}

static int line_of(const char *text, size_t n)
{
	int line = 1;

	for (size_t i = 0; i < n; i++)
		line += text[i] == '\n';
	return line;
}

static int parse(struct source *src, const char *text, size_t len)
{
	const char *slash = strrchr(src->file.name, '/'), *base = slash ? slash + 1 : src->file.name;
	const char *dot = strrchr(base + strspn(base, "."), '.');

	if (strlen(text) != len)
		return config_file_wrong(&src->file, line_of(text, strlen(text)), 1, "there is a NUL byte");
	return dot && !strcmp(dot, ".toml") ? config_toml_parse(&src->file, text, len)
					    : config_ini_parse(&src->file, text);
}

/* 1 if its settings hold, 0 if there are none, or no such file. */
static int try_file(struct config *config, const char *name, bool ours, bool specified, char *why, size_t size)
{
	struct source src = {.config = config, .file.name = name, .ours = ours};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = read_text(name, specified, &text, &len);

	if (r == -ENOENT)
		return 0;
	if (r == -EFBIG)
		r = config_file_wrong(&src.file, 1, 1, "it is too large for a configuration file");
	if (r == 0)
		r = parse(&src, text, len);
	if (r == 0)
		r = read_settings(&src);
	config_file_deinit(&src.file);
	if (r < 0) {
		snprintf(why, size, "%s", r == -ENOMEM ? "out of memory" : src.file.why);
		return r;
	}
	if (!ours && !src.used)
		return 0;
	config->file = strdup(name);
	return config->file ? 1 : -ENOMEM;
}

static int read_files(struct config *config, const char *rcfile, char *why, size_t size)
{
	static const struct {
		const char *name;
		bool ours;
	} files[] = {{".coveragerc", true},
		     {".coveragerc.toml", true},
		     {"setup.cfg", false},
		     {"tox.ini", false},
		     {"pyproject.toml", false}};
	const char *named = rcfile && strcmp(rcfile, ".coveragerc") ? rcfile : getenv("COVERAGE_RCFILE");
	int r = 0;

	if (rcfile && !*rcfile)
		return 0;
	if (named && *named) {
		r = try_file(config, named, true, true, why, size);
		if (r == 0) {
			snprintf(why, size, "cannot read %s as a configuration file", named);
			return -EINVAL;
		}
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = try_file(config, files[i].name, files[i].ours, false, why, size);
	return r;
}

/* -------------------------------------------------------------------------------------------------------- afterwards */

static int append_list(struct string_list *list, const struct string_list *more)
{
	return push_all(list, (const char *const *)more->items, more->n);
}

static int read_environment(struct config *c)
{
	const char *file = getenv("COVERAGE_FILE"), *debug = getenv("COVERAGE_DEBUG");
	char *copy;

	if (file && *file) {
		copy = strdup(file);
		if (!copy)
			return -ENOMEM;
		free(c->run.data_file);
		c->run.data_file = copy;
	}
	return debug ? split(&c->run.debug, debug, ",") : 0;
}

/* The home directory stands in [paths] too, which coverage.py sees to last. */
static int expand_paths(struct config *c)
{
	for (size_t i = 0; i < c->n_paths; i++) {
		for (size_t j = 0; j < c->paths[i].places.n; j++) {
			char **place = &c->paths[i].places.items[j], *expanded;

			if (config_expand_home(*place, &expanded) < 0)
				return -ENOMEM;
			free(*place);
			*place = expanded;
		}
	}
	return 0;
}

static int check_concurrency(const struct config *c, char *why, size_t size)
{
	static const char *const known[] = {"thread", "multiprocessing", "gevent", "greenlet", "eventlet"};
	int light = 0;

	for (size_t i = 0; i < c->run.concurrency.n; i++) {
		int which = -1;

		for (size_t j = 0; j < ARRAY_SIZE(known); j++)
			if (!strcmp(c->run.concurrency.items[i], known[j]))
				which = (int)j;
		if (which < 0) {
			snprintf(why, size, "%s: [run] concurrency: '%s' is none of the choices", c->file,
				 c->run.concurrency.items[i]);
			return -EINVAL;
		}
		light |= which >= 2 ? 1 << which : 0;
	}
	if (light & (light - 1)) {
		snprintf(why, size, "%s: [run] concurrency: only one of gevent, greenlet and eventlet is possible",
			 c->file);
		return -EINVAL;
	}
	return 0;
}

int config_read(struct config *config, const char *rcfile, char *why, size_t size)
{
	int r = set_defaults(config);

	snprintf(why, size, "out of memory");
	if (r == 0)
		r = read_files(config, rcfile, why, size);
	if (r >= 0)
		r = read_environment(config);
	if (r == 0)
		r = expand_paths(config);
	if (r == 0)
		r = append_list(&config->report.exclude_lines, &config->report.exclude_also);
	if (r == 0)
		r = append_list(&config->report.partial_branches, &config->report.partial_also);
	if (r == 0)
		r = check_concurrency(config, why, size);
	if (r == 0 && !*config->run.data_file) {
		free(config->run.data_file);
		config->run.data_file = strdup(".coverage");
		r = config->run.data_file ? 0 : -ENOMEM;
	}
	/* what starts processes of its own has coverage.py write a file for each */
	if (config_list_has(&config->run.patch, "subprocess") ||
	    config_list_has(&config->run.concurrency, "multiprocessing"))
		config->run.parallel = true;
	return r;
}

void config_warn_unused(const struct config *c)
{
	const struct {
		bool set;
		const char *name, *why;
	} unused[] = {
		{c->run.plugins.n > 0, "plugins", "coverage.py's plugins are not run"},
		{c->run.dynamic_context && strcmp(c->run.dynamic_context, "none"), "dynamic_context",
		 "see --process-contexts"},
		{c->run.timid, "timid", "there is one way to measure"},
		{c->run.debug_file != NULL, "debug_file", "messages go to standard error"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(unused); i++)
		if (unused[i].set)
			log_warning("%s: [run] %s has no effect: %s", c->file, unused[i].name, unused[i].why);
}

/* ---------------------------------------------------------------------------------------------------------- to show */

static void print_text(FILE *out, const char *text)
{
	if (!text) {
		fprintf(out, "null");
		return;
	}
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void print_list(FILE *out, const struct string_list *list)
{
	putc('[', out);
	for (size_t i = 0; i < list->n; i++) {
		fprintf(out, i ? ", " : "");
		print_text(out, list->items[i]);
	}
	putc(']', out);
}

/* JSON has no word for what is not finite; these are Python's. */
static void print_number(FILE *out, double number)
{
	if (isfinite(number))
		fprintf(out, "%.17g", number);
	else
		fprintf(out, "%s", isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
}

static void print_value(FILE *out, const struct row *row, const void *member)
{
	static const char *const switches[] = {"false", "true", "null"};

	switch (row->type) {
	case TYPE_BOOLEAN:
		fprintf(out, "%s", switches[*(const bool *)member]);
		break;
	case TYPE_SWITCH:
		fprintf(out, "%s", switches[*(const enum config_switch *)member]);
		break;
	case TYPE_INTEGER:
		fprintf(out, "%d", *(const int *)member);
		break;
	case TYPE_FLOAT:
		print_number(out, *(const double *)member);
		break;
	case TYPE_TEXT:
	case TYPE_FILE:
		print_text(out, *(char *const *)member);
		break;
	case TYPE_LIST:
	case TYPE_REGEXES:
		print_list(out, member);
		break;
	case TYPE_NOTHING:
		break;
	}
	putc('\n', out);
}

void config_print(const struct config *c, FILE *out)
{
	fprintf(out, "file = ");
	print_text(out, c->file);
	putc('\n', out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].type == TYPE_NOTHING)
			continue;
		fprintf(out, "%s:%s = ", rows[i].section, rows[i].name);
		print_value(out, &rows[i], (const char *)c + rows[i].offset);
	}
	for (size_t i = 0; i < c->n_paths; i++) {
		fprintf(out, "paths:%s = ", c->paths[i].name);
		print_list(out, &c->paths[i].places);
		putc('\n', out);
	}
}
