/**
 * Where threads of CPython 3.9 and later come by on their way back to the GIL: take_gil(tstate), the one function that all
 * ways lead through. Compilers make PyEval_RestoreThread() part of functions that call it, and who reads a file comes
 * back without passing it; take_gil() is too large for that.
 */
#pragma once

#include "supervisor/images.h"

/** Its vaddr; 0: it cannot be told. Takes milliseconds if the file is not stripped. */
uint64_t take_gil_find(const struct image *image);

/** The same, as if the file were stripped; it may be _PyThreadState_Attach() as well, which does as much. */
uint64_t take_gil_find_called(const struct image *image);
