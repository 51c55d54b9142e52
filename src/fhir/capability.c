/* capability.c - the CapabilityStatement: what is offered, from the very tables that answer. */
#include "fhir/put.h"

static const char *parameter_type(enum facet facet) {
    switch (facet) {
    case FACET_DATE:
    case FACET_UPDATED:
    case FACET_BIRTHDATE:
        return "date";
    case FACET_PATIENT:
    case FACET_LOCATION:
        return "reference";
    case FACET_NAME:
    case FACET_FAMILY:
    case FACET_GIVEN:
        return "string";
    default:
        return "token";
    }
}

static void put_parameter(struct json *json, const char *name, enum facet facet) {
    json_object_begin(json);
    json_member_string(json, "name", name);
    json_member_string(json, "type", parameter_type(facet));
    json_object_end(json);
}

static void put_interaction(struct json *json, const char *code) {
    json_object_begin(json);
    json_member_string(json, "code", code);
    json_object_end(json);
}

static void put_interactions(struct json *json, bool can_search) {
    json_name(json, "interaction");
    json_array_begin(json);
    put_interaction(json, "read");
    if (can_search) {
        put_interaction(json, "search-type");
        put_interaction(json, "create");
        put_interaction(json, "update");
    }
    json_array_end(json);
    json_member_string(json, "versioning", "no-version");
    if (can_search)
        json_member_bool(json, "updateCreate", true);
}

static void put_operation(struct json *json, const char *name, const char *definition) {
    json_object_begin(json);
    json_member_string(json, "name", name);
    json_member_string(json, "definition", definition);
    json_object_end(json);
}

static void put_patient_extras(struct json *json) {
    json_name(json, "operation");
    json_array_begin(json);
    put_operation(json, "everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything");
    put_operation(json, "summary", "http://hl7.org/fhir/uv/ips/OperationDefinition/summary");
    json_array_end(json);
}

static void put_kind(struct json *json, const struct kind *kind) {
    bool is_patient = kind == &kind_patient;
    json_object_begin(json);
    json_member_string(json, "type", kind->name);
    put_interactions(json, true);
    if (!is_patient) {
        json_name(json, "searchInclude");
        json_array_begin(json);
        struct text include;
        char buffer[80];
        text_init(&include, buffer, sizeof buffer);
        text_put_string(&include, kind->name);
        text_put_string(&include, ":patient");
        json_put_bytes(json, text_bytes(&include));
        json_array_end(json);
    }
    json_name(json, "searchParam");
    json_array_begin(json);
    put_parameter(json, "_id", FACET_ID);
    put_parameter(json, "_lastUpdated", FACET_UPDATED);
    if (!is_patient) {
        put_parameter(json, "patient", FACET_PATIENT);
        put_parameter(json, "subject", FACET_PATIENT);
    }
    for (const struct search_name *name = kind->names; name->name; name++)
        put_parameter(json, name->name, name->facet);
    json_array_end(json);
    if (is_patient)
        put_patient_extras(json);
    json_object_end(json);
}

static void put_place_and_binary(struct json *json) {
    json_object_begin(json);
    json_member_string(json, "type", "Location");
    put_interactions(json, true);
    json_name(json, "searchParam");
    json_array_begin(json);
    put_parameter(json, "_id", FACET_ID);
    put_parameter(json, "name", FACET_NAME);
    json_array_end(json);
    json_object_end(json);
    json_object_begin(json);
    json_member_string(json, "type", "Binary");
    put_interactions(json, false);
    json_object_end(json);
}

static void put_rest(struct json *json) {
    json_name(json, "rest");
    json_array_begin(json);
    json_object_begin(json);
    json_member_string(json, "mode", "server");
    json_name(json, "security");
    json_object_begin(json);
    json_member_string(
        json, "description",
        "Bearer tokens, made with `veilleuse token`, with scopes system/<type>.read");
    json_object_end(json);
    json_name(json, "resource");
    json_array_begin(json);
    for (size_t i = 0; i < KIND_COUNT; i++)
        put_kind(json, kinds[i]);
    put_place_and_binary(json);
    json_array_end(json);
    json_name(json, "interaction");
    json_array_begin(json);
    put_interaction(json, "transaction");
    put_interaction(json, "batch");
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
}

void capability_put(const struct fhir_view *view, struct json *json) {
    json_object_begin(json);
    json_member_string(json, "resourceType", "CapabilityStatement");
    json_member_string(json, "status", "active");
    json_member_string(json, "date", "2026-11-28");
    json_member_string(json, "kind", "instance");
    json_name(json, "software");
    json_object_begin(json);
    json_member_string(json, "name", "Veilleuse");
    json_member_string(json, "version", VEILLEUSE_VERSION);
    json_object_end(json);
    json_name(json, "implementation");
    json_object_begin(json);
    put_text(json, "description",
             bytes_is_empty(bytes_trim(view->site_name)) ? BYTES("Veilleuse") : view->site_name);
    json_member_string(json, "url", view->base);
    json_object_end(json);
    json_member_string(json, "fhirVersion", "4.0.1");
    json_name(json, "format");
    json_array_begin(json);
    json_put_string(json, "application/fhir+json");
    json_put_string(json, "json");
    json_array_end(json);
    put_rest(json);
    json_object_end(json);
}
