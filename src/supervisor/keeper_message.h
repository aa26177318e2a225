/** What supervisor and keeper say to each other: keeper_link.c and keeper.c alone know. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/run.h"

enum message_kind {
	MESSAGE_ADD,
	MESSAGE_END,
	MESSAGE_LAST_END,
	MESSAGE_SAVE,
	MESSAGE_FINISH,
	MESSAGE_RESET_DONE, /* id: how many processes are left */
	MESSAGE_ALL_TOLD,   /* to a successor: it was told of all runs that there are */
	MESSAGE_SAMPLES,    /* run: struct keeper_sample, as many as pid says, then the name of a file */
};

/* What the keeper says: a word of one byte, and what there is to be read behind it. */
#define WORD_FINISHED 'F'
#define WORD_UNWRITTEN 'U' /* the same, and the data could not be written */
#define WORD_RESET 'R'

struct message {
	uint32_t kind;
	uint32_t id;
	int32_t pid;
	uint32_t python_ran;
	unsigned char run[RUN_MESSAGE_MAX];
};

#define MESSAGE_HEAD offsetof(struct message, run)
