/* The tracefile of geninfo(1): coverage/lcovreport.py, 7.17.3. */
#include "report/formats.h"

int report_lcov(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX])
{
	return -ENOTSUP;
}
