/**
 * The two processes behind a run: the keeper, and its child the supervisor. They are nobody's children, in a session of
 * their own, and have nothing of the caller's open but a copy of standard error.
 */
#pragma once

#include "supervisor/recorder.h"

/** What the supervisor does; it owns both descriptors. */
typedef void supervise_fn(struct recorder *recorder, int keeper_socket, int message_fd, void *arg);

/**
 * Start them. @p fd is kept open in the supervisor. What the caller waits for the supervisor does in @p first (or NULL),
 * before it leaves the caller's surroundings. Returns in the caller only.
 */
int background_start(struct recorder *recorder, int fd, void (*first)(void *arg), supervise_fn *supervise,
		     void *arg) must_check;

/** In the supervisor: another keeper, no child of ours. A socket to it, or a negative errno. */
int background_restart(struct recorder *recorder, int message_fd) must_check;
