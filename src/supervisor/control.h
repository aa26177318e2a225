/**
 * How another pycov-trace speaks to a running keeper: a local socket with a name in the abstract namespace (no file to
 * leave behind), which serves its owner and root only. A request is a word, the answer a line; "" is "done".
 */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "data/datafile.h"

#define CONTROL_TEXT_MAX 512

/** Names: by the supervisor's pid, and by the data file. */
#define CONTROL_NAME_MAX 100
void control_name_of_pid(pid_t supervisor, char name[CONTROL_NAME_MAX]);
int control_name_of_file(const struct datafile *file, char name[CONTROL_NAME_MAX]) must_check;

/** Listen under @p name; a descriptor, or -EADDRINUSE: another keeper has that name. */
int control_listen(const char *name) must_check;
/** Take the next request; the descriptor to answer on, or -EAGAIN when there is none, or none that may be heard. */
int control_accept(int listener, char request[CONTROL_TEXT_MAX]) must_check;
/** Answer and close. */
void control_answer(int fd, const char *text);

/** Ask the keeper of that name; as root, that of user @p owner, too. -ECONNREFUSED: there is none; -EPERM: it is another's. */
int control_ask(const char *name, uid_t owner, const char *request, char answer[CONTROL_TEXT_MAX]) must_check;
