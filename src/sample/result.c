#include "sample/result.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "sample/summary.h"

void result_name(char *buf, size_t size, pid_t pid, char *const *command)
{
	size_t used = 0;

	if (!command) {
		snprintf(buf, size, "pid %d", pid);
		return;
	}
	*buf = 0;
	for (; *command && used < size; command++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "", *command);
}

int result_write(const struct sampler *s, const struct profile_format *format, const struct profile_view *view,
		 const char *path)
{
	_cleanup_free_ char *name = NULL;
	char text[512];
	int r;

	if (!path && format->by_default_file)
		path = name = profile_default_name(format, s->root, time(NULL));
	r = profile_write(s->profile, format, view, path);
	if (r < 0) {
		log_error("cannot write %s: %s", path ? path : "the profile", strerror(-r));
		return r;
	}
	summary_line(text, sizeof(text), s->profile);
	log_info("%s%s%s", text, path && strcmp(path, "-") ? ": " : "", path && strcmp(path, "-") ? path : "");
	if (summary_losses(text, sizeof(text), s->profile))
		log_message(summary_is_poor(s->profile) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s", text);
	return 0;
}
