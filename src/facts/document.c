/* document.c - a document: TXA says what it is, the OBX that follow are its content. */
#include "facts/translate.h"

static struct fact_document *document_at(struct translation *t) {
    return t->document == NO_FACT ? NULL : &t->facts->list[t->document].document;
}

static bool event_is_one_of(const struct translation *t, const char *a, const char *b) {
    return bytes_is(t->facts->trigger, a) || bytes_is(t->facts->trigger, b);
}

/* TXA-9 is who originated it; simple senders fill TXA-5, who did the work. */
static struct bytes author_of(struct translation *t) {
    struct bytes author = person_text(t, 9, false);
    return bytes_is_empty(author) ? person_text(t, 5, false) : author;
}

static int64_t time_of_document(struct translation *t) {
    int64_t at = value_time(t, 4);
    return at == INSTANT_NONE ? value_time(t, 6) : at;
}

void translate_txa(struct translation *t) {
    if (t->kind != KIND_DOCUMENT)
        return;
    if (t->document != NO_FACT) {
        translate_warn(t, "a second TXA was not read");
        return;
    }
    struct fact *fact = translate_add(t, FACT_DOCUMENT);
    if (!fact)
        return;
    t->document = t->facts->count - 1;
    fact->document = (struct fact_document){
        .id = entity_text(t, 12),
        .parent_id = entity_text(t, 13),
        .kind = coded_field(t, 2).text,
        .title = value_text(t, 25, 1),
        .completion = value_text(t, 17, 1),
        .availability = value_text(t, 19, 1),
        .author = author_of(t),
        .at = time_of_document(t),
        .is_cancelled = bytes_is(t->facts->trigger, "T11"),
        .is_replacement = event_is_one_of(t, "T09", "T10"),
        .is_addendum = event_is_one_of(t, "T05", "T06"),
    };
    if (bytes_is_empty(fact->document.id)) {
        translate_warn(t, "a document has no number (TXA-12): that of the message stands for it");
        fact->document.id = t->facts->control_id;
    }
    /* The file's name is the last resort for a title: an OBX may give a better one. */
    t->document_file_name = value_text(t, 16, 1);
}

/* Plain text is sent as encapsulated data too; then it is the text, and not an attachment. */
static bool is_plain_text(struct bytes media_type, const struct bytes *parts) {
    return bytes_starts_with(media_type, BYTES("text/")) &&
           (bytes_is_empty(parts[3]) || bytes_is(parts[3], "A"));
}

static void take_encapsulated(struct translation *t, struct fact_document *document) {
    struct bytes parts[5], repetition = first_repetition(t, 5);
    bool is_pointer = bytes_is(value_raw(t, 2, 1), "RP");
    split_components(t, repetition, parts, 5);
    struct bytes media_type = media_type_of(t, is_pointer ? parts + 1 : parts);
    if (bytes_is_empty(document->media_type))
        document->media_type = media_type;
    if (is_pointer)
        add_line(t, &t->document_text, text_of(t, parts[0]));
    else if (is_plain_text(media_type, parts))
        add_line(t, &t->document_text, layout_of(t, parts[4]));
    else
        document->encapsulated_bytes += encapsulated_bytes(t, parts);
}

void translate_document_content(struct translation *t) {
    struct fact_document *document = document_at(t);
    struct bytes type = value_upper(t, 2, 1);
    if (!document) {
        translate_warn(t, "a document's content stands before its TXA");
        return;
    }
    if (bytes_is_empty(document->title))
        document->title = coded_field(t, 3).text;
    if (type_is_encapsulated(type))
        take_encapsulated(t, document);
    else
        read_value(t, type, &t->document_text);
}

void translate_document_note(struct translation *t) {
    struct bytes rest = t->fields[3], repetition;
    /* What stands before TXA are notes to the orders that the document answers. */
    while (t->document != NO_FACT && next_repetition(t, &rest, &repetition))
        add_line(t, &t->document_text, layout_of(t, repetition));
}

static bool promises_content(const struct translation *t) {
    return event_is_one_of(t, "T02", "T04") || event_is_one_of(t, "T06", "T08") ||
           bytes_is(t->facts->trigger, "T10");
}

void finish_document(struct translation *t) {
    struct fact_document *document = document_at(t);
    if (!document)
        return;
    document->text = t->document_text.text;
    if (bytes_is_empty(document->title))
        document->title = t->document_file_name;
    if (document->at == INSTANT_NONE)
        document->at = t->facts->said;
    if (bytes_is_empty(document->media_type) && !bytes_is_empty(document->text))
        document->media_type = BYTES("text/plain");
    if (promises_content(t) && bytes_is_empty(document->text) && !document->encapsulated_bytes)
        translate_warn(t, "a document comes without the content its event promises");
}
