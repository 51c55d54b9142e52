/* fuzz_rtf.c - any bytes as RTF: what comes out is UTF-8 without control characters, and no longer than the room. */
#include "formats/rtf/rtf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char buffer[65536];
    struct rtf_report report;
    struct fault fault = {0};
    struct text text;
    text_init(&text, buffer, size % 7 == 0 ? 64 : sizeof buffer);
    enum err err = rtf_put_text(&text, bytes_from(data, size), &report, &fault);
    assert(err == ERR_OK || fault.what);
    assert(rtf_is(bytes_from(data, size)) || err == ERR_INPUT);
    assert(bytes_is_utf8(text_bytes(&text), NULL));
    for (size_t i = 0; i < text.size; i++)
        assert((uint8_t)text.data[i] >= ' ' || text.data[i] == '\n' || text.data[i] == '\t');
    return 0;
}
