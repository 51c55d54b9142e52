/* type_values.c - an instant and texts as parameters of a media type. */
#include "facts/type_values.h"

void type_values_put(struct text *type, int64_t at, const struct bytes *values, size_t count) {
    time_put_iso_utc(type, at);
    for (size_t i = 0; i < count; i++) {
        text_put_char(type, ';');
        text_put_hex(type, values[i]);
    }
}

static bool next_value(struct bytes *rest, struct arena *arena, struct bytes *value) {
    struct bytes hex;
    if (!bytes_next_part(rest, ';', &hex))
        return false;
    uint8_t *out = arena_alloc(arena, hex.size / 2 + 1);
    *value = bytes_from(out, hex.size / 2);
    return out && hex.size % 2 == 0 && (hex.size == 0 || hex_decode(hex, out, hex.size / 2));
}

bool type_values_read(struct bytes rest, struct arena *arena, int64_t *at, struct bytes *values,
                      size_t count) {
    struct bytes instant;
    struct time_read time;
    if (!bytes_next_part(&rest, ';', &instant) || !time_read_iso(instant, NULL, &time))
        return false;
    *at = time.at;
    for (size_t i = 0; i < count; i++)
        if (!next_value(&rest, arena, &values[i]))
            return false;
    return !rest.data;
}
