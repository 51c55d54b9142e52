/* spoil.c - a message as a badly set up system sends it: characters that are not of the set it
 * declares, an end that is missing, a segment whose name is lost.
 *
 * Invariants
 *   MSH stays whole but for its character set (MSH-18): what is spoilt can be stored, acknowledged
 *   and found again by its control id (MSH-10).
 */
#include "simulate/hospital.h"

#include <assert.h>

enum spoilt { SPOILT_CHARSET, SPOILT_CUT, SPOILT_NAME, SPOILT_COUNT };

static size_t find(struct bytes all, struct bytes part) {
    for (size_t at = 0; at + part.size <= all.size; at++)
        if (memcmp(all.data + at, part.data, part.size) == 0)
            return at;
    return BYTES_NOT_FOUND;
}

/* The other set's name over the one declared; the characters stay as they are. */
static size_t swap_charset(char *data, size_t size, size_t room) {
    struct bytes all = bytes_from(data, size);
    struct bytes utf8 = BYTES("|UNICODE UTF-8|"), latin = BYTES("|8859/15|");
    struct bytes wrong_for_utf8 = BYTES("|8859/1|");
    size_t at = find(all, utf8);
    bool is_utf8 = at != BYTES_NOT_FOUND;
    if (!is_utf8)
        at = find(all, latin);
    if (at == BYTES_NOT_FOUND)
        return size;
    struct bytes old = is_utf8 ? utf8 : latin, new = is_utf8 ? wrong_for_utf8 : utf8;
    assert(size - old.size + new.size < room);
    memmove(data + at + new.size, data + at + old.size, size - at - old.size);
    memcpy(data + at, new.data, new.size);
    return size - old.size + new.size;
}

struct bytes spoil(struct simulator *simulator, struct bytes message) {
    struct random *random = &simulator->spoilt_chance;
    if (!random_chance(random, simulator->options.spoilt_per_mille))
        return message;
    char *data = simulator->buffer;
    size_t size = message.size, head = bytes_find(message, '\r') + 1;
    assert((const char *)message.data == data && head > 0 && head < size);
    switch ((enum spoilt)random_below(random, SPOILT_COUNT)) {
    case SPOILT_CHARSET:
        size = swap_charset(data, size, sizeof simulator->buffer);
        break;
    case SPOILT_CUT:
        size = head + (size_t)random_below(random, size - head);
        break;
    default:
        memset(data + head, '?', size - head < 3 ? size - head : 3);
        break;
    }
    return bytes_from(data, size);
}
