/* content.c - the files that a message of documents or results carries: each OBX of type ED or RP, as it stands. */
#include "facts/translate.h"

#define ED_PARTS 5

static enum facts_encoding encoding_of(struct bytes said) {
    uint8_t first = said.size ? (uint8_t)(said.data[0] | 0x20) : 0;
    return first == 'b' ? CONTENT_BASE64 : first == 'h' ? CONTENT_HEX : CONTENT_TEXT;
}

static void read_content(struct translation *t, struct facts_content *content) {
    struct bytes parts[ED_PARTS];
    bool is_pointer = bytes_is(value_raw(t, 2, 1), "RP");
    split_components(t, first_repetition(t, 5), parts, ED_PARTS);
    *content = (struct facts_content){
        .media_type = media_type_of(t, is_pointer ? parts + 1 : parts),
        .name = coded_field(t, 3).text,
        .encoding = is_pointer ? CONTENT_ELSEWHERE : encoding_of(parts[3]),
        .escape = t->message.delimiters.escape,
    };
    if (content->encoding == CONTENT_ELSEWHERE)
        content->data = text_of(t, parts[0]);
    else if (content->encoding == CONTENT_TEXT)
        content->data = layout_of(t, parts[4]);
    else
        content->data = parts[4];
}

/* Does the chart's text of the document have it already? Then it is no file of its own. */
static bool is_of_the_text(const struct translation *t, const struct facts_content *content) {
    return t->kind == KIND_DOCUMENT && content->encoding == CONTENT_TEXT &&
           bytes_starts_with(content->media_type, BYTES("text/plain"));
}

static bool is_content(struct translation *t, bool *has_header) {
    struct bytes name = t->segment.name;
    if (bytes_is(name, "MSH")) {
        bool is_second = *has_header;
        *has_header = true;
        return !is_second;
    }
    return true;
}

static void read_contents(struct translation *t, struct facts_content *list, size_t *count) {
    struct hl7_walk walk = {0};
    bool has_header = false;
    while (!t->is_full && hl7_segment_next(&t->message, &walk, &t->segment)) {
        if (!is_content(t, &has_header) || *count == FACTS_CONTENTS_MAX)
            return;
        if (!bytes_is(t->segment.name, "OBX"))
            continue;
        hl7_segment_split(&t->segment, t->fields, 6);
        if (!type_is_encapsulated(value_upper(t, 2, 1)))
            continue;
        read_content(t, &list[*count]);
        *count += !is_of_the_text(t, &list[*count]);
    }
}

enum err facts_contents(struct bytes body, const struct facts_context *context, struct arena *arena,
                        struct facts_content **list, size_t *count, struct fault *fault) {
    struct facts facts = {0};
    struct translation t = {.context = context, .arena = arena, .facts = &facts};
    *count = 0;
    *list = arena_array(arena, FACTS_CONTENTS_MAX, sizeof **list);
    if (!*list)
        return fault_set(fault, ERR_LIMIT, "no room for what the message holds");
    enum err err = hl7_message_init(&t.message, body, context->otherwise, fault);
    if (err)
        return err;
    t.segment =
        (struct hl7_segment){t.message.msh, bytes_first(t.message.msh, 3), 0, t.message.delimiters};
    hl7_segment_split(&t.segment, t.fields, 10);
    t.kind = bytes_is(value_upper(&t, 9, 1), "MDM") ? KIND_DOCUMENT : KIND_RESULTS;
    read_contents(&t, *list, count);
    return t.is_full ? fault_set(fault, ERR_LIMIT, "no room for what the message holds") : ERR_OK;
}
