/* SQLite could load extensions, which it is never asked to, and in a static program it should not try. */
#include <stddef.h>

void *__wrap_dlopen(const char *path, int mode);

void *__wrap_dlopen(const char *path, int mode)
{
	return NULL;
}
