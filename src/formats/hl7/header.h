/* header.h - what message.c and batch.c both need to know of a message's first line. */
#ifndef FORMATS_HL7_HEADER_H
#define FORMATS_HL7_HEADER_H

#include "formats/hl7/hl7.h"

#define HL7_BYTE_ORDER_MARK BYTES("\xEF\xBB\xBF")

static inline bool hl7_is_terminator(uint8_t c) {
    return c == '\r' || c == '\n';
}

/* A delimiter may be anything but a letter, a digit, white space or a control character. */
static inline bool hl7_is_delimiter(uint8_t c) {
    return c > ' ' && c < 0x7F && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
           !(c >= '0' && c <= '9');
}

#endif
