/* encounter.c - Encounter: a stay, its state and place; and Location: a place that has a patient now. */
#include "fhir/put.h"

static size_t count(const struct record *record) {
    return record->stay_count;
}

/* A stay that no number names is the one of its patient's number. */
static void identify(const struct record *record, size_t at, struct id *id) {
    const struct chart_stay *stay = &record->stays[at];
    const struct bytes parts[] = {stay->visit.authority, stay->visit.type, stay->visit.number};
    id_make(id, record, stay->member, "Encounter", parts, 3);
}

static const char *status_of(const struct chart_stay *stay) {
    if (stay->is_present)
        return stay->is_on_leave ? "onleave" : "in-progress";
    if (stay->discharged_at != INSTANT_NONE)
        return "finished";
    if (stay->expected == MOVEMENT_PENDING_ADMIT || bytes_is(stay->class, "P"))
        return "planned";
    return "unknown";
}

/* Table 0004; what v3-ActCode has no code for keeps that of v2. */
static const struct class {
    const char *code, *system, *fhir, *display;
} classes[] = {
    {"I", TERMINOLOGY "v3-ActCode", "IMP", "inpatient encounter"},
    {"O", TERMINOLOGY "v3-ActCode", "AMB", "ambulatory"},
    {"E", TERMINOLOGY "v3-ActCode", "EMER", "emergency"},
    {"P", TERMINOLOGY "v3-ActCode", "PRENC", "pre-admission"},
    {"R", TERMINOLOGY "v2-0004", "R", "Recurring patient"},
    {"B", TERMINOLOGY "v2-0004", "B", "Obstetrics"},
    {"C", TERMINOLOGY "v2-0004", "C", "Commercial Account"},
    {"N", TERMINOLOGY "v2-0004", "N", "Not Applicable"},
    {"U", TERMINOLOGY "v2-0004", "U", "Unknown"},
};

static const struct class *class_of(struct bytes code) {
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (bytes_is(code, classes[i].code))
            return &classes[i];
    return NULL;
}

static void put_class(struct json *json, struct bytes code) {
    const struct class *class = class_of(code);
    json_name(json, "class");
    if (class) {
        put_coding(json, class->system, class->fhir, class->display);
        return;
    }
    json_object_begin(json);
    if (is_fhir_code(code))
        json_member_bytes(json, "code", code);
    else
        put_absent(json, "code");
    json_object_end(json);
}

static struct bytes place_words(const struct record *record, const struct fact_place *place) {
    struct text text;
    const struct bytes parts[] = {place->unit, place->room, place->bed};
    if (text_init_arena(&text, record->view->arena,
                        place->unit.size + place->room.size + place->bed.size + 4))
        return BYTES_NONE;
    for (size_t i = 0; i < 3; i++) {
        text_put_string(&text, text.size && parts[i].size ? " " : "");
        text_put(&text, parts[i]);
    }
    return text_bytes(&text);
}

/* A Location is a place that has a patient: that of an ended stay is only named. */
static void put_location(struct json *json, const struct record *record,
                         const struct chart_stay *stay) {
    struct bytes words = place_words(record, &stay->place);
    struct id id;
    if (bytes_is_empty(bytes_trim(words)))
        return;
    json_name(json, "location");
    json_array_begin(json);
    json_object_begin(json);
    if (stay->is_present) {
        id_of_place(&id, &stay->place);
        put_reference(json, "location", "Location", &id, words);
        json_member_string(json, "status", "active");
    } else {
        put_display(json, "location", words);
        json_member_string(json, "status", "completed");
    }
    if (stay->since != INSTANT_NONE && stay->is_present) {
        json_name(json, "period");
        json_object_begin(json);
        put_instant(json, "start", stay->since);
        json_object_end(json);
    }
    json_object_end(json);
    json_array_end(json);
}

static void put_period(struct json *json, const struct chart_stay *stay) {
    int64_t from = stay->admitted_at, to = stay->discharged_at;
    if (from == INSTANT_NONE && to == INSTANT_NONE)
        return;
    json_name(json, "period");
    json_object_begin(json);
    put_instant(json, "start", from);
    if (from == INSTANT_NONE ||
        to >= from) /* a discharge before the admission is somebody's slip */
        put_instant(json, "end", to);
    json_object_end(json);
}

static void put_attending(struct json *json, struct bytes attending) {
    if (bytes_is_empty(bytes_trim(attending)))
        return;
    json_name(json, "participant");
    json_array_begin(json);
    json_object_begin(json);
    json_name(json, "type");
    json_array_begin(json);
    json_object_begin(json);
    json_name(json, "coding");
    json_array_begin(json);
    put_coding(json, TERMINOLOGY "v3-ParticipationType", "ATND", "attender");
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
    put_display(json, "individual", attending);
    json_object_end(json);
    json_array_end(json);
}

/* A stay that has no number but its sender's id of it. */
static struct bytes came_as(const struct record *record, const struct chart_stay *stay) {
    struct text text;
    if (!bytes_is(stay->visit.type, FACTS_FHIR_ID_TYPE) ||
        text_init_arena(&text, record->view->arena,
                        stay->visit.authority.size + stay->visit.number.size + 16))
        return BYTES_NONE;
    text_put(&text, stay->visit.authority);
    text_put_string(&text, "/Encounter/");
    text_put(&text, stay->visit.number);
    return text_bytes(&text);
}

static void facets(const struct record *record, size_t at, struct facets *out) {
    const struct chart_stay *stay = &record->stays[at];
    const struct class *class = class_of(stay->class);
    out->status = status_of(stay);
    out->said = stay->source.said;
    out->entry = stay->source.entry;
    out->came_as = came_as(record, stay);
    out->class = class ? bytes_from_string(class->fhir) : stay->class;
    facets_date(out, stay->admitted_at, stay->discharged_at);
    out->identifiers[out->identifier_count++] = stay->visit;
    if (stay->is_present) {
        id_of_place(&out->location, &stay->place);
        out->has_location = true;
    }
}

static void put(struct json *json, const struct record *record, size_t at) {
    const struct chart_stay *stay = &record->stays[at];
    struct id id;
    identify(record, at, &id);
    put_begin(json, "Encounter", &id, &stay->source);
    if (!bytes_is_empty(bytes_trim(stay->visit.number))) {
        json_name(json, "identifier");
        json_array_begin(json);
        put_identifier(json, &stay->visit, NULL);
        json_array_end(json);
    }
    json_member_string(json, "status", status_of(stay));
    put_class(json, stay->class);
    put_words(json, "serviceType", stay->service);
    put_subject(json, "subject", record);
    put_attending(json, stay->attending);
    put_period(json, stay);
    if (!bytes_is_empty(bytes_trim(stay->reason))) {
        json_name(json, "reasonCode");
        json_array_begin(json);
        put_concept(json, NULL, BYTES_NONE, BYTES_NONE, stay->reason, false);
        json_array_end(json);
    }
    put_location(json, record, stay);
    json_object_end(json);
}

/* ---- places ---- */

void location_put(struct json *json, const struct fact_place *place) {
    struct fact_place ward = {.unit = place->unit};
    bool is_bed = place->bed.size > 0, is_room = !is_bed && place->room.size > 0;
    struct id id;
    char buffer[512];
    struct text name;
    text_init(&name, buffer, sizeof buffer);
    text_put(&name, place->unit);
    text_put_string(&name, place->room.size ? " " : "");
    text_put(&name, place->room);
    text_put_string(&name, place->bed.size ? " " : "");
    text_put(&name, place->bed);
    id_of_place(&id, place);
    put_begin(json, "Location", &id, NULL);
    json_member_string(json, "status", "active");
    put_text(json, "name", text_bytes(&name));
    json_member_string(json, "mode", "instance");
    put_code(json, "physicalType", TERMINOLOGY "location-physical-type",
             is_bed    ? "bd"
             : is_room ? "ro"
                       : "wa",
             is_bed    ? "Bed"
             : is_room ? "Room"
                       : "Ward");
    if ((is_bed || is_room) && place->unit.size) {
        id_of_place(&id, &ward);
        put_reference(json, "partOf", "Location", &id, place->unit);
    }
    json_object_end(json);
}

static const struct search_name names[] = {
    {"status", FACET_STATUS},     {"class", FACET_CLASS},           {"date", FACET_DATE},
    {"location", FACET_LOCATION}, {"identifier", FACET_IDENTIFIER}, {NULL, FACET_NONE}};

const struct kind kind_encounter = {"Encounter", GATHER_STAYS, count, NULL,
                                    identify,    facets,       put,   names};
