/* type.c - datatypes of FHIR that resources share: codes, identifiers, quantities, names, addresses, narratives. */
#include "formats/fhir/fhir.h"

#define PIECES_MAX 16u

/* ---- codes ---- */

/* HL7 v2 table 0396 and the uris of http://terminology.hl7.org. */
struct bytes fhir_system_name(struct bytes uri) {
    static const struct {
        const char *uri, *name;
    } names[] = {
        {"http://loinc.org", "LN"},
        {"http://snomed.info/sct", "SCT"},
        {"http://www.nlm.nih.gov/research/umls/rxnorm", "RXNORM"},
        {"http://unitsofmeasure.org", "UCUM"},
        {"http://hl7.org/fhir/sid/icd-10", "I10"},
        {"http://hl7.org/fhir/sid/icd-10-cm", "I10C"},
        {"http://hl7.org/fhir/sid/icd-9-cm", "I9C"},
        {"http://hl7.org/fhir/sid/cvx", "CVX"},
        {"http://hl7.org/fhir/sid/ndc", "NDC"},
        {"http://www.whocc.no/atc", "ATC"},
        {"urn:oid:2.16.840.1.113883.6.73", "ATC"},
        {"urn:oid:2.16.840.1.113883.6.1", "LN"},
        {"urn:oid:2.16.840.1.113883.6.96", "SCT"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_is(uri, names[i].uri))
            return bytes_from_string(names[i].name);
    return uri;
}

static const struct fhir_node *codings_of(const struct fhir_node *node) {
    const struct fhir_node *codings = fhir_member(node, "coding");
    return codings ? fhir_items(codings) : fhir_member(node, "code") ? fhir_items(node) : NULL;
}

static const struct fhir_node *best_coding(const struct fhir_node *node) {
    const struct fhir_node *first = NULL;
    for (const struct fhir_node *c = codings_of(node); c; c = c->next) {
        if (!fhir_member(c, "code"))
            continue;
        if (fhir_is_true(fhir_member(c, "userSelected")))
            return c;
        first = first ? first : c;
    }
    return first ? first : codings_of(node);
}

struct fhir_coding fhir_coding(const struct fhir_node *node, struct arena *arena) {
    const struct fhir_node *coding = best_coding(node);
    struct fhir_coding out = {
        .code = fhir_member_text(coding, "code", arena),
        .system = fhir_system_name(fhir_member_text(coding, "system", arena)),
        .text = fhir_member_text(node, "text", arena),
    };
    if (bytes_is_empty(out.code))
        out.system = BYTES_NONE;
    if (bytes_is_empty(out.text))
        out.text = fhir_member_text(coding, "display", arena);
    if (bytes_is_empty(out.text))
        out.text = out.code;
    return out;
}

bool fhir_has_code(const struct fhir_node *concept, const char *code) {
    for (const struct fhir_node *one = fhir_items(concept); one; one = one->next)
        for (const struct fhir_node *c = codings_of(one); c; c = c->next)
            if (fhir_member_is(c, "code", code))
                return true;
    return false;
}

static bool ends_with(struct bytes b, const char *end) {
    size_t size = strlen(end);
    return b.size >= size && memcmp(b.data + b.size - size, end, size) == 0;
}

struct bytes fhir_code_of(const struct fhir_node *concept, const char *system_end,
                          struct arena *arena) {
    for (const struct fhir_node *c = codings_of(concept); c; c = c->next)
        if (ends_with(fhir_member_text(c, "system", arena), system_end))
            return fhir_member_text(c, "code", arena);
    return BYTES_NONE;
}

/* ---- identifiers, quantities ---- */

struct fhir_identifier fhir_identifier(const struct fhir_node *node, struct zone *zone,
                                       struct arena *arena) {
    const struct fhir_node *type = fhir_member(node, "type");
    struct bytes code = fhir_code_of(type, "/v2-0203", arena);
    return (struct fhir_identifier){
        .system = fhir_member_text(node, "system", arena),
        .value = fhir_member_text(node, "value", arena),
        .type = bytes_is_empty(code) ? fhir_coding(type, arena).code : code,
        .use = fhir_member_text(node, "use", arena),
        .ends_at = fhir_instant(fhir_member(fhir_member(node, "period"), "end"), zone),
    };
}

struct fhir_quantity fhir_quantity(const struct fhir_node *node, struct arena *arena) {
    const struct bytes parts[] = {
        fhir_member_text(node, "comparator", arena),
        fhir_decimal(fhir_member_text(node, "value", arena), arena),
    };
    struct fhir_quantity out = {.value = bytes_is_empty(parts[1]) ? BYTES_NONE
                                                                  : fhir_join(parts, 2, "", arena),
                                .unit = fhir_member_text(node, "unit", arena)};
    if (bytes_is_empty(out.unit))
        out.unit = fhir_member_text(node, "code", arena);
    return out;
}

/* ---- people ---- */

static struct bytes all_of(const struct fhir_node *list, const char *between, struct arena *arena) {
    struct bytes parts[PIECES_MAX];
    size_t count = 0;
    for (const struct fhir_node *item = fhir_items(list); item && count < PIECES_MAX;
         item = item->next)
        parts[count++] = fhir_text(item, arena);
    return fhir_join(parts, count, between, arena);
}

struct fhir_name fhir_name(const struct fhir_node *node, struct arena *arena) {
    return (struct fhir_name){
        .use = fhir_member_text(node, "use", arena),
        .family = fhir_member_text(node, "family", arena),
        .given = all_of(fhir_member(node, "given"), " ", arena),
        .prefix = all_of(fhir_member(node, "prefix"), " ", arena),
        .text = fhir_member_text(node, "text", arena),
    };
}

struct bytes fhir_name_line(const struct fhir_name *name, struct arena *arena) {
    const struct bytes parts[] = {name->family, name->given};
    struct bytes line = fhir_join(parts, 2, ", ", arena);
    return bytes_is_empty(line) ? name->text : line;
}

struct bytes fhir_address_line(const struct fhir_node *node, struct arena *arena) {
    const struct bytes town[] = {fhir_member_text(node, "postalCode", arena),
                                 fhir_member_text(node, "city", arena)};
    const struct bytes parts[] = {
        all_of(fhir_member(node, "line"), ", ", arena),
        fhir_join(town, 2, " ", arena),
        fhir_member_text(node, "country", arena),
    };
    struct bytes line = fhir_join(parts, 3, ", ", arena);
    return bytes_is_empty(line) ? fhir_member_text(node, "text", arena) : line;
}

/* ---- narrative ---- */

static bool is_block(struct bytes tag) {
    static const char *const blocks[] = {"p",  "div", "br", "li", "tr",    "h1", "h2",
                                         "h3", "h4",  "ul", "ol", "table", "dt", "dd"};
    if (tag.size && tag.data[0] == '/')
        tag = bytes_skip(tag, 1);
    size_t end = 0;
    while (end < tag.size && tag.data[end] > ' ' && tag.data[end] != '/')
        end++;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (bytes_is(bytes_first(tag, end), blocks[i]))
            return true;
    return false;
}

static size_t put_entity(struct text *out, struct bytes rest) {
    static const struct {
        const char *name, *text;
    } entities[] = {{"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
                    {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", " "}};
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        struct bytes name = bytes_from_string(entities[i].name);
        if (!bytes_starts_with(rest, name))
            continue;
        text_put_string(out, entities[i].text);
        return name.size;
    }
    text_put_char(out, '&');
    return 1;
}

static void put_space(struct text *out, char space) {
    if (out->size == 0)
        return;
    char last = out->data[out->size - 1];
    if (last == '\n' || (last == ' ' && space == ' '))
        return;
    if (last == ' ') /* a line's end takes the place of a blank */
        out->data[out->size - 1] = space;
    else
        text_put_char(out, space);
}

struct bytes fhir_narrative(const struct fhir_node *narrative, struct arena *arena) {
    struct bytes div = fhir_member_text(narrative, "div", arena);
    struct text text;
    if (bytes_is_empty(div) || text_init_arena(&text, arena, div.size + 1))
        return BYTES_NONE;
    for (size_t i = 0; i < div.size;) {
        struct bytes rest = bytes_skip(div, i);
        uint8_t c = rest.data[0];
        if (c == '<') {
            size_t end = bytes_find(rest, '>');
            end = end == BYTES_NOT_FOUND ? rest.size - 1 : end;
            if (is_block(bytes_from(rest.data + 1, end > 0 ? end - 1 : 0)))
                put_space(&text, '\n');
            i += end + 1;
        } else if (c == '&') {
            i += put_entity(&text, rest);
        } else {
            if (c <= ' ')
                put_space(&text, ' ');
            else
                text_put_char(&text, (char)c);
            i++;
        }
    }
    return bytes_trim(text_bytes(&text));
}
