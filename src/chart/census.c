/* census.c - one bed of the census as a packed row: all that a ward's page shows of a patient. */
#include "chart/fold.h"

static void patient_pack(struct text *out, const struct chart_patient *patient) {
    const struct bytes texts[] = {patient->family_name, patient->given_name, patient->birth_name,
                                  patient->used_name,   patient->prefix,     patient->birth_date,
                                  patient->sex,         patient->address,    patient->phone,
                                  patient->death,       patient->identity_status,
                                  bytes_from_string(patient->doubt_reason)};
    pack_u64(out, patient->id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        pack_bytes(out, texts[i]);
    identifier_pack(out, &patient->main);
    pack_u64(out, patient->other_count);
    for (size_t i = 0; i < patient->other_count; i++)
        identifier_pack(out, &patient->others[i]);
    pack_u64(out, patient->merged_count);
    for (size_t i = 0; i < patient->merged_count; i++)
        identifier_pack(out, &patient->merged[i]);
    pack_u64(out, patient->doubt);
    pack_u64(out, patient->allergy_statement);
    pack_u64(out, patient->identity_source.entry);
    pack_i64(out, patient->identity_source.said);
    pack_u64(out, patient->allergy_count);
    for (size_t i = 0; i < patient->allergy_count; i++) {
        const struct chart_allergy *a = &patient->allergies[i];
        const struct bytes parts[] = {a->code,     a->system,   a->text,          a->kind,
                                      a->severity, a->reaction, a->identified_at, a->feed};
        for (size_t k = 0; k < 8; k++)
            pack_bytes(out, parts[k]);
        pack_u64(out, a->source.entry);
        pack_i64(out, a->source.said);
    }
}

static bool identifiers_unpack(struct unpack *in, struct arena *arena, struct fact_identifier **list,
                               size_t *count) {
    *count = unpack_count(in);
    *list = arena_array(arena, *count, sizeof **list);
    for (size_t i = 0; *list && i < *count; i++)
        (*list)[i] = identifier_unpack(in);
    return *count == 0 || *list;
}

static bool allergies_unpack(struct unpack *in, struct arena *arena, struct chart_patient *patient) {
    patient->allergy_count = unpack_count(in);
    patient->allergies = arena_array(arena, patient->allergy_count, sizeof *patient->allergies);
    for (size_t i = 0; patient->allergies && i < patient->allergy_count; i++) {
        struct chart_allergy *a = &patient->allergies[i];
        struct bytes *const parts[] = {&a->code,     &a->system,   &a->text,          &a->kind,
                                       &a->severity, &a->reaction, &a->identified_at, &a->feed};
        for (size_t k = 0; k < 8; k++)
            *parts[k] = unpack_bytes(in);
        a->source.entry = unpack_u64(in);
        a->source.said = unpack_i64(in);
    }
    return patient->allergy_count == 0 || patient->allergies;
}

/* A packed text is followed by other bytes: one that is to be a C string gets its zero in the arena. */
static bool patient_unpack(struct unpack *in, struct arena *arena, struct chart_patient *patient) {
    struct bytes reason;
    struct bytes *const texts[] = {&patient->family_name, &patient->given_name, &patient->birth_name,
                                   &patient->used_name,   &patient->prefix,     &patient->birth_date,
                                   &patient->sex,         &patient->address,    &patient->phone,
                                   &patient->death,       &patient->identity_status, &reason};
    patient->id = unpack_u64(in);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = unpack_bytes(in);
    patient->doubt_reason = bytes_is_empty(reason) ? NULL : arena_string(arena, reason);
    patient->main = identifier_unpack(in);
    if (!identifiers_unpack(in, arena, &patient->others, &patient->other_count) ||
        !identifiers_unpack(in, arena, &patient->merged, &patient->merged_count))
        return false;
    patient->doubt = (unsigned)unpack_u64(in);
    patient->allergy_statement = (enum allergy_statement)unpack_u64(in);
    patient->identity_source.entry = unpack_u64(in);
    patient->identity_source.said = unpack_i64(in);
    return allergies_unpack(in, arena, patient);
}

static void stay_pack(struct text *out, const struct chart_stay *stay) {
    const struct bytes texts[] = {stay->class,      stay->attending,  stay->service,   stay->reason,
                                  stay->place.unit, stay->place.room, stay->place.bed, stay->place.facility};
    identifier_pack(out, &stay->visit);
    for (size_t i = 0; i < 8; i++)
        pack_bytes(out, texts[i]);
    pack_u64(out, (uint64_t)stay->is_present | (uint64_t)stay->is_place_stated << 1 |
                      (uint64_t)stay->is_on_leave << 2 | (uint64_t)stay->is_from_census << 3);
    pack_bytes(out, stay->medical_unit);
    pack_bytes(out, stay->care_unit);
    pack_i64(out, stay->census_at);
    pack_u64(out, stay->expected);
    pack_i64(out, stay->expected_at);
    place_pack(out, &stay->expected_place);
    pack_i64(out, stay->since);
    pack_i64(out, stay->admitted_at);
    pack_i64(out, stay->discharged_at);
    pack_u64(out, stay->source.entry);
    pack_i64(out, stay->source.said);
}

static void stay_unpack(struct unpack *in, struct chart_stay *stay) {
    struct bytes *const texts[] = {&stay->class,      &stay->attending,  &stay->service,   &stay->reason,
                                   &stay->place.unit, &stay->place.room, &stay->place.bed, &stay->place.facility};
    stay->visit = identifier_unpack(in);
    for (size_t i = 0; i < 8; i++)
        *texts[i] = unpack_bytes(in);
    uint64_t bits = unpack_u64(in);
    stay->is_present = bits & 1;
    stay->is_place_stated = bits & 2;
    stay->is_on_leave = bits & 4;
    stay->is_from_census = bits & 8;
    stay->medical_unit = unpack_bytes(in);
    stay->care_unit = unpack_bytes(in);
    stay->census_at = unpack_i64(in);
    stay->expected = (enum movement_class)unpack_u64(in);
    stay->expected_at = unpack_i64(in);
    stay->expected_place = place_unpack(in);
    stay->since = unpack_i64(in);
    stay->admitted_at = unpack_i64(in);
    stay->discharged_at = unpack_i64(in);
    stay->source.entry = unpack_u64(in);
    stay->source.said = unpack_i64(in);
}

void census_pack(const struct census_record *record, struct text *out) {
    patient_pack(out, &record->patient);
    stay_pack(out, &record->stay);
    pack_i64(out, record->newest_result_at);
    pack_u64(out, record->abnormal_count);
    for (size_t i = 0; i < record->abnormal_count; i++)
        pack_i64(out, record->abnormal_at[i]);
}

enum err census_unpack(struct census_record *record, struct bytes packed, struct arena *arena) {
    struct unpack in = {arena_copy(arena, packed), false};
    if (!in.rest.data || !patient_unpack(&in, arena, &record->patient))
        return ERR_LIMIT;
    stay_unpack(&in, &record->stay);
    record->newest_result_at = unpack_i64(&in);
    record->abnormal_count = unpack_count(&in);
    int64_t *abnormal_at = arena_array(arena, record->abnormal_count, sizeof *abnormal_at);
    if (record->abnormal_count && !abnormal_at)
        return ERR_LIMIT;
    for (size_t i = 0; i < record->abnormal_count; i++)
        abnormal_at[i] = unpack_i64(&in);
    record->abnormal_at = abnormal_at;
    return in.is_short ? ERR_CORRUPT : ERR_OK;
}
