#include "report/analyze.h"

int branches_find(const struct analyzer *with, struct analysis *a)
{
	return 0;
}
