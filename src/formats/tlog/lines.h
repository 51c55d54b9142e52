/* lines.h - the lines of checkpoints, notes and proofs: what all of these texts have in common. */
#ifndef FORMATS_TLOG_LINES_H
#define FORMATS_TLOG_LINES_H

#include "formats/tlog/tlog.h"

/* The line up to the next LF; false when there is none. */
static inline bool line_next(struct bytes *rest, struct bytes *line) {
    size_t end = bytes_find(*rest, '\n');
    if (end == BYTES_NOT_FOUND)
        return false;
    *line = bytes_first(*rest, end);
    *rest = bytes_skip(*rest, end + 1);
    return true;
}

/* A decimal number as these texts write it: no zero in front. */
static inline bool line_number(struct bytes line, uint64_t *number) {
    bool is_plain = line.size > 0 && (line.data[0] != '0' || line.size == 1);
    return is_plain && bytes_to_u64(line, number);
}

/* One hash, in base64. */
static inline bool line_hash(struct bytes line, struct tlog_hash *hash) {
    size_t size;
    return base64_decode(line, hash->bytes, TLOG_HASH_BYTES, &size) && size == TLOG_HASH_BYTES;
}

/* signed-note: valid UTF-8, and no control character below U+0020 but LF. */
static inline bool text_is_clean(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' && text.data[i] != '\n')
            return false;
    return bytes_is_utf8(text, NULL);
}

#endif
