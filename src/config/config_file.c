#include "config_file.h"

#include <stdarg.h>
#include <string.h>

#define SETTINGS_MAX 5000 /* those of all programs together in a setup.cfg or pyproject.toml are some hundred */

struct config_setting *config_file_add(struct config_file *file, const char *section, const char *name, int line,
				       int column)
{
	struct config_setting *setting;

	if (file->n >= SETTINGS_MAX)
		return NULL;
	/* the array is full whenever the count is a power of two */
	if ((file->n & (file->n - 1)) == 0) {
		struct config_setting *settings =
			reallocarray(file->settings, file->n ? 2 * file->n : 1, sizeof(*settings));

		if (!settings)
			return NULL;
		file->settings = settings;
	}
	setting = &file->settings[file->n];
	*setting = (struct config_setting){.section = strdup(section), .line = line, .column = column};
	setting->name = name ? strdup(name) : NULL;
	if (!setting->section || (name && !setting->name)) {
		free(setting->section);
		free(setting->name);
		return NULL;
	}
	file->n++;
	return setting;
}

int config_file_wrong(struct config_file *file, int line, int column, const char *fmt, ...)
{
	int n = snprintf(file->why, sizeof(file->why), "%s:%d:%d: ", file->name, line, column);
	va_list ap;

	if (n < 0 || (size_t)n >= sizeof(file->why))
		n = sizeof(file->why) / 2;
	va_start(ap, fmt);
	vsnprintf(file->why + n, sizeof(file->why) - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void config_file_deinit(struct config_file *file)
{
	for (size_t i = 0; i < file->n; i++) {
		free(file->settings[i].section);
		free(file->settings[i].name);
		free(file->settings[i].text);
		string_list_deinit(&file->settings[i].list);
	}
	free(file->settings);
	file->settings = NULL;
	file->n = 0;
}
