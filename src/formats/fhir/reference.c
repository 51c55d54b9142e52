/* reference.c - what a FHIR Reference or URL points to, without looking there. */
#include "formats/fhir/fhir.h"

#define ID_BYTES_MAX 64u

bool fhir_is_id(struct bytes id) {
    for (size_t i = 0; i < id.size; i++) {
        uint8_t c = id.data[i];
        bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return id.size > 0 && id.size <= ID_BYTES_MAX;
}

bool fhir_is_type(struct bytes type) {
    for (size_t i = 0; i < type.size; i++) {
        uint8_t c = type.data[i];
        if (!((c >= 'A' && c <= 'Z') || (i > 0 && c >= 'a' && c <= 'z')))
            return false;
    }
    return type.size > 1 && type.size <= ID_BYTES_MAX;
}

/* The part behind the last slash goes; false when there is none. */
static bool cut_last(struct bytes *path, struct bytes *last) {
    size_t at = path->size;
    while (at > 0 && path->data[at - 1] != '/')
        at--;
    *last = bytes_skip(*path, at);
    if (at == 0)
        return false;
    path->size = at - 1;
    return true;
}

/* [base/]Type/id[/_history/version] */
static bool read_path(struct bytes path, struct fhir_reference *out) {
    struct bytes last, type;
    bool has_more = cut_last(&path, &last);
    struct bytes before = path, word;
    bool has_word = has_more && cut_last(&before, &word);
    if (has_more && bytes_is(has_word ? word : before, "_history")) {
        path = before;
        has_more = has_word && cut_last(&path, &last);
    }
    if (!has_more || !fhir_is_id(last))
        return false;
    bool has_base = cut_last(&path, &type);
    if (!fhir_is_type(type))
        return false;
    out->type = type;
    out->id = last;
    out->base = has_base ? path : BYTES_NONE;
    return true;
}

static int hex_of(uint8_t c) {
    uint8_t byte;
    const uint8_t pair[2] = {'0', c};
    return hex_decode(bytes_from(pair, 2), &byte, 1) ? byte : -1;
}

/* %41 and + of a query. */
static struct bytes query_decoded(struct bytes b, struct arena *arena) {
    struct text text;
    if (bytes_find(b, '%') == BYTES_NOT_FOUND && bytes_find(b, '+') == BYTES_NOT_FOUND)
        return b;
    if (text_init_arena(&text, arena, b.size + 1))
        return BYTES_NONE;
    for (size_t i = 0; i < b.size; i++) {
        bool is_code = b.data[i] == '%' && i + 2 < b.size && hex_of(b.data[i + 1]) >= 0 &&
                       hex_of(b.data[i + 2]) >= 0;
        text_put_char(&text, (char)(is_code ? hex_of(b.data[i + 1]) << 4 | hex_of(b.data[i + 2])
                                    : b.data[i] == '+' ? ' '
                                                       : b.data[i]));
        i += is_code ? 2 : 0;
    }
    struct bytes out = text_bytes(&text);
    return bytes_is_utf8(out, NULL) ? out : b;
}

/* Type?identifier=system|value; of other searches only the type is read. */
static void read_search(struct bytes url, size_t mark, struct fhir_reference *out,
                        struct arena *arena) {
    struct bytes path = bytes_first(url, mark), rest = bytes_skip(url, mark + 1), part;
    out->kind = FHIR_REFERENCE_SEARCH;
    if (cut_last(&path, &out->type))
        out->base = path;
    while (bytes_next_part(&rest, '&', &part)) {
        if (!bytes_starts_with(part, BYTES("identifier=")))
            continue;
        struct bytes token = query_decoded(bytes_skip(part, 11), arena);
        size_t bar = bytes_find(token, '|');
        out->system = bar == BYTES_NOT_FOUND ? BYTES_NONE : bytes_first(token, bar);
        out->value = bar == BYTES_NOT_FOUND ? token : bytes_skip(token, bar + 1);
    }
}

struct fhir_reference fhir_url(struct bytes url, struct arena *arena) {
    struct fhir_reference out = {.kind = FHIR_REFERENCE_NONE, .whole = url};
    size_t mark = bytes_find(url, '?');
    if (bytes_is_empty(url))
        return out;
    if (url.data[0] == '#') {
        out.kind = FHIR_REFERENCE_CONTAINED;
        out.id = bytes_skip(url, 1);
    } else if (bytes_starts_with(url, BYTES("urn:"))) {
        out.kind = FHIR_REFERENCE_URN;
        out.id = bytes_starts_with(url, BYTES("urn:uuid:")) ? bytes_skip(url, 9) : url;
    } else if (mark != BYTES_NOT_FOUND) {
        read_search(url, mark, &out, arena);
    } else if (read_path(url, &out)) {
        out.kind = bytes_is_empty(out.base) ? FHIR_REFERENCE_RELATIVE : FHIR_REFERENCE_ABSOLUTE;
    }
    return out;
}

struct fhir_reference fhir_reference(const struct fhir_node *node, struct arena *arena) {
    struct fhir_reference out = fhir_url(fhir_member_text(node, "reference", arena), arena);
    const struct fhir_node *identifier = fhir_member(node, "identifier");
    out.display = fhir_member_text(node, "display", arena);
    if (out.kind != FHIR_REFERENCE_NONE || !identifier)
        return out;
    out.system = fhir_member_text(identifier, "system", arena);
    out.value = fhir_member_text(identifier, "value", arena);
    out.type = fhir_member_text(node, "type", arena);
    if (!bytes_is_empty(out.value))
        out.kind = FHIR_REFERENCE_LOGICAL;
    return out;
}
