/* fuzz_cda.c - any bytes as a CDA document, whole and in slices: blocks are of the shape that pages rely on. */
#include "formats/cda/cda.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err read_document(struct bytes in, size_t step, struct arena *arena,
                              struct cda_document *document) {
    struct cda_reader *reader;
    struct fault fault = {0};
    const struct cda_options options = {.header_only = false};
    arena_clear(arena);
    enum err err = cda_init(&reader, arena, &options, &fault);
    for (size_t at = 0; at < in.size && !err; at += step)
        err = cda_feed(reader, bytes_first(bytes_skip(in, at), step), &fault);
    enum err ended = cda_end(reader, document, &fault);
    cda_release(reader);
    assert(!err || fault.what);
    return err ? err : ended;
}

static void check_blocks(const struct cda_document *document, bool is_whole) {
    bool in_table = false, in_row = false;
    assert(document->block_count <= CDA_BLOCK_COUNT_MAX);
    for (size_t i = 0; i < document->block_count; i++) {
        const struct cda_block *block = &document->blocks[i];
        bool of_table =
            block->kind == CDA_ROW || block->kind == CDA_CELL || block->kind == CDA_TABLE_END;
        assert(of_table == in_table);
        assert(block->kind != CDA_CELL || (in_row && block->columns >= 1 && block->rows >= 1));
        assert(bytes_is_utf8(block->text, NULL));
        in_table = block->kind == CDA_TABLE || (in_table && block->kind != CDA_TABLE_END);
        in_row = in_table && (in_row || block->kind == CDA_ROW);
    }
    assert(!is_whole || !in_table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    struct cda_document document;
    if (size < 2)
        return 0;
    if (!arena.bytes_max)
        arena_init(&arena, 4 << 20);
    struct bytes in = bytes_from(data + 1, size - 1);
    enum err whole = read_document(in, in.size, &arena, &document);
    size_t count = document.block_count;
    check_blocks(&document, !whole);
    enum err sliced = read_document(in, 1 + data[0] % 64, &arena, &document);
    check_blocks(&document, !sliced);
    assert(whole || sliced || count == document.block_count);
    return 0;
}
