/* fhir_samples.c - prints one resource of every kind and shape, a line each: for a validator that is not ours. */
#include "../unit/fhir/sample.h"

#include <stdio.h>

#define OUT_BYTES ((size_t)4 << 20)

static struct text out;

static void print(void) {
    assert(!out.full);
    printf("%s\n", out.data);
    text_clear(&out);
}

static void print_kinds(const struct record *record) {
    struct json json;
    for (size_t k = 0; k < KIND_COUNT; k++)
        for (size_t at = 0; at < kinds[k]->count(record); at++) {
            if (kinds[k]->is_one && !kinds[k]->is_one(record, at))
                continue;
            json_init(&json, &out);
            kinds[k]->put(&json, record, at);
            print();
        }
}

static void print_rest(struct record *record) {
    static const struct fact_place places[] = {{.unit = S("CARDIO")},
                                               {S("CARDIO"), S("12"), S("2"), S("")},
                                               {S(""), S("7"), S(""), S("")}};
    struct json json;
    for (size_t i = 0; i < 3; i++) {
        json_init(&json, &out);
        location_put(&json, &places[i]);
        print();
    }
    json_init(&json, &out);
    patient_put_merged(&json, record, 1);
    print();
    json_init(&json, &out);
    capability_put(record->view, &json);
    print();
    fhir_put_outcome(&out, "error", "not-found", "there is nothing of this id here");
    print();
    fhir_put_binary(&out, 7, BYTES("application/hl7-v2"), BYTES("MSH|^~\\&|A\rPID|1\r"));
    print();
    json_init(&json, &out);
    summary_put(&json, record);
    print();
}

int main(void) {
    struct arena arena, keep;
    struct fhir_view view;
    arena_init(&arena, (size_t)32 << 20);
    arena_init(&keep, (size_t)8 << 20);
    enum err err = text_init_arena(&out, &keep, OUT_BYTES);
    assert(!err);
    struct record record = sample_record(&view, &arena, &keep);
    print_kinds(&record);
    print_rest(&record);
    /* Nobody knows anything; and nothing is known to be there. */
    struct record bare = record;
    bare.patient = (struct chart_patient){.main = {S(""), S(""), S("7")}, .death = S("Y")};
    bare.member_count = 1;
    bare.stay_count = bare.report_count = bare.result_count = bare.diagnosis_count =
        bare.document_count = 0;
    bare.order_count = bare.event_count = bare.appointment_count = 0;
    print_kinds(&bare);
    struct json json;
    json_init(&json, &out);
    summary_put(&json, &bare);
    print();
    bare.patient.allergy_statement = ALLERGIES_NONE_KNOWN;
    print_kinds(&bare);
    json_init(&json, &out);
    summary_put(&json, &bare);
    print();
    arena_release(&arena);
    arena_release(&keep);
    return 0;
}
