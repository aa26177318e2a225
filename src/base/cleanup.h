/** Scope-bound ownership: an owner is a local with `_cleanup_`, and take_*() hands it over. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check __attribute__((warn_unused_result))

#define ARRAY_SIZE(a)                                                                                                  \
	(sizeof(a) / sizeof((a)[0]) +                                                                                  \
	 0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0]))]))

/** Call @p f with the address of the variable when it goes out of scope. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/** free(), close() and so on at the end of the scope; NULL and negative descriptors are let be. */
#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

/** Yield pointer @p p and set it to NULL: the caller's cleanup no longer frees it. */
#define take_ptr(p)                                                                                                    \
	__extension__({                                                                                                \
		__typeof__(p) *take_from_ = &(p);                                                                      \
		__typeof__(p) taken_ = *take_from_;                                                                    \
		*take_from_ = NULL;                                                                                    \
		taken_;                                                                                                \
	})

/** Yield descriptor @p fd and set it to -1. */
#define take_fd(fd)                                                                                                    \
	__extension__({                                                                                                \
		int *take_from_ = &(fd);                                                                               \
		int taken_ = *take_from_;                                                                              \
		*take_from_ = -1;                                                                                      \
		taken_;                                                                                                \
	})

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* errno is kept: a cleanup runs between a failed call and the caller that looks at errno. */
static inline void cleanup_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclosep(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

static inline void cleanup_closedirp(DIR **d)
{
	int saved = errno;

	if (*d)
		closedir(*d);
	errno = saved;
}
