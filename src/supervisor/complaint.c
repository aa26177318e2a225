#include "supervisor/complaint.h"

#include <stddef.h>

const char *complaint_of(enum agent_status status)
{
	switch (status) {
	case AGENT_STATUS_NO_TOOL_ID:
		return "other tools hold the sys.monitoring tool ids 3 and 4";
	case AGENT_STATUS_NO_MONITORING:
		return "sys.monitoring could not be used";
	case AGENT_STATUS_NO_REGISTERS:
		return "this build of Python keeps its instruction pointer in memory (-O0?)";
	case AGENT_STATUS_NO_MEMORY:
		return "it had no memory left: raise its limits (prlimit --as, --data)";
	case AGENT_STATUS_IN_USE:
		return "a thread of another interpreter in it does not come out of the records of an earlier attach";
	default:
		return NULL;
	}
}
