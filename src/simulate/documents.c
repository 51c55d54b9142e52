/* documents.c - reports that doctors write: some ten lines about a stay. */
#include "simulate/hospital.h"

static const struct {
    const char *code, *title;
} kinds[DOCUMENT_COUNT] = {
    [DOCUMENT_EMERGENCY] = {"CR-URG", "Compte rendu de passage aux urgences"},
    [DOCUMENT_STAY] = {"CR-HOSP", "Lettre de liaison à la sortie"},
    [DOCUMENT_VISIT] = {"CR-CONS", "Compte rendu de consultation"},
    [DOCUMENT_IMAGING] = {"CR-IMG", "Compte rendu d'imagerie médicale"},
};

/* One OBX a line, all with the same OBX-3: together they are one text. */
static void begin_line(struct simulator *simulator, enum document_kind kind, unsigned *line) {
    struct message *message = &simulator->message;
    put_segment(message, "OBX");
    put_field(message, 1);
    put_number(message, ++*line);
    put_field(message, 2);
    put_raw(message, "TX");
    put_field(message, 3);
    put_format(message, "%s^", kinds[kind].code);
    put_escaped(message, kinds[kind].title);
    put_raw(message, "^L");
    put_field(message, 5);
}

static void end_line(struct simulator *simulator) {
    put_field(&simulator->message, 11);
    put_raw(&simulator->message, "F");
}

static void put_line(struct simulator *simulator, enum document_kind kind, unsigned *line,
                     const char *text) {
    begin_line(simulator, kind, line);
    put_escaped(&simulator->message, text);
    end_line(simulator);
}

static void put_reason(struct simulator *simulator, const struct stay *stay,
                       enum document_kind kind, unsigned *line) {
    struct message *message = &simulator->message;
    struct civil_time admitted = local_time(simulator, stay->admitted_at);
    begin_line(simulator, kind, line);
    put_format(message, "%s, %d ans, prise en charge depuis le %02d/%02d/%04d en ",
               stay->person.is_man ? "Patient" : "Patiente", person_age(simulator, &stay->person),
               admitted.day, admitted.month, admitted.year);
    put_escaped(message, simulator->wards[stay->ward].name);
    put_raw(message, ".");
    end_line(simulator);
    begin_line(simulator, kind, line);
    put_raw(message, "Motif : ");
    put_escaped(message, diagnoses[stay->diagnosis].text);
    put_raw(message, ".");
    end_line(simulator);
}

static void put_known_allergies(struct simulator *simulator, const struct stay *stay,
                                enum document_kind kind, unsigned *line) {
    struct message *message = &simulator->message;
    const struct person *person = &stay->person;
    begin_line(simulator, kind, line);
    put_raw(message, "Allergies : ");
    for (unsigned i = 0; i < person->allergy_count; i++) {
        put_raw(message, i ? ", " : "");
        put_escaped(message, allergens[person->allergies[i]].text);
    }
    if (person->allergy_count == 0)
        put_raw(message, person->has_no_allergy ? "aucune connue" : "non renseignées");
    put_raw(message, ".");
    end_line(simulator);
}

static void put_text(struct simulator *simulator, const struct stay *stay,
                     enum document_kind kind) {
    unsigned line = 0;
    put_line(simulator, kind, &line, kinds[kind].title);
    put_line(simulator, kind, &line, "");
    put_reason(simulator, stay, kind, &line);
    put_known_allergies(simulator, stay, kind, &line);
    size_t first = random_below(&simulator->random, finding_count);
    for (size_t i = 0; i < 4; i++)
        put_line(simulator, kind, &line, findings[(first + i * 5) % finding_count]);
    put_line(simulator, kind, &line, "Conduite à tenir :");
    first = random_below(&simulator->random, plan_count);
    for (size_t i = 0; i < 2; i++)
        put_line(simulator, kind, &line, plans[(first + i * 3) % plan_count]);
}

void tell_document(struct simulator *simulator, uint32_t index, enum document_kind kind) {
    struct message *message = &simulator->message;
    const struct stay *stay = &simulator->stays[index];
    put_header(simulator, SPEAKER_DOCUMENTS, "MDM", "T02", "MDM_T02");
    put_event(simulator, "T02", INSTANT_NONE);
    put_person(simulator, stay);
    put_visit(simulator, stay);
    put_segment(message, "TXA");
    put_field(message, 1);
    put_raw(message, "1");
    put_field(message, 2);
    put_format(message, "%s^", kinds[kind].code);
    put_escaped(message, kinds[kind].title);
    put_field(message, 3);
    put_raw(message, "TX");
    put_field(message, 4);
    put_time(message, simulator->now - 3 * MINUTE);
    put_field(message, 6);
    put_time(message, simulator->now);
    put_field(message, 9);
    put_doctor(message, stay->ward * 3u + stay->doctor);
    put_field(message, 12);
    put_format(message, "DOC%llu^DPI", (unsigned long long)++simulator->document_number);
    put_field(message, 16);
    put_escaped(message, kinds[kind].title);
    put_field(message, 17);
    put_raw(message, "AU");
    put_field(message, 19);
    put_raw(message, "AV");
    put_text(simulator, stay, kind);
}
