/* message.h - write an HL7 v2.5 message segment by segment, each field at its number.
 *
 * Shapes     texts go in as UTF-8; the message comes out in the character set its MSH-18 declares.
 * Errors     the text's `full` flag, which is a bug: the buffer holds any message of the simulator.
 */
#ifndef SIMULATE_MESSAGE_H
#define SIMULATE_MESSAGE_H

#include "base/base.h"

struct message {
    struct text text;
    unsigned field; /* of the segment being written */
    struct zone *zone;
    bool is_latin9;
};

void message_init(struct message *message, char *buffer, size_t buffer_bytes, struct zone *zone);
void message_clear(struct message *message);
/* End the last segment and put the characters into the message's set. */
struct bytes message_end(struct message *message);

void put_segment(struct message *message, const char *name);
/* Go on to field `number`; fields between stay empty. */
void put_field(struct message *message, unsigned number);
void put_raw(struct message *message, const char *text);     /* delimiters are meant */
void put_escaped(struct message *message, const char *text); /* delimiters are text */
void put_number(struct message *message, uint64_t number);
void put_time(struct message *message, int64_t at);
void put_format(struct message *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A value in thousandths with so many decimals, rounded. */
void put_milli(struct message *message, int64_t milli, unsigned decimals);

#endif
