/**
 * Start a command so that it is measured and does not notice: it keeps the process id that the caller's parent knows,
 * and the supervisor is nobody's child (as with strace -D).
 */
#pragma once

#include "supervisor/recorder.h"

/** Does not return when all goes well: the calling process becomes the command. Else an exit status (it was said why). */
int launch(struct recorder *recorder);
