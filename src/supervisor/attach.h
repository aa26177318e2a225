/** `pycov-trace -p PID`: attach to processes that run, record until we are told to stop, and leave them as they were. */
#pragma once

#include "supervisor/recorder.h"

/** The exit status; it was said what went wrong. */
int attach(struct recorder *recorder) must_check;
