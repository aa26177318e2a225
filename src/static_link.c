/* What libraries refer to, is never called, and would bring more than it is worth into a static program. */
#include <errno.h>
#include <stddef.h>
#include <ucontext.h>

void *__wrap_dlopen(const char *path, int mode);
int _Ux86_64_setcontext(const ucontext_t *context);

/* SQLite could load extensions, which it is never asked to. */
void *__wrap_dlopen(const char *path, int mode)
{
	return NULL;
}

/* libunwind could resume where it has unwound to. Its own comes with an unwinder for exceptions, which we have. */
int _Ux86_64_setcontext(const ucontext_t *context)
{
	return -ENOSYS;
}
