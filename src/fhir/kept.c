/* kept.c - resources that came as FHIR, given back as they came: member by member, number by number, with where they are kept. */
#include "fhir/kept.h"

#include "formats/fhir/fhir.h"

static void put_value(struct json *json, const struct fhir_node *node) {
    if (node->kind != FHIR_STRING) {
        json_put_raw(json, node->raw);
        return;
    }
    json_put_raw(json, BYTES("\"")); /* its escapes stay as they are */
    text_put(json->text, node->raw);
    text_put_char(json->text, '"');
}

/* A member as it stands; its name is still escaped. */
static void put_member(struct json *json, const struct fhir_node *node) {
    if (json->has_item[json->depth])
        text_put_char(json->text, ',');
    json->has_item[json->depth] = true;
    text_put_char(json->text, '"');
    text_put(json->text, node->name);
    text_put_string(json->text, "\":");
    json->after_name = true;
    put_value(json, node);
}

/* Its own meta; what it does not say of its time and source is ours to say. */
static void put_meta(struct json *json, const struct fhir_node *meta,
                     const struct chart_resource *kept) {
    char address[64];
    struct text text;
    bool has_time = fhir_member(meta, "lastUpdated"), has_source = fhir_member(meta, "source");
    text_init(&text, address, sizeof address);
    text_put_string(&text, "urn:veilleuse:entry:");
    text_put_u64(&text, kept->from.entry);
    json_name(json, "meta");
    json_object_begin(json);
    for (const struct fhir_node *node = meta ? meta->first : NULL; node; node = node->next)
        put_member(json, node);
    if (!has_time && kept->said != INSTANT_NONE)
        json_member_instant(json, "lastUpdated", kept->said);
    if (!has_source)
        json_member_string(json, "source", address);
    json_object_end(json);
}

/* The last '/' before `end`; BYTES_NOT_FOUND. */
static size_t slash_before(struct bytes name, size_t end) {
    for (size_t i = end; i > 0; i--)
        if (name.data[i - 1] == '/')
            return i - 1;
    return BYTES_NOT_FOUND;
}

struct name { /* "Type/id", or "source/Type/id" */
    struct bytes source, type, id;
};

static bool read_name(struct bytes whole, struct name *name) {
    size_t slash = slash_before(whole, whole.size);
    if (slash == BYTES_NOT_FOUND)
        return false;
    *name = (struct name){BYTES(FACTS_FHIR_SOURCE), bytes_first(whole, slash),
                          bytes_skip(whole, slash + 1)};
    slash = slash_before(name->type, name->type.size);
    if (slash != BYTES_NOT_FOUND) {
        name->source = bytes_first(name->type, slash);
        name->type = bytes_skip(name->type, slash + 1);
    }
    return fhir_is_type(name->type) && fhir_is_id(name->id);
}

/* Of this person; NULL: there is none. */
static const struct chart_resource *find(const struct record *record, const struct name *name,
                                         enum err *err) {
    struct fault fault = {0};
    struct chart_resource *kept = arena_alloc(record->view->arena, sizeof *kept);
    enum err found = kept && record->view->chart
                         ? chart_resource(record->view->chart, record->view->arena, name->type,
                                          name->id, name->source, kept, &fault)
                         : ERR_NOT_FOUND;
    if (found && found != ERR_NOT_FOUND)
        *err = found;
    bool is_it = !found && kept->patient == record->person && !kept->is_deleted &&
                 !bytes_is_empty(kept->json);
    return is_it ? kept : NULL;
}

const struct chart_resource *kept_of(const struct record *record, const struct kind *kind,
                                     size_t at, enum err *err) {
    struct facets facets = {.from = INSTANT_NONE, .to = INSTANT_NONE};
    struct name name;
    kind->facets(record, at, &facets);
    if (!read_name(facets.came_as, &name) || !bytes_is(name.type, kind->name))
        return NULL;
    const struct chart_resource *kept = find(record, &name, err);
    return kept && kept->from.entry == facets.entry ? kept : NULL;
}

bool came_as_another(const struct record *record, struct bytes whole, const char *type) {
    struct name name;
    enum err err = ERR_OK;
    return read_name(whole, &name) && !bytes_is(name.type, type) && find(record, &name, &err);
}

enum err kept_put(struct json *json, const struct chart_resource *kept, struct arena *arena,
                  struct fault *fault) {
    const struct fhir_node *root;
    enum err err = fhir_read(kept->json, arena, &root, fault);
    if (err)
        return err;
    json_object_begin(json);
    json_member_bytes(json, "resourceType", kept->type);
    json_member_bytes(json, "id", kept->id);
    put_meta(json, fhir_member(root, "meta"), kept);
    for (const struct fhir_node *node = root->first; node; node = node->next)
        if (!bytes_is(node->name, "resourceType") && !bytes_is(node->name, "id") &&
            !bytes_is(node->name, "meta"))
            put_member(json, node);
    json_object_end(json);
    return ERR_OK;
}

/* ---- of types that the chart makes nothing of ---- */

static size_t other_count(const struct record *record) {
    return record->other_count;
}

static void identify(const struct record *record, size_t at, struct id *id) {
    struct text text;
    text_init(&text, id->text, sizeof id->text);
    text_put(&text, record->others[at].type);
    text_put_char(&text, '.');
    text_put(&text, record->others[at].id);
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    out->said = record->others[at].said;
    out->entry = record->others[at].from.entry;
}

static void put(struct json *json, const struct record *record, size_t at) {
    struct fault fault = {0};
    if (kept_put(json, &record->others[at], record->view->arena, &fault))
        json->text->full = true; /* no room to read it in: it is not half given */
}

static const struct search_name no_names[] = {{NULL, FACET_NONE}};

const struct kind kind_others = {"*",      GATHER_OTHERS, other_count, NULL,
                                 identify, facets,        put,         no_names};
