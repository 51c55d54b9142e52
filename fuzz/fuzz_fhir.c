/* fuzz_fhir.c - any bytes as FHIR: what is read lies within them, and every text that comes of it is UTF-8. */
#include "facts/facts.h"
#include "formats/fhir/fhir.h"

#include <assert.h>

#define ARENA_BYTES (64u << 20)
#define RECEIVED_AT (INT64_C(1795446000) * US_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct bytes outer, struct bytes inner) {
    assert(inner.size == 0 || (inner.data >= outer.data && inner.size <= outer.size &&
                               (size_t)(inner.data - outer.data) <= outer.size - inner.size));
}

/* Without recursion, as the reader itself: the nodes of a document lie one behind the other. */
static void check_nodes(struct bytes in, const struct fhir_node *root, struct arena *arena) {
    const struct fhir_node *open[FHIR_DEPTH_MAX + 1] = {root};
    size_t depth = 1;
    while (depth > 0) {
        const struct fhir_node *node = open[depth - 1];
        if (!node) {
            depth--;
            continue;
        }
        open[depth - 1] = node->next;
        assert_inside(in, node->raw);
        assert_inside(in, node->name);
        assert(bytes_is_utf8(fhir_text(node, arena), NULL));
        fhir_reference(node, arena);
        fhir_coding(node, arena);
        fhir_quantity(node, arena);
        fhir_narrative(node, arena);
        fhir_time_text(node, NULL, arena);
        if (node->first) {
            assert(depth <= FHIR_DEPTH_MAX);
            open[depth++] = node->first;
        }
    }
}

/* The resource is what stands in the input, from where it is said to. */
static void check_facts(struct bytes in, const struct facts_batch *batch) {
    assert(batch->count > 0);
    for (size_t i = 0; i < batch->count; i++) {
        const struct facts *facts = &batch->list[i];
        assert(facts->aside || facts->count > 0);
        assert(facts->aside_at <= in.size);
        if (facts->count == 0)
            continue;
        const struct fact *first = &facts->list[0];
        assert(first->kind == FACT_RESOURCE);
        assert_inside(in, first->resource.json);
        assert(first->resource.is_deleted ||
               bytes_equal(first->resource.json, bytes_first(bytes_skip(in, first->resource.at),
                                                             first->resource.json.size)));
        assert(bytes_is_utf8(first->resource.id, NULL));
        assert(!facts->has_subject || facts->subject.number.size > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena arena;
    static const struct facts_authority authority = {
        {(const uint8_t *)"A", 1}, {(const uint8_t *)"urn:oid:1.2", 11}, {NULL, 0}};
    struct facts_context context = {
        .received_at = RECEIVED_AT, .authorities = &authority, .authority_count = 1};
    struct facts_batch batch;
    const struct fhir_node *root;
    struct fault fault = {0};
    struct bytes in = bytes_from(data, size);
    if (!arena.bytes_max)
        arena_init(&arena, ARENA_BYTES);
    arena_clear(&arena);
    enum err err = fhir_read(in, &arena, &root, &fault);
    assert(!err == !!root && (!err || fault.what));
    if (!err)
        check_nodes(in, root, &arena);
    arena_clear(&arena);
    err = facts_from_fhir(in, &context, &arena, &batch);
    assert(!err || err == ERR_LIMIT);
    if (err)
        return 0;
    check_facts(in, &batch);
    for (size_t i = 0; i < batch.count && batch.list[i].count; i++) {
        struct facts taken = {.has_subject = true, .subject = {in, in, BYTES("1")}};
        if (!batch.list[i].list[0].resource.is_deleted &&
            facts_from_deleted_fhir(&batch.list[i].list[0].resource, &context, RECEIVED_AT, &arena,
                                    &taken))
            break;
    }
    return 0;
}
