/* fuzz_mllp.c - the frame reader on any stream, fed whole and in slices: both must tell the same. */
#include "feeds/mllp.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read, as a text of tags and bytes; blanks are left out, since slices cut them differently. */
struct log {
    uint8_t *bytes;
    size_t size, bytes_max;
};

static void log_put(struct log *log, char tag, struct bytes view) {
    assert(log->size + view.size + 1 <= log->bytes_max);
    if (tag)
        log->bytes[log->size++] = (uint8_t)tag;
    if (view.size)
        memcpy(log->bytes + log->size, view.data, view.size);
    log->size += view.size;
}

static void log_event(struct log *log, enum mllp_event event, struct bytes view) {
    if (event == MLLP_MESSAGE)
        log_put(log, 'M', view);
    else if (event == MLLP_NOISE)
        log_put(log, 'N', view);
    else if (event == MLLP_PART || event == MLLP_LAST)
        log_put(log, 0, view);
}

/* Show the reader `step` more bytes each time; large frames go in parts when `parts_after` bytes are waiting. */
static void read_all(struct log *log, struct bytes in, size_t step, size_t parts_after) {
    struct mllp_reader reader = {0};
    size_t at = 0, seen = 0;
    for (;;) {
        size_t used;
        struct bytes view;
        struct bytes waiting = bytes_from(in.data + at, seen - at);
        enum mllp_event event = mllp_next(&reader, waiting, seen == in.size, &used, &view);
        assert(used <= waiting.size);
        assert(view.size == 0 || (view.data >= waiting.data && view.size <= used));
        assert((event == MLLP_MORE) == (used == 0));
        log_event(log, event, view);
        at += used;
        if (event != MLLP_MORE)
            continue;
        if (!reader.is_in_parts && mllp_is_frame(waiting) && waiting.size > parts_after) {
            at += mllp_begin_parts(&reader, waiting);
            log_put(log, 'M', BYTES_NONE);
        } else if (seen == in.size) {
            return;
        } else {
            seen = in.size - seen < step ? in.size : seen + step;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    static const uint8_t nothing[1];
    size_t step = 1 + data[0] % 64, parts_after = data[1];
    struct bytes in = bytes_from(size > 2 ? data + 2 : nothing, size - 2);
    size_t log_bytes_max = 2 * size + 2; /* a letter for every byte at most */
    struct log whole = {calloc(1, log_bytes_max), 0, log_bytes_max};
    struct log sliced = {calloc(1, log_bytes_max), 0, log_bytes_max};
    if (whole.bytes && sliced.bytes) {
        read_all(&whole, in, in.size, SIZE_MAX);
        read_all(&sliced, in, step, SIZE_MAX);
        assert(whole.size == sliced.size && !memcmp(whole.bytes, sliced.bytes, whole.size));
        sliced.size = 0;
        read_all(&sliced, in, step, parts_after);
    }
    free(whole.bytes);
    free(sliced.bytes);
    return 0;
}
