/* filed.c - a file that lay in a watched folder: whose document it is, and what it says of itself.
 *
 * A document that comes as a file adds a document to a patient, and nothing else: what it says of names and birth dates is older
 * than the hospital's own word on them, and a page that shows it compares the two. */
#include "facts/facts.h"
#include "facts/type_values.h"
#include "formats/cda/cda.h"

#define FILED_PROFILE ";profile=filed;at="

static const char *const kinds[] = {"application/octet-stream", "application/pdf",
                                    "application/cda+xml"};

/* ---- its media type ---- */

void facts_filed_put_type(struct text *type, const struct facts_filed *filed) {
    const struct bytes values[] = {filed->feed,   filed->authority, filed->type,
                                   filed->number, filed->root,      filed->name};
    text_put_string(type, kinds[filed->kind]);
    text_put_string(type, FILED_PROFILE);
    type_values_put(type, filed->at, values, 6);
}

bool facts_filed_read_type(struct bytes type, struct arena *arena, struct facts_filed *filed) {
    struct bytes rest = BYTES_NONE, values[6];
    for (unsigned i = 0; i < FILED_KIND_COUNT; i++)
        if (bytes_starts_with(type, bytes_from_string(kinds[i]))) {
            filed->kind = (enum filed_kind)i;
            rest = bytes_skip(type, strlen(kinds[i]));
        }
    if (!bytes_starts_with(rest, BYTES(FILED_PROFILE)) ||
        !type_values_read(bytes_skip(rest, sizeof FILED_PROFILE - 1), arena, &filed->at, values, 6))
        return false;
    filed->feed = values[0];
    filed->authority = values[1];
    filed->type = values[2];
    filed->number = values[3];
    filed->root = values[4];
    filed->name = values[5];
    return true;
}

/* ---- what it says ---- */

static enum err add_document(struct facts *facts, const struct fact_document *document,
                             struct arena *arena) {
    facts->list = arena_array(arena, 1, sizeof *facts->list);
    if (!facts->list)
        return ERR_LIMIT;
    facts->list[0] = (struct fact){.kind = FACT_DOCUMENT, .document = *document};
    facts->count = 1;
    return ERR_OK;
}

static enum err from_pdf(struct bytes body, const struct facts_filed *filed, struct arena *arena,
                         struct facts *facts) {
    if (bytes_is_empty(filed->number)) {
        facts->aside =
            "the file's name does not say whose document it is (`folder` in veilleuse.conf)";
        return ERR_OK;
    }
    facts->has_subject = true;
    facts->subject = (struct fact_identifier){filed->authority, filed->type, filed->number};
    return add_document(facts,
                        &(struct fact_document){.id = filed->name,
                                                .title = filed->name,
                                                .at = filed->at,
                                                .media_type = BYTES("application/pdf"),
                                                .encapsulated_bytes = body.size},
                        arena);
}

/* II as one text: root^extension. */
static struct bytes id_text(const struct cda_id *id, struct arena *arena) {
    struct text text;
    if (bytes_is_empty(id->extension))
        return id->root;
    if (text_init_arena(&text, arena, id->root.size + id->extension.size + 2))
        return BYTES_NONE;
    text_put(&text, id->root);
    text_put_char(&text, '^');
    text_put(&text, id->extension);
    return text_bytes(&text);
}

/* TS: as HL7 v2 writes it. */
static int64_t time_of(struct bytes value, const struct facts_context *context) {
    struct time_read time;
    return time_read_hl7(value, context->zone, &time) ? time.at : INSTANT_NONE;
}

static void find_subject(const struct cda_document *document, const struct facts_filed *filed,
                         struct facts *facts) {
    for (size_t i = 0; i < document->patient_id_count && !facts->has_subject; i++) {
        const struct cda_id *id = &document->patient_ids[i];
        if (!bytes_equal(id->root, filed->root) || bytes_is_empty(id->extension))
            continue;
        facts->has_subject = true;
        facts->subject = (struct fact_identifier){filed->authority, filed->type, id->extension};
    }
}

static enum err document_of(const struct cda_document *cda, const struct facts_filed *filed,
                            uint64_t body_bytes, const struct facts_context *context,
                            struct arena *arena, struct facts *facts) {
    struct fact_document document = {
        .id = id_text(&cda->id, arena),
        .parent_id = id_text(&cda->parent, arena),
        .kind = cda->code_name,
        .title = bytes_is_empty(cda->title) ? filed->name : cda->title,
        .author = cda->author,
        .at = time_of(cda->effective_time, context),
        .media_type = BYTES("application/xml"),
        .encapsulated_bytes = body_bytes,
        .is_replacement = bytes_is(cda->relation, "RPLC"),
        .is_addendum = bytes_is(cda->relation, "APND"),
    };
    if (document.at == INSTANT_NONE)
        document.at = filed->at;
    if (bytes_is_empty(document.id))
        document.id = filed->name;
    facts->said = facts->own_time = document.at;
    return add_document(facts, &document, arena);
}

static enum err from_cda(struct bytes body, const struct facts_filed *filed,
                         const struct facts_context *context, struct arena *arena,
                         struct facts *facts) {
    struct cda_reader *reader;
    struct cda_document document = {0};
    struct fault fault = {0};
    const struct cda_options options = {.header_only = true};
    enum err err = cda_init(&reader, arena, &options, &fault);
    if (!err)
        err = cda_feed(reader, body, &fault);
    enum err ended = reader ? cda_end(reader, &document, &fault) : err;
    cda_release(reader);
    err = err ? err : ended;
    if (err == ERR_MEMORY || (err == ERR_LIMIT && !fault.what))
        return err;
    if (err) { /* a document that is not whole is filed under nobody */
        facts->aside = fault.what;
        return ERR_OK;
    }
    find_subject(&document, filed, facts);
    if (!facts->has_subject) {
        facts->aside =
            "the document names no patient number of this hospital (`folder` in veilleuse.conf)";
        return ERR_OK;
    }
    return document_of(&document, filed, body.size, context, arena, facts);
}

enum err facts_from_filed(struct bytes body, const struct facts_filed *filed,
                          const struct facts_context *context, struct arena *arena,
                          struct facts_batch *batch) {
    *batch = (struct facts_batch){arena_array(arena, 1, sizeof *batch->list), 1, INSTANT_NONE};
    struct facts *facts = batch->list;
    enum err err = ERR_OK;
    if (!facts)
        return ERR_LIMIT;
    *facts = (struct facts){.application = filed->feed, .own_time = filed->at, .said = filed->at};
    switch (filed->kind) {
    case FILED_PDF:
        err = from_pdf(body, filed, arena, facts);
        break;
    case FILED_CDA:
        err = from_cda(body, filed, context, arena, facts);
        break;
    case FILED_OTHER:
    case FILED_KIND_COUNT:
        facts->aside = "a file of a folder that is neither HL7, PDF nor CDA";
        break;
    }
    facts->is_date_doubtful = facts->said > context->received_at + 5 * 60 * US_PER_S;
    return err;
}
