/*
 * A file that is coverage.py's own (.coveragerc, .coveragerc.toml, that of --rcfile) counts as found if it is there,
 * with sections called [run] or [coverage:run], in TOML [run] or [tool.coverage.run]. The others count if they have a
 * setting in a section of the longer name.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "settings.h"

#define FILE_MAX_BYTES (4 << 20)

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

static int read_section(struct source *src, const char *section)
{
	char buf[64];
	const char *real = real_section(src, section, buf, sizeof(buf));
	int r = 0;

	for (size_t i = 0; real && i < src->file.n && r == 0; i++) {
		const struct config_setting *s = &src->file.settings[i];
		const struct setting *row;

		if (!strcmp(s->section, real) && !s->name && s->kind == CONFIG_KIND_OTHER)
			return config_file_wrong(&src->file, s->line, s->column, "[%s] is not a table", real);
		if (!s->name || (strcmp(s->section, real) && !is_default(src, s)))
			continue;
		if (is_default(src, s) && find(&src->file, real, s->name))
			continue;
		row = setting_find(section, s->name);
		if (!row) {
			log_warning("%s:%d: unknown setting '%s' in [%s]", src->file.name, s->line, s->name, real);
			continue;
		}
		src->used = true;
		r = setting_read(src->config, row, &src->file, s);
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
	r = paths[c->n_paths].name ? setting_read_list(&src->file, s, false, &paths[c->n_paths].places) : -ENOMEM;
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

static int read_settings(struct source *src)
{
	const char *section = "";
	int r = 0;

	for (size_t i = 0; i < n_settings && r == 0; i++) {
		if (!strcmp(section, settings[i].section))
			continue;
		section = settings[i].section;
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
	int r = 0;

	for (size_t i = 0; i < more->n && r == 0; i++)
		r = string_list_push(list, more->items[i]);
	return r;
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
	return debug ? setting_split(&c->run.debug, debug, ",") : 0;
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
	int r = settings_init(config);

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
	if (string_list_has(&config->run.patch, "subprocess") ||
	    string_list_has(&config->run.concurrency, "multiprocessing"))
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
