/* fhir_documents.c - documents: DocumentReference with its Binary, Composition, and what reads as one: Procedure, CarePlan. */
#include "facts/fhir.h"

#define SECTIONS_MAX 128u
#define LINES_MAX    64u

/* ---- attachments ---- */

static uint64_t decoded_bytes(struct bytes data) {
    uint64_t digits = 0;
    for (size_t i = 0; i < data.size; i++)
        digits += data.data[i] > ' ' && data.data[i] != '=';
    return digits * 3 / 4;
}

static struct bytes plain_text(struct fhir_work *w, struct bytes data) {
    uint8_t *packed = arena_alloc(w->arena, data.size + 1);
    uint8_t *out = arena_alloc(w->arena, data.size + 1);
    size_t count = 0, size = 0;
    if (!packed || !out)
        return BYTES_NONE;
    for (size_t i = 0; i < data.size; i++)
        if (data.data[i] > ' ')
            packed[count++] = data.data[i];
    if (!base64_decode(bytes_from(packed, count), out, data.size + 1, &size) ||
        !bytes_is_utf8(bytes_from(out, size), NULL) || memchr(out, 0, size))
        return BYTES_NONE;
    return bytes_from(out, size);
}

/* The attachment's own data, or those of the Binary that its url names in this document. */
static void read_attachment(struct fhir_work *w, const struct fhir_node *attachment,
                            struct fact_document *document) {
    struct bytes data = fhir_member_text(attachment, "data", w->arena);
    uint64_t said_bytes = 0;
    document->media_type = fhir_member_text(attachment, "contentType", w->arena);
    if (bytes_is_empty(data)) {
        struct fhir_target target = fhir_lookup(w, fhir_member_text(attachment, "url", w->arena));
        data = fhir_member_text(target.resource, "data", w->arena);
        if (bytes_is_empty(document->media_type))
            document->media_type = fhir_member_text(target.resource, "contentType", w->arena);
    }
    if (bytes_starts_with(document->media_type, BYTES("text/plain")))
        document->text = plain_text(w, data);
    if (!bytes_is_empty(document->text))
        return;
    if (bytes_is_empty(data) &&
        bytes_to_u64(fhir_member_text(attachment, "size", w->arena), &said_bytes))
        document->encapsulated_bytes = said_bytes;
    else
        document->encapsulated_bytes = decoded_bytes(data);
}

static void add_document(struct fhir_work *w, const struct fact_document *document) {
    struct fact *fact = fhir_add(w, FACT_DOCUMENT);
    if (fact)
        fact->document = *document;
}

static struct bytes numbered(struct fhir_work *w, size_t number) {
    char digits[24];
    struct text text;
    text_init(&text, digits, sizeof digits);
    text_put_u64(&text, number);
    const struct bytes parts[] = {w->name, text_bytes(&text)};
    return number ? fhir_join(parts, 2, "#", w->arena) : w->name;
}

void fhir_add_forms(struct fhir_work *w, const struct fhir_node *forms, struct bytes kind,
                    int64_t at) {
    size_t number = 0;
    for (const struct fhir_node *form = fhir_items(forms); form; form = form->next) {
        struct fact_document document = {
            .id = numbered(w, number++),
            .kind = kind,
            .title = fhir_member_text(form, "title", w->arena),
            .at = at,
            .is_cancelled = status_is(w, "entered-in-error"),
        };
        read_attachment(w, form, &document);
        add_document(w, &document);
    }
}

/* ---- DocumentReference ---- */

/* replaces and transforms take the other's place; appends stands beside it. */
static void read_relations(struct fhir_work *w, struct fact_document *document) {
    for (const struct fhir_node *r = fhir_items(own(w, "relatesTo")); r; r = r->next) {
        const struct fhir_node *target = fhir_member(r, "target");
        target = target ? target : fhir_member(r, "targetReference");
        bool appends = fhir_member_is(r, "code", "appends");
        if (!appends && !fhir_member_is(r, "code", "replaces"))
            continue;
        document->parent_id = fhir_name_of(w, target);
        document->is_replacement = !appends;
        document->is_addendum = appends;
        return;
    }
}

/* TXA-17: in progress, authenticated. */
static struct bytes completion_of(const struct fhir_work *w, const char *member) {
    const struct fhir_node *status = own(w, member);
    return fhir_is(status, "preliminary")                           ? BYTES("IP")
           : fhir_is(status, "final") || fhir_is(status, "amended") ? BYTES("AU")
                                                                    : BYTES_NONE;
}

void fhir_document_reference(struct fhir_work *w) {
    const struct fhir_node *content = fhir_items(own(w, "content"));
    int64_t at = own_instant(w, w->resource, "date");
    struct fact_document document = {
        .id = w->name,
        .kind = fhir_coding(own(w, "type"), w->arena).text,
        .title = own_text(w, "description"),
        .completion = completion_of(w, "docStatus"),
        .availability = status_is(w, "superseded") ? BYTES("OB") : BYTES("AV"),
        .author = fhir_people(w, own(w, "author"), NULL, ", "),
        .at = at == INSTANT_NONE ? w->facts->said : at,
        .is_cancelled = is_in_error(w),
    };
    read_relations(w, &document);
    for (size_t number = 0; content; content = content->next, number++) {
        const struct fhir_node *attachment = fhir_member(content, "attachment");
        struct fact_document part = document;
        part.id = numbered(w, number);
        if (bytes_is_empty(part.title))
            part.title = fhir_member_text(attachment, "title", w->arena);
        read_attachment(w, attachment, &part);
        add_document(w, &part);
    }
}

/* ---- Composition ---- */

static struct bytes section_text(struct fhir_work *w, const struct fhir_node *section) {
    const struct bytes parts[] = {
        fhir_member_text(section, "title", w->arena),
        fhir_narrative(fhir_member(section, "text"), w->arena),
        fhir_coding(fhir_member(section, "emptyReason"), w->arena).text,
    };
    return fhir_join(parts, 3, "\n", w->arena);
}

/* Sections, and the sections in each of them; what lies deeper is in the resource. */
static struct bytes sections_text(struct fhir_work *w) {
    struct bytes parts[SECTIONS_MAX];
    size_t count = 0;
    const struct fhir_node *section = fhir_items(own(w, "section"));
    for (; section && count < SECTIONS_MAX; section = section->next) {
        const struct fhir_node *inner = fhir_items(fhir_member(section, "section"));
        parts[count++] = section_text(w, section);
        for (; inner && count < SECTIONS_MAX; inner = inner->next)
            parts[count++] = section_text(w, inner);
    }
    if (section)
        fhir_warn(w, "a composition has more sections than are read");
    return fhir_join(parts, count, "\n\n", w->arena);
}

void fhir_composition(struct fhir_work *w) {
    int64_t at = own_instant(w, w->resource, "date");
    struct fact_document document = {
        .id = w->name,
        .kind = fhir_coding(own(w, "type"), w->arena).text,
        .title = own_text(w, "title"),
        .completion = completion_of(w, "status"),
        .availability = BYTES("AV"),
        .author = fhir_people(w, own(w, "author"), NULL, ", "),
        .at = at == INSTANT_NONE ? w->facts->said : at,
        .media_type = BYTES("text/plain"),
        .text = sections_text(w),
        .is_cancelled = status_is(w, "entered-in-error"),
    };
    if (bytes_is_empty(document.text))
        document.text = fhir_narrative(own(w, "text"), w->arena);
    read_relations(w, &document);
    add_document(w, &document);
}

/* ---- what was done, and what is planned ---- */

void fhir_procedure(struct fhir_work *w) {
    const struct fhir_node *when = own(w, "performedDateTime");
    int64_t at = fhir_instant(when ? when : fhir_member(own(w, "performedPeriod"), "start"),
                              w->context->zone);
    const struct bytes lines[] = {
        own_text(w, "status"),
        fhir_texts(own(w, "reasonCode"), ", ", w->arena),
        fhir_texts(own(w, "bodySite"), ", ", w->arena),
        fhir_texts(own(w, "outcome"), ", ", w->arena),
        fhir_texts(own(w, "complication"), ", ", w->arena),
        fhir_notes(w, w->resource),
    };
    struct fact_document document = {
        .id = w->name,
        .kind = BYTES("Procedure"),
        .title = fhir_coding(own(w, "code"), w->arena).text,
        .author = fhir_people(w, own(w, "performer"), "actor", ", "),
        .at = at == INSTANT_NONE ? w->facts->said : at,
        .media_type = BYTES("text/plain"),
        .text = fhir_join(lines, 6, "\n", w->arena),
        .is_cancelled = status_is(w, "entered-in-error"),
    };
    add_document(w, &document);
}

static struct bytes activities_text(struct fhir_work *w) {
    struct bytes lines[LINES_MAX];
    size_t count = 0;
    for (const struct fhir_node *a = fhir_items(own(w, "activity")); a && count < LINES_MAX;
         a = a->next) {
        const struct fhir_node *detail = fhir_member(a, "detail");
        const struct bytes parts[] = {fhir_coding(fhir_member(detail, "code"), w->arena).text,
                                      fhir_member_text(detail, "description", w->arena),
                                      fhir_member_text(detail, "status", w->arena),
                                      fhir_display(w, fhir_member(a, "reference"))};
        lines[count++] = fhir_join(parts, 4, ", ", w->arena);
    }
    return fhir_join(lines, count, "\n", w->arena);
}

void fhir_care_plan(struct fhir_work *w) {
    int64_t at = own_instant(w, own(w, "period"), "start");
    const struct bytes lines[] = {own_text(w, "status"), own_text(w, "description"),
                                  activities_text(w), fhir_notes(w, w->resource)};
    struct bytes title = own_text(w, "title");
    struct fact_document document = {
        .id = w->name,
        .kind = BYTES("CarePlan"),
        .title = bytes_is_empty(title) ? fhir_texts(own(w, "category"), ", ", w->arena) : title,
        .author = fhir_display(w, own(w, "author")),
        .at = at == INSTANT_NONE ? w->facts->said : at,
        .media_type = BYTES("text/plain"),
        .text = fhir_join(lines, 4, "\n", w->arena),
        .is_cancelled = status_is(w, "entered-in-error"),
    };
    add_document(w, &document);
}
