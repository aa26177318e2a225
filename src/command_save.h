/** `pycov-trace save PID|FILE`: a running pycov-trace writes what it has now. */
#pragma once

/** The exit status. @p argv begins with "save". */
int command_save(int argc, char **argv);
