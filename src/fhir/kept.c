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
