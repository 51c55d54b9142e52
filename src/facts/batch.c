/* batch.c - which translator an entry needs, by its media type. */
#include "facts/facts.h"

/* One message: its patients one behind the other. */
static enum err from_message(struct bytes body, const struct facts_context *context,
                             struct arena *arena, struct facts_batch *batch) {
    struct facts *first = batch->list;
    enum err err = facts_from_hl7(body, context, arena, first);
    size_t count = 0, at = 0;
    if (err || !first->next)
        return err;
    for (const struct facts *facts = first; facts; facts = facts->next)
        count++;
    batch->list = arena_array(arena, count, sizeof *batch->list);
    if (!batch->list)
        return ERR_LIMIT;
    for (const struct facts *facts = first; facts; facts = facts->next)
        batch->list[at++] = *facts;
    batch->count = count;
    return ERR_OK;
}

enum err facts_from_entry(struct bytes media_type, struct bytes body,
                          const struct facts_context *context, struct arena *arena,
                          struct facts_batch *batch) {
    struct facts_census census;
    if (facts_census_read_type(media_type, arena, &census))
        return facts_from_census(body, &census, context, arena, batch);
    struct facts_filed filed;
    if (facts_filed_read_type(media_type, arena, &filed))
        return facts_from_filed(body, &filed, context, arena, batch);
    *batch = (struct facts_batch){arena_array(arena, 1, sizeof *batch->list), 1, INSTANT_NONE};
    if (!batch->list)
        return ERR_LIMIT;
    if (bytes_starts_with(media_type, BYTES("application/fhir+json")) ||
        bytes_starts_with(media_type, BYTES("application/fhir+ndjson")))
        return facts_from_fhir(body, context, arena, batch);
    if (bytes_is(media_type, "application/hl7-v2"))
        return from_message(body, context, arena, batch);
    *batch->list = (struct facts){
        .own_time = INSTANT_NONE,
        .said = context->received_at,
        .aside = "this kind of content is not translated yet",
    };
    return ERR_OK;
}
